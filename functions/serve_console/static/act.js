// What a person can do: says what will happen before it does, takes a reason, shows what the server answered.
import { html, useId, useLayoutEffect, useRef, useState } from "./html.js";
import { clock, people, person, zoneOf } from "./format.js";
import { serverNow } from "./clock.js";

export const LABELS = {
  approve: "Approve", deny: "Deny", pause: "Pause", resume: "Resume", promote: "Promote now", abort: "Abort",
  rollback: "Roll back", freeze: "Freeze", unfreeze: "Lift the freeze",
};
// How a dialog asks, where the button's words around a name are no sentence.
const ASKS = { promote: ["Promote", " now"], unfreeze: ["Lift the freeze of", ""] };
// Without a reason the next morning cannot be told why.
const NEEDS_REASON = new Set(["deny", "promote", "abort", "rollback", "freeze", "unfreeze"]);
// What answers a question.
export const ANSWERS = new Set(["approve", "deny"]);
const LEADING = new Set(["approve", "resume"]);

// Where an action is posted, and what.
export function request(name, { release, service, question }, { reason, until }) {
  const at = (kind, id, verb) => `/v1/${kind}/${encodeURIComponent(id)}/${verb}`;
  switch (name) {
    case "approve":
    case "deny":
      return [at("releases", release, "answers"), { question, answer: name === "approve" ? "approved" : "denied", reason }];
    case "rollback":
      return [at("services", service, "rollback"), { reason, bad: true, release }];
    case "freeze":
      return ["/v1/freezes", { service, until, reason }];
    case "unfreeze":
      return ["/v1/freezes/lift", { service, reason }];
    default:
      return [at("releases", release, name), { reason }];
  }
}

// The buttons of some actions, and why the others are not there. `about` is what they are done to. The dialog is the page's:
// a look that comes meanwhile may take the buttons away.
export function Actions({ actions, about, app }) {
  if (!actions.length) return null;
  const mine = actions.filter((action) => action.may);
  const others = actions.filter((action) => !action.may);
  return html`<div class="actions">
    ${mine.length > 0 && html`<div class="buttons">${mine.map((action) => html`<button key=${action.name} type="button" class=${LEADING.has(action.name) ? "lead" : ""} onClick=${() => app.confirm({ action, about })}>${LABELS[action.name]}<span class="unseen"> ${about.title}</span></button>`)}</div>`}
    ${others.length > 0 && html`<ul class="not-mine">${others.map((action) => html`<li key=${action.name}><b>${LABELS[action.name]}</b>: ${action.why_not || "you may not"}${action.who.length > 0 && html`; <span>${people(action.who)} can</span>`}</li>`)}</ul>`}
  </div>`;
}

const HOUR = 3600;
const local = (at) => {
  const d = new Date(at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000);
  return d.toISOString().slice(0, 16);
};

// What an error leaves open.
function afterwards({ kind, status }) {
  if (kind === "signin") return ". Nothing was done: keep what you wrote, leave this and sign in again.";
  // Too many questions are refused before anything is done; of every other silence nobody knows.
  return kind === "silent" && status !== 429 ? ". Whether it was taken is not known: look what happened before you send it again." : "";
}

export function Confirm({ action, about, app, close }) {
  const dialog = useRef(null);
  const id = useId();
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState(() => local(serverNow() + 2 * HOUR));
  const [state, setState] = useState({ busy: false, error: "", answer: "" });
  const label = LABELS[action.name];
  const [asks, asksEnd] = ASKS[action.name] ?? [label, ""];
  // Seconds; NaN where there is no time in it.
  const ends = new Date(until).getTime() / 1000;
  useLayoutEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown.showModal();
    return () => {
      shown.close();
      // A look may have taken the button away meanwhile.
      const there = before?.isConnected && before !== document.body;
      (there ? before : document.querySelector("h1"))?.focus();
    };
  }, []);
  const send = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    if (NEEDS_REASON.has(action.name) && !reason.trim())
      return setState({ ...state, error: "Say why: whoever comes tomorrow reads it." });
    if (action.name === "freeze" && !(ends > serverNow()))
      return setState({ ...state, error: "Say until when: a time that is still to come." });
    setState({ busy: true, error: "", answer: "" });
    try {
      const [path, body] = request(action.name, about, { reason: reason.trim(), until: ends });
      const told = await app.api.post(path, body);
      setState({ busy: false, error: "", answer: told?.says || told?.message || `The control plane took it at ${clock(serverNow(), serverNow())}.` });
      app.again();
    } catch (error) {
      setState({ busy: false, error: `${error.message}${afterwards(error)}`, answer: "" });
      if (error.kind === "signin") app.ended();
      if (error.kind === "silent") app.again();
    }
  };
  const others = action.who.filter((one) => one.name !== app.me?.who.name);
  return html`<dialog ref=${dialog} class="confirm" aria-labelledby="${id}-title" onCancel=${(event) => { event.preventDefault(); if (!state.busy) close(); }} onClose=${close}>
    <form onSubmit=${send} novalidate>
      <h2 id="${id}-title">${asks} <bdi>${about.title}</bdi>${asksEnd}?</h2>
      <p class="does"><span class="what">This will happen</span>${action.does}</p>
      ${about.evidence && html`<p class="why"><span class="what">What is known</span>${about.evidence}</p>`}
      ${state.answer ? html`<p class="answer" role="status">${state.answer}</p>` : html`
        ${action.name === "freeze" && html`<label for="${id}-until">Until (${zoneOf(ends > 0 ? ends : serverNow())})<input id="${id}-until" type="datetime-local" value=${until} onInput=${(e) => setUntil(e.target.value)} /></label>`}
        <label for="${id}-reason">Reason${NEEDS_REASON.has(action.name) ? "" : " (may be left out)"}
          <textarea id="${id}-reason" rows="2" maxlength="500" value=${reason} onInput=${(e) => setReason(e.target.value)} aria-describedby=${state.error ? `${id}-error` : undefined} aria-invalid=${state.error ? "true" : undefined} autofocus></textarea>
        </label>`}
      ${state.error && html`<p class="error" role="alert" id="${id}-error">${state.error}</p>`}
      <p class="by muted">${app.me ? html`In your name: <b>${person(app.me.who)}</b>. ` : ""}${others.length > 0 && `${people(others)} can, too.`}</p>
      <div class="buttons">
        ${state.answer
          ? html`<button type="button" class="lead" onClick=${close}>Close</button>`
          : html`<button type="submit" class="lead" aria-disabled=${state.busy ? "true" : undefined}>${state.busy ? "Sending" : label.endsWith(" now") ? label : `${label} now`}</button><button type="button" onClick=${close} disabled=${state.busy}>Leave it</button>`}
      </div>
    </form>
  </dialog>`;
}
