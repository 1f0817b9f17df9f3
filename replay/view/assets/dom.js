// Small helpers for the page. Text from a tape goes through textContent only: nothing of it is ever read as HTML.

export const $ = (id) => document.getElementById(id);

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Rows of a list, made once and used again: `fill(row, item)` writes one.
export class Rows {
  constructor(parent, create, fill) {
    this.parent = parent;
    this.create = create;
    this.fill = fill;
    this.rows = [];
  }

  show(items) {
    while (this.rows.length < items.length) {
      const row = this.create();
      this.rows.push(row);
      this.parent.append(row);
    }
    this.rows.forEach((row, place) => {
      row.hidden = place >= items.length;
      if (!row.hidden) this.fill(row, items[place], place);
    });
  }
}
