// The charts of one market, drawn under one another on the same clock.
"use strict";

const LEFT = 58;
const RIGHT = 16;

function fillPoints(fills) {
  const at = times(fills.t);
  return at.map((x, number) => ({
    x, number, price: fills.price[number] / 100, isBuy: fills.is_buy[number], trusted: fills.trusted[number],
    size: 6 + Math.min(8, 1.3 * Math.log2(1 + fills.count[number] / 100)),
  }));
}

function fillTip(fills, number) {
  const at = times(fills.t)[number];
  const mark = fills.mark_10s[number];
  return tip(`${fills.is_buy[number] ? "bought" : "sold"} ${contracts(fills.count[number])} at ${cents(fills.price[number])}`,
    clock(at, true), `${fills.is_taker[number] ? "took" : "rested"} (${fills.why[number]}), fee ${dollars(fills.fee[number])}`,
    `position after it ${contracts(fills.position[number])}`,
    mark === null ? "worth 10 s later: unknown" : `10 s later ${cents(mark)} a contract`,
    ...(fills.trusted[number] ? [] : ["the book was not to be trusted"]));
}

/** Fills as arrows: up and blue bought, down and orange sold, hollow while the book was not to be trusted. */
function fillSeries(chart, look) {
  return ["bought", "sold"].map((name) => {
    const isBuy = name === "bought";
    const colour = isBuy ? look.buy : look.sell;
    return {
      type: "scatter", name, z: 6, symbol: "triangle", symbolRotate: isBuy ? 0 : 180, itemStyle: { color: colour },
      data: fillPoints(chart.fills).filter((one) => one.isBuy === isBuy).map((one) => ({
        value: [one.x, one.price, one.number], symbolSize: one.size,
        itemStyle: one.trusted ? { color: colour, borderColor: look.card, borderWidth: 0.7 }
          : { color: look.card, borderColor: colour, borderWidth: 2 },
      })),
      tooltip: { formatter: (item) => fillTip(chart.fills, item.value[2]) },
    };
  });
}

const stepLine = (name, data, style, extra) => ({
  type: "line", name, data, step: "end", showSymbol: false, lineStyle: style, itemStyle: { color: style.color },
  emphasis: { disabled: true }, silent: true, ...extra,
});

const asCents = (y) => `${Math.round(y * 100) / 100}\u00a2`;

function regimeStrip(chart, look) {
  return {
    type: "custom", name: "regime", xAxisIndex: 1, yAxisIndex: 1, clip: true, encode: { x: [0, 1] },
    data: chart.regimes.map(([from, until, name]) => ({ value: [from, until], name })),
    renderItem: (params, api) => {
      const [from, until] = [api.coord([api.value(0), 0]), api.coord([api.value(1), 1])];
      return { type: "rect", style: { fill: look[chart.regimes[params.dataIndex][2]] || look.market },
        shape: { x: from[0], y: until[1], width: Math.max(until[0] - from[0], 1), height: from[1] - until[1] } };
    },
    tooltip: { formatter: (item) => tip(item.name, `${clock(item.value[0])} to ${clock(item.value[1])}`) },
  };
}

