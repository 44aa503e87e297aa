// Signals, recovery, calendar, cost, audit: one sentence, what was done, what was refused and why, evidence.
import { html } from "./html.js";
import { dollars, duration, hours, person, weekday } from "./format.js";
import { Facts, When } from "./timeline.js";
import { At, Chip, Empty, Sign } from "./marks.js";
import { Lefts } from "./steps.js";
import { useOlder } from "./older.js";
import { toRelease } from "./routes.js";

const Head = ({ tone = "", children }) => html`<h1 tabindex="-1" class="sentence ${tone}">${tone && html`<${Sign} tone=${tone} />`}<span>${children}</span></h1>`;

function Paged({ first, older, path, field, keyed, app, children }) {
  const [rows, further] = useOlder({ api: app.api, path, field, first, older, key: keyed });
  return html`${children(rows)}${further}`;
}

const signalKey = (signal) => `${signal.at} ${signal.name} ${signal.subject}`;
export function Signals({ data, app }) {
  return html`<${Head}>${data.says}<//>
    ${data.automation_off && html`<p><${Sign} tone="bad" />${data.automation_off}</p>`}<${Lefts} left=${data.left} />
    <${Paged} first=${data.signals} older=${data.older} path="/v1/signals" field="signals" keyed=${signalKey} app=${app}>${(rows) => html`<ol class="timeline signals">${rows.map((signal) => html`<li key=${signalKey(signal)} class=${signal.tone}>
      <span class="at"><${When} at=${signal.at} /></span><${Sign} tone=${signal.tone} />
      <div class="line"><span class="says">${signal.release ? html`<a href=${toRelease(signal.release)}>${signal.says}</a>` : signal.says}</span>
        <p class="muted">Decided: <b>${signal.decision}</b>${signal.reason && !signal.says.includes(signal.reason) && `, because ${signal.reason}`} <${Chip}>${signal.severity}<//> <${Chip}>${signal.status}<//></p>
        ${Object.keys(signal.evidence).length > 0 && html`<details><summary>Evidence</summary><${Facts} facts=${signal.evidence} /></details>`}</div></li>`)}</ol>`}<//>`;
}

export function Recovery({ data, app }) {
  return html`<${Head} tone=${data.tone}>${data.says}<//>
    <section aria-labelledby="promised"><h2 id="promised">Promised and measured</h2><div class="cards">${data.objectives.map((one) => html`<div class="card" key=${one.what}><p class="what">${one.what}</p>
      <p class="big">${one.measured === null ? "not measured" : duration(one.measured)}<span class="muted"> of ${duration(one.target)}</span></p><${Share} value=${one.measured} of=${one.target} label=${one.says} tone=${one.tone} /><p><${Sign} tone=${one.tone} />${one.says}</p></div>`)}</div></section>
    <section aria-labelledby="runs"><h2 id="runs">Drills, audits, failovers</h2>
      <${Paged} first=${data.runs} older=${data.older} path="/v1/recovery" field="runs" keyed=${(run) => run.id} app=${app}>${(rows) => rows.length ? html`<ol class="timeline">${rows.map((run) => html`<li key=${run.id} class=${run.tone}><span class="at"><${When} at=${run.started_at} /></span><${Sign} tone=${run.tone} />
        <div class="line"><span class="word">${run.kind} of <bdi>${run.target}</bdi></span> <span class="says">${run.says}</span> <span class="muted">${[run.rto !== null && `RTO ${duration(run.rto)}`, run.rpo !== null && `RPO ${duration(run.rpo)}`].filter(Boolean).join(", ")}</span>
        ${Object.keys(run.evidence).length > 0 && html`<details><summary>Evidence</summary><${Facts} facts=${run.evidence} /></details>`}</div></li>`)}</ol>` : html`<${Empty}>No drill has run yet.<//>`}<//></section>`;
}

// A value against its end, as a line.
function Share({ value, of, low, label, tone }) {
  if (value === null || value === undefined || !of) return null;
  const most = Math.max(of, value) * 1.1;
  const at = (n) => (n / most) * 100;
  return html`<svg class="bar target" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=${label}>
    <rect class="rest" x="0" y="0" width="100" height="8" />${low !== undefined && low !== null && html`<rect class="range" x=${at(low)} y="0" width=${at(of - low)} height="8" />`}
    <rect class=${tone === "bad" ? "harm" : "ink"} x="0" y="2" width=${at(value)} height="4" /><rect class="ink" x=${at(of)} y="0" width="0.6" height="8" /></svg>`;
}

