// One release: the sentence, what is asked, where the traffic is, how far along, how it went, what happened.
import { html } from "./html.js";
import { person, whole } from "./format.js";
import { Actions } from "./act.js";
import { Pictures } from "./pictures.js";
import { Question } from "./question.js";
import { Lefts, Steps } from "./steps.js";
import { Facts, Timeline } from "./timeline.js";
import { Ago, Chip, Command, Gauge, Sign, Unknowns, Version } from "./marks.js";
import { source, toService } from "./routes.js";
import { Weights } from "./weights.js";

export function Release({ data: release, app }) {
  const about = { title: release.service, release: release.id, service: release.service, evidence: release.evidence.says };
  const judged = release.evidence.state !== "none";
  return html`
    <header class="what">
      <p class="title"><a href=${toService(release.service)}>${release.service}</a>
        ${release.old && html`<${Version} version=${release.old} side="old" /> <span aria-hidden="true">→</span><span class="unseen">to</span>`} <${Version} version=${release.new} side="new" /></p>
      <p class="muted"><${Chip}>${release.environment}<//> ${release.strategy}, began <${Ago} at=${release.started_at} />, by ${person(release.requested_by)}${release.reason && html`: <q><bdi>${release.reason}</bdi></q>`}${release.train && html`, in train <bdi>${release.train}</bdi>`}</p>
    </header>
    <div class="headline">
      <h1 tabindex="-1" class="sentence ${release.tone}"><${Sign} tone=${release.tone} /><span>${release.says}</span></h1>
      ${!release.question && html`<${Actions} actions=${release.actions} about=${about} app=${app} />`}
    </div>
    ${release.question && html`<${Question} question=${release.question} evidence=${release.evidence} actions=${release.actions} app=${app} />`}
    <section class="progress" aria-label="How far along">
      ${release.steps.length > 0 && html`<p class="step">Step <b>${release.step}</b> of ${release.steps.length}${release.then && html`<span class="muted">, then: ${release.then}</span>`}</p>`}
      <${Steps} steps=${release.steps} />
      ${!release.question && html`<${Lefts} left=${release.left} />`}
      ${release.holds.length > 0 && html`<ul class="holds">${release.holds.map((hold) => html`<li><${Sign} tone="warning" /><b>held</b>: ${hold}</li>`)}</ul>`}
    </section>
    <${Unknowns} list=${release.unknown} />
    <div class="pair ${release.question || !judged ? "alone" : ""}">
      <${Weights} slots=${release.slots} old=${release.old} now=${release.new} />
      ${judged && !release.question && html`<section class="judged" aria-labelledby="evidence"><h2 id="evidence">Is it harmed?</h2>
        <${Gauge} evidence=${release.evidence} />
        ${release.evidence.says !== release.says && html`<p class="evidence-line">${release.evidence.says}</p>`}
        ${release.evidence.of > 0 && html`<p class="muted">${release.evidence.windows} of ${release.evidence.of} windows</p>`}
        <${Decided} evidence=${release.evidence} />
      </section>`}
    </div>
    ${judged && release.question && html`<${Decided} evidence=${release.evidence} />`}
    <${Pictures} release=${release} />
    <section aria-labelledby="timeline"><h2 id="timeline">What happened</h2>
      <${Timeline} entries=${release.timeline} older=${release.older} path="${source({ view: "release", name: release.id })}/timeline" app=${app} /></section>
    <section aria-labelledby="names"><h2 id="names">Names</h2>
      <${Command} command=${release.command} />
      <dl class="facts"><div><dt>release</dt><dd><bdi>${release.id}</bdi></dd></div>
        <div><dt>image</dt><dd><bdi>${release.new.image}</bdi></dd></div>
        ${release.new.configuration && html`<div><dt>configuration</dt><dd><bdi>${release.new.configuration}</bdi></dd></div>`}
        ${release.old && html`<div><dt>image before</dt><dd><bdi>${release.old.image}</bdi></dd></div>`}
        <div><dt>began</dt><dd>${whole(release.started_at)}</dd></div>${release.ended_at > 0 && html`<div><dt>ended</dt><dd>${whole(release.ended_at)}</dd></div>`}</dl></section>`;
}

const Decided = ({ evidence }) =>
  Object.keys(evidence.decided).length > 0 && html`<details class="decided"><summary>How it was decided</summary><${Facts} facts=${evidence.decided} /></details>`;
