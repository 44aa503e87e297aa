// Lists that go on: whoever looks keeps the first page new, older ones come when they are asked for.
import { html, useEffect, useRef, useState } from "./html.js";

const when = (row) => row.at ?? row.started_at;

// Every row that was seen, newest first, and the button that brings more of them. `older` is where the first page ends,
// `path` answers with the page before it in `field`, `key` tells rows apart.
export function useOlder({ api, path, field, first, older, key }) {
  const [more, setMore] = useState({ rows: [], older: null, error: "", busy: false });
  const at = more.older ?? older;
  const load = async () => {
    if (more.busy) return;
    setMore((was) => ({ ...was, busy: true, error: "" }));
    try {
      const { data } = await api.read(`${path}?before=${encodeURIComponent(at)}`, { fresh: true });
      setMore((was) => ({ rows: [...was.rows, ...data[field]], older: data.older, error: "", busy: false }));
    } catch (error) {
      setMore((was) => ({ ...was, busy: false, error: error.message }));
    }
  };
  // Whoever asked for the last page by keyboard goes on where the button was.
  const end = useRef(null);
  useEffect(() => {
    if (document.activeElement === document.body) end.current?.focus({ preventScroll: true });
  }, [more.older]);
  // What was seen stays, also when newer rows push it off the first page.
  const kept = useRef(new Map());
  const fresh = new Set(first.map(key));
  for (const row of [...more.rows, ...first]) kept.current.set(key(row), row);
  const earlier = [...kept.current.entries()].filter(([name]) => !fresh.has(name)).map(([, row]) => row).sort((a, b) => when(b) - when(a));
  const button = html`${more.error && html`<p class="error" role="alert">${more.error}</p>`}
    ${at && html`<button type="button" class="more" onClick=${load} aria-disabled=${more.busy ? "true" : undefined}>${more.busy ? "Loading" : "Show older"}</button>`}
    ${more.older === "" && html`<p ref=${end} class="end muted" tabindex="-1">There is nothing older.</p>`}`;
  return [[...first, ...earlier], button];
}
