// The keyboard. Keys do nothing while one types into a field.

import { $, make } from "./dom.js";
import { KEYS } from "./words.js";

export function listen(actions) {
  const body = document.querySelector("#keys .body");
  const list = make("dl");
  for (const [key, words] of KEYS) {
    const dt = make("dt");
    for (const name of key.split(" ")) dt.append(make("kbd", "", name));
    list.append(dt, make("dd", "", words));
  }
  body.append(list);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const field = event.target.closest("input, select, textarea");
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    const name = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
    const action = actions[name];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
