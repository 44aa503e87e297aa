import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { Api, ApiError } from "../../../functions/serve_console/static/api.js";
import { Session } from "../../../functions/serve_console/static/session.js";

class Store {
  kept = new Map();
  getItem(key) { return this.kept.get(key) ?? null; }
  setItem(key, value) { this.kept.set(key, String(value)); }
  removeItem(key) { this.kept.delete(key); }
}
const ISSUER = { authorize: "https://issuer.example/authorize?tenant=1", client: "console", scope: "openid profile", audience: "candlefish" };
const ORIGIN = "https://console.example";

test("signing in proves that who comes back is who went, and comes back to the place", async () => {
  const store = new Store();
  const url = new URL(await new Session(store).begin(ISSUER, ORIGIN, "#/releases/x"));
  const asked = Object.fromEntries(url.searchParams);
  assert.equal(asked.tenant, "1");
  assert.deepEqual([asked.response_type, asked.client_id, asked.redirect_uri, asked.scope, asked.audience, asked.code_challenge_method], ["code", "console", `${ORIGIN}/`, "openid profile", "candlefish", "S256"]);
  const back = new Session(store).back(`?code=c1&state=${asked.state}`, ORIGIN);
  assert.deepEqual([back.place, back.ask.code, back.ask.redirect], ["#/releases/x", "c1", `${ORIGIN}/`]);
  // Our server compares it with what the token says.
  assert.ok(asked.nonce);
  assert.equal(back.ask.nonce, asked.nonce);
  assert.equal(createHash("sha256").update(back.ask.verifier).digest("base64url"), asked.code_challenge);
});

test("a code that another tab or nobody asked for is not exchanged", async () => {
  const store = new Store();
  const session = new Session(store);
  await session.begin(ISSUER, ORIGIN, "#/");
  assert.match(session.back("?code=c&state=forged", ORIGIN).error, /not begun in this tab/);
  assert.equal(session.back("?code=c&state=forged", ORIGIN).ask, undefined);
  // The state is used once.
  const url = new URL(await session.begin(ISSUER, ORIGIN, "#/"));
  const came = `?code=c&state=${url.searchParams.get("state")}`;
  assert.ok(session.back(came, ORIGIN).ask);
  assert.equal(session.back(came, ORIGIN).ask, undefined);
  assert.equal(session.back("?q=1", ORIGIN), null);
});

test("a refusal of the issuer is told", async () => {
  const session = new Session(new Store());
  const url = new URL(await session.begin(ISSUER, ORIGIN, "#/cost"));
  const back = session.back(`?error=access_denied&error_description=not+assigned&state=${url.searchParams.get("state")}`, ORIGIN);
  assert.deepEqual([back.place, back.error], ["#/cost", "The issuer refused: not assigned"]);
});

test("a token ends by its time and by the server's word; until then a reload keeps it", () => {
  const store = new Store();
  let now = 100;
  const session = new Session(store, () => now);
  session.keep({ token: "t", expires_at: 200 });
  assert.equal(new Session(store, () => now).token, "t");
  now = 200;
  assert.equal(session.token, "");
  now = 150;
  session.end();
  assert.deepEqual([session.token, session.until], ["", 150]);
  assert.equal(new Session(store, () => now).token, "");
  store.setItem("candlefish.session", "{broken");
  assert.equal(new Session(store).token, "");
});

test("a token that was just given has not ended, whatever this clock says: only the server ends it then", () => {
  const store = new Store();
  const session = new Session(store, () => 10000);
  session.keep({ token: "t", expires_at: 200 });
  assert.equal(session.token, "t");
  assert.equal(new Session(store, () => 20000).token, "t");
  session.end();
  assert.deepEqual([session.token, session.until], ["", 10000]);
});

const answer = (status, body, headers = {}) => ({ status, ok: status < 300, headers: new Headers(headers), text: async () => body, json: async () => JSON.parse(body) });

test("a read sends what it has, and nothing new is nothing to draw", async () => {
  const asked = [];
  const answers = [answer(200, '{"says":"a\\u001b"}', { etag: '"1"' }), answer(304, "")];
  const api = new Api({ token: "t" }, async (path, request) => { asked.push([path, request]); return answers.shift(); });
  assert.deepEqual(await api.read("/v1/fleet"), { data: { says: "a\u241b" } });
  assert.deepEqual(await api.read("/v1/fleet"), { same: true });
  assert.equal(asked[0][1].headers["if-none-match"], undefined);
  assert.equal(asked[1][1].headers["if-none-match"], '"1"');
  assert.equal(asked[1][1].headers.authorization, "Bearer t");
  assert.deepEqual([asked[1][1].redirect, asked[1][1].credentials], ["error", "omit"]);
});

test("errors say what happened, and of which kind it is", async () => {
  const cases = [[401, "{}", "signin"], [403, '{"detail":"ask the owner"}', "refused"], [404, "{}", "missing"], [409, '{"message":"it is over"}', "wrong"], [429, "{}", "silent"], [503, "no json", "silent"]];
  for (const [status, body, kind] of cases) {
    const api = new Api({ token: "" }, async () => answer(status, body, { "retry-after": "3" }));
    const error = await api.read("/v1/x").then(() => null, (e) => e);
    assert.ok(error instanceof ApiError);
    assert.equal(error.kind, kind);
    assert.equal(error.retryAfter, 3000);
    assert.ok(error.message.length > 5);
  }
  const lost = await new Api({ token: "" }, async () => { throw new TypeError("failed to fetch"); }).post("/v1/x", {}).then(() => null, (e) => e);
  assert.equal(lost.kind, "silent");
  const cut = await new Api({ token: "" }, async () => answer(200, '{"a":')).read("/v1/x").then(() => null, (e) => e);
  assert.equal(cut.kind, "silent");
});
