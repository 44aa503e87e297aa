// The server's time on the reader's screen: what runs out counts down without anybody asking.
import { useEffect, useState } from "./html.js";

let skew = 0;
export const setSkew = (seconds) => {
  skew = seconds;
};
export const serverNow = () => Date.now() / 1000 + skew;

// The server's time now; draws again every `seconds` while the page is seen. 0: only when something else draws.
export function useNow(seconds) {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!seconds) return undefined;
    const timer = setInterval(() => document.hidden || draw((n) => n + 1), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return serverNow();
}
