// Numbers and times for people. Prices come in 1/10,000 dollar, sizes in 1/100 contract, times in Unix milliseconds.

let zone = "UTC";
const formats = new Map();

export const setZone = (name) => { zone = name; };

function formatter(options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  return formats.get(key);
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

export const clock = (ms) => formatter(CLOCK).format(ms);
export const minute = (ms) => formatter({ hour: "2-digit", minute: "2-digit" }).format(ms);
export const day = (ms) => formatter({ day: "2-digit", month: "short" }).format(ms);
export const date = (ms) => formatter({ year: "numeric", month: "short", day: "2-digit" }).format(ms);
export const precise = (ms) => `${clock(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}`;
export const tenth = (ms) => `${clock(ms)}.${Math.floor((ms % 1000) / 100)}`;
export const zoneName = () => (zone === "UTC" ? "UTC" : "ET");

// 4250 is 42.5¢: what people say of a market.
export const cents = (price) => `${(price / 100).toFixed(price % 100 ? (price % 10 ? 2 : 1) : 0)}¢`;

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const parts = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const count = (number) => whole.format(number);
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;
export const size = (hundredths) => (hundredths % 100 ? parts : whole).format(hundredths / 100);

export function span(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(ms < 10_000 ? 1 : 0))} s`;
  if (ms < 3_600_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  return `${Number((ms / 3_600_000).toFixed(1))} h`;
}
