// The page: sections in their order, each with its charts or the reason why there are none.
"use strict";

function section(id, title, ...children) {
  return el("section", { id, "aria-labelledby": id + "-title" }, el("h2", { id: id + "-title" }, title), ...children);
}

const SHOWN = 4; // sentences of a list on the first screen; the others unfold

function overview(page) {
  const { top } = page;
  const tiles = top.tiles.map((tile) => el("div", { class: "card tile " + tile.mood },
    el("div", { class: "label" }, tile.label), el("div", { class: "value" }, tile.value), el("div", { class: "note" }, tile.note)));
  const list = (items) => el("ul", {}, ...items.map((item) => el("li", {}, item)));
  const first = (items) => (items.length <= SHOWN + 1 ? [list(items)] : [list(items.slice(0, SHOWN)),
    el("details", {}, el("summary", {}, `and ${items.length - SHOWN} more`), list(items.slice(SHOWN)))]);
  const side = [
    ...(top.warnings.length ? [el("div", { class: "card warn" }, el("h3", {}, "Before you believe it"), ...first(top.warnings))] : []),
    el("div", { class: "card" }, el("h3", {}, "What was supposed"),
      ...(top.assumptions.length ? first(top.assumptions) : [el("p", { class: "why" }, "The result names no assumption.")])),
  ];
  const curve = page.missing.equity ? emptyCard("Equity and drawdown", page.missing.equity) : equityCard(page);
  return el("section", { id: "overview", "aria-label": "Overview" }, el("p", { class: "headline" }, top.headline),
    el("div", { class: "tiles" }, ...tiles), el("div", { class: "first" }, curve, el("div", { class: "side" }, ...side)));
}

const COLUMNS = [
  ["market", "market", (row) => row.market], ["orders", "orders", (row) => grouped(row.orders, 0)],
  ["fills", "fills", (row) => grouped(row.fills, 0)], ["bought", "bought", (row) => contracts(row.bought)],
  ["sold", "sold", (row) => contracts(row.sold)], ["fees", "fees", (row) => dollars(row.fees)],
  ["pnl", "profit and loss", (row) => dollars(row.pnl)], ["pnl_trusted", "trusted", (row) => dollars(row.pnl_trusted)],
  ["pnl_untrusted", "untrusted", (row) => dollars(row.pnl_untrusted)], ["position", "left", (row) => contracts(row.position)],
  ["mark_by", "marked by", (row) => row.mark_by + (row.mark === null ? "" : ` ${cents(row.mark)}`)],
  ["fee_terms", "fees by", (row) => row.fee_terms],
];
const TEXT = new Set(["market", "mark_by", "fee_terms"]);
const MONEY = new Set(["pnl", "pnl_trusted", "pnl_untrusted"]);

