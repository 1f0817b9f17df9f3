// Beside the chart: decisions and why, what is ours, trades, gaps.

import { ask, isOver } from "./api.js";
import { $, make, put } from "./dom.js";
import { cents, count, precise, size, span } from "./format.js";
import { decisionsEmpty } from "./words.js";

export class Side {
  constructor(app) {
    this.app = app;
    this.tab = "decisions";
    for (const button of document.querySelectorAll("#side [role=tab]")) {
      button.addEventListener("click", () => this.choose(button.dataset.tab));
    }
    this.why = make("div", "why");
    this.list = make("div", "list");
    $("tab-decisions").append(this.why, this.list);
    this.opened = null;
  }

  choose(tab) {
    this.tab = tab;
    for (const button of document.querySelectorAll("#side [role=tab]")) {
      button.setAttribute("aria-selected", String(button.dataset.tab === tab));
      $(`tab-${button.dataset.tab}`).hidden = button.dataset.tab !== tab;
    }
    if (tab === "decisions") this.decisions();
  }

  take(state) {
    this.state = state;
    ours($("tab-ours"), state);
    trades($("tab-trades"), state.book.trades);
    if (this.tab === "decisions") this.decisions();
  }

  async decisions() {
    const { state } = this;
    if (!state) return;
    try {
      const { rows } = await ask("decisions", { seq: state.seq, count: 40 });
      this.list.replaceChildren(...rows.map((row) => this.row(row, state.seq)));
      if (!rows.length) {
        this.why.replaceChildren();
        this.list.append(make("p", "quiet empty", decisionsEmpty(this.app.tape)));
        return;
      }
      const at = rows[0].seq === state.seq || this.opened === null || !rows.some((row) => row.seq === this.opened) ? rows[0].seq : this.opened;
      await this.explain(at);
    } catch (error) {
      if (!isOver(error)) this.app.complain(error);
    }
  }

  row(row, seq) {
    const button = make("button", `decision${row.seq === seq ? " at" : ""}${row.refused ? " refused" : ""}`);
    button.type = "button";
    button.dataset.seq = row.seq;
    const head = make("span", "head");
    head.append(make("span", "when", precise(row.when_ms)), make("span", "who", row.strategy || "host"), make("span", "market", row.market));
    button.append(head, make("span", "line", row.line));
    if (row.refused || row.outcome) button.append(make("span", row.refused ? "bad" : "quiet", row.refused ? `refused: ${row.refused}` : row.outcome));
    button.addEventListener("click", () => this.explain(row.seq));
    button.addEventListener("dblclick", () => this.app.go({ seq: row.seq, market: row.market }));
    return button;
  }

  // Why: the frame that caused it, what the market was then, what became of it.
  async explain(seq) {
    this.opened = seq;
    for (const row of this.list.children) row.setAttribute?.("aria-pressed", String(Number(row.dataset?.seq) === seq));
    let found;
    try {
      found = await ask("why", { seq });
    } catch (error) {
      if (!isOver(error)) this.app.complain(error);
      return;
    }
    const title = make("h3", "", `Why #${found.seq}`);
    const parts = [title, make("p", "line", found.line)];
    const steps = make("ol");
    const cause = make("li");
    const what = found.cause.decoded.type.replaceAll("_", " ");
    cause.append(make("strong", "", "Because of "), this.link(found.cause.seq, `${what} #${found.cause.seq}`), make("span", "quiet", ` ${found.cause.market}`));
    steps.append(cause);
    if (found.book) {
      const saw = make("li");
      saw.append(make("strong", "", "It saw "), make("span", "", seen(found.book)));
      if (!found.book.trusted) saw.append(make("span", "pill bad", "not trusted"));
      steps.append(saw);
    }
    const asked = make("li");
    asked.append(make("strong", "", "It decided "), this.link(found.seq, `${span(Math.max(found.after_ms, 0))} later`), make("span", "", found.refused ? ", and was refused: " : ""), make("span", "bad", found.refused));
    steps.append(asked);
    const outcome = make("li");
    outcome.append(make("strong", "", "It led to "));
    if (found.outcome) outcome.append(this.link(found.outcome.seq, found.outcome.line.split(": ").slice(1).join(": ")), make("span", "quiet", `, ${span(Math.max(found.outcome.after_ms, 0))} later`));
    else outcome.append(make("span", "quiet", found.refused || found.silent ? "nothing at the exchange" : "no answer on the tape"));
    steps.append(outcome);
    this.why.replaceChildren(...parts, steps);
  }

