// Light or dark: as the system has it, or as chosen here. Charts are told, for they paint by themselves.

const KEY = "tapedeck-theme";
const told = [];
const system = matchMedia("(prefers-color-scheme: dark)");
let colors = new Map();

export function onTheme(listener) {
  told.push(listener);
}

export function color(name) {
  if (!colors.has(name)) {
    const probe = document.createElement("i");
    probe.hidden = true;
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    colors.set(name, getComputedStyle(probe).color);
    probe.remove();
  }
  return colors.get(name);
}

function apply() {
  colors = new Map();
  for (const listener of told) listener();
}

export function begin() {
  const chosen = localStorage.getItem(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
  system.addEventListener("change", apply);
  apply();
}

export function toggle() {
  const root = document.documentElement;
  const isDark = (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem(KEY, root.dataset.theme);
  apply();
}
