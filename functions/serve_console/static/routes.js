// Where in the page one is: everything stands in the address, so that a link reads the same to somebody else.

export const PLACES = [
  ["fleet", "Fleet", "#/"],
  ["signals", "Signals", "#/signals"],
  ["recovery", "Recovery", "#/recovery"],
  ["calendar", "Calendar", "#/calendar"],
  ["cost", "Cost", "#/cost"],
  ["audit", "Audit", "#/audit"],
];
const LISTS = new Map([["releases", "release"], ["services", "service"]]);

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const asked = Object.fromEntries(new URLSearchParams(query));
  const [first = "", name] = path.split("/");
  if (!first) return { view: "fleet", asked };
  if (name && LISTS.has(first)) {
    try {
      return { view: LISTS.get(first), name: decodeURIComponent(name), asked };
    } catch {
      return { view: "lost", asked };
    }
  }
  return !name && PLACES.some(([view]) => view === first) ? { view: first, asked } : { view: "lost", asked };
}

export const toRelease = (id) => `#/releases/${encodeURIComponent(id)}`;
export const toService = (name) => `#/services/${encodeURIComponent(name)}`;
export const toFleet = (asked) => {
  const query = new URLSearchParams(Object.entries(asked).filter(([, v]) => v)).toString();
  return query ? `#/?${query}` : "#/";
};

// What the server is asked for a place.
export function source(route) {
  const name = route.name === undefined ? "" : encodeURIComponent(route.name);
  if (route.view === "release") return `/v1/releases/${name}`;
  if (route.view === "service") return `/v1/services/${name}`;
  return route.view === "lost" ? "" : `/v1/${route.view}`;
}
