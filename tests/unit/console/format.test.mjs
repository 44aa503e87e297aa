import assert from "node:assert/strict";
import test from "node:test";
import { ago, clock, count, dollars, duration, latency, leftUntil, named, people, percent, plain, said, stamp, whole, zoneOf, zoned } from "../../../functions/serve_console/static/format.js";

const ZONE = "America/Los_Angeles";
const NOW = 1796078463; // 2026-11-30 14:41:03 PST

test("durations have one unit", () => {
  const says = [[0, "0 s"], [45, "45 s"], [99, "99 s"], [100, "2 min"], [722, "12 min"], [5400, "90 min"], [8 * 3600, "8 h"], [47 * 3600, "47 h"], [72 * 3600, "3 days"], [-5, "0 s"]];
  for (const [seconds, text] of says) assert.equal(duration(seconds), text);
});

test("shares have the digits that say something, and unknown is not zero", () => {
  const says = [[0, "0%"], [0.00001, "under 0.01%"], [0.0024, "0.24%"], [0.0209, "2.1%"], [0.21, "21%"], [1, "100%"], [null, "not known"], [undefined, "not known"]];
  for (const [share, text] of says) assert.equal(percent(share), text);
  assert.equal(latency(null), "not known");
  assert.equal(latency(0.185), "185 ms");
  assert.equal(latency(1.24), "1.2 s");
  assert.equal(dollars(null), "not known");
  assert.equal(dollars(1034.2), "$1,034");
  assert.equal(count(5020), "5,020");
});

test("times are the reader's, with the day where it is another one", () => {
  assert.equal(clock(NOW, NOW, ZONE), "14:41 PST");
  assert.equal(clock(NOW + 86400, NOW, ZONE), "Tue 14:41 PST");
  assert.equal(clock(NOW - 40 * 86400, NOW, ZONE), "Oct 21, 15:41 PDT");
  assert.equal(stamp(NOW, NOW, ZONE), "14:41:03");
  assert.equal(stamp(NOW - 86400, NOW, ZONE), "Nov 29 14:41:03");
  assert.equal(leftUntil(NOW + 420, NOW, ZONE), "7 min left, until 14:48 PST");
  assert.equal(leftUntil(NOW - 1, NOW, ZONE), "due since 14:41 PST");
  assert.equal(ago(NOW - 2, NOW), "now");
  assert.equal(ago(NOW - 720, NOW), "12 min ago");
});

test("an hour that the clock has twice is told apart by its zone", () => {
  const first = 1793520000 + 0; // 2026-11-01 01:00 PDT is 08:00Z
  assert.equal(clock(1793520000 + 0, first, ZONE).split(" ").at(-1), "PDT");
  assert.equal(clock(1793520000 + 3600, first, ZONE).split(" ").at(-1), "PST");
});

test("a moment has its month in letters, and a zone its name and its place", () => {
  assert.equal(whole(NOW, ZONE), "Nov 30, 2026, 14:41:03 PST");
  assert.equal(zoneOf(NOW, ZONE), "PST");
  assert.equal(zoneOf(NOW - 90 * 86400, ZONE), "PDT");
  assert.equal(zoned(NOW, ZONE), "PST (America/Los_Angeles)");
  assert.equal(zoned(NOW, "UTC"), "UTC");
});

test("people by name, roles beside", () => {
  assert.equal(people([]), "");
  assert.equal(people([{ name: "a", role: "" }]), "a");
  assert.equal(people([{ name: "a", role: "approver" }, { name: "b", role: "" }, { name: "c", role: "" }]), "a (approver), b or c");
});

test("what hides or turns text is shown", () => {
  assert.equal(plain("\u001b[31mred"), "\u241b[31mred");
  assert.equal(plain("a\u202eb\u2066c\ufeff\u0085"), "a\ufffdb\ufffdc\ufffd\ufffd");
  assert.equal(plain("kept\n\tas é 日本 ✓"), "kept\n\tas é 日本 ✓");
});

test("a value of the evidence is a line, and none is said", () => {
  assert.equal(said(null), "not known");
  assert.equal(said([0.6, 2.2]), "0.6, 2.2");
  assert.equal(said({ evidence_for: 3.01999, ok: true }), "evidence for 3.02; ok yes");
  assert.equal(named("odds_ratio"), "odds ratio");
});
