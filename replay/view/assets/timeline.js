// The whole tape from end to end: how busy it was, where gaps and incidents are, where one stands. A click goes there.

import { createChart, HistogramSeries } from "./vendor/lightweight-charts-5.2.1.js";
import { ask, isOver } from "./api.js";
import { $, make } from "./dom.js";
import { clock, count, date, many, minute, precise, span, tenth } from "./format.js";
import { color, onTheme } from "./theme.js";

export const LOOK = {
  gap: ["--gap", "gap", "gaps"],
  fault: ["--bad", "fault", "faults"],
  malformed: ["--bad", "unreadable frame", "unreadable frames"],
  session: ["--session", "start or stop", "starts and stops"],
  connection: ["--session", "connect or close", "connects and closes"],
  decision: ["--decision", "decision", "decisions"],
  fill: ["--fill", "fill", "fills"],
  lifecycle: ["--quiet", "change of a market's life", "changes of markets' lives"],
  control: ["--quiet", "control", "controls"],
};
const LANES = [["decision", "control"], ["fill", "lifecycle"], ["session", "connection"], ["gap", "fault", "malformed"]];
const LANE_HEIGHT = 5;

export class Timeline {
  constructor(go) {
    this.element = document.querySelector("#timeline .chart");
    this.go = go;
    this.data = null;
    this.tape = null;
    this.at = null;
    this.window = null;
    this.chart = createChart(this.element, {
      autoSize: true, handleScroll: false, handleScale: false,
      rightPriceScale: { visible: false, scaleMargins: { top: 0.06, bottom: 0.3 } },
      timeScale: { fixLeftEdge: true, fixRightEdge: true, borderVisible: false, timeVisible: true, secondsVisible: true, tickMarkFormatter: (time, kind) => (kind < 3 ? date(time * 1000) : kind > 3 ? (this.isFine() ? tenth : clock)(time * 1000) : minute(time * 1000)) },
      layout: { attributionLogo: false, fontSize: 11 },
      grid: { vertLines: { visible: false }, horzLines: { visible: false } },
      crosshair: { horzLine: { visible: false, labelVisible: false } },
      localization: { timeFormatter: (time) => `${precise(time * 1000)}` },
    });
    this.bars = this.chart.addSeries(HistogramSeries, { priceLineVisible: false, lastValueVisible: false, priceFormat: { type: "volume" } });
    this.bars.attachPrimitive({ attached: ({ requestUpdate }) => { this.update = requestUpdate; }, paneViews: () => [{ zOrder: () => "top", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((scope) => this.draw(scope)) }) }] });
    this.chart.subscribeClick((event) => {
      if (event.logical === undefined || event.logical === null || !this.data) return;
      const found = this.markNear(event.point);
      if (found !== null) this.go({ seq: found });
      else this.go({ ms: this.msAt(event.point.x) });
    });
    onTheme(() => this.paint());
  }

  // Whether the labels of its time may lie less than a second apart.
  isFine() {
    return this.tape !== null && this.tape.last_ms - this.tape.first_ms < 20_000;
  }

  async load(tape) {
    this.tape = tape;
    if (!tape.records) return;
    const until = Math.max(tape.last_ms, tape.first_ms + 1);
    try {
      this.data = await ask("timeline", { from: tape.first_ms, until, cells: Math.max(200, Math.round(this.element.clientWidth)) });
    } catch (error) {
      if (!isOver(error)) throw error;
      return;
    }
    this.bars.setData(this.data.counts.map((value, cell) => ({ time: (this.data.from_ms + cell * this.data.step_ms) / 1000, value })));
    this.chart.timeScale().fitContent();
    this.legend();
    this.update?.();
  }

  paint() {
    this.chart.applyOptions({ layout: { background: { color: "transparent" }, textColor: color("--quiet") }, timeScale: { borderColor: color("--line") } });
    this.bars.applyOptions({ color: color("--density") });
    this.update?.();
  }

  stand(ms, window) {
    this.at = ms;
    this.window = window;
    this.update?.();
  }

  legend() {
    const legend = $("legend");
    legend.replaceChildren();
    const peak = Math.max(...this.data.counts);
    legend.append(make("span", "quiet", `peak ${count((peak * 1000) / this.data.step_ms)} records/s`));
    const told = new Map();
    for (const [name, cells] of Object.entries(this.data.marks)) {
      told.set(name, cells.reduce((sum, [, inCell]) => sum + inCell, 0));
    }
    if (this.tape.gaps.length) told.set("gap", this.tape.gaps.length);
    else told.delete("gap");
    for (const [name, found] of told) {
      const [look, one, more] = LOOK[name];
      const entry = make("span", "mark", many(found, one, more));
      entry.style.setProperty("--mark", `var(${look})`);
      legend.append(entry);
    }
  }

  ends() {
    const scale = this.chart.timeScale();
    return [scale.logicalToCoordinate(0), scale.logicalToCoordinate(Math.max(this.data.counts.length - 1, 1))];
  }

  x(ms) {
    const [first, last] = this.ends();
    return first + ((last - first) * (ms - this.data.from_ms)) / (this.data.step_ms * Math.max(this.data.counts.length - 1, 1));
  }

  msAt(x) {
    const [first, last] = this.ends();
    const ms = this.data.from_ms + ((x - first) / (last - first)) * this.data.step_ms * Math.max(this.data.counts.length - 1, 1);
    return Math.min(Math.max(ms, this.tape.first_ms), this.tape.last_ms);
  }

  // The mark under the pointer: its seq, null when there is none.
  markNear(point) {
    const height = this.chart.paneSize().height;
    const lane = LANES.length - 1 - Math.floor((height - point.y) / LANE_HEIGHT);
    if (lane < 0 || lane >= LANES.length) return null;
    let best = null;
    for (const name of LANES[lane]) {
      for (const [cell, , seq] of this.data.marks[name] ?? []) {
        const distance = Math.abs(this.x(this.data.from_ms + cell * this.data.step_ms) - point.x);
        if (distance < 5 && (best === null || distance < best[0])) best = [distance, seq];
      }
    }
    return best && best[1];
  }

  draw({ context, mediaSize: { width, height } }) {
    if (!this.data) return;
    for (const gap of this.tape.gaps) {
      const from = this.x(gap.from_ms);
      const wide = Math.max(this.x(gap.until_ms ?? this.tape.last_ms) - from, 2);
      context.fillStyle = color("--gap-wash");
      context.fillRect(from, 0, wide, height);
      context.fillStyle = color("--gap");
      context.fillRect(from, height - LANE_HEIGHT, wide, LANE_HEIGHT - 1);
    }
    LANES.forEach((names, lane) => {
      const y = height - (LANES.length - lane) * LANE_HEIGHT;
      for (const name of names) {
        context.fillStyle = color(LOOK[name][0]);
        for (const [cell] of this.data.marks[name] ?? []) {
          context.fillRect(this.x(this.data.from_ms + cell * this.data.step_ms) - 1, y, 2, LANE_HEIGHT - 1);
        }
      }
    });
    if (this.window) {
      const from = this.x(this.window[0]);
      context.fillStyle = color("--window");
      context.fillRect(from, 0, Math.max(this.x(this.window[1]) - from, 3), height);
    }
    if (this.at !== null) {
      const x = this.x(this.at);
      context.fillStyle = color("--accent");
      context.fillRect(x - 1, 0, 2, height);
      context.beginPath();
      context.moveTo(x - 5, 0);
      context.lineTo(x + 5, 0);
      context.lineTo(x, 7);
      context.fill();
    }
  }
}

export const lasts = (tape) => span(tape.last_ms - tape.first_ms);
