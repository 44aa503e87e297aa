// The page: who reads, where they are, what the server says of it.
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./html.js";
import { Confirm } from "./act.js";
import { Api } from "./api.js";
import { serverNow, setSkew } from "./clock.js";
import { clock, zoned } from "./format.js";
import { Fleet } from "./fleet.js";
import { Audit, Calendar, Cost, Recovery, Signals } from "./lists.js";
import { useLive } from "./live.js";
import { Release } from "./release.js";
import { PLACES, parse, source } from "./routes.js";
import { Service } from "./service.js";
import { Session } from "./session.js";

const VIEWS = { fleet: Fleet, release: Release, service: Service, signals: Signals, recovery: Recovery, calendar: Calendar, cost: Cost, audit: Audit };
const session = new Session(sessionStorage);
const api = new Api(session);

function useRoute() {
  const [route, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const moved = () => set(parse(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return route;
}

const sentence = (view, data) => (data ? (data.cell ?? data).says ?? "" : "");
const titled = (route, data) => {
  const place = PLACES.find(([view]) => view === route.view)?.[1] ?? route.name ?? "Not found";
  const asks = route.view === "fleet" && data?.needs.length ? `(${data.needs.length}) ` : data?.question ? "(1) " : "";
  return `${asks}${data?.service ?? place} · Candlefish`;
};

function App({ problem }) {
  const route = useRoute();
  const [signedIn, setSignedIn] = useState(Boolean(session.token));
  const [me, setMe] = useState(null);
  // What a person is about to do, at which place.
  const [asked, confirm] = useState(null);
  const path = source(route);
  const [state, again] = useLive(api, route.view, path, signedIn);
  const { data, error } = state;
  setSkew(state.skew);
  const ended = () => {
    session.end();
    setSignedIn(false);
  };
  // Who reads is asked for once; with the next look again where that was not told.
  const asking = useRef(false);
  useEffect(() => {
    if (!signedIn || me || asking.current) return;
    asking.current = true;
    const told = (answer) => setMe(answer.data);
    api.read("/v1/me", { fresh: true }).then(told, () => {}).finally(() => {
      asking.current = false;
    });
  }, [signedIn, me, state.at]);
  useEffect(() => {
    if (error?.kind === "signin") ended();
  }, [error]);
  useEffect(() => {
    document.title = titled(route, data);
  });
  // A reader that hears goes to what is new when the place changes; not at the first.
  const main = useRef(null), first = useRef(true);
  const there = Boolean(data || error || !path);
  useEffect(() => {
    if (!there) return;
    if (!first.current) main.current.querySelector("h1")?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [path, there]);
  const app = { api, me, again, ended, confirm };
  useEffect(() => confirm(null), [path]);
  const View = VIEWS[route.view];
  // When the server last answered, by its own clock.
  const seen = clock(state.at / 1000 + state.skew, serverNow());
  return html`
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>To the content</a>
    <header class="top"><div class="inside">
      <a class="brand" href="#/"><${Fish} />Candlefish</a>
      <nav aria-label="Places">${PLACES.map(([view, name, to]) => html`<a key=${view} href=${to} aria-current=${view === route.view ? "page" : undefined}>${name}</a>`)}</nav>
      ${signedIn && html`<${Me} me=${me} leave=${() => { session.leave(); setMe(null); setSignedIn(false); }} />`}
    </div></header>
    <main ref=${main} id="main" tabindex="-1" class="inside">
      <p class="unseen" role="status" aria-live="polite">${sentence(route.view, data)}</p>
      ${!signedIn && (session.until && data ? html`<${Banner}>Your sign-in ended; what you see is from ${seen}. <${SignIn} label="Sign in again" /><//>` : html`<${Welcome} problem=${problem} />`)}
      ${signedIn && error && data && error.kind !== "signin" && html`<${Banner}>${error.kind === "silent" ? "No answer" : "Nothing new"} since ${seen}; what you see is from then. ${error.status ? "What it said: " : ""}${error.message}.<//>`}
      ${signedIn && !data && error && html`<${Trouble} error=${error} again=${again} />`}
      ${signedIn && !data && !error && path && html`<p class="boot" role="status">Loading.</p>`}
      ${route.view === "lost" && html`<h1 tabindex="-1" class="sentence">This place does not exist</h1><p><a href="#/">The fleet</a> has every service.</p>`}
      ${data && View && (signedIn || session.until > 0) && html`<${Guard} key=${path}><${View} data=${data} route=${route} app=${app} /><//>`}
    </main>
    ${data && html`<footer class="inside muted">Times are in your time zone, ${zoned(serverNow())}.</footer>`}
    ${asked && html`<${Confirm} ...${asked} app=${app} close=${() => confirm(null)} />`}`;
}

// What a view cannot draw (a stack that is newer than an open page says things that it does not know) is said, and the rest stays.
function Guard({ children }) {
  const [error] = useErrorBoundary((what) => console.error(what));
  if (!error) return children;
  return html`<h1 tabindex="-1" class="sentence"><${Question} />This could not be drawn</h1><p>The page does not understand what the control plane said. Load it again; <code>candlefish status</code> shows the same.</p>
    <div class="buttons"><button type="button" class="lead" onClick=${() => location.reload()}>Load it again</button></div>`;
}

const Fish = () => html`<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 17c6-9 14-9 20-2l6-5c-1.5 4-1.5 8 0 12l-6-5c-6 7-14 7-20 0z" /></svg>`;
const Banner = ({ children }) => html`<div class="banner" role="alert">${children}</div>`;

function Me({ me, leave }) {
  return html`<div class="me"><span title=${me?.says ?? ""}><b><bdi>${me ? me.who.name : "signed in"}</bdi></b>${me && html` <span class="muted">${me.who.role || me.roles.at(-1) || "no role"}</span>`}</span><button type="button" class="small" onClick=${leave}>Sign out</button></div>`;
}

function SignIn({ label }) {
  const [state, set] = useState({ busy: false, error: "" });
  const go = async () => {
    if (state.busy) return;
    set({ busy: true, error: "" });
    try {
      const { data } = await api.read("/v1/session", { fresh: true });
      location.assign(await session.begin(data, location.origin, location.hash));
    } catch (error) {
      set({ busy: false, error: error.message });
    }
  };
  return html`<button type="button" class="lead" onClick=${go} aria-disabled=${state.busy ? "true" : undefined}>${state.busy ? "Going to the issuer" : label}</button>${state.error && html`<p class="error" role="alert">${state.error}</p>`}`;
}

function Welcome({ problem }) {
  return html`<section class="welcome"><h1 tabindex="-1" class="sentence">See what runs, what is being released, and what needs you</h1>
    <p class="muted">You sign in where your company does, and come back to this place.</p>${problem && html`<p class="error" role="alert">${problem}</p>`}<${SignIn} label="Sign in" /></section>`;
}

function Trouble({ error, again }) {
  const title = { missing: "There is no such place", refused: "You may not see this" }[error.kind] || "No answer";
  return html`<h1 tabindex="-1" class="sentence"><${Question} />${title}</h1><p>${error.message}</p><div class="buttons"><button type="button" onClick=${again}>Ask again</button> <a href="#/">Fleet</a></div>`;
}
const Question = () => html`<span class="sign unknown" aria-hidden="true">?</span>`;

async function start() {
  const place = document.getElementById("app");
  const came = session.back(location.search, location.origin);
  let problem = "";
  if (came) {
    // The code is used once and is nobody's to see.
    history.replaceState(null, "", `/${came.place}`);
    problem = came.error || "";
    if (came.ask) {
      place.firstElementChild.textContent = "Candlefish is signing you in.";
      try {
        session.keep(await api.post("/v1/session", came.ask));
      } catch (error) {
        problem = error.message;
      }
    }
  }
  globalThis.cameWhole?.();
  place.replaceChildren();
  render(html`<${App} problem=${problem} />`, place);
}

start();
