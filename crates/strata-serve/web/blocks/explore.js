// PromQL of the reader's own, with completion. The page comes back with the chart.

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { address, change } from "../route.js";

const FUNCTIONS = ["rate", "increase", "irate", "sum", "avg", "max", "min", "count", "topk", "quantile",
  "histogram_quantile", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "delta", "deriv",
  "clamp_min", "label_replace", "absent", "by", "without"];
const HINTS_MAX = 12;

/** The word the caret stands behind. */
function word(area) {
  const before = area.value.slice(0, area.selectionStart);
  return before.match(/[A-Za-z_:][A-Za-z0-9_:]*$/)?.[0] ?? "";
}

/** The box. */
export function Explore({ explore }) {
  const area = useRef();
  const [hints, setHints] = useState([]);
  const [chosen, setChosen] = useState(0);
  const ask = () => { setHints([]); change({ query: area.current.value.trim() || null }); };
  const typed = () => {
    const begun = word(area.current).toLowerCase();
    const fits = begun.length < 2 ? [] : [
      ...explore.metrics.filter(([name]) => name.toLowerCase().includes(begun)),
      ...FUNCTIONS.filter((name) => name.startsWith(begun)).map((name) => [name, "function"]),
    ];
    setHints(fits.slice(0, HINTS_MAX));
    setChosen(0);
  };
  const take = (name) => {
    const box = area.current;
    const begun = word(box);
    const start = box.selectionStart - begun.length;
    box.setRangeText(name, start, box.selectionStart, "end");
    setHints([]);
    box.focus();
  };
  const key = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || (!event.shiftKey && !hints.length))) { event.preventDefault(); ask(); return; }
    if (!hints.length) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); setChosen((chosen + step + hints.length) % hints.length); }
    if (event.key === "Tab" || event.key === "Enter") { event.preventDefault(); take(hints[chosen][0]); }
    if (event.key === "Escape") { event.stopPropagation(); setHints([]); }
  };
  return html`<div class="panel explore">
    <textarea ref=${area} aria-label="PromQL" spellcheck="false" onInput=${typed} onKeyDown=${key} placeholder="sum by (model) (rate(inference_generation_tokens_total[5m]))">${explore.query}</textarea>
    ${hints.length ? html`<div class="hints" role="listbox">${hints.map(([name, brief], i) => html`<button role="option" aria-selected=${i === chosen} onClick=${() => take(name)}>${i === chosen ? "> " : ""}<code>${name}</code> <span class="dim">${brief}</span></button>`)}</div>` : null}
    <div class="chips"><button onClick=${ask}>Ask</button><span class="dim">Enter asks, Shift-Enter makes a new line, Tab completes</span></div>
    ${explore.notices.map((notice) => html`<div class="notice" role="alert">${notice.text}</div>`)}
    <div class="chips"><span class="dim">try</span>${explore.examples.map(([title, query]) => html`<a href=${address({ page: "explore", params: [["query", query]] })}>${title}</a>`)}</div></div>`;
}