function priceCard(chart) {
  const { bid, ask, own_bid, own_ask, trades, fills, until, t } = chart;
  const shown = fills.t.length < fills.total ? ` ${grouped(fills.t.length, 0)} of ${grouped(fills.total, 0)} fills are drawn.` : "";
  const settled = chart.settlement === null ? "" : ` Settled at ${cents(chart.settlement)} for yes.`;
  const note = `Of yes. Dots: public trades. Hollow arrows: the book was not to be trusted.${settled}${shown}`;
  const has = chart.regimes.length > 0;
  const tradeTimes = times(trades.t);
  const draw = (look) => ({
    legend: legend(look, ["best bid and offer", "own bid", "own offer", "trades", "bought", "sold"]),
    tooltip: tooltip(look, { trigger: "item" }),
    grid: [{ left: LEFT, right: RIGHT, top: 10, bottom: has ? 46 : 26 }, ...(has ? [{ left: LEFT, right: RIGHT, bottom: 26, height: 12 }] : [])],
    xAxis: [timeAxis(look, t, until, { axisLabel: { show: !has, color: look.muted, fontSize: 11.5, hideOverlap: true } }),
      ...(has ? [timeAxis(look, t, until, { gridIndex: 1, axisLine: { show: false } })] : [])],
    yAxis: [valueAxis(look, { axisLabel: { formatter: asCents } }),
      ...(has ? [{ type: "value", gridIndex: 1, min: 0, max: 1, show: false }] : [])],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    dataZoom: zooms(has ? [0, 1] : [0]),
    series: [
      shadeSeries(chart.untrusted, look),
      stepLine("best bid and offer", points(bid, 100, until), { color: look.market, width: 1.1 }),
      stepLine("best bid and offer", points(ask, 100, until), { color: look.market, width: 1.1 }),
      { type: "scatter", name: "trades", silent: true, itemStyle: { color: faded(look.market, 0.45) },
        data: tradeTimes.map((x, at) => ({ value: [x, trades.price[at] / 100], symbolSize: 2 + Math.min(7, Math.log2(1 + trades.count[at] / 100)) })) },
      stepLine("own bid", points(own_bid, 100), { color: look.buy, width: 1.8, opacity: 0.75 }),
      stepLine("own offer", points(own_ask, 100), { color: look.sell, width: 1.8, opacity: 0.75 }),
      ...fillSeries(chart, look),
      ...(has ? [regimeStrip(chart, look)] : []),
    ],
  });
  const names = [...new Set(chart.regimes.map((span) => span[2]))];
  const chips = has ? el("ul", { class: "chips", "aria-label": "Regimes below the chart" },
    ...names.map((name) => el("li", {}, el("i", { class: "dot " + name }), name))) : null;
  const said = chart.missing || `From ${clock(t)} to ${clock(until)} UTC, ${fills.total} fills of ours.`;
  return chartCard("Price, own quotes and fills", note, { size: "tall", isTime: true, group: "market", chips }, said, draw);
}

/** The sizes of a heat map, read back from its picture: rows from the top. */
async function heatBytes(heat) {
  const image = new Image();
  image.src = heat.png;
  await image.decode();
  const canvas = el("canvas", { width: heat.columns, height: heat.rows });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const rgba = pen.getImageData(0, 0, heat.columns, heat.rows).data;
  return Uint8Array.from({ length: heat.columns * heat.rows }, (_, at) => rgba[4 * at]);
}

const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** The picture in the page's colours, each cell larger than a pixel so that it stays sharp when it is stretched. */
function heatCanvas(heat, bytes, look) {
  const zoom = 4;
  const small = el("canvas", { width: heat.columns, height: heat.rows });
  const picture = new ImageData(heat.columns, heat.rows);
  const [buy, sell, doubt] = [rgb(look.buy), rgb(look.sell), rgb(look.doubt)];
  bytes.forEach((value, at) => {
    if (!value) return;
    const shade = value === 255 ? 0.25 : Math.pow(((value - 1) % 127) / 126, 1.6);
    picture.data.set([...(value === 255 ? doubt : value > 127 ? sell : buy), Math.round(255 * (0.05 + 0.95 * shade))], 4 * at);
  });
  small.getContext("2d").putImageData(picture, 0, 0);
  const large = el("canvas", { width: heat.columns * zoom, height: heat.rows * zoom });
  const pen = large.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, large.width, large.height);
  return large;
}

/** What a cell of the heat map says, "" outside of it. */
function heatWords(heat, bytes, x, price) {
  const column = Math.round(((x - heat.t) / Math.max(heat.until - heat.t, 1)) * (heat.columns - 1));
  const row = Math.round((price * 100 - heat.low) / heat.step);
  if (column < 0 || column >= heat.columns || row < 0 || row >= heat.rows) return "";
  const value = bytes[(heat.rows - 1 - row) * heat.columns + column];
  const where = `${clock(x)} UTC, ${cents(heat.low + row * heat.step)}: `;
  if (value === 255) return where + "the book was not to be trusted";
  if (!value) return where + "nobody";
  const size = Math.expm1((((value - 1) % 127) / 126) * Math.log1p(heat.most));
  return where + `about ${grouped(Math.round(size / 100), 0)} contracts ${value > 127 ? "offered" : "bid"}`;
}

