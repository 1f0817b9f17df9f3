// The charts that span the whole run.
"use strict";

/** The true time at a place of the run's axis. */
function trueTime(axis, x) {
  const part = axis.parts.find((one) => x <= one.until) || axis.parts[axis.parts.length - 1];
  return part.unix + (x - part.at);
}

/** The run's axis: of one tape its clock, of several their clocks end to end. */
function runAxis(axis, look, extra) {
  const min = axis.parts[0].at;
  const max = axis.parts[axis.parts.length - 1].until;
  if (!axis.is_joined) return timeAxis(look, min, max, extra);
  const several = new Set(axis.parts.map((part) => day(part.unix))).size > 1;
  const label = (x) => (several ? day(trueTime(axis, x)).slice(5) + " " : "") + clock(trueTime(axis, x)).slice(0, 5);
  return {
    ...valueAxis(look, { scale: false, splitLine: { show: false } }), min, max,
    axisLine: { lineStyle: { color: look.line } },
    axisLabel: { color: look.muted, fontSize: 11.5, hideOverlap: true, formatter: label }, ...extra,
  };
}

/** Where one tape ends and the next begins. */
function seams(axis, look) {
  if (!axis.is_joined) return {};
  return {
    markLine: {
      silent: true, symbol: "none", lineStyle: { color: look.muted, type: "dotted", width: 1 },
      label: { show: false }, data: axis.parts.slice(1).map((part) => ({ xAxis: part.at })),
    },
  };
}

function runTip(axis, say) {
  return (items) => {
    const list = items.filter((item) => item.value && item.value[1] !== null && item.value[1] !== undefined);
    if (!list.length) return "";
    const at = trueTime(axis, list[0].value[0]);
    return tip(`${day(at)} ${clock(at)}`, ...list.map((item) => `${item.seriesName}: ${say(item.value[1])}`));
  };
}

const money = (value) => dollars(Math.round(value * 1e6));

function equityCard(page) {
  const { equity, axis } = page;
  const end = axis.parts[axis.parts.length - 1].until;
  const note = "Against the beginning. Striped: something of a book was missing."
    + (axis.is_joined ? " Tapes stand end to end; dotted lines divide them." : "");
  const zero = (look) => ({ silent: true, symbol: "none", label: { show: false },
    lineStyle: { color: look.muted, type: "solid", width: 1 }, data: [{ yAxis: 0 }] });
  const line = (name, data, colour, extra) => ({
    type: "line", name, data, step: "end", showSymbol: false, lineStyle: { width: 1.8, color: colour },
    itemStyle: { color: colour }, emphasis: { disabled: true }, ...extra,
  });
  const draw = (look) => ({
    legend: legend(look, ["profit and loss", "before fees", "drawdown"]),
    tooltip: tooltip(look, { trigger: "axis", formatter: runTip(axis, money) }),
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    grid: [{ left: 66, right: 16, top: 10, height: "52%" }, { left: 66, right: 16, bottom: 24, height: "19%" }],
    xAxis: [runAxis(axis, look, { gridIndex: 0, axisLabel: { show: false } }), runAxis(axis, look, { gridIndex: 1 })],
    yAxis: [
      valueAxis(look, { gridIndex: 0, axisLabel: { formatter: dollarsShort } }),
      valueAxis(look, { gridIndex: 1, splitNumber: 2, axisLabel: { formatter: dollarsShort, verticalAlignMinLabel: "bottom" } }),
    ],
    dataZoom: zooms([0, 1]),
    series: [
      shadeSeries(equity.untrusted, look, seams(axis, look)),
      shadeSeries(equity.untrusted, look, { xAxisIndex: 1, yAxisIndex: 1 }),
      line("before fees", points(equity.before_fees, 1e6, end), look.market,
        { lineStyle: { width: 1.2, color: look.market, type: [4, 3] } }),
      line("profit and loss", points(equity.pnl, 1e6, end), look.accent, { markLine: zero(look) }),
      line("drawdown", points(equity.drawdown, 1e6, end), look.bad,
        { xAxisIndex: 1, yAxisIndex: 1, lineStyle: { width: 1, color: look.bad },
          areaStyle: { color: faded(look.bad, 0.18), origin: 0 } }),
    ],
  });
  return chartCard("Equity and drawdown", note, { size: "tall", isTime: true, group: "run" },
    page.top.headline, draw);
}

