import assert from "node:assert/strict";
import test from "node:test";
import { Budget, EMPTY, heard, inFlight, wait } from "../../../functions/serve_console/static/pace.js";
import { share } from "../../../functions/serve_console/static/share.js";

const seen = { hidden: false, signedOut: false, failures: 0, inFlight: false };

test("two seconds in flight, ten when quiet, nothing while nobody looks", () => {
  assert.equal(wait({ ...seen, inFlight: true }, 0.5), 2000);
  assert.equal(wait(seen, 0.5), 10000);
  assert.equal(wait({ ...seen, hidden: true }, 0.5), null);
  assert.equal(wait({ ...seen, signedOut: true }, 0.5), null);
});

test("failures wait longer and longer, spread, and never less than a second", () => {
  for (let failures = 1; failures < 40; failures += 1) {
    for (const random of [0, 0.5, 1]) {
      const pause = wait({ ...seen, inFlight: true, failures }, random);
      assert.ok(pause >= 1000 && pause <= 60000, `${failures}: ${pause}`);
    }
  }
  assert.ok(wait({ ...seen, failures: 5 }, 0.5) > wait({ ...seen, failures: 2 }, 0.5));
  assert.notEqual(wait({ ...seen, failures: 5 }, 0.1), wait({ ...seen, failures: 5 }, 0.9));
  assert.equal(wait({ ...seen, failures: 1, retryAfter: 30000 }, 0), 30000);
});

test("whatever wakes it, a minute has at most sixty questions and a few for whoever goes through places", () => {
  const budget = new Budget();
  let asked = 0;
  for (let ms = 1e12; ms < 1e12 + 60000; ms += 10) if (!budget.take(ms)) asked += 1;
  assert.ok(asked <= 63, `${asked}`);
  assert.ok(asked >= 60, `${asked}`);
});

test("no answer keeps what was there, and says since when", () => {
  const first = heard(EMPTY, { data: { now: 100, says: "a" } }, 90000, share);
  assert.equal(first.skew, 10);
  const silent = heard(first, { error: { kind: "silent" } }, 95000, share);
  assert.deepEqual([silent.data.says, silent.at, silent.failures], ["a", 90000, 1]);
  const same = heard(silent, { same: true }, 99000, share);
  assert.deepEqual([same.data.says, same.at, same.failures, same.error], ["a", 99000, 0, null]);
});

test("what moves is asked for more often", () => {
  const cell = (status) => ({ cells: [{ release: "r", status }] });
  assert.equal(inFlight("fleet", cell("running")), true);
  for (const status of ["promoted", "rolled_back", "refused"]) assert.equal(inFlight("fleet", cell(status)), false);
  assert.equal(inFlight("release", { ended_at: 0 }), true);
  assert.equal(inFlight("release", { ended_at: 5 }), false);
  assert.equal(inFlight("service", { release: null }), false);
  assert.equal(inFlight("cost", {}), false);
});

test("what did not change is the same object, what did is new", () => {
  const before = { a: { b: [1, { c: 2 }] }, d: 1 };
  assert.equal(share(before, structuredClone(before)), before);
  const after = share(before, { a: { b: [1, { c: 2 }] }, d: 2 });
  assert.equal(after.a, before.a);
  assert.equal(after.d, 2);
  assert.deepEqual(share({ a: 1, b: 2 }, { a: 1 }), { a: 1 });
  assert.deepEqual(share([1, 2], [1]), [1]);
  assert.deepEqual(share({ a: undefined }, { b: undefined }), { b: undefined });
});
