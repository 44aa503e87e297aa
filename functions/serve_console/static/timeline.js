// What happened, newest first; each decision is opened for its evidence.
import { html, useRef, useState } from "./html.js";
import { named, person, said, stamp, whole } from "./format.js";
import { serverNow } from "./clock.js";
import { Sign } from "./marks.js";

export function Facts({ facts }) {
  return html`<dl class="facts">${Object.entries(facts).map(([key, value]) => html`<div key=${key}><dt>${named(key)}</dt><dd><bdi>${said(value)}</bdi></dd></div>`)}</dl>`;
}

export function When({ at }) {
  return html`<time datetime=${new Date(at * 1000).toISOString()} title=${whole(at)}>${stamp(at, serverNow())}</time>`;
}

function Entry({ entry }) {
  const open = Object.keys(entry.evidence).length > 0;
  const line = html`<span class="word">${entry.word}</span> <span class="says">${entry.says}</span> <span class="by muted">${person(entry.by)}</span>`;
  return html`<li class=${entry.tone}>
    <span class="at"><${When} at=${entry.at} /></span>
    <${Sign} tone=${entry.tone} />
    ${open ? html`<details><summary>${line}</summary><${Facts} facts=${entry.evidence} /></details>` : html`<div class="line">${line}</div>`}
  </li>`;
}

// `older` is where the list goes on; `load(older)` brings { entries, older }.
export function Timeline({ entries, older, load }) {
  const [more, setMore] = useState({ entries: [], older: null, error: "", busy: false });
  const at = more.older ?? older;
  const fetchMore = async () => {
    setMore((was) => ({ ...was, busy: true, error: "" }));
    try {
      const page = await load(at);
      setMore((was) => ({ entries: [...was.entries, ...page.entries], older: page.older, error: "", busy: false }));
    } catch (error) {
      setMore((was) => ({ ...was, busy: false, error: error.message }));
    }
  };
  // What was seen stays, also when newer entries push it off the first page.
  const kept = useRef(new Map());
  const key = (entry) => `${entry.at} ${entry.kind} ${entry.says}`;
  const first = new Set(entries.map(key));
  for (const entry of [...entries, ...more.entries]) kept.current.set(key(entry), entry);
  const earlier = [...kept.current.values()].filter((entry) => !first.has(key(entry))).sort((a, b) => b.at - a.at);
  const all = [...entries, ...earlier];
  return html`<ol class="timeline">${all.map((entry) => html`<${Entry} key=${key(entry)} entry=${entry} />`)}</ol>
    ${more.error && html`<p class="error" role="alert">${more.error}</p>`}
    ${at && html`<button type="button" class="more" onClick=${fetchMore} disabled=${more.busy}>${more.busy ? "Loading" : "Show older"}</button>`}`;
}
