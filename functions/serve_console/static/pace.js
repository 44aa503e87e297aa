// How often an open page asks: once a second at most but for a few at once, never while nobody looks.

export const IN_FLIGHT = 2000;
export const QUIET = 10000;
const LONGEST = 60000;

// Milliseconds until the next question; null: not before something wakes it. `random` is 0 to 1.
export function wait({ hidden, signedOut, failures, inFlight, retryAfter = 0 }, random) {
  if (hidden || signedOut) return null;
  if (!failures) return inFlight ? IN_FLIGHT : QUIET;
  const backoff = Math.min(LONGEST, IN_FLIGHT * 2 ** Math.min(failures - 1, 10));
  return Math.max(1000, retryAfter, backoff * (0.5 + random / 2));
}

// One question a second, whatever wakes it; somebody who goes through places quickly has a few at once.
const BURST = 3;
export class Budget {
  left = BURST;
  at = 0;

  // 0: ask now. Otherwise how many milliseconds to wait before trying again.
  take(now) {
    this.left = Math.min(BURST, this.left + Math.max(0, now - this.at) / 1000);
    this.at = now;
    if (this.left < 1) return Math.ceil((1 - this.left) * 1000);
    this.left -= 1;
    return 0;
  }
}

// What a place shows, after an answer or none. `at` is the browser's clock in ms when the server last answered.
export const EMPTY = { data: null, at: 0, skew: 0, failures: 0, error: null };
export function heard(state, answer, at, share) {
  if (answer.error) return { ...state, failures: state.failures + 1, error: answer.error };
  const data = answer.same ? state.data : share(state.data, answer.data);
  const skew = answer.same || !answer.data.now ? state.skew : answer.data.now - at / 1000;
  return { data, at, skew, failures: 0, error: null };
}

// Whether something moves that one would want to see within seconds.
const ENDED = new Set(["promoted", "rolled_back", "refused"]);
export function inFlight(view, data) {
  if (!data) return false;
  if (view === "fleet") return data.cells.some((cell) => cell.release && cell.status && !ENDED.has(cell.status));
  if (view === "release") return !data.ended_at;
  if (view === "service") return Boolean(data.release && !data.release.ended_at);
  return false;
}
