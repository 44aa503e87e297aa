// Who reads: signs in at the issuer with code and PKCE. The code is exchanged by our own server; nobody else is asked.

const TOKEN = "candlefish.session";
const BEGUN = "candlefish.sign-in";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function read(store, key) {
  try {
    return JSON.parse(store.getItem(key));
  } catch {
    return null;
  }
}

export class Session {
  constructor(store, clock = () => Date.now() / 1000) {
    this.store = store;
    this.clock = clock;
    this.kept = read(store, TOKEN);
  }

  // Empty when nobody is signed in, or no longer.
  get token() {
    return this.kept && this.kept.expires_at > this.clock() ? this.kept.token : "";
  }

  // When it ended, or ends; 0 when there was none.
  get until() {
    return this.kept ? this.kept.expires_at : 0;
  }

  // A token that was just given has not ended: where this clock says so, it is wrong, and only the server ends it.
  keep(answer) {
    const expires_at = answer.expires_at > this.clock() ? answer.expires_at : Number.MAX_SAFE_INTEGER;
    this.kept = { token: answer.token, expires_at };
    this.store.setItem(TOKEN, JSON.stringify(this.kept));
  }

  // The server refused the token: what it says counts, whatever its time says.
  end() {
    if (this.kept) this.kept.expires_at = Math.min(this.kept.expires_at, this.clock());
    this.store.removeItem(TOKEN);
  }

  leave() {
    this.kept = null;
    this.store.removeItem(TOKEN);
  }

  // Where the browser has to go to sign in; `place` is where it comes back to.
  async begin(issuer, origin, place) {
    const begun = { verifier: random(), state: random(), nonce: random(), place };
    const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier)));
    this.store.setItem(BEGUN, JSON.stringify(begun));
    const url = new URL(issuer.authorize);
    const asked = {
      response_type: "code",
      client_id: issuer.client,
      redirect_uri: `${origin}/`,
      scope: issuer.scope || "openid",
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: challenge,
      code_challenge_method: "S256",
      ...(issuer.audience ? { audience: issuer.audience } : {}),
    };
    for (const [key, value] of Object.entries(asked)) url.searchParams.set(key, value);
    return url.href;
  }

  // What the issuer sent the browser back with: null when it did not come from there.
  back(search, origin) {
    const came = new URLSearchParams(search);
    if (!came.has("state") || !(came.has("code") || came.has("error"))) return null;
    const begun = read(this.store, BEGUN);
    this.store.removeItem(BEGUN);
    if (!begun || begun.state !== came.get("state"))
      return { place: "", error: "This sign-in was not begun in this tab. Sign in here." };
    if (came.has("error"))
      return { place: begun.place, error: `The issuer refused: ${came.get("error_description") || came.get("error")}` };
    return { place: begun.place, ask: { code: came.get("code"), verifier: begun.verifier, redirect: `${origin}/`, nonce: begun.nonce } };
  }
}