// The coming days on one line, from now to the end of what is known within a week.
const WEEK = 7 * 86400;
function Week({ days, now }) {
  const end = Math.min(now + WEEK, Math.max(...days.map((one) => one.end)));
  const at = (t) => ((Math.min(Math.max(t, now), end) - now) / (end - now)) * 100;
  const near = days.filter((one) => one.end > now && one.start < end);
  if (end <= now || !near.length) return null;
  // What is frozen is drawn over what is awake.
  const drawn = [...near].sort((a, b) => (a.state === "frozen") - (b.state === "frozen"));
  return html`<svg class="week" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${drawn.map((one) => html`<rect key=${dayKey(one)} class=${one.state} x=${at(one.start)} y=${one.state === "frozen" ? 7 : 0} width=${at(one.end) - at(one.start)} height=${one.state === "frozen" ? 3 : 10} />`)}<rect class="now" x="0" y="0" width="0.3" height="10" /></svg>
    <div class="scale" aria-hidden="true"><span>now</span><span>${weekday(end)}</span></div>`;
}

// Two freezes may begin at the same time.
const dayKey = (one) => `${one.start} ${one.end} ${one.state} ${one.says}`;
export function Calendar({ data }) {
  return html`<${Head}>${data.says}<//>
    <${Lefts} left=${data.left} />
    <section aria-labelledby="days"><h2 id="days">The coming days</h2><p class="muted">Hours that a reason names are the environment's, ${data.zone}.</p>
      <${Week} days=${data.days} now=${data.now} />
      <table class="days" role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">From</th><th role="columnheader" scope="col">Until</th><th role="columnheader" scope="col">State</th><th role="columnheader" scope="col">Why</th></tr></thead>
      <tbody role="rowgroup">${data.days.map((one) => html`<tr role="row" key=${dayKey(one)} class=${one.state}><th role="rowheader" scope="row" data-label="From">${weekday(one.start)}, ${hours(one.start)}</th><td role="cell" data-label="Until">${weekday(one.end)}, ${hours(one.end)}</td><td role="cell" data-label="State"><span class="state ${one.state}"><i aria-hidden="true"></i>${one.state}</span></td><td role="cell" data-label="Why">${one.says}</td></tr>`)}</tbody></table></section>`;
}

export function Cost({ data }) {
  const target = data.low !== null && data.high !== null;
  return html`<${Head} tone=${data.tone}>${data.says}<//>
    <div class="cards"><div class="card"><p class="what">Forecast this month</p><p class="big">${dollars(data.forecast)}</p>${target && html`<${Share} value=${data.forecast} of=${data.high} low=${data.low} label="forecast against the target" tone=${data.tone} /><p class="muted">target ${dollars(data.low)} to ${dollars(data.high)}</p>`}</div>
      <div class="card"><p class="what">Spent so far</p><p class="big">${dollars(data.spent)}</p></div>
      <div class="card"><p class="what">Saved by sleeping</p><p class="big">${dollars(data.saved)}</p></div></div>
    ${data.at > 0 && html`<p class="muted">As billed until <${At} at=${data.at} />.</p>`}`;
}

const lineKey = (line) => `${line.at} ${line.subject} ${line.word} ${line.by.name} ${line.says}`;
export function Audit({ data, app }) {
  return html`<${Head}>Who did what, and why<//>
    <${Paged} first=${data.lines} older=${data.older} path="/v1/audit" field="lines" keyed=${lineKey} app=${app}>${(rows) => rows.length ? html`<ol class="timeline">${rows.map((line) => html`<li key=${lineKey(line)}><span class="at"><${When} at=${line.at} /></span><span class="sign none" aria-hidden="true"></span>
      <div class="line"><b>${person(line.by)}</b> <span class="word">${line.word}</span> ${line.release ? html`<a href=${toRelease(line.release)}>${line.subject}</a>` : line.subject} <span class="says">${line.says}</span></div></li>`)}</ol>` : html`<${Empty}>Nothing has been done yet.<//>`}<//>`;
}
