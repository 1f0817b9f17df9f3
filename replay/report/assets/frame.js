// What every chart has: a card with a title, colours of the page, keys, and shaded spans that were not to be trusted.
"use strict";

const DRAWN = []; // every chart that is on the page: { node, chart, draw }

function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["bg", "card", "ink", "muted", "line", "faint", "buy", "sell", "good", "bad", "accent", "doubt",
    "quiet", "trending", "volatile", "frozen", "market"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
}

/** A colour with an opacity of its own. */
function faded(colour, alpha) {
  const number = parseInt(colour.slice(1), 16);
  return `rgba(${number >> 16}, ${(number >> 8) & 255}, ${number & 255}, ${alpha})`;
}

/** Diagonal stripes, which no data is drawn with: the book was not to be trusted. */
function stripes(colour) {
  const size = 8;
  const canvas = el("canvas", { width: size, height: size });
  const pen = canvas.getContext("2d");
  pen.strokeStyle = faded(colour, 0.55);
  pen.lineWidth = 1.6;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
    pen.stroke();
  }
  return { image: canvas, repeat: "repeat" };
}

function shading(spans, look) {
  if (!spans.length) return {};
  return {
    markArea: {
      silent: true,
      itemStyle: { color: stripes(look.doubt), borderColor: faded(look.doubt, 0.6), borderWidth: 1 },
      data: spans.map(([from, until]) => [{ xAxis: from }, { xAxis: until }]),
    },
  };
}

/** A series that holds nothing but the shading, so that it is there whatever else is drawn. */
function shadeSeries(spans, look, extra) {
  return { type: "line", name: "not to be trusted", data: [], silent: true, ...shading(spans, look), ...extra };
}

function tooltip(look, extra) {
  return {
    confine: true, backgroundColor: look.card, borderColor: look.line, textStyle: { color: look.ink, fontSize: 12.5 },
    padding: [7, 10], transitionDuration: 0, ...extra,
  };
}

function valueAxis(look, extra) {
  return {
    type: "value", scale: true, axisLine: { show: false }, axisTick: { show: false },
    splitLine: { lineStyle: { color: look.line, width: 1 } },
    nameTextStyle: { color: look.muted, fontSize: 11.5 },
    ...extra,
    axisLabel: { color: look.muted, fontSize: 11.5, hideOverlap: true, ...(extra || {}).axisLabel },
  };
}

function categoryAxis(look, labels, extra) {
  return {
    type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: look.line } },
    axisLabel: { color: look.muted, fontSize: 11.5, hideOverlap: true }, ...extra,
  };
}

/** UTC time from `min` to `max` (ms). */
function timeAxis(look, min, max, extra) {
  return {
    type: "time", min, max, axisLine: { lineStyle: { color: look.line } }, axisTick: { show: false },
    splitLine: { show: false }, axisLabel: { color: look.muted, fontSize: 11.5, hideOverlap: true }, ...extra,
  };
}

/** Names of series that may be hidden; they are shown by `legendKeys` above the chart, where they have room to wrap. */
function legend(look, names) {
  return { show: false, data: names };
}

/** A chart's names as buttons, each with its colour; one hides what it names, or shows it again. */
function legendKeys(entry, option) {
  const names = option.legend ? option.legend.data : [];
  const colour = (name) => {
    const one = option.series.find((series) => series.name === name) || {};
    return (one.itemStyle || {}).color || (one.lineStyle || {}).color || one.color || "currentColor";
  };
  const keys = el("div", { class: "keys", role: "group", "aria-label": "Shown in this chart" }, ...names.map((name) => {
    const button = el("button", { type: "button", "aria-pressed": "true", onclick: () => {
      entry.chart.dispatchAction({ type: "legendToggleSelect", name });
      button.setAttribute("aria-pressed", String(entry.chart.getOption().legend[0].selected[name] !== false));
    } }, el("i", { style: `background:${colour(name)}` }), name);
    return button;
  }));
  if (entry.keys) entry.keys.remove();
  entry.keys = names.length ? keys : null;
  if (names.length) entry.node.before(keys);
}

function zooms(axes) {
  return [{ type: "inside", xAxisIndex: axes, filterMode: "none", zoomOnMouseWheel: "shift", moveOnMouseWheel: false }];
}

/** Zoom and pan of a chart over time: share of what is shown. */
function move(chart, zoom, shift) {
  const [now] = chart.getOption().dataZoom;
  const middle = (now.start + now.end) / 2 + shift * (now.end - now.start);
  const half = Math.min(Math.max(((now.end - now.start) / 2) * zoom, 0.05), 50);
  const start = Math.min(Math.max(middle - half, 0), 100 - 2 * half);
  chart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start, end: start + 2 * half });
}

const KEYS = {
  "+": [0.6, 0], "=": [0.6, 0], "-": [1 / 0.6, 0], ArrowLeft: [1, -0.25], ArrowRight: [1, 0.25], 0: [1000, 0],
};

/** A chart in its card. draw(look) gives ECharts' option; said: what the chart shows, for whoever cannot see it. */
function chartCard(title, note, kind, said, draw) {
  const node = el("div", { class: "plot " + kind.size, role: "img", "aria-label": title + ". " + said });
  const card = el("figure", { class: "card" },
    el("figcaption", {}, el("h3", {}, title), el("p", {}, note), ...(kind.chips ? [kind.chips] : [])), node,
    ...(kind.after ? [kind.after] : []));
  if (kind.isTime) {
    node.tabIndex = 0;
    node.setAttribute("aria-keyshortcuts", "+ - ArrowLeft ArrowRight 0");
    node.addEventListener("keydown", (event) => {
      const step = KEYS[event.key];
      const entry = DRAWN.find((one) => one.node === node);
      if (!step || !entry || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(entry.chart, ...step);
    });
  }
  DRAWN.push({ node, draw, group: kind.group, chart: null, ready: kind.ready });
  return card;
}

/** A card that says why there is no chart. */
function emptyCard(title, why) {
  return el("figure", { class: "card", "data-empty": "" },
    el("figcaption", {}, el("h3", {}, title)), el("p", { class: "why" }, why));
}

/** Draw whatever is on the page and not drawn, or all of it anew: its width or the page's colours have changed. */
function drawAll(anew) {
  const look = colours();
  for (let at = DRAWN.length - 1; at >= 0; at -= 1) {
    const entry = DRAWN[at];
    if (!entry.node.isConnected) {
      if (entry.chart) entry.chart.dispose();
      DRAWN.splice(at, 1);
    } else if (!entry.chart || anew) {
      const kept = entry.chart && entry.chart.getOption().dataZoom;
      if (entry.chart) entry.chart.dispose();
      entry.chart = echarts.init(entry.node, null, { renderer: "canvas", useUTC: true });
      const option = entry.draw(look, entry);
      entry.chart.setOption({ animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily }, ...option });
      legendKeys(entry, option);
      if (entry.group) entry.chart.group = entry.group;
      if (entry.ready) entry.ready(entry.chart);
      if (kept && kept.length) {
        entry.chart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start: kept[0].start, end: kept[0].end });
      }
    }
  }
  for (const group of ["run", "market"]) echarts.connect(group);
}

function watchPage() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    drawAll(true);
    document.body.dataset.scheme = event.matches ? "dark" : "light";
  });
  new ResizeObserver(() => {
    for (const entry of DRAWN) if (entry.chart) entry.chart.resize();
  }).observe(document.getElementById("page"));
}