function feesCard(page) {
  const { equity, axis } = page;
  const end = axis.parts[axis.parts.length - 1].until;
  const total = (line) => line.v[line.v.length - 1] || 0;
  const said = `Makers' fills paid ${dollars(total(equity.maker_fees))}, takers' ${dollars(total(equity.taker_fees))}.`;
  const draw = (look) => ({
    legend: legend(look, ["maker", "taker"]),
    tooltip: tooltip(look, { trigger: "axis", formatter: runTip(axis, money) }),
    grid: { left: 66, right: 16, top: 10, bottom: 24 },
    xAxis: runAxis(axis, look),
    yAxis: valueAxis(look, { scale: false, axisLabel: { formatter: dollarsShort } }),
    dataZoom: zooms([0]),
    series: [
      shadeSeries(equity.untrusted, look, seams(axis, look)),
      ...[["maker", equity.maker_fees, look.buy], ["taker", equity.taker_fees, look.sell]].map(([name, line, colour]) => ({
        type: "line", name, data: points(line, 1e6, end), step: "end", showSymbol: false,
        lineStyle: { width: 1.8, color: colour }, itemStyle: { color: colour },
      })),
    ],
  });
  return chartCard("Fees", said, { size: "", isTime: true, group: "run" }, said, draw);
}

function exposureCard(page) {
  const { equity, axis } = page;
  const end = axis.parts[axis.parts.length - 1].until;
  const note = "Money that what was held and what rested could have lost.";
  const draw = (look) => ({
    tooltip: tooltip(look, { trigger: "axis", formatter: runTip(axis, money) }),
    grid: { left: 66, right: 16, top: 12, bottom: 24 },
    xAxis: runAxis(axis, look),
    yAxis: valueAxis(look, { scale: false, axisLabel: { formatter: dollarsShort } }),
    dataZoom: zooms([0]),
    series: [
      shadeSeries(equity.untrusted, look, seams(axis, look)),
      { type: "line", name: "at risk", data: points(equity.exposure, 1e6, end), step: "end", showSymbol: false,
        lineStyle: { width: 1.4, color: look.trending }, itemStyle: { color: look.trending },
        areaStyle: { color: faded(look.trending, 0.15), origin: 0 } },
    ],
  });
  return chartCard("Exposure", note, { size: "", isTime: true, group: "run" }, note, draw);
}

function activityCard(page) {
  const { activity, axis } = page;
  const wide = activity.width >= 1000 ? `${grouped(activity.width / 1000, activity.width % 1000 ? 1 : 0)} s` : `${activity.width} ms`;
  const note = `Orders placed, fills and cancellations in each ${wide}.`;
  const draw = (look) => ({
    legend: legend(look, ["placed", "cancelled", "fills"]),
    tooltip: tooltip(look, { trigger: "axis", formatter: runTip(axis, String) }),
    grid: { left: 46, right: 16, top: 10, bottom: 24 },
    xAxis: runAxis(axis, look),
    yAxis: valueAxis(look, { scale: false, minInterval: 1 }),
    dataZoom: zooms([0]),
    series: [
      shadeSeries(page.equity.untrusted, look, seams(axis, look)),
      ...[["placed", activity.placed, look.market], ["cancelled", activity.canceled, look.sell], ["fills", activity.fills, look.buy]]
        .map(([name, counts, colour]) => ({
          type: "line", name, step: "end", showSymbol: false, itemStyle: { color: colour },
          lineStyle: { color: colour, width: name === "fills" ? 2 : 1.3 },
          areaStyle: { color: faded(colour, name === "fills" ? 0.3 : 0.08), origin: 0 },
          data: activity.at.map((at, number) => [at, counts[number]]),
        })),
    ],
  });
  return chartCard("Over time", note, { size: "", isTime: true, group: "run" }, note, draw);
}