/** The table of markets; a heading sorts, a market shows its charts. */
function marketTable(page, choose) {
  const body = el("tbody", {});
  let [key, way] = ["", -1];
  const name = (row) => (page.axis.parts.length > 1 ? `${row.market} \u00b7 ${page.axis.parts[row.tape].name}` : row.market);
  const fill = () => {
    const rows = [...page.markets];
    if (key) rows.sort((a, b) => way * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
    body.replaceChildren(...rows.map((row) => el("tr", { "data-chart": row.chart },
      ...COLUMNS.map(([column, , say]) => {
        const kind = TEXT.has(column) ? "text" : MONEY.has(column) ? (row[column] < 0 ? "bad" : row[column] > 0 ? "good" : "") : "";
        if (column !== "market") return el("td", { class: kind }, say(row));
        return el("td", { class: kind }, row.chart < 0 ? name(row)
          : el("button", { class: "link", type: "button", onclick: () => choose(row.chart) }, name(row)));
      }))));
  };
  const heads = COLUMNS.map(([column, title]) => {
    const head = el("th", { scope: "col", class: TEXT.has(column) ? "text" : "" }, el("button", { type: "button", onclick: () => {
      way = key === column ? -way : TEXT.has(column) ? 1 : -1;
      key = column;
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      fill();
    } }, title));
    return head;
  });
  fill();
  return el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
}

function markets(page) {
  if (page.missing.markets) return section("markets", "Markets", el("p", { class: "why" }, page.missing.markets));
  const place = el("div", { class: "stack", id: "market-charts", "aria-live": "polite" });
  const title = (chart) => `${chart.market}${page.axis.parts.length > 1 ? " \u00b7 " + page.axis.parts[chart.tape].name : ""}`;
  const select = el("select", { id: "market", onchange: () => choose(Number(select.value)) },
    ...page.charts.map((chart, number) => el("option", { value: number }, `${title(chart)} (${grouped(chart.fills.total, 0)} fills)`)));
  const choose = async (number) => {
    select.value = String(number);
    const cards = await marketCards(page.charts[number]);
    if (select.value !== String(number)) return;
    place.replaceChildren(...cards);
    document.querySelectorAll("#markets tbody tr").forEach((row) =>
      row.classList.toggle("chosen", row.dataset.chart === String(number)));
    drawAll(false);
    document.body.dataset.market = page.charts[number].market;
  };
  const hint = "On a chart: arrow keys move, + and \u2212 zoom, 0 shows all; shift and wheel, or drag, with a mouse.";
  const found = section("markets", "Markets", el("div", { class: "stack" },
    marketTable(page, choose),
    ...(page.notes.charts ? [el("p", { class: "why" }, page.notes.charts)] : []),
    el("div", { class: "bar" }, el("label", { for: "market" }, "Charts of"), select, el("span", { class: "hint" }, hint)),
    ...(page.notes.prices ? [el("p", { class: "why" }, page.notes.prices)] : []),
    place));
  return page.charts.length ? [found, () => choose(0)] : [found, async () => {}];
}

function after(page) {
  const marks = page.missing.markouts ? [emptyCard("What fills were worth later", page.missing.markouts)]
    : [markOutCard(page), markOutTable(page)];
  const regimes = page.missing.regimes ? emptyCard("By regime", page.missing.regimes) : regimeTable(page);
  const fees = page.missing.fees ? emptyCard("Fees", page.missing.fees) : feesCard(page);
  return section("after", "After the fill", el("div", { class: "stack" }, ...marks), el("div", { class: "two" }, fees, regimes));
}

function orders(page) {
  if (page.missing.orders) return section("orders", "Orders", emptyCard("How orders ended", page.missing.orders));
  const rates = el("figure", { class: "card" }, el("figcaption", {}, el("h3", {}, "Rates")),
    el("dl", { class: "rates" }, ...page.rates.flatMap((fact) => [el("dt", {}, fact.name), el("dd", {}, fact.value)])));
  return section("orders", "Orders", el("div", { class: "two" }, outcomeCard(page), rates),
    el("div", { class: "two" }, activityCard(page), page.missing.equity ? emptyCard("Exposure", page.missing.equity) : exposureCard(page)));
}

function queue(page) {
  const card = (key, title, note, axis) =>
    page.missing[key] ? emptyCard(title, page.missing[key]) : binsCard(title, note, page[key], axis);
  return section("queue", "Queue and latency", el("div", { class: "three" },
    card("queue", "Ahead in the queue", "Orders by the contracts of others ahead of them when they came to rest.", "contracts ahead, at least"),
    card("wait", "Time to a fill", "Fills by how long their order had rested.", "at least"),
    card("latency", "Latency", "Orders and fills by how long each way took.", "at least")),
  ...(page.quantiles.length ? [quantileTable(page)] : []));
}

function repeat(page) {
  return section("repeat", "To repeat it", el("div", { class: "card" },
    el("dl", {}, ...page.facts.flatMap((fact) => [el("dt", {}, fact.name), el("dd", {}, el("code", {}, fact.value))]))));
}

async function main() {
  const page = JSON.parse(document.getElementById("data").textContent);
  document.getElementById("title").textContent = page.top.title;
  document.getElementById("subtitle").textContent = page.top.subtitle;
  const place = document.getElementById("page");
  const [found, show] = [markets(page)].flat();
  place.replaceChildren(overview(page), found, after(page), orders(page), queue(page), repeat(page));
  drawAll(false);
  if (show) await show();
  watchPage();
  document.body.dataset.ready = "yes";
}

main();
