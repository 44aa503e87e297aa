// How far along: every step of the plan, what is done, what goes on, what comes.
import { html } from "./html.js";
import { Until } from "./marks.js";

const STATES = { done: ["✓", "done"], now: ["●", "now"], next: ["○", "to come"], failed: ["✕", "failed"], skipped: ["–", "skipped"] };

export function Steps({ steps }) {
  if (!steps.length) return null;
  return html`<ol class="steps" aria-label="Steps">${steps.map((step, n) => {
    const [sign, word] = STATES[step.state];
    return html`<li key=${n} class=${step.state} aria-current=${step.state === "now" ? "step" : undefined}>
      <span class="knot" aria-hidden="true">${sign}</span><span class="title">${step.title}</span><span class="unseen">, ${word}</span>
    </li>`;
  })}</ol>`;
}

// What is known of when things end, and what happens then.
export const Lefts = ({ left }) =>
  left.length > 0 && html`<ul class="lefts">${left.map((one) => html`<li key=${`${one.what} ${one.says}`}><b><${Until} until=${one.until} /></b> <span>${one.says}</span></li>`)}</ul>`;
