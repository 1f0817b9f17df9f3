// Questions to the server. Of one kind only the newest counts: an older one that is still under way is given up.

const waiting = new Map();

export async function ask(name, values = {}, lane = name) {
  waiting.get(lane)?.abort();
  const control = new AbortController();
  waiting.set(lane, control);
  const wanted = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  const response = await fetch(`api/${name}?${new URLSearchParams(wanted)}`, { signal: control.signal });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

export const isOver = (error) => error.name === "AbortError";
