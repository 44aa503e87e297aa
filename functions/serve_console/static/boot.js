// Comes before everything: a file that does not come leaves no empty page. It is loaded again, some times, and then that is said.
(() => {
  const TRIED = "candlefish.tried", MOST = 3;
  const told = "The page could not be loaded whole, and trying again did not help. Load it again later; candlefish status shows the same.";
  addEventListener(
    "error",
    ({ target }) => {
      if (globalThis.loadingAgain || !(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
      const tried = Number(sessionStorage.getItem(TRIED)) || 0;
      const again = tried < MOST;
      const say = document.getElementById("app") ?? document.documentElement.appendChild(document.createElement("p"));
      say.textContent = again ? "A file of the page did not come; the page is loaded again." : told;
      if (!again) return;
      globalThis.loadingAgain = true;
      sessionStorage.setItem(TRIED, String(tried + 1));
      setTimeout(() => location.reload(), 500 * 2 ** tried);
    },
    true,
  );
  // Whoever is drawn has come whole.
  globalThis.cameWhole = () => sessionStorage.removeItem(TRIED);
})();
