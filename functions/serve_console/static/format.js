// Numbers and times as people read them. Times are epoch seconds, durations seconds, shares 0 to 1.

const COUNT = new Intl.NumberFormat("en-US");
const UNITS = [["s", 1, 100], ["min", 60, 100], ["h", 3600, 48], ["days", 86400, Infinity]];

// 5020 -> "5,020"
export const count = (n) => COUNT.format(n);

// A duration in one unit: "45 s", "12 min", "7 h", "3 days".
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [unit, size, below] of UNITS) {
    const n = Math.round(whole / size);
    if (n < below) return unit === "days" && n === 1 ? "1 day" : `${n} ${unit}`;
  }
}

// A share as percent, with as many digits as say something: "0.24%", "21%", "under 0.01%".
export function percent(share) {
  if (share === null || share === undefined) return "not known";
  const p = share * 100;
  if (p === 0) return "0%";
  if (p < 0.01) return "under 0.01%";
  if (p < 1) return `${Number(p.toFixed(2))}%`;
  if (p < 10) return `${Number(p.toFixed(1))}%`;
  return `${Math.round(p)}%`;
}

// Seconds that a request took: "185 ms", "1.2 s".
export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "not known";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
}

export const dollars = (n) => (n === null || n === undefined ? "not known" : `$${COUNT.format(Math.round(n))}`);

const CLOCKS = new Map();
function clockOf(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!CLOCKS.has(key)) CLOCKS.set(key, new Intl.DateTimeFormat("en-US", { hourCycle: "h23", timeZone: zone || undefined, ...options }));
  return CLOCKS.get(key);
}
const TIME = { hour: "2-digit", minute: "2-digit" };
const DAY = { year: "numeric", month: "2-digit", day: "2-digit" };
const day = (at, zone) => clockOf(zone, DAY).format(at * 1000);

// The reader's wall clock, with the day where it is another one: "14:41 PDT", "Tue 14:41 PDT", "Nov 12, 14:41 PST".
export function clock(at, now, zone = "") {
  const time = clockOf(zone, { ...TIME, timeZoneName: "short" }).format(at * 1000);
  if (day(at, zone) === day(now, zone)) return time;
  const near = Math.abs(at - now) < 6 * 86400;
  const date = clockOf(zone, near ? { weekday: "short" } : { month: "short", day: "numeric" }).format(at * 1000);
  return near ? `${date} ${time}` : `${date}, ${time}`;
}

// The same for a row of a list: seconds, no zone.
export function stamp(at, now, zone = "") {
  const time = clockOf(zone, { ...TIME, second: "2-digit" }).format(at * 1000);
  if (day(at, zone) === day(now, zone)) return time;
  return `${clockOf(zone, { month: "short", day: "numeric" }).format(at * 1000)} ${time}`;
}

// A moment with everything: "Nov 30, 2026, 14:41:03 PST".
export const whole = (at, zone = "") =>
  clockOf(zone, { year: "numeric", month: "short", day: "numeric", ...TIME, second: "2-digit", timeZoneName: "short" }).format(at * 1000);

// The zone that the reader's clocks are in at a time: "PST".
export const zoneOf = (at, zone = "") =>
  clockOf(zone, { timeZoneName: "short" }).formatToParts(at * 1000).find((part) => part.type === "timeZoneName").value;
// The same and where it holds: "PST (America/Los_Angeles)".
export function zoned(at, zone = "") {
  const short = zoneOf(at, zone), place = clockOf(zone, {}).resolvedOptions().timeZone;
  return short === place ? short : `${short} (${place})`;
}

export const hours = (at, zone = "") => clockOf(zone, TIME).format(at * 1000);
export const weekday = (at, zone = "") => clockOf(zone, { weekday: "short", month: "short", day: "numeric" }).format(at * 1000);

// "7 min left, until 14:41 PDT"; what is over says so.
export function leftUntil(until, now, zone = "") {
  if (until <= now) return `due since ${clock(until, now, zone)}`;
  return `${duration(until - now)} left, until ${clock(until, now, zone)}`;
}

export const ago = (at, now) => (now - at < 5 ? "now" : `${duration(now - at)} ago`);

// People by name, roles beside: "dana (approver)".
export const person = (who) => (who.role ? `${who.name} (${who.role})` : who.name);
export function people(list) {
  const names = list.map(person);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

// Text from outside, made visible where it would hide or turn other text: control characters, and those that change direction.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
export const plain = (text) => text.replace(HIDDEN, (c) => (c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd"));

// What a value of `evidence` or `decided` says, on one line.
export function said(value) {
  if (value === null || value === undefined) return "not known";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(said).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([k, v]) => `${named(k)} ${said(v)}`).join("; ");
  return String(value);
}
export const named = (key) => plain(key).replaceAll("_", " ");
