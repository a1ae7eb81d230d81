// The web page: navigation, range of time, one page of blocks, kept fresh.

import { html, render, useEffect, useState } from "./vendor/preact-htm.js";
import { Block } from "./blocks/index.js";
import { close as closeExplain } from "./explain.js";
import { moment } from "./format.js";
import { Palette } from "./palette.js";
import { Copy, Num, Status } from "./parts.js";
import { address, change, follow, go, here } from "./route.js";
import { watch } from "./source.js";

const RANGES = [["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"], ["7d", "7 d"]];
const KEYS = [["0 1..8", "overview, layers L1 to L8"], ["d e t", "doctor, explore, topology"], ["Ctrl-K, /", "find"],
  ["left, right", "move the plumb line over the layers"], ["l", "live on and off"], ["o", "open and close what is folded"], ["?", "these keys"], ["Esc", "close"]];

function light(choice) {
  const wanted = choice ?? localStorage.getItem("strata-theme")
    ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  document.documentElement.classList.toggle("light", wanted === "light");
  if (choice) localStorage.setItem("strata-theme", choice);
  dispatchEvent(new Event("strata-theme"));
  return wanted;
}

/** Canvases are painted with the colors of the screen: for paper they are painted light, then back. */
function printable() {
  const { classList } = document.documentElement;
  let dark = false;
  const paint = (on) => { classList.toggle("light", on); dispatchEvent(new Event("strata-theme")); };
  addEventListener("beforeprint", () => { dark = !classList.contains("light"); if (dark) paint(true); });
  addEventListener("afterprint", () => { if (dark) paint(false); dark = false; });
}

function Range({ page }) {
  const { params } = here();
  const fixed = params.has("start");
  const since = params.get("since") ?? "1h";
  const span = page && page.request.span;
  const hold = () => {
    if (fixed) {
      // An address may lack its end, or hold one before its start: then there is no span to keep.
      const seconds = Math.round((params.get("end") - params.get("start")) / 1000);
      change({ start: null, end: null, since: seconds > 0 ? `${seconds}s` : "1h" });
      return;
    }
    const end = page ? page.made_at_ms : Date.now();
    change({ since: null, start: end - (span && span.seconds ? span.seconds : 3600) * 1000, end });
  };
  return html`<span>${RANGES.map(([id, title]) => html`<button aria-pressed=${!fixed && since === id} onClick=${() => change({ since: id, start: null, end: null })}>${!fixed && since === id ? html`<b>${title}</b>` : title}</button> `)}
    <button aria-pressed=${!fixed} onClick=${hold} title="live (l)">${fixed ? "\u25b6 go live" : "\u25cf live"}</button></span>`;
}

function Refusal({ error }) {
  if (error.status === 401) {
    const give = (event) => {
      event.preventDefault();
      sessionStorage.setItem("strata-token", event.target.elements.token.value.trim());
      dispatchEvent(new Event("strata-route"));
    };
    return html`<div class="panel card watch" role="alert"><h3>This server wants a token</h3><p>It is kept in this tab only.</p>
      <form onSubmit=${give}><input name="token" type="password" aria-label="token" autocomplete="off" /> <button>open</button></form></div>`;
  }
  return html`<div class="panel card broken" role="alert"><h3>${error.message}</h3><p>${error.hint}</p>
    <p><a href="/overview">Go to the overview</a></p></div>`;
}

const Keys = ({ close }) => html`<div class="veil" onClick=${close}></div><div class="palette" role="dialog" aria-label="Keys"><h3>Keys</h3>
  ${KEYS.map(([key, what]) => html`<p><kbd>${key}</kbd> <span class="dim">${what}</span></p>`)}<button onClick=${close}>close</button></div>`;

