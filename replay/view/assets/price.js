// A market around the cursor: best bid and ask as they stood, trades, what was decided and filled, what was not known.

import { createChart, LineSeries, LineType } from "./vendor/lightweight-charts-5.2.1.js";
import { ask, isOver } from "./api.js";
import { $, put } from "./dom.js";
import { cents, clock, precise, size, span } from "./format.js";
import { color, onTheme } from "./theme.js";

export const SPANS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000];
const KEPT = 0.12; // of the window at either end: when the cursor comes there, the window moves

export class Price {
  constructor(go, zoom) {
    this.element = document.querySelector("#price .chart");
    this.go = go;
    this.span = 60_000;
    this.window = null;
    this.data = null;
    this.at = null;
    this.gaps = [];
    this.loading = "";
    this.chart = createChart(this.element, {
      autoSize: true, handleScroll: false, handleScale: false,
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, tickMarkFormatter: (time) => clock(time * 1000) },
      layout: { attributionLogo: false, fontSize: 11 },
      localization: { timeFormatter: (time) => precise(time * 1000), priceFormatter: (price) => cents(Math.round(price * 100)) },
    });
    const line = { lineType: LineType.WithSteps, lineWidth: 2, priceLineVisible: false, crosshairMarkerRadius: 3, priceFormat: { type: "price", precision: 2, minMove: 0.01 } };
    this.grid = this.chart.addSeries(LineSeries, { ...line, lastValueVisible: false });
    this.ask = this.chart.addSeries(LineSeries, line);
    this.bid = this.chart.addSeries(LineSeries, line);
    const primitive = (zOrder, draw) => ({
      attached: ({ requestUpdate }) => { this.update = requestUpdate; },
      autoscaleInfo: () => this.range(),
      paneViews: () => [{ zOrder: () => zOrder, renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace(draw) }) }],
    });
    this.bid.attachPrimitive(primitive("bottom", (scope) => this.shade(scope)));
    this.bid.attachPrimitive(primitive("top", (scope) => this.draw(scope)));
    this.chart.subscribeClick((event) => {
      if (!event.point || !this.data) return;
      const seq = this.near(event.point);
      this.go(seq === null ? { ms: this.msAt(event.point.x) } : { seq });
    });
    this.element.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1 : -1);
    }, { passive: false });
    onTheme(() => this.paint());
  }

  paint() {
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: color("--quiet") },
      grid: { vertLines: { color: color("--grid") }, horzLines: { color: color("--grid") } },
    });
    this.bid.applyOptions({ color: color("--bid") });
    this.ask.applyOptions({ color: color("--ask") });
    this.update?.();
  }

  // Stand at an instant of a market; fetches another window where that is needed.
  async stand(ms, market, gaps, isLive) {
    this.at = ms;
    this.gaps = gaps;
    put($("span"), span(this.span));
    const [from, until] = this.window ?? [0, 0];
    const edge = (until - from) * KEPT;
    const isIn = this.data?.market === market && until - from === this.span && ms >= from + edge && ms <= until - edge;
    this.update?.();
    if (isIn && !isLive) return;
    const next = isLive ? [ms - this.span * 0.9, ms + this.span * 0.1] : [ms - this.span / 2, ms + this.span / 2];
    const key = `${market} ${next}`;
    if (this.loading === key) return;
    this.loading = key;
    try {
      const points = Math.min(Math.max(this.element.clientWidth, 200), 1_200);
      const data = await ask("chart", { market, from: Math.max(next[0], 0), until: next[1], points });
      this.window = next;
      this.take(data);
    } catch (error) {
      if (!isOver(error)) throw error;
    } finally {
      if (this.loading === key) this.loading = "";
    }
  }

  take(data) {
    this.data = data;
    const cells = Math.min(Math.max(this.element.clientWidth, 200), 1_200);
    this.step = this.span / cells;
    const time = (cell) => (this.window[0] + cell * this.step) / 1000;
    const every = Array.from({ length: cells }, (_, cell) => ({ time: time(cell) }));
    this.cells = cells;
    this.grid.setData(every);
    for (const [series, name] of [[this.bid, "bid"], [this.ask, "ask"]]) series.setData(this.stepped(every, data.quotes, name));
    this.chart.timeScale().setVisibleLogicalRange({ from: 0, to: cells - 1 });
    put($("price-market"), data.market);
    put($("price-legend"), legend(data));
    this.update?.();
  }

  // A quote stands from its instant until the next one, or the tape's end.
  stepped(every, quotes, name) {
    let place = -1;
    return every.map(({ time }) => {
      while (place + 1 < quotes.ms.length && quotes.ms[place + 1] <= time * 1000 + this.step / 2) place += 1;
      const value = place < 0 || time * 1000 > this.data.last_ms + this.step ? null : quotes[name][place];
      return value === null ? { time } : { time, value: value / 100 };
    });
  }

  range() {
    const prices = this.data ? [...this.data.trades.price, ...this.data.decisions.price.filter((price) => price !== null)].map((price) => price / 100) : [];
    return prices.length ? { priceRange: { minValue: Math.min(...prices), maxValue: Math.max(...prices) } } : null;
  }

  x(ms) {
    const scale = this.chart.timeScale();
    const first = scale.logicalToCoordinate(0);
    return first + ((scale.logicalToCoordinate(this.cells - 1) - first) * (ms - this.window[0])) / (this.step * (this.cells - 1));
  }

  msAt(x) {
    const scale = this.chart.timeScale();
    const first = scale.logicalToCoordinate(0);
    return this.window[0] + ((x - first) / (scale.logicalToCoordinate(this.cells - 1) - first)) * this.step * (this.cells - 1);
  }

  y(price) {
    return this.bid.priceToCoordinate(price / 100) ?? this.ask.priceToCoordinate(price / 100) ?? -99;
  }

  near(point) {
    let best = [64, null];
    for (const name of ["fills", "decisions", "trades"]) {
      const marks = this.data[name];
      marks.ms.forEach((ms, place) => {
        if (marks.price[place] === null) return;
        const distance = (this.x(ms) - point.x) ** 2 + (this.y(marks.price[place]) - point.y) ** 2;
        if (distance < best[0]) best = [distance, marks.seq[place]];
      });
    }
    return best[1];
  }

  shade({ context, mediaSize: { height } }) {
    if (!this.data) return;
    const wash = (from, until, name) => {
      const left = this.x(Math.max(from, this.window[0]));
      const right = this.x(Math.min(until, this.window[1]));
      if (right < left) return;
      context.fillStyle = color(name);
      context.fillRect(left, 0, Math.max(right - left, 1), height);
    };
    const { ms, trusted } = this.data.quotes;
    trusted.forEach((is, place) => { if (!is) wash(ms[place], ms[place + 1] ?? this.window[1], "--untrusted"); });
    for (const gap of this.gaps) {
      const until = gap.until_ms ?? Infinity;
      if (until >= this.window[0] && gap.from_ms <= this.window[1]) wash(gap.from_ms, until, "--gap-wash");
    }
  }

  draw({ context, mediaSize: { height } }) {
    if (!this.data) return;
    const { trades, fills, decisions } = this.data;
    const largest = Math.max(...trades.size, 100);
    trades.ms.forEach((ms, place) => {
      context.fillStyle = color(trades.yes[place] ? "--bid-dot" : "--ask-dot");
      context.beginPath();
      context.arc(this.x(ms), this.y(trades.price[place]), 2 + 6 * Math.sqrt(trades.size[place] / largest), 0, 7);
      context.fill();
    });
    decisions.ms.forEach((ms, place) => {
      const x = this.x(ms);
      context.fillStyle = context.strokeStyle = color(decisions.do[place] === "cancel" ? "--quiet" : "--decision");
      if (decisions.price[place] === null) {
        context.fillRect(x - 1, height - 7, 2, 6);
        return;
      }
      const y = this.y(decisions.price[place]);
      const up = decisions.side[place] === "bid" ? 1 : -1;
      context.beginPath();
      context.moveTo(x, y - 1 * up);
      context.lineTo(x - 4, y + 6 * up);
      context.lineTo(x + 4, y + 6 * up);
      context.fill();
    });
    fills.ms.forEach((ms, place) => {
      context.lineWidth = 2;
      context.strokeStyle = color("--fill");
      context.fillStyle = color("--panel");
      context.beginPath();
      context.arc(this.x(ms), this.y(fills.price[place]), 5, 0, 7);
      context.fill();
      context.stroke();
    });
    if (this.at !== null) {
      context.fillStyle = color("--accent");
      context.fillRect(this.x(this.at) - 0.75, 0, 1.5, height);
    }
  }
}

function legend({ partial, trades, decisions, fills }) {
  const told = [partial ? "too long a stretch for best prices" : "best bid and ask of yes"];
  if (trades.ms.length) told.push("dots: trades");
  if (decisions.price.some((price) => price !== null)) told.push("triangles: our orders");
  if (fills.ms.length) told.push("rings: our fills");
  return told.join(" · ");
}

export const tradeWords = (trades, place) => `${size(trades.size[place])} at ${cents(trades.price[place])}`;
