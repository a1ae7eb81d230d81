// The command palette: pages and entities by name.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { address, go } from "./route.js";
import { ask } from "./source.js";

/** Opened by Ctrl-K or /. */
export function Palette({ tabs, close }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState({ text: "", list: [] });
  const [chosen, setChosen] = useState(0);
  const input = useRef();
  // Before anything is painted: the next key pressed is meant for the box.
  useLayoutEffect(() => input.current.focus(), []);
  useEffect(() => {
    const stop = new AbortController();
    const wait = setTimeout(() => {
      ask(`/api/v1/suggest?limit=12&q=${encodeURIComponent(text)}`, { signal: stop.signal })
        .then((answer) => (answer.ok ? answer.json() : []))
        .then((list) => { setFound({ text, list }); setChosen(0); })
        .catch(() => {});
    }, 120);
    return () => { clearTimeout(wait); stop.abort(); };
  }, [text]);
  const wanted = text.toLowerCase();
  const pages = tabs.filter((tab) => tab.title.toLowerCase().includes(wanted))
    .map((tab) => ({ kind: "page", name: tab.title, detail: "", status: "absent", url: address(tab.link) }));
  // What was found for other letters is not what Enter should open.
  const list = found.text === text ? found.list : [];
  const things = list.map((one) => ({ ...one, url: address({ page: one.page, params: [["entity", one.id]] }) }));
  const all = (text ? [...things, ...pages] : [...pages, ...things]).slice(0, 18);
  const take = (one) => { close(); go(one.url); };
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) { event.preventDefault(); setChosen((chosen + step + all.length) % all.length); }
    if (event.key === "Enter" && all[chosen]) take(all[chosen]);
    if (event.key === "Escape") close();
  };
  return html`<div class="veil" onClick=${close}></div><div class="palette" role="dialog" aria-label="Find">
    <input ref=${input} value=${text} onInput=${(e) => setText(e.target.value)} onKeyDown=${key} placeholder="page, GPU, pod, host, replica, model" aria-label="Find" />
    <ul role="listbox" aria-label="Found">${all.map((one, i) => html`<li role="option" aria-selected=${i === chosen} onClick=${() => take(one)}><span class="dim">${one.kind}</span><span>${one.name}</span><span class="dim">${one.detail}</span></li>`)}</ul>
    ${found.text !== text ? html`<p class="dim" role="status">looking</p>` : all.length ? null : html`<p class="dim">nothing of this name</p>`}</div>`;
}