function App() {
  const [route, setRoute] = useState(here());
  const [page, setPage] = useState(null);
  const [refused, setRefused] = useState(null);
  const [lost, setLost] = useState(null);
  const [over, setOver] = useState(null);
  const [theme, setTheme] = useState(light());
  useEffect(() => {
    const changed = () => { closeExplain(); setRoute(here()); };
    const zoom = (event) => change({ since: null, start: event.detail.start, end: event.detail.end });
    addEventListener("popstate", changed);
    addEventListener("strata-route", changed);
    addEventListener("strata-zoom", zoom);
    document.addEventListener("click", follow);
    return () => { removeEventListener("popstate", changed); removeEventListener("strata-route", changed); removeEventListener("strata-zoom", zoom); document.removeEventListener("click", follow); };
  }, []);
  useEffect(() => {
    setRefused(null);
    // What is asked of records is asked once: it may read days of them.
    const live = !["start", "view"].some((name) => route.params.has(name)) && !(route.params.get("entity") ?? "").startsWith("request:") && !(route.page === "explore" && route.params.get("lang") === "sql");
    return watch(route.page, route.params, live, (told) => {
      if (told.page) { setPage(told.page); setRefused(null); setLost(null); document.title = `${told.page.title} - Stratascope`; }
      if (told.refused) { setRefused(told.refused); setLost(null); }
      if (told.lost) setLost(told.lost);
    });
  }, [route]);
  useEffect(() => {
    const key = (event) => {
      if (event.key === "Escape") { if (!closeExplain()) setOver(null); return; }
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); setOver("palette"); return; }
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") { event.preventDefault(); setOver("palette"); return; }
      if (event.key === "?") { setOver("keys"); return; }
      if (event.key === "o") { const all = [...document.querySelectorAll("details.fold")]; const to = !all.some((one) => one.open); all.forEach((one) => { one.open = to; }); return; }
      if (event.key === "l") { document.querySelector("[title='live (l)']")?.click(); return; }
      const tab = page && page.tabs.find((one) => one.key === event.key);
      if (tab) go(address(tab.link));
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [page]);
  const shown = page && page.request.page === route.page ? page : null;
  const close = () => setOver(null);
  return html`
    ${page && page.simulated ? html`<div class="simulated" role="note">SIMULATED: a cluster that never was</div>` : null}
    ${lost ? html`<div class="lost" role="alert">not connected since ${moment(lost)}, trying again</div>` : null}
    <div class="wrap page-${route.page}">
      <div class="bar"><a class="brand" href="/overview">Stratascope</a>
        <nav aria-label="Pages">${page ? page.tabs.map((tab) => html`<a href=${address(tab.link)} aria-current=${tab.link.page === route.page ? "page" : undefined}><kbd>${tab.key}</kbd>${tab.title}</a>`) : null}</nav>
        <button onClick=${() => setOver("palette")}>find</button><${Range} page=${page} />
        <button onClick=${() => setTheme(light(theme === "light" ? "dark" : "light"))} aria-label="light or dark">${theme === "light" ? "dark" : "light"}</button></div>
      ${refused ? html`<${Refusal} error=${refused} />` : shown ? html`
        <div class="top"><h1>${shown.title}<small>${shown.subtitle}</small></h1>${shown.north_star.map((n) => html`<${Num} number=${n} />`)}</div>
        ${shown.notices.map((notice) => html`<div class="notice"><${Status} status=${notice.status} /> ${notice.text}${notice.command ? html`<${Copy} text=${notice.command} />` : null}</div>`)}
        <main class="sections">${shown.sections.map((part) => html`<section class="part" id=${part.id} key=${part.id}>${part.title ? html`<h2>${part.title}</h2>` : null}${part.brief ? html`<p>${part.brief}</p>` : null}${part.blocks.map((block) => html`<${Block} block=${block} page=${shown} />`)}</section>`)}</main>`
    : html`<p class="dim">${lost ? "" : "loading"}</p>`}
    </div>
    ${over === "palette" ? html`<${Palette} tabs=${page ? page.tabs : []} close=${close} />` : null}
    ${over === "keys" ? html`<${Keys} close=${close} />` : null}`;
}

const root = document.getElementById("app");
root.textContent = "";
printable();
render(html`<${App} />`, root);
