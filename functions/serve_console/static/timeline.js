// What happened, newest first; each decision is opened for its evidence.
import { html } from "./html.js";
import { named, person, said, stamp, whole } from "./format.js";
import { serverNow } from "./clock.js";
import { Sign } from "./marks.js";
import { useOlder } from "./older.js";

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

const key = (entry) => `${entry.at} ${entry.kind} ${entry.says}`;

// `older` is where the list goes on, at `path`.
export function Timeline({ entries, older, path, app }) {
  const [all, further] = useOlder({ api: app.api, path, field: "entries", first: entries, older, key });
  return html`<ol class="timeline">${all.map((entry) => html`<${Entry} key=${key(entry)} entry=${entry} />`)}</ol>${further}`;
}
