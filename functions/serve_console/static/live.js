// A place that is looked at, and stays as new as its pace says.
import { useEffect, useRef, useState } from "./html.js";
import { Budget, EMPTY, heard, inFlight, wait } from "./pace.js";
import { share } from "./share.js";

// Of the whole page, however many places one goes through.
const budget = new Budget();

// What the server says of a path, over and over. `again()` asks now.
export function useLive(api, view, path, signedIn) {
  const [state, setState] = useState(EMPTY);
  const ask = useRef(() => {});
  useEffect(() => {
    if (!path || !signedIn) return undefined;
    const stop = new AbortController();
    let timer = 0, now = EMPTY, asking = false;
    api.forget(path);
    setState({ ...EMPTY, path });
    const next = () => {
      clearTimeout(timer);
      const signedOut = now.error?.kind === "signin";
      const seen = { hidden: document.hidden, signedOut, failures: now.failures, inFlight: inFlight(view, now.data), retryAfter: now.error?.retryAfter };
      const pause = wait(seen, Math.random());
      if (pause !== null && !stop.signal.aborted) timer = setTimeout(once, pause);
    };
    const once = async () => {
      if (asking || document.hidden) return;
      clearTimeout(timer);
      const pause = budget.take(Date.now());
      if (pause) {
        timer = setTimeout(once, pause);
        return;
      }
      asking = true;
      const answer = await api.read(path, { signal: stop.signal }).catch((error) => ({ error }));
      asking = false;
      if (stop.signal.aborted) return;
      now = heard(now, answer, Date.now(), share);
      setState({ ...now, path });
      next();
    };
    const woken = () => (document.hidden ? clearTimeout(timer) : once());
    document.addEventListener("visibilitychange", woken);
    addEventListener("online", woken);
    ask.current = once;
    once();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", woken);
      removeEventListener("online", woken);
    };
  }, [api, view, path, signedIn]);
  // What is known of another place is nothing of this one.
  return [state.path === path ? state : EMPTY, () => ask.current()];
}
