// Everything at a glance: what needs a person, then services by environment.
import { html, useMemo, useRef, useEffect, useState } from "./html.js";
import { ANSWERS, Actions } from "./act.js";
import { Ago, Bar, Chip, Command, Empty, Sign, Unknowns, Until, Version } from "./marks.js";
import { toFleet, toRelease, toService } from "./routes.js";

const SHOWN = [
  ["", "all", () => true],
  ["person", "need a person", (cell) => cell.needs_person],
  ["flight", "under way", (cell) => cell.release && cell.incoming],
  ["still", "asleep, frozen or held", (cell) => cell.asleep || cell.frozen || cell.held],
];
const FEW = 4;

export function Fleet({ data, route, app }) {
  const rows = useMemo(() => byService(data), [data]);
  // What is looked for stands in the address, and follows it.
  const [asked, ask] = useState(route.asked);
  useEffect(() => ask(route.asked), [route]);
  const look = (more) => {
    const wanted = { ...asked, ...more };
    ask(wanted);
    history.replaceState(null, "", toFleet(wanted));
  };
  const typed = asked.q || "";
  const [show, , wanted] = SHOWN.find(([key]) => key === asked.show) ?? SHOWN[0];
  const [all, setAll] = useState(false);
  const filter = useRef(null);
  useEffect(() => {
    const find = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        filter.current.focus();
      }
    };
    addEventListener("keydown", find);
    return () => removeEventListener("keydown", find);
  }, []);
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const having = (is) => rows.filter((row) => row.cells.some((cell) => cell && is(cell)));
  const found = having(wanted).filter((row) => words.every((word) => row.text.includes(word)));
  // The button is gone: its reader goes on with the first of what it showed.
  const list = useRef(null);
  useEffect(() => {
    if (all) list.current?.children[FEW]?.querySelector("a, button, code")?.focus();
  }, [all]);
  const needs = all ? data.needs : data.needs.slice(0, FEW);
  return html`
    <h1 tabindex="-1" class="sentence ${data.tone}"><${Sign} tone=${data.tone} /><span>${data.says}</span></h1>
    ${data.needs.length > 0 && html`<section aria-labelledby="needs"><h2 id="needs">Needs a person</h2>
      <ul ref=${list} class="needs">${needs.map((need) => html`<${Need} key=${`${need.environment} ${need.service} ${need.at} ${need.says}`} need=${need} here=${data.here} app=${app} />`)}</ul>
      ${data.needs.length > needs.length && html`<button type="button" class="more" onClick=${() => setAll(true)}>Show ${data.needs.length - needs.length} more</button>`}
    </section>`}
    <${Unknowns} list=${data.unknown} />
    <section aria-labelledby="services"><h2 id="services">Services</h2>
      <div class="filter">
        <input ref=${filter} type="search" aria-label="Filter services by name, owner, version or state" placeholder="Filter: name, owner, version (Ctrl K)" value=${typed} onInput=${(e) => look({ q: e.target.value })} />
        <div class="picks" role="group" aria-label="Show">${SHOWN.map(([key, name, is]) => html`<button key=${key} type="button" aria-pressed=${key === show ? "true" : "false"} onClick=${() => look({ show: key })}>${name} <span class="n">${having(is).length}</span></button>`)}</div>
        <p class="unseen" role="status">${found.length} of ${rows.length} services</p>
      </div>
      ${found.length ? html`<${Matrix} rows=${found} columns=${data.environments} here=${data.here} />` : html`<${Empty}>No service matches; ${rows.length} are there.<//>`}
    </section>`;
}

// A row for each service; what is typed is looked for in everything that its cells show.
function byService(data) {
  const rows = new Map();
  const places = new Map(data.environments.map((column, n) => [column.environment, n]));
  for (const cell of data.cells) {
    if (!rows.has(cell.service)) rows.set(cell.service, { service: cell.service, owner: cell.owner, cells: data.environments.map(() => null), text: "" });
    const row = rows.get(cell.service);
    row.cells[places.get(cell.environment)] = cell;
    row.text += ` ${cell.service} ${cell.owner} ${cell.says} ${cell.version?.label ?? ""} ${cell.incoming?.label ?? ""}`.toLowerCase();
  }
  return [...rows.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
}

function Need({ need, here, app }) {
  const mine = !here || need.environment === here;
  const about = { title: need.service || need.environment, service: need.service, release: need.release, question: need.question?.id, evidence: need.question?.evidence };
  // A question is answered here; everything else that can be done stands where the release is looked at.
  const actions = need.actions.filter((action) => ANSWERS.has(action.name) === Boolean(need.question));
  const link = !mine ? "" : need.release ? toRelease(need.release) : need.service ? toService(need.service) : "";
  return html`<li class="need ${need.tone}">
    <div class="told"><div class="head"><${Sign} tone=${need.tone} /><p>${link ? html`<a href=${link}>${need.says}</a>` : need.says}</p></div>
      ${need.question && html`<p>${need.question.evidence}</p>`}
      <p class="muted">${need.environment}, <${Ago} at=${need.at} />${need.question && html`; <${Until} until=${need.question.expires_at} />`}</p>
      ${actions.length === 0 && html`<${Command} command=${need.command} />`}</div>
    <${Actions} actions=${actions} about=${about} app=${app} />
  </li>`;
}

// Roles are written out: on a phone the table is laid out as a list, and stays one to a screen reader.
function Matrix({ rows, columns, here }) {
  return html`<table class="matrix" role="table" aria-label="Services by environment">
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Service</th>${columns.map((column) => html`<th key=${column.environment} role="columnheader" scope="col">${column.environment}${column.production && column.environment !== "production" && html` <${Chip}>production<//>`}
      <span class="column ${column.tone}">${column.unknown ? html`<${Sign} tone="unknown" />${column.unknown}` : html`${column.tone !== "good" && column.tone !== "info" && html`<${Sign} tone=${column.tone} />`}${column.says}`}</span></th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row) => html`<${Row} key=${row.service} row=${row} columns=${columns} here=${here} />`)}</tbody>
  </table>`;
}

// Drawn again only when one of its cells is another one.
function Row({ row, columns, here }) {
  return useMemo(() => drawn(row, columns, here), [row.service, here, columns, ...row.cells]);
}

function drawn(row, columns, here) {
  const mine = (column) => !here || column.environment === here;
  const linked = columns.some((column, n) => row.cells[n] && mine(column));
  return html`<tr role="row"><th role="rowheader" scope="row">${linked ? html`<a href=${toService(row.service)}>${row.service}</a>` : row.service}<span class="owner muted">${row.owner}</span></th>
    ${columns.map((column, n) => html`<td key=${column.environment} role="cell" data-environment=${column.environment}>${row.cells[n] ? html`<${Cell} cell=${row.cells[n]} mine=${mine(column)} />` : html`<span class="muted">not here</span>`}</td>`)}</tr>`;
}

function Cell({ cell, mine }) {
  const marked = cell.tone === "good" || (cell.tone === "info" && !cell.incoming) ? null : html`<${Sign} tone=${cell.tone} />`;
  const words = html`${marked}<span>${cell.says}</span>`;
  return html`<div class="cell ${cell.tone}">
    <div class="versions">${cell.version ? html`<${Version} version=${cell.version} side=${cell.incoming ? "old" : ""} />` : html`<span class="muted">no version</span>`}
      ${cell.incoming && html`<span class="muted" aria-hidden="true">→</span><span class="unseen"> to </span><${Version} version=${cell.incoming} side="new" />`}
      ${cell.asleep && html`<${Chip} kind="still">asleep<//>`}${cell.frozen && html`<${Chip} kind="still">frozen<//>`}${cell.held && html`<${Chip} kind="still">held<//>`}
      ${cell.steps > 0 && html`<span class="step muted">${cell.step} of ${cell.steps}</span>`}</div>
    ${cell.incoming && html`<${Bar} parts=${[["old", 100 - cell.weight], ["new", cell.weight]]} label="${cell.weight}% to the new version" />`}
    <p class="says">${cell.release && mine ? html`<a href=${toRelease(cell.release)}>${words}</a>` : words}</p>
  </div>`;
}
