import assert from "node:assert/strict";
import test from "node:test";
import { parse, source, toFleet, toRelease, toService } from "../../../functions/serve_console/static/routes.js";

test("every place is in the address, and comes back from it", () => {
  const id = "back/end?#%-20261130";
  assert.deepEqual(parse(toRelease(id)), { view: "release", name: id, asked: {} });
  assert.deepEqual(parse(toService("a b")), { view: "service", name: "a b", asked: {} });
  assert.deepEqual(parse(toFleet({ q: "shop & co", show: "person" })), { view: "fleet", asked: { q: "shop & co", show: "person" } });
  for (const hash of ["", "#", "#/"]) assert.equal(parse(hash).view, "fleet");
  for (const view of ["signals", "recovery", "calendar", "cost", "audit"]) assert.equal(parse(`#/${view}`).view, view);
});

test("what is no place is said to be none", () => {
  for (const hash of ["#/nowhere", "#/releases", "#/releases/%E0%A4%A", "#/signals/x", "#/__proto__/x", "#/constructor"]) assert.equal(parse(hash).view, "lost");
});

test("a place asks one address of our own, whatever its name", () => {
  assert.equal(source(parse("#/")), "/v1/fleet");
  assert.equal(source({ view: "release", name: "../../x?y" }), "/v1/releases/..%2F..%2Fx%3Fy");
  assert.equal(source({ view: "lost" }), "");
});
