// One service: how it stands, both slots, what can be done, its releases.
import { html } from "./html.js";
import { person } from "./format.js";
import { Actions } from "./act.js";
import { Lefts, Steps } from "./steps.js";
import { When } from "./timeline.js";
import { Chip, Command, Empty, Gauge, Sign, Unknowns, Version } from "./marks.js";
import { source, toRelease } from "./routes.js";
import { useOlder } from "./older.js";
import { Weights } from "./weights.js";
import { Question } from "./question.js";

export function Service({ data, app }) {
  const { cell, release } = data;
  const about = { title: cell.service, service: cell.service, release: release?.id ?? cell.release, question: release?.question?.id, evidence: release?.evidence.says };
  const question = release?.question;
  const actions = data.actions.filter((action) => !question?.release || !release.actions.some((asked) => asked.name === action.name));
  return html`
    <header class="what"><p class="title">${cell.service} <${Version} version=${cell.version} side=${release ? "old" : ""} />${cell.incoming && html` <span aria-hidden="true">→</span><span class="unseen">to</span> <${Version} version=${cell.incoming} side="new" />`}</p>
      <p class="muted"><${Chip}>${cell.environment}<//> ${cell.owner && `owned by ${cell.owner}`} ${cell.asleep && html`<${Chip} kind="still">asleep<//>`}${cell.frozen && html`<${Chip} kind="still">frozen<//>`}${cell.held && html`<${Chip} kind="still">held<//>`}</p></header>
    <div class="headline"><h1 tabindex="-1" class="sentence ${cell.tone}"><${Sign} tone=${cell.tone} /><span>${cell.says}</span></h1>
      <${Actions} actions=${actions} about=${about} app=${app} /></div>
    ${question && html`<${Question} question=${question} evidence=${release.evidence} actions=${release.actions} app=${app} />`}
    <${Lefts} left=${data.left} />
    ${data.holds.length > 0 && html`<ul class="holds">${data.holds.map((hold) => html`<li><${Sign} tone="warning" /><b>held</b>: ${hold}</li>`)}</ul>`}
    <${Unknowns} list=${data.unknown} />
    ${release && !release.ended_at && html`<section class="progress" aria-labelledby="goes-on"><h2 id="goes-on">Under way</h2>
      <p><${Sign} tone=${release.tone} /><a href=${toRelease(release.id)}>${release.says}</a></p><${Steps} steps=${release.steps} />
      ${release.evidence.state !== "none" && !question && html`<${Gauge} evidence=${release.evidence} />`}</section>`}
    <${Weights} slots=${data.slots} old=${release?.old} now=${release?.new} />
    <section aria-labelledby="releases"><h2 id="releases">Releases</h2><${Releases} first=${data.releases} older=${data.older} path="${source({ view: "service", name: cell.service })}/releases" app=${app} /></section>
    <${Command} command=${data.command} />`;
}

function Releases({ first, older, path, app }) {
  const [lines, further] = useOlder({ api: app.api, path, field: "releases", first, older, key: (line) => line.id });
  if (!lines.length) return html`<${Empty}>Nothing has been released yet.<//>`;
  return html`<ol class="timeline releases">${lines.map((line) => html`<li key=${line.id} class=${line.tone}>
      <span class="at"><${When} at=${line.started_at} /></span><${Sign} tone=${line.tone} />
      <div class="line"><a href=${toRelease(line.id)}><b><bdi>${line.version}</bdi></b></a> <span class="says">${line.says}</span> <span class="by muted">${person(line.requested_by)}${line.reason && html`: <q><bdi>${line.reason}</bdi></q>`}</span></div></li>`)}</ol>${further}`;
}
