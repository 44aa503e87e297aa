// What a person is asked (the sentence above it asks): on what evidence, what each answer leads to, until when, and who may.
import { html } from "./html.js";
import { people, person } from "./format.js";
import { ANSWERS, Actions } from "./act.js";
import { Gauge, Until } from "./marks.js";

export function Question({ question, evidence, actions, app }) {
  const answers = actions.filter((action) => ANSWERS.has(action.name));
  const others = actions.filter((action) => !ANSWERS.has(action.name) && action.may);
  const about = { title: question.service, release: question.release, service: question.service, question: question.id, evidence: question.evidence };
  return html`<section class="question" aria-label="Asked of a person">
    <p class="asked-until"><b>Asked</b> <span><${Until} until=${question.expires_at} /></span></p>
    <h2 class="unseen">${question.asks}</h2>
    <p class="evidence-line">${question.evidence}</p>
    ${evidence && html`<${Gauge} evidence=${evidence} />`}
    <${Actions} actions=${answers} about=${about} app=${app} />
    <dl class="outcomes">
      <div><dt>If yes</dt><dd>${question.if_yes}</dd></div>
      <div><dt>If no</dt><dd>${question.if_no}</dd></div>
      <div><dt>If nobody answers</dt><dd>${question.if_nobody}</dd></div>
    </dl>
    <p class="muted">
      <b>${person(question.requested_by)}</b> asked${question.reason && html`: <q><bdi>${question.reason}</bdi></q>`}.
      ${question.may_answer.length > 0 && ` ${people(question.may_answer)} can answer.`}
      ${question.needed > 1 && ` ${question.needed} have to say yes${question.given.length ? `; ${people(question.given)} did` : ""}.`}
    </p>
    ${others.length > 0 && html`<div class="besides"><span class="muted">Besides</span><${Actions} actions=${others} about=${about} app=${app} /></div>`}
  </section>`;
}
