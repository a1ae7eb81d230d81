// Small things every block uses: a status, a number, a command to copy, hatch with a reason.

import { html } from "./vendor/preact-htm.js";
import { SHAPES } from "./format.js";
import { open } from "./explain.js";

/** A status by shape, word and color. */
export const Status = ({ status, text }) =>
  html`<span class="st ${status}"><span aria-hidden="true">${SHAPES[status]}</span> ${text || status.toUpperCase()}</span>`;

/** A number; opens how it was computed. */
export function Num({ number }) {
  const unknown = number.value === undefined || number.value === null;
  const kind = unknown ? "unknown" : number.status || "";
  const shape = number.status && !unknown && number.status !== "ok" ? `${SHAPES[number.status]} ` : "";
  const [, figure, unit] = number.text.match(/^(\D{0,3}[\d.]+)( .+)$/) ?? [null, number.text, ""];
  return html`<button class="num ${kind}" onClick=${(e) => open(e.currentTarget, number.label, number.text, number.explain, number.link)}
    aria-haspopup="dialog" title="how computed">
    <b>${shape}${figure}${unit ? html`<small>${unit}</small>` : null}</b>
    <span>${number.label}</span>${number.note ? html`<i>${number.note}</i>` : null}</button>`;
}

/** A command or setting; a click copies it. */
export function Copy({ text }) {
  const copy = (event) => {
    const button = event.currentTarget;
    const done = () => { button.dataset.done = "1"; button.setAttribute("aria-label", "copied"); };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
  };
  return html`<button class="copy" title="copy" onClick=${copy}><code>${text}</code></button>`;
}

/** Hatch with the reason in it. */
export const Missing = ({ text }) => html`<div class="missing"><span>no signal: ${text}</span></div>`;