/** A mean and its error as a whisker, in the pixels of a chart. */
function whisker(colour) {
  return (params, api) => {
    const [x, low, high] = [0, 1, 2].map((at) => api.value(at));
    const [top, foot] = [api.coord([x, high]), api.coord([x, low])];
    const style = { stroke: colour, lineWidth: 1.5, fill: null };
    const bar = (y) => ({ type: "line", shape: { x1: top[0] - 4, x2: top[0] + 4, y1: y, y2: y }, style });
    return { type: "group", children: [
      { type: "line", shape: { x1: top[0], x2: foot[0], y1: top[1], y2: foot[1] }, style }, bar(top[1]), bar(foot[1])] };
  };
}

const SORTS = { all: "accent", maker: "buy", taker: "sell", "book untrusted": "doubt" };
const MARKS = { all: "circle", maker: "rect", taker: "triangle", "book untrusted": "diamond" };

function markOutCard(page) {
  const { horizons, rows } = page.markouts;
  const whole = rows[0];
  const only = rows.filter((row) => row.name === "all" || row.fills[0] < whole.fills[0] || rows.length > 2);
  const spread = (number) => (number - (only.length - 1) / 2) * 0.13;
  const note = "Cents a contract, fees left out: above zero the price went our way. Whiskers: 2 standard errors.";
  const said = horizons.map((name, at) => (whole.mean[at] === null ? "" : `${name} ${cents(whole.mean[at])}`)).filter(Boolean).join(", ");
  const draw = (look) => ({
    legend: legend(look, only.map((row) => row.name)),
    tooltip: tooltip(look, {
      trigger: "item",
      formatter: (item) => {
        const row = only.find((one) => one.name === item.seriesName);
        const at = Math.round(item.value[0]);
        return tip(`${row.name}, ${horizons[at]}`, `${cents(row.mean[at])} a contract`,
          row.error[at] === null ? "one fill only" : `\u00b1 ${cents(row.error[at])} standard error`,
          `${grouped(row.fills[at], 0)} fills, ${dollars(row.money[at])} in all`);
      },
    }),
    grid: { left: 52, right: 16, top: 12, bottom: 40 },
    xAxis: { ...categoryAxis(look, null, { type: "value", data: undefined, min: -0.5, max: horizons.length - 0.5, interval: 0.5 }),
      axisLabel: { color: look.muted, fontSize: 11.5, lineHeight: 14,
        formatter: (x) => (Number.isInteger(x) && (horizons[x] || "").replace(/ (later|fill)$/, "\n$1")) || "" },
      splitLine: { show: false } },
    yAxis: valueAxis(look, { scale: false, axisLabel: { formatter: (y) => signed(y, Math.abs(y) + "\u00a2") } }),
    series: only.flatMap((row, number) => {
      const colour = look[SORTS[row.name]];
      const known = row.mean.map((mean, at) => [at + spread(number), mean, row.error[at]]).filter((one) => one[1] !== null);
      return [
        { type: "line", name: row.name, data: known.map(([x, mean]) => [x, mean / 100]), symbol: MARKS[row.name], symbolSize: 9,
          lineStyle: { color: faded(colour, 0.45), width: 1.2 }, itemStyle: { color: colour }, z: 4,
          ...(number ? {} : { markLine: { silent: true, symbol: "none", label: { show: false }, data: [{ yAxis: 0 }],
            lineStyle: { color: look.muted, type: "solid", width: 1 } } }) },
        { type: "custom", name: row.name, silent: true, renderItem: whisker(colour),
          data: known.filter((one) => one[2] !== null).map(([x, mean, error]) => [x, (mean - 2 * error) / 100, (mean + 2 * error) / 100]),
          encode: { x: 0, y: [1, 2] } },
      ];
    }),
  });
  return chartCard("What fills were worth later", note, { size: "tall" }, said, draw);
}

