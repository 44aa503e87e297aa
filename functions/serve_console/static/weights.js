// Where the traffic is, and how each version does: a line for each slot.
import { html } from "./html.js";
import { count, latency, percent } from "./format.js";
import { Bar, Sign, Version, failed, sideOf } from "./marks.js";

const ROLES = { empty: "empty", candidate: "new", stable: "stable", previous: "kept ready to go back to", bad: "taken back" };

// Of a release that is over nobody asks the load balancer or the cluster: what is known is how it ended.
const NOT_ASKED = "not asked";

function Pods({ pods }) {
  if (pods.unknown === NOT_ASKED) return html`<span class="muted">${NOT_ASKED}</span>`;
  if (pods.unknown) return html`<${Sign} tone="unknown" />${pods.unknown}`;
  const short = pods.ready < pods.desired;
  return html`${short && html`<${Sign} tone="warning" />`}${pods.ready} of ${pods.desired} ready${pods.restarting > 0 && `, ${pods.restarting} restarting`}`;
}

export function Weights({ slots, old, now }) {
  if (!slots.length) return null;
  const troubles = slots.flatMap((slot) => slot.pods.troubles);
  return html`<section class="weights" aria-labelledby="weights"><h2 id="weights">Where the traffic is</h2>
    <table role="table"><thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Version</th><th role="columnheader" scope="col">Traffic</th><th role="columnheader" scope="col">Failed</th><th role="columnheader" scope="col">p95</th><th role="columnheader" scope="col">Pods</th></tr></thead>
      <tbody role="rowgroup">${slots.map((slot) => {
        const side = sideOf(slot.version, old, now) || (slot.role === "candidate" ? "new" : "old");
        const off = slot.real !== null && slot.real !== slot.wanted;
        return html`<tr role="row" key=${slot.slot}>
          <th role="rowheader" scope="row"><${Version} version=${slot.version} side=${side} /> <span class="muted">${ROLES[slot.role]}, ${slot.slot}</span></th>
          <td role="cell" data-label="Traffic" class="traffic"><b class="weight">${slot.real ?? slot.wanted}%</b><${Bar} parts=${[[side, slot.real ?? slot.wanted], ["rest", 100 - (slot.real ?? slot.wanted)]]} label="${slot.real ?? slot.wanted} percent of the traffic" />
            ${off && html`<span class="note"><${Sign} tone="warning" />${slot.wanted}% is wanted</span>`}${slot.real === null && slot.pods.unknown !== NOT_ASKED && html`<span class="note"><${Sign} tone="unknown" />wanted; what the load balancer has is not known</span>`}</td>
          <td role="cell" data-label="Failed"><div>${slot.errors ? html`<span title="between ${percent(slot.errors.low)} and ${percent(slot.errors.high)}, 95% sure">${failed(slot.errors)}</span> <span class="muted">${count(slot.errors.events)} of ${count(slot.errors.requests)}</span>` : html`<span class="muted">not known</span>`}</div></td>
          <td role="cell" data-label="p95">${slot.p95 === null ? html`<span class="muted">not known</span>` : latency(slot.p95)}</td>
          <td role="cell" data-label="Pods"><div><${Pods} pods=${slot.pods} /></div></td>
        </tr>`;
      })}</tbody></table>
    ${troubles.length > 0 && html`<ul class="troubles">${troubles.map((one) => html`<li><${Sign} tone="warning" /><b><bdi>${one.pod}</bdi></b> ${one.says}</li>`)}</ul>`}
  </section>`;
}
