// Questions to the server. Of one kind only the newest counts: an older one that is still under way is given up.
// While one is under way that somebody waits for, and until its answer was shown, the page says so: html[data-asking].

const waiting = new Map();
const root = document.documentElement;
let open = 0;

export async function ask(name, values = {}, lane = name) {
  waiting.get(lane)?.abort();
  const control = new AbortController();
  waiting.set(lane, control);
  const wanted = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  if (name !== "tape") count(1);
  try {
    const response = await fetch(`api/${name}?${new URLSearchParams(wanted)}`, { signal: control.signal });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  } finally {
    if (name !== "tape") setTimeout(() => count(-1)); // what is asked because of this answer is counted by then
  }
}

function count(by) {
  open += by;
  if (open) root.dataset.asking = "yes";
  else delete root.dataset.asking;
}

export const isOver = (error) => error.name === "AbortError";
