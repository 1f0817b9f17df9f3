// Numbers, times and elements as people read them. Every text goes in as text, never as HTML: names of markets, paths
// and reasons come from outside.
"use strict";

const MINUS = "\u2212";

function signed(value, text) {
  return (value < 0 ? MINUS : "") + text;
}

function grouped(value, digits) {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Money (1/1,000,000 dollar) as dollars; below a cent with all its digits. */
function dollars(money) {
  const size = Math.abs(money);
  if (size > 0 && size < 10000) return signed(money, "$" + (size / 1e6).toFixed(6).replace(/0+$/, ""));
  return signed(money, "$" + grouped(size / 1e6, 2));
}

/** Dollars on an axis: as few digits as tell neighbours apart. */
function dollarsShort(value) {
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 1 ? 2 : 4;
  return signed(value, "$" + grouped(size, digits).replace(/\.00$/, ""));
}

/** A price (1/10,000 dollar) in cents. */
function cents(price) {
  return signed(price, (Math.abs(price) / 100).toFixed(2).replace(/\.?0+$/, "") + "\u00a2");
}

/** Contracts from 1/100. */
function contracts(count) {
  const size = Math.abs(count) / 100;
  return signed(count, size.toLocaleString("en-US", { maximumFractionDigits: 2 }));
}

function percent(share) {
  return (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0) + " %";
}

/** UTC, to the millisecond where asked. */
function clock(ms, precise) {
  const text = new Date(ms).toISOString();
  return precise ? text.slice(11, 23) : text.slice(11, 19);
}

function day(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}

/** An element with attributes and children; a string child is text. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** What a tooltip shows: a first line in bold, then others. */
function tip(first, ...lines) {
  return el("div", { class: "tip" }, el("b", {}, first), ...lines.map((line) => el("span", {}, line)));
}

/** A line's points as [x, y]: holes are real, and a value holds until the next (or until `end`). */
function points(line, scale, end) {
  const found = [];
  let x = 0;
  let before = null;
  line.t.forEach((step, at) => {
    x += step;
    const value = line.v[at];
    if (value === null) {
      if (before !== null) found.push([x, before]);
      found.push([x, null]);
      before = null;
    } else {
      before = value / scale;
      found.push([x, before]);
    }
  });
  if (end !== undefined && before !== null && x < end) found.push([end, before]);
  return found;
}

/** Times from a first one and differences. */
function times(steps) {
  let x = 0;
  return steps.map((step) => (x += step));
}