  link(seq, text) {
    const button = make("button", "link", text);
    button.type = "button";
    button.addEventListener("click", () => this.app.go({ seq }));
    return button;
  }

  gaps(tape) {
    put($("gap-count"), tape.gaps.length ? count(tape.gaps.length) : "");
    const list = $("tab-gaps");
    list.replaceChildren();
    const examined = tape.examined < tape.records;
    for (const gap of tape.gaps) {
      const button = make("button", "decision");
      button.type = "button";
      const head = make("span", "head");
      head.append(make("span", "when", precise(gap.from_ms)), make("span", "who", gap.reason.replaceAll("_", " ")));
      const lasted = gap.until_ms === null ? "still open" : `for ${span(Math.max(gap.until_ms - gap.from_ms, 0))}`;
      const scope = [gap.connection ? `connection ${gap.connection}` : "everything", gap.sid ? `subscription ${gap.sid}` : "", gap.missing ? `${count(gap.missing)} frames missing` : ""];
      button.append(head, make("span", "line", lasted), make("span", "quiet", scope.filter(Boolean).join(" · ")));
      if (gap.markets_in_all) button.append(make("span", "quiet", `${gap.markets.slice(0, 3).join(", ")}${gap.markets_in_all > 3 ? ` and ${gap.markets_in_all - 3} more` : ""}`));
      button.addEventListener("click", () => this.app.go({ ms: gap.from_ms }));
      list.append(button);
    }
    for (const [from, until] of tape.silences) {
      const button = make("button", "decision");
      button.type = "button";
      const head = make("span", "head");
      head.append(make("span", "when", precise(from)), make("span", "who", "silence"));
      button.append(head, make("span", "quiet", `nothing received for ${span(until - from)}`));
      button.addEventListener("click", () => this.app.go({ ms: from }));
      list.append(button);
    }
    if (examined) list.prepend(make("p", "quiet empty", `Looked through ${count(tape.examined)} of ${count(tape.records)} records so far.`));
    else if (!list.children.length) list.append(make("p", "quiet empty", "No gap: nothing is known to be missing from this tape."));
  }
}

function seen(book) {
  const [bid] = book.yes;
  const [ask] = book.no;
  const sides = `bid ${bid ? `${cents(bid[0])} × ${size(bid[1])}` : "none"}, ask ${ask ? `${cents(10_000 - ask[0])} × ${size(ask[1])}` : "none"}`;
  const position = book.position === null ? "" : `, position ${book.position}`;
  return `${sides}${position}, ${book.orders.length} own orders`;
}

function ours(parent, state) {
  const { book } = state;
  const rows = [make("p", "", book.position === null ? "Position: not told" : `Position: ${book.position} contracts of yes`)];
  const table = (title, head, lines) => {
    rows.push(make("h3", "", title));
    if (!lines.length) {
      rows.push(make("p", "quiet", "none"));
      return;
    }
    const made = make("table");
    const top = make("tr");
    for (const text of head) top.append(make("th", "", text));
    made.append(top);
    for (const line of lines) {
      const row = make("tr");
      for (const text of line) row.append(make("td", "", text));
      made.append(row);
    }
    rows.push(made);
  };
  const side = (name) => (name === "yes" ? "bid" : "ask");
  table("Orders that rest", ["", "price", "remaining", "filled"], book.orders.map((order) => [side(order.side), cents(order.price), size(order.remaining), size(order.filled)]));
  table("Last fills", ["", "price", "count", "fee", ""], book.fills.map((fill) => [`bought ${fill.side}`, fill.price, fill.count, fill.fee ?? "–", fill.maker ? "maker" : "taker"]));
  parent.replaceChildren(...rows);
}

function trades(parent, list) {
  if (!list.length) {
    parent.replaceChildren(make("p", "quiet empty", "No trade of this market yet."));
    return;
  }
  const table = make("table");
  for (const [price, many, taker, ms] of list) {
    const row = make("tr", taker === "yes" ? "bid" : "ask");
    for (const text of [precise(ms), cents(price), size(many), `bought ${taker}`]) row.append(make("td", "", text));
    table.append(row);
  }
  parent.replaceChildren(table);
}
