// The records around the cursor, and the one at it: its bytes beside what they say.

import { $, make, put, Rows } from "./dom.js";
import { count, precise } from "./format.js";

export const SHOWS = { all: "All", market: "This market", own: "Ours", incidents: "Incidents" };

export class Records {
  constructor(go, choose) {
    this.body = document.querySelector("#records .body");
    this.show = "all";
    const create = () => {
      const row = make("button", "record");
      row.type = "button";
      row.tabIndex = -1;
      for (const name of ["seq", "when", "what", "market", "line"]) row.append(make("span", name));
      row.addEventListener("click", () => go({ seq: Number(row.dataset.seq) }));
      return row;
    };
    this.rows = new Rows(this.body, create, (row, item) => this.fill(row, item));
    for (const [name, words] of Object.entries(SHOWS)) {
      const button = make("button", "", words);
      button.type = "button";
      button.dataset.show = name;
      button.setAttribute("aria-pressed", String(name === this.show));
      button.addEventListener("click", () => {
        this.show = name;
        for (const other of $("show").children) other.setAttribute("aria-pressed", String(other === button));
        choose();
      });
      $("show").append(button);
    }
    this.empty = make("p", "quiet empty", "No such record on this tape, or none near here.");
    this.body.append(this.empty);
  }

  take(rows, seq) {
    this.seq = seq;
    this.rows.show(rows);
    this.empty.hidden = rows.length > 0;
    const at = this.rows.rows.find((row) => !row.hidden && row.classList.contains("at")) ?? this.rows.rows.find((row) => !row.hidden && Number(row.dataset.seq) > seq);
    if (at) this.body.scrollTop = at.offsetTop - this.body.clientHeight / 2;
  }

  fill(row, item) {
    const [seq, when, what, market, line] = row.children;
    row.dataset.seq = item.seq;
    put(seq, `#${item.seq}`);
    put(when, precise(item.when_ms));
    put(what, item.type || item.kind);
    put(market, item.market);
    put(line, item.line);
    line.title = item.line;
    row.className = `record${item.seq === this.seq ? " at" : ""}${item.seq > this.seq ? " later" : ""} ${item.mark} ${item.type === "trade" ? "trade" : ""}`;
  }
}

export function inspect(record) {
  const { raw, decoded } = record;
  const body = document.querySelector("#raw .body");
  put(body, raw.text || "(empty)");
  const notes = [`${count(raw.bytes)} bytes`, raw.cut ? "the first of them shown" : "", raw.utf8 ? "" : "not UTF-8"];
  put($("raw-facts"), notes.filter(Boolean).join(" · "));
  put($("decoded-facts"), [decoded.type, decoded.problem, `connection ${record.connection}`, record.at].filter(Boolean).join(" · "));
  const list = make("dl");
  for (const [name, value] of decoded.fields) list.append(make("dt", "", name), make("dd", "", value));
  if (decoded.problem) list.append(make("dt", "", "problem"), make("dd", "bad", decoded.problem));
  document.querySelector("#decoded .body").replaceChildren(list);
}
