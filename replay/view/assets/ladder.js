// The order book as a ladder: offers of yes above (bids for no, seen from the other side), bids for yes below.

import { $, make, put, Rows } from "./dom.js";
import { cents, size, span } from "./format.js";

const SIDE = 14; // levels shown of a side
const DOLLAR = 10_000;

export class Ladder {
  constructor() {
    const body = document.querySelector("#ladder .body");
    const head = make("div", "level head");
    for (const text of ["ours", "bids", "yes", "asks", "ours"]) head.append(make("span", "", text));
    this.asks = make("div", "asks");
    this.middle = make("div", "spread");
    this.bids = make("div", "bids");
    body.append(head, this.asks, this.middle, this.bids);
    this.rows = [new Rows(this.asks, level, fill), new Rows(this.bids, level, fill)];
    this.before = new Map();
    this.market = "";
  }

  show(book, market, at) {
    const asks = book.no.map(([price, many]) => ({ price: DOLLAR - price, size: many, side: "ask" }));
    const bids = book.yes.map(([price, many]) => ({ price, size: many, side: "bid" }));
    const shown = [...asks.slice(0, SIDE), ...bids.slice(0, SIDE)];
    const largest = Math.max(...shown.map((entry) => entry.size), 1);
    const ours = new Map();
    for (const order of book.orders) {
      const key = `${order.side === "yes" ? "bid" : "ask"} ${order.price}`;
      ours.set(key, (ours.get(key) ?? 0) + order.remaining);
    }
    const now = new Map();
    for (const entry of [...asks, ...bids]) {
      const key = `${entry.side} ${entry.price}`;
      now.set(key, entry.size);
      entry.part = entry.size / largest;
      entry.ours = ours.get(key) ?? 0;
      entry.moved = this.market === market ? entry.size - (this.before.get(key) ?? 0) : 0;
    }
    this.before = now;
    this.market = market;
    this.rows[0].show(asks.slice(0, SIDE).reverse());
    this.rows[1].show(bids.slice(0, SIDE));
    const trust = $("trust");
    const known = book.levels[0] + book.levels[1] > 0 || book.book_age_ms !== null;
    put(this.middle, known ? words(asks[0], bids[0], book) : "");
    put(trust, !known ? "no book yet" : book.trusted ? "trusted" : "not trusted");
    trust.className = `pill ${!known ? "" : book.trusted ? "good" : "bad"}`;
    trust.title = book.trusted ? "Nothing is known to be missing since its snapshot" : "Something may be missing: wait for its next snapshot";
    const age = book.book_age_ms === null ? "" : `changed ${span(book.book_age_ms)} ago`;
    put($("book-facts"), [book.phase === "unknown" ? "" : book.phase, age].filter(Boolean).join(" · "));
    void at;
  }
}

function words(ask, bid, book) {
  const last = book.last_trade ? ` · last ${size(book.last_trade[1])} at ${cents(book.last_trade[0])}` : "";
  if (!ask && !bid) return `nobody bids${last}`;
  if (!ask || !bid) return `${ask ? "no bids" : "no asks"}${last}`;
  return `spread ${cents(ask.price - bid.price)}${last}`;
}

function level() {
  const row = make("div", "level");
  for (const name of ["own", "bar-bid", "price", "bar-ask", "own"]) row.append(make("span", name));
  return row;
}

function fill(row, entry) {
  const [ownBid, bid, price, ask, ownAsk] = row.children;
  const isBid = entry.side === "bid";
  put(price, cents(entry.price));
  put(bid, isBid ? size(entry.size) : "");
  put(ask, isBid ? "" : size(entry.size));
  put(ownBid, isBid && entry.ours ? size(entry.ours) : "");
  put(ownAsk, !isBid && entry.ours ? size(entry.ours) : "");
  bid.style.setProperty("--part", isBid ? `${100 * entry.part}%` : "0%");
  ask.style.setProperty("--part", isBid ? "0%" : `${100 * entry.part}%`);
  row.className = `level ${entry.side}${entry.moved > 0 ? " more" : entry.moved < 0 ? " less" : ""}${entry.ours ? " ours" : ""}`;
}
