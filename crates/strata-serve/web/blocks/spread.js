// What a duration is made of, and how a quantity is spread.

import { html } from "../vendor/preact-htm.js";
import { COLORS, written } from "../format.js";
import { address } from "../route.js";
import { Missing, Num } from "../parts.js";
import { open } from "../explain.js";

/** Bars of segments. */
export function Anatomy({ anatomy }) {
  const sum = (bar) => bar.values.reduce((all, v) => all + (v ?? 0), 0);
  const most = Math.max(...anatomy.bars.map(sum), 0);
  const rect = (bar) => {
    let x = 0;
    return bar.values.map((value, i) => {
      const width = most > 0 ? ((value ?? 0) / most) * 100 : 0;
      const shape = html`<rect x=${`${x}%`} y="0" width=${`${width}%`} height="16" fill=${COLORS[i % COLORS.length]}><title>${anatomy.segments[i]}: ${written(value, anatomy.scale)}</title></rect>`;
      x += width;
      return shape;
    });
  };
  return html`<div class="panel"><h3><button class="num" onClick=${(e) => open(e.currentTarget, anatomy.title, "", anatomy.explain)}>${anatomy.title}</button></h3>
    ${anatomy.bars.length ? html`<div class="bars">${anatomy.bars.map((bar) => html`
      <span>${bar.link ? html`<a href=${address(bar.link)}>${bar.name}</a>` : bar.name}</span>
      <svg role="img" aria-label=${bar.values.map((v, i) => `${anatomy.segments[i]} ${written(v, anatomy.scale)}`).join(", ")}>${rect(bar)}</svg>
      <${Num} number=${bar.total} />`)}</div>` : html`<p class="dim">no replica told its times in this range</p>`}
    <div class="legend chips">${anatomy.segments.map((name, i) => html`<span><span class="key" ref=${(el) => el && el.style.setProperty("background", COLORS[i % COLORS.length])}></span>${name}</span>`)}</div></div>`;
}

/** A histogram. */
export function Distribution({ spread }) {
  const column = [...spread.columns].reverse().find((one) => one);
  return html`<div class="panel"><h3><button class="num" onClick=${(e) => open(e.currentTarget, spread.title, "", spread.explain)}>${spread.title}</button></h3>
    <div class="numbers">${spread.numbers.map((n) => html`<${Num} number=${n} />`)}</div>
    ${column ? html`<div class="dist">${column.map((share, i) => (share > 0 ? html`
      <span class="dim">${spread.edges[i] === null ? "above" : `<= ${written(spread.edges[i], spread.scale)}`}</span>
      <meter min="0" max=${Math.max(...column)} value=${share} aria-label="share"></meter><span>${(share * 100).toFixed(0)} %</span>` : null))}</div>`
    : html`<${Missing} text=${spread.missing || "nothing was observed"} />`}</div>`;
}
