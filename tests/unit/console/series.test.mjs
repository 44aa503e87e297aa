import assert from "node:assert/strict";
import test from "node:test";
import { marks, newest, series } from "../../../functions/serve_console/static/series.js";

const arm = (requests, errors = 0, p95 = null) => ({ requests, errors, slow: 0, p95, low: null, high: null });
const point = (start, old, now, position = null) => ({ start, end: start + 60, weight: 10, old, new: now, position });

test("a lone window is a line from its start to its end, requests are a second's, versions are stacked", () => {
  const made = series([point(0, arm(540, 1, 0.18), arm(60, 3, 0.2), 0.4)]);
  assert.deepEqual([made.x, made.oldRate, made.total], [[0, 30, 60], [9, 9, 9], [10, 10, 10]]);
  assert.deepEqual([made.newShare, made.newP95, made.position], [[0.05, 0.05, 0.05], [0.2, 0.2, 0.2], [0.4, 0.4, 0.4]]);
});

test("no requests is no share, and never a share of nothing", () => {
  const made = series([point(0, arm(0), arm(0))]);
  assert.deepEqual([made.oldShare, made.newShare, made.total], [[null, null, null], [null, null, null], [0, 0, 0]]);
});

test("where windows are missing so is the line", () => {
  const made = series([point(0, arm(60), arm(0)), point(60, arm(60), arm(0)), point(600, arm(60), arm(0))]);
  assert.deepEqual(made.x, [0, 30, 90, 120, 360, 600, 630, 660]);
  assert.deepEqual(made.oldRate, [1, 1, 1, 1, null, 1, 1, 1]);
  assert.ok(made.x.every((x, n) => n === 0 || x > made.x[n - 1]));
});

test("evidence stands until it is looked at again, and begins anew with a weight or after a gap", () => {
  const made = (points) => series(points.map(([n, position, weight]) => ({ ...point(60 * n, arm(1), arm(1), position), weight }))).position;
  assert.deepEqual(made([[0, 0.2, 10], [1, null, 10], [2, 0.4, 10]]), [0.2, 0.2, 0.2, 0.4, 0.4]);
  assert.deepEqual(made([[0, 0.2, 10], [1, null, 50]]), [0.2, 0.2, null, null]);
  assert.deepEqual(made([[0, 0.2, 10], [9, null, 10]]), [0.2, 0.2, 0.2, null, null, null, null]);
});

test("a window without length is left out", () => {
  assert.deepEqual(series([{ ...point(0, arm(1), arm(1)), end: 0 }]).x, []);
});

test("marks are where traffic was moved, by what each window had", () => {
  const weights = [0, 0, 10, 10, 50, 0].map((weight, n) => ({ ...point(60 * n, arm(1), arm(1)), weight }));
  assert.deepEqual(marks(weights), [{ at: 120, title: "10%" }, { at: 240, title: "50%" }, { at: 300, title: "0%" }]);
  assert.deepEqual(marks(weights.slice(2, 4)), [{ at: 120, title: "10%" }]);
  assert.deepEqual(marks([]), []);
  assert.equal(newest([1, null, 2, null]), 2);
  assert.equal(newest([null]), null);
});
