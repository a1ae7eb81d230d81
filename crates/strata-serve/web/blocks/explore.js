// A question of the reader's own in PromQL or SQL, with completion. The page comes back with the answer.

import { html, useRef, useState } from "../vendor/preact-htm.js";
import { address, change } from "../route.js";

const WORDS = {
  promql: ["function", ["rate", "increase", "irate", "sum", "avg", "max", "min", "count", "topk", "quantile",
    "histogram_quantile", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "delta", "deriv",
    "clamp_min", "label_replace", "absent", "by", "without"]],
  sql: ["SQL", ["SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "DISTINCT", "JOIN", "USING", "AS",
    "AND", "OR", "NOT", "IS NULL", "IS NOT NULL", "LIKE", "BETWEEN", "DESC", "CASE", "WHEN", "THEN", "ELSE", "END",
    "count", "sum", "avg", "min", "max", "round", "coalesce", "datetime", "json_extract", "WITH"]],
};
const HOLDERS = { promql: "sum by (model) (rate(inference_generation_tokens_total[5m]))", sql: "SELECT model, count(*) FROM request GROUP BY model" };
const HINTS_MAX = 12;

/** The word the caret stands behind. */
function word(area) {
  const before = area.value.slice(0, area.selectionStart);
  return before.match(/[A-Za-z_:][A-Za-z0-9_:]*$/)?.[0] ?? "";
}

/** The parameters of a question. */
const asked = (lang, query) => [...(lang === "promql" ? [] : [["lang", lang]]), ...(query ? [["query", query]] : [])];

/** The box. */
export function Explore({ explore }) {
  const { lang } = explore;
  const area = useRef();
  const [hints, setHints] = useState([]);
  const [chosen, setChosen] = useState(0);
  const ask = () => { setHints([]); change({ query: area.current.value.trim() || null, lang: lang === "promql" ? null : lang }); };
  const typed = () => {
    const begun = word(area.current).toLowerCase();
    const [kind, words] = WORDS[lang] ?? ["", []];
    const fits = begun.length < 2 ? [] : [
      ...words.filter((name) => name.toLowerCase().startsWith(begun)).map((name) => [name, kind]),
      ...explore.names.filter(([name]) => name.toLowerCase().includes(begun)),
    ];
    // What begins with the letters before what holds them.
    fits.sort((a, b) => b[0].toLowerCase().startsWith(begun) - a[0].toLowerCase().startsWith(begun));
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
  const title = explore.lang_choices.find((choice) => choice.current)?.title ?? lang;
  return html`<div class="panel explore">
    <div class="chips" role="group" aria-label="Language">${explore.lang_choices.map((choice) => html`<a href=${address({ page: "explore", params: asked(choice.id) })} aria-current=${choice.current ? "true" : undefined}>${choice.title}</a>`)}</div>
    <textarea key=${lang + explore.query} ref=${area} aria-label=${title} spellcheck="false" onInput=${typed} onKeyDown=${key} placeholder=${HOLDERS[lang] ?? ""}>${explore.query}</textarea>
    ${hints.length ? html`<div class="hints" role="listbox" aria-label="Completions">${hints.map(([name, brief], i) => html`<button role="option" aria-selected=${i === chosen} onClick=${() => take(name)}>${i === chosen ? "> " : ""}<code>${name}</code> <span class="dim">${brief}</span></button>`)}</div>` : null}
    <div class="chips"><button onClick=${ask}>Ask</button><span class="dim">Enter asks, Shift-Enter makes a new line, Tab completes</span></div>
    ${explore.bounds ? html`<p class="dim">${explore.bounds}</p>` : null}
    ${explore.notices.map((notice) => html`<div class="notice" role="alert">${notice.text}</div>`)}
    <div class="chips"><span class="dim">try</span>${explore.examples.map(([name, query]) => html`<a href=${address({ page: "explore", params: asked(lang, query) })}>${name}</a>`)}</div></div>`;
}