function heatCard(chart, bytes) {
  const { heat, until, t } = chart;
  const readout = el("p", { class: "readout" }, "Point at a place to read it.");
  const note = "Size resting at each price (blue bid, orange offered, darker is more, on a logarithmic scale), best prices and own fills.";
  const half = (heat.until - heat.t) / Math.max(heat.columns - 1, 1) / 2;
  const draw = (look) => {
    const canvas = heatCanvas(heat, bytes, look);
    return {
      tooltip: tooltip(look, { trigger: "item" }),
      grid: { left: LEFT, right: RIGHT, top: 10, bottom: 26 },
      xAxis: timeAxis(look, t, until),
      yAxis: valueAxis(look, { min: (heat.low - heat.step / 2) / 100, max: (heat.low + (heat.rows - 0.5) * heat.step) / 100,
        splitLine: { show: false }, axisLabel: { formatter: asCents, showMinLabel: false, showMaxLabel: false } }),
      dataZoom: zooms([0]),
      series: [
        { type: "custom", name: "book", silent: true, clip: true, data: [[heat.t, heat.low / 100]], encode: { x: 0, y: 1 },
          renderItem: (params, api) => {
            const low = (heat.low - heat.step / 2) / 100;
            const [left, foot] = api.coord([heat.t - half, low]);
            const [right, top] = api.coord([heat.until + half, low + (heat.rows * heat.step) / 100]);
            return { type: "image", style: { image: canvas, x: left, y: top, width: right - left, height: foot - top } };
          } },
        shadeSeries(chart.untrusted, look),
        stepLine("best bid", points(chart.bid, 100, until), { color: look.ink, width: 1, opacity: 0.55 }),
        stepLine("best offer", points(chart.ask, 100, until), { color: look.ink, width: 1, opacity: 0.55 }),
        ...fillSeries(chart, look),
      ],
    };
  };
  const ready = (plot) => plot.getZr().on("mousemove", (event) => {
    const [x, price] = plot.convertFromPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]);
    readout.textContent = heatWords(heat, bytes, x, price) || "Point at a place to read it.";
  });
  return chartCard("Book", note, { size: "tall", isTime: true, group: "market", after: readout, ready }, note, draw);
}

function positionCard(chart) {
  const { position, until, t } = chart;
  const note = "Contracts held: above zero of yes, below of no.";
  const held = points(position, 100, until);
  const draw = (look) => ({
    tooltip: tooltip(look, { trigger: "axis", formatter: (items) => {
      const [item] = items.filter((one) => one.value);
      return item ? tip(clock(item.value[0], true), `position ${contracts(100 * item.value[1])}`) : "";
    } }),
    grid: { left: LEFT, right: RIGHT, top: 10, bottom: 26 },
    xAxis: timeAxis(look, t, until),
    yAxis: valueAxis(look, { scale: false }),
    dataZoom: zooms([0]),
    series: [
      shadeSeries(chart.untrusted, look),
      stepLine("position", held, { color: look.accent, width: 1.4 }, { silent: false, areaStyle: { color: faded(look.accent, 0.18), origin: 0 } }),
    ],
  });
  return chartCard("Inventory", note, { size: "low", isTime: true, group: "market" }, note, draw);
}

async function marketCards(chart) {
  const hasPrice = chart.bid.t.length || chart.own_bid.t.length || chart.own_ask.t.length || chart.fills.t.length;
  const why = chart.missing ? `${chart.missing}.` : "";
  return [
    ...(why && hasPrice ? [el("p", { class: "why" }, `Best prices, trades, the book and regimes are left out: ${why}`)] : []),
    hasPrice ? priceCard(chart) : emptyCard("Price, own quotes and fills", `Nothing to draw: ${why}`),
    chart.heat ? heatCard(chart, await heatBytes(chart.heat))
      : emptyCard("Book", why ? `No book: ${why}` : "No book: nothing rested in this market while it was looked at."),
    chart.position.t.length ? positionCard(chart) : emptyCard("Inventory", "Nothing was ever held in this market."),
  ];
}
