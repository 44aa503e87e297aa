// Four pictures of a release on one time axis: traffic by version, failed requests, latency, evidence.
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { count, hours, latency, percent, stamp } from "./format.js";
import { marks, newest, series } from "./series.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");

function useTheme() {
  const [dark, set] = useState(DARK.matches);
  useEffect(() => {
    const changed = () => set(DARK.matches);
    DARK.addEventListener("change", changed);
    return () => DARK.removeEventListener("change", changed);
  }, []);
  return dark;
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const faint = (name) => color(`${name}-faint`);
const rate = (n) => (n === null || n === undefined ? "not known" : `${n < 10 ? Number(n.toFixed(1)) : count(Math.round(n))}/s`);
const line = (stroke, more = {}) => ({ stroke, width: 2, points: { show: false }, spanGaps: false, ...more });
const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false };

// What each picture is of: its columns, how they are drawn, how a value reads.
const PICTURES = [
  {
    title: "Traffic by version", unit: "requests a second", columns: ["total", "oldRate"], least: 1, format: rate,
    draw: () => ({
      series: [line(color("new")), line(color("old"), { fill: faint("old") })],
      bands: [{ series: [1, 2], fill: faint("new") }],
    }),
    read: (s, i) => [["old", rate(s.oldRate[i])], ["new", s.total[i] === null ? "not known" : rate(s.total[i] - s.oldRate[i])]],
  },
  {
    title: "Failed requests", unit: "share, with 95% intervals", columns: ["newHigh", "newLow", "oldHigh", "oldLow", "oldShare", "newShare"], least: 0.01, format: percent,
    draw: () => ({
      series: [edge, edge, edge, edge, line(color("old")), line(color("new"))],
      bands: [{ series: [1, 2], fill: faint("new") }, { series: [3, 4], fill: faint("old") }],
    }),
    read: (s, i) => [["old", percent(s.oldShare[i])], ["new", percent(s.newShare[i])]],
  },
  {
    title: "Latency", unit: "95% are faster than", columns: ["oldP95", "newP95"], least: 0.05, format: latency,
    draw: () => ({ series: [line(color("old")), line(color("new"))], bands: [] }),
    read: (s, i) => [["old", latency(s.oldP95[i])], ["new", latency(s.newP95[i])]],
  },
  {
    title: "Evidence", unit: "logarithmic", columns: ["position"], range: [-1.15, 1.15], ends: true,
    format: (v) => ({ "-1": "roll back", 0: "even", 1: "promote" })[v] ?? "",
    draw: () => ({ series: [line(color("ink"))], bands: [] }),
    read: (s, i) => [["", s.position[i] === null ? "none" : s.position[i] >= 1 ? "promotes" : s.position[i] <= -1 ? "rolls back" : `${Math.round(Math.abs(s.position[i]) * 100)}% of the way to ${s.position[i] < 0 ? "roll back" : "promote"}`]],
  },
];