function markOutTable(page) {
  const { horizons, rows } = page.markouts;
  const cell = (row, at) => {
    if (row.mean[at] === null) return el("td", {}, "unknown");
    return el("td", { class: row.money[at] < 0 ? "bad" : "good", title: `${row.fills[at]} fills` },
      `${cents(row.mean[at])} \u00b7 ${dollars(row.money[at])}`);
  };
  return el("div", { class: "card scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "fills"), ...horizons.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, el("td", {}, `${row.name} (${grouped(Math.max(...row.fills), 0)})`),
      ...horizons.map((_, at) => cell(row, at)))))));
}

function outcomeCard(page) {
  const rows = [...page.outcomes].reverse();
  const said = page.outcomes.map((row) => `${row.name} ${percent(row.share)}`).join(", ");
  const draw = (look) => ({
    tooltip: tooltip(look, { trigger: "item", formatter: (item) => tip(rows[item.dataIndex].name,
      `${grouped(rows[item.dataIndex].orders, 0)} orders, ${percent(rows[item.dataIndex].share)}`) }),
    grid: { left: 8, right: 70, top: 6, bottom: 6, containLabel: true },
    xAxis: valueAxis(look, { scale: false, show: false }),
    yAxis: categoryAxis(look, rows.map((row) => row.name.replaceAll("_", " ")), { axisLine: { show: false },
      axisLabel: { color: look.ink, fontSize: 12.5, width: 150, lineHeight: 16, overflow: "break" } }),
    series: [{ type: "bar", barMaxWidth: 24, data: rows.map((row) => ({ value: row.orders,
      itemStyle: { color: row.name === "executed" ? look.good : row.is_ours ? look.accent : look.sell, borderRadius: 3 } })),
      label: { show: true, position: "right", color: look.ink, fontSize: 12, formatter: (item) => percent(rows[item.dataIndex].share) } }],
  });
  return chartCard("How orders ended", "", { size: "" }, said, draw);
}

function binsCard(title, note, bins, names) {
  const said = bins.names.map((name, at) => `${name}: ${bins.counts[at].reduce((sum, count) => sum + count, 0)}`).join(", ");
  const draw = (look) => ({
    legend: bins.names.length > 1 ? legend(look, bins.names) : undefined,
    tooltip: tooltip(look, { trigger: "axis", axisPointer: { type: "shadow" }, formatter: (items) =>
      tip(items[0].name, ...items.map((item) => `${item.seriesName}: ${grouped(item.value, 0)}`)) }),
    grid: { left: 8, right: 12, top: 12, bottom: 24, containLabel: true },
    xAxis: categoryAxis(look, bins.labels, { name: names, nameLocation: "middle", nameGap: 24,
      nameTextStyle: { color: look.muted, fontSize: 11.5 } }),
    yAxis: valueAxis(look, { scale: false, minInterval: 1 }),
    series: bins.names.map((name, at) => {
      const colour = [look.accent, look.sell, look.good][at];
      return { type: "bar", name, data: bins.counts[at], barMaxWidth: 26, itemStyle: { color: colour, borderRadius: [2, 2, 0, 0] } };
    }),
  });
  return chartCard(title, note, { size: "" }, said, draw);
}

function quantileTable(page) {
  return el("div", { class: "card scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ...["", "of", "median", "90 %", "99 %", "most"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...page.quantiles.map((row) => el("tr", {}, el("td", {}, row.name), el("td", {}, grouped(row.n, 0)),
      ...[row.median, row.p90, row.p99, row.most].map((text) => el("td", {}, text)))))));
}

function regimeTable(page) {
  const rows = page.regimes.map((row) => el("tr", {},
    el("td", {}, el("i", { class: "dot " + row.name }), row.name), el("td", {}, percent(row.share)), el("td", {}, grouped(row.fills, 0)),
    el("td", {}, row.mark_10s === null ? "unknown" : cents(row.mark_10s)),
    el("td", { class: row.mark_10s === null ? "" : row.money_10s < 0 ? "bad" : "good" }, row.mark_10s === null ? "unknown" : dollars(row.money_10s))));
  return el("figure", { class: "card" },
    el("figcaption", {}, el("h3", {}, "By regime"), el("p", {}, "Share of the time shown in the charts of markets, and what fills were worth 10 s later.")),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {},
      ...["regime", "of the time", "fills", "a contract", "in all"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows))));
}
