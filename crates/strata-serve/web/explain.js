// "How computed": formula, definition, inputs, sources, age, quality, and why a number is unknown.

import { html, render } from "./vendor/preact-htm.js";
import { address } from "./route.js";

let holder = null;
let opener = null;

/** Close the popover and give the focus back. */
export function close() {
  if (!holder) return false;
  render(null, holder);
  holder.remove();
  holder = null;
  if (opener && opener.isConnected) opener.focus();
  return true;
}

/** Open beside an element. */
export function open(element, label, text, explain, link) {
  close();
  opener = element;
  holder = document.createElement("div");
  document.body.append(holder);
  render(html`<${Popover} label=${label} text=${text} explain=${explain} link=${link} />`, holder);
  const pop = holder.querySelector(".pop");
  const at = element.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left), innerWidth - pop.offsetWidth - 8);
  const below = at.bottom + 6;
  const top = below + pop.offsetHeight < innerHeight ? below : Math.max(8, at.top - pop.offsetHeight - 6);
  pop.style.setProperty("left", `${left}px`);
  pop.style.setProperty("top", `${top}px`);
  pop.focus();
}

addEventListener("pointerdown", (event) => {
  if (holder && !holder.contains(event.target)) close();
});

function Popover({ label, text, explain, link }) {
  const inputs = (explain.inputs || []).map((input) => html`<dt>input</dt><dd><code>${input.metric}</code>
    ${input.quality ? html` <span class="dim">(${input.quality.replace(/_/g, " ")})</span>` : ""}
    <div class="dim">${input.sources.length ? `from ${input.sources.join(", ")}` : "no source gives it"}</div></dd>`);
  const row = (name, value) => (value ? html`<dt>${name}</dt><dd>${value}</dd>` : null);
  const query = explain.query && { page: "explore", params: [["query", explain.query]] };
  return html`<div class="pop" role="dialog" aria-label=${`How computed: ${label}`} tabindex="-1">
    <h3>${label}: ${text}</h3>
    <dl>
      ${row("means", explain.definition)} ${row("formula", explain.formula)}
      ${row("unknown", explain.unknown)} ${row("quality", explain.quality && explain.quality.replace(/_/g, " "))}
      ${row("age", explain.age_seconds === undefined ? null : `${explain.age_seconds.toFixed(0)} s`)}
      ${inputs}
      ${query ? html`<dt>query</dt><dd><code>${explain.query}</code><br /><a class="dim" href=${address(query)} onClick=${close}>open in Explore</a></dd>` : null}
    </dl>
    ${link ? html`<p><a href=${address(link)} onClick=${close}>open its page</a></p>` : null}
  </div>`;
}