function Picture({ picture, data, moved, versions, dark }) {
  const place = useRef(null), plot = useRef(null), reading = useRef(null), now = useRef(null);
  now.current = { data, moved };
  const tell = (i) => {
    if (!reading.current) return;
    const at = i ?? now.current.data.x.length - 1;
    const values = at < 0 ? [] : picture.read(now.current.data, at).map(([side, text]) => (side ? `${versions[side]} ${text}` : text));
    reading.current.textContent = at < 0 ? "" : `${stamp(now.current.data.x[at], now.current.data.x[at])}  ${values.join(", ")}`;
  };
  const columns = (from) => [from.x, ...picture.columns.map((key) => from[key])];
  useEffect(() => {
    const box = place.current;
    const drawn = picture.draw();
    const grid = { stroke: color("line"), width: 1 };
    const axis = { stroke: color("muted"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const options = {
      width: box.clientWidth, height: 150, padding: [14, 30, 0, 0], legend: { show: false },
      cursor: { sync: { key: "release" }, drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: true }, y: { range: picture.range || ((u, low, high) => [0, Math.max(picture.least, (high || 0) * 1.12)]) } },
      axes: [
        { ...axis, grid: { show: false }, size: 24, values: (u, at) => at.map((t) => (at.length > 1 && at[1] - at[0] < 60 ? stamp(t, t) : hours(t))), space: 64 },
        { ...axis, grid, size: picture.ends ? 62 : 52, space: 36, splits: picture.ends ? () => [-1, 0, 1] : undefined, values: (u, at) => at.map(picture.format) },
      ],
      series: [{}, ...drawn.series], bands: drawn.bands,
      hooks: { setCursor: [(u) => tell(u.cursor.idx)], draw: [(u) => drawMarks(u, now.current.moved, picture.ends)] },
    };
    plot.current = new globalThis.uPlot(options, columns(now.current.data), box);
    tell(null);
    const size = new ResizeObserver(() => plot.current.setSize({ width: box.clientWidth, height: 150 }));
    size.observe(box);
    return () => {
      size.disconnect();
      plot.current.destroy();
    };
  }, [dark]);
  useEffect(() => {
    plot.current?.setData(columns(data));
    tell(null);
  }, [data]);
  return html`<figure class="picture">
    <figcaption><b>${picture.title}</b> <span class="muted">${picture.unit}</span><span class="reading" ref=${reading} aria-hidden="true"></span></figcaption>
    <div ref=${place} class="plot" aria-hidden="true"></div>
  </figure>`;
}

// Where traffic was moved, and, for evidence, the two ends that decide.
function drawMarks(u, moved, ends) {
  const { ctx } = u, { left, top, width, height } = u.bbox, dot = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = dot;
  ctx.font = `${10 * dot}px system-ui, sans-serif`;
  ctx.fillStyle = ctx.strokeStyle = color("muted");
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.setLineDash([3 * dot, 3 * dot]);
  let free = 0;
  for (const { at, title } of moved) {
    const x = u.valToPos(at, "x", true);
    if (x < left || x > left + width) continue;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    if (x < free) continue;
    ctx.fillText(title, x + 3 * dot, top - 3 * dot);
    free = x + ctx.measureText(title).width + 8 * dot;
  }
  if (ends) {
    for (const [value, name] of [[1, "ink"], [-1, "harm"]]) {
      const y = u.valToPos(value, "y", true);
      ctx.strokeStyle = color(name);
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
    }
  }
  ctx.restore();
}

export function Pictures({ release }) {
  const dark = useTheme();
  const data = useMemo(() => series(release.points), [release.points]);
  const moved = useMemo(() => marks(release.points), [release.points]);
  if (!release.points.length) return html`<section><h2>Pictures</h2><p class="empty">No window has been judged yet; pictures begin with the first.</p></section>`;
  const versions = { old: release.old?.label ?? "before", new: release.new.label };
  return html`<section class="pictures" aria-labelledby="pictures">
    <h2 id="pictures">How it went</h2>
    <p class="legend"><span class="version old"><i class="swatch" aria-hidden="true"></i><bdi>${versions.old}</bdi></span> <span class="version new"><i class="swatch" aria-hidden="true"></i><bdi>${versions.new}</bdi></span></p>
    <div class="grid">${PICTURES.filter((picture) => picture.columns.some((key) => newest(data[key]) !== null)).map((picture) => html`<${Picture} key=${picture.title} picture=${picture} data=${data} moved=${moved} versions=${versions} dark=${dark} />`)}</div>
    ${newest(data.oldP95) === null && newest(data.newP95) === null && html`<p class="muted">Latency is not known: no source of numbers told it.</p>`}
    <details class="as-table"><summary>The same as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Windows"><table>
      <thead><tr><th scope="col">Window</th><th scope="col">To <bdi>${versions.new}</bdi></th><th scope="col"><bdi>${versions.old}</bdi> failed</th><th scope="col"><bdi>${versions.new}</bdi> failed</th><th scope="col"><bdi>${versions.old}</bdi> p95</th><th scope="col"><bdi>${versions.new}</bdi> p95</th></tr></thead>
      <tbody>${release.points.toReversed().map((p) => html`<tr key=${p.start}><th scope="row">${hours(p.start)} to ${hours(p.end)}</th><td>${p.weight}%</td><td>${arm(p.old)}</td><td>${arm(p.new)}</td><td>${latency(p.old.p95)}</td><td>${latency(p.new.p95)}</td></tr>`)}</tbody>
    </table></div></details>
  </section>`;
}
const arm = (side) => (side.requests ? `${count(side.errors)} of ${count(side.requests)}` : "no requests");
