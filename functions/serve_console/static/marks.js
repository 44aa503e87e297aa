// Small things that stand everywhere: signs, versions, bars, times, the gauge.
import { html, useState } from "./html.js";
import { ago, clock, leftUntil, percent, whole } from "./format.js";
import { useNow } from "./clock.js";

const TONES = {
  good: ["✓", "good"],
  info: ["●", "for information"],
  warning: ["!", "needs attention"],
  bad: ["✕", "harm"],
  unknown: ["?", "not known"],
};

// Tone as a sign, and in words for whoever does not see it.
export function Sign({ tone }) {
  const [sign, word] = TONES[tone] || TONES.unknown;
  return html`<span class="sign ${tone in TONES ? tone : "unknown"}"><span aria-hidden="true">${sign}</span><span class="unseen">${word}: </span></span>`;
}

// A version by its label; its image and configuration on demand. The colour is its own in every picture.
export function Version({ version, side = "", link = "" }) {
  if (!version) return html`<span class="muted">nothing</span>`;
  const label = html`<bdi>${version.label}</bdi>`;
  const title = version.configuration ? `${version.image}\nconfiguration ${version.configuration}` : version.image;
  return html`<span class="version ${side}" title=${title}>${side && html`<i class="swatch" aria-hidden="true"></i>`}${link ? html`<a href=${link}>${label}</a>` : label}</span>`;
}

// Percent as a bar. `parts` are [class, percent] from the left.
export function Bar({ parts, label }) {
  let x = 0;
  const drawn = parts.map(([name, width]) => {
    const part = html`<rect class=${name} x=${x} y="0" width=${width} height="8" />`;
    x += width;
    return part;
  });
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=${label}>${drawn}</svg>`;
}

// When something ends.
export function Until({ until }) {
  const now = useNow(until - Date.now() / 1000 < 120 ? 1 : 5);
  return html`<time datetime=${iso(until)} title=${whole(until)}>${leftUntil(until, now)}</time>`;
}
export function Ago({ at }) {
  const now = useNow(10);
  return html`<time datetime=${iso(at)} title=${whole(at)}>${ago(at, now)}</time>`;
}
export function At({ at }) {
  const now = useNow(0);
  return html`<time datetime=${iso(at)} title=${whole(at)}>${clock(at, now)}</time>`;
}
const iso = (at) => new Date(at * 1000).toISOString();

// Where the evidence stands between two ends that mean something; the same picture everywhere.
export function Gauge({ evidence }) {
  const { position, odds, says } = evidence;
  const known = position !== null && position !== undefined;
  const at = known ? Math.max(-1, Math.min(1, position)) * 50 + 50 : 50;
  return html`<div class="gauge ${known ? "" : "none"}">
    <span class="end" aria-hidden="true">roll back</span>
    <div class="track" role="img" aria-label=${known ? `Evidence between roll back and promote: ${odds || says}` : `No evidence yet: ${says}`}>
      <i class="mid"></i>
      ${known && html`<i class="span ${position < 0 ? "against" : "for"}" style=${{ left: `${Math.min(50, at)}%`, width: `${Math.abs(at - 50)}%` }}></i><i class="dot ${position <= -1 ? "against" : ""}" style=${{ left: `${at}%` }}></i>`}
    </div>
    <span class="end" aria-hidden="true">promote</span>
    <p class="odds">${odds || "no evidence either way yet"}</p>
  </div>`;
}

export const Chip = ({ kind = "", children }) => html`<span class="chip ${kind}">${children}</span>`;

export const Unknowns = ({ list }) =>
  list.length > 0 && html`<div class="unknowns"><h2 class="unseen">Not known</h2><ul>${list.map((text) => html`<li><${Sign} tone="unknown" />${text}</li>`)}</ul></div>`;

// The same at a terminal.
export function Command({ command }) {
  const [said, say] = useState("Copy");
  if (!command) return null;
  const copy = () =>
    navigator.clipboard.writeText(command).then(() => say("Copied"), () => say("Select and copy it by hand"));
  return html`<div class="command"><span class="unseen">At a terminal: </span><code tabindex="0">${command}</code><button type="button" class="small" onClick=${copy}>${said}<span class="unseen"> the command</span></button></div>`;
}

export const failed = (rate) => (rate ? percent(rate.requests ? rate.events / rate.requests : null) : "not known");

// What differs of two versions, by image and configuration: "new", "old" or "" for another one.
const key = (version) => (version ? `${version.image} ${version.configuration}` : "");
export const sideOf = (version, old, now) => {
  if (!version) return "";
  if (now && key(version) === key(now)) return "new";
  return old && key(version) === key(old) ? "old" : "";
};

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;
