// Talks to our own origin. Reads remember their ETag; every error says what happened and what one can do.
import { plain } from "./format.js";

export class ApiError extends Error {
  constructor(kind, message, retryAfter = 0, status = 0) {
    super(message);
    this.kind = kind; // signin, refused, missing, wrong, silent
    this.retryAfter = retryAfter; // milliseconds
    this.status = status; // 0 where nothing was answered
  }
}

const LONGEST = 20000;
const KINDS = { 401: "signin", 403: "refused", 404: "missing" };
const text = (key, value) => (typeof value === "string" ? plain(value) : value);

export class Api {
  constructor(session, ask = (...request) => fetch(...request)) {
    this.session = session;
    this.ask = ask;
    this.tags = new Map();
  }

  // { same: true } where nothing changed since the last answer to this path.
  async read(path, { fresh = false, signal } = {}) {
    const headers = {};
    if (!fresh && this.tags.has(path)) headers["if-none-match"] = this.tags.get(path);
    const answer = await this.#send(path, { headers, signal });
    if (answer.status === 304) return { same: true };
    const data = await this.#body(answer);
    if (answer.headers.get("etag")) this.tags.set(path, answer.headers.get("etag"));
    return { data };
  }

  // A place that is shown anew has no older answer to compare with.
  forget(path) {
    this.tags.delete(path);
  }

  async post(path, body) {
    const headers = { "content-type": "application/json" };
    return this.#body(await this.#send(path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  async #send(path, { signal, ...request }) {
    if (this.session.token) request.headers.authorization = `Bearer ${this.session.token}`;
    const late = AbortSignal.timeout(LONGEST);
    let answer;
    try {
      answer = await this.ask(path, {
        ...request,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, late]) : late,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      const what = globalThis.navigator?.onLine === false ? "This browser is offline" : "The control plane does not answer";
      throw new ApiError("silent", `${what}; it goes on without this page, and candlefish status asks another way`);
    }
    if (answer.ok || answer.status === 304) return answer;
    const told = await answer.json().catch(() => ({}));
    const words = plain(String(told.detail || told.message || told.title || `The control plane answered ${answer.status}`)).replace(/\.$/, "");
    const kind = KINDS[answer.status] || (answer.status >= 500 || answer.status === 429 ? "silent" : "wrong");
    const wait = Number(answer.headers.get("retry-after")) * 1000 || 0;
    throw new ApiError(kind, words, wait, answer.status);
  }

  async #body(answer) {
    try {
      return JSON.parse(await answer.text(), text);
    } catch {
      throw new ApiError("silent", "The answer was cut off or is no JSON; it is asked for again");
    }
  }
}
