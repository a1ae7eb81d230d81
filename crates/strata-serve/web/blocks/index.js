// Which component draws which block.

import { html, useState } from "../vendor/preact-htm.js";
import { address } from "../route.js";
import { Copy, Num, Status } from "../parts.js";
import { Strata } from "./strata.js";
import { Chart } from "./chart.js";
import { Heatmap } from "./heatmap.js";
import { Table } from "./table.js";
import { Anatomy, Distribution } from "./spread.js";
import { Graph } from "./graph.js";
import { Explore } from "./explore.js";

const Numbers = ({ numbers }) => html`<div class="numbers">${numbers.map((n) => html`<${Num} number=${n} />`)}</div>`;

const Multiples = ({ charts }) =>
  html`<div class="multiples">${charts.map((c) => html`<${Chart} key=${c.title} chart=${c} height=${120} />`)}</div>`;

const Card = ({ block }) => html`<div class="panel card ${block.status}">
  <h3>${block.link ? html`<a href=${address(block.link)}>${block.title}</a>` : block.title}</h3>
  <${Status} status=${block.status} /><p>${block.text}</p>
  ${block.steps.map(([where, what]) => html`<p><span class="dim">${where}</span> ${what}</p>`)}
  ${block.numbers.length ? html`<${Numbers} numbers=${block.numbers} />` : null}
  ${block.commands.map((text) => html`<${Copy} text=${text} />`)}</div>`;

/** What only some want to read; drawn once it is opened. */
function Fold({ fold, page }) {
  const [seen, see] = useState(false);
  return html`<details class="fold" onToggle=${(e) => { if (e.currentTarget.open) see(true); }}><summary>${fold.summary}</summary>
    ${seen ? fold.blocks.map((block) => html`<${Block} block=${block} page=${page} />`) : null}</details>`;
}

const Chips = ({ block }) => html`<div class="chips" role="group" aria-label=${block.title}><span class="dim">${block.title}</span>${block.chips.map((chip) => html`<a href=${address(chip.link)} aria-current=${chip.current ? "true" : undefined}>${chip.title}</a>`)}</div>`;

/** Draw one block. */
export function Block({ block, page }) {
  switch (block.type) {
    case "strata": return html`<${Strata} strata=${block.strata} />`;
    case "numbers": return html`<${Numbers} numbers=${block.numbers} />`;
    case "chart": return html`<${Chart} chart=${block} height=${220} />`;
    case "multiples": return html`<${Multiples} charts=${block.charts} />`;
    case "heatmap": return html`<${Heatmap} map=${block} page=${page} />`;
    case "table": return html`<${Table} table=${block} />`;
    case "anatomy": return html`<${Anatomy} anatomy=${block} />`;
    case "distribution": return html`<${Distribution} spread=${block} />`;
    case "graph": return html`<${Graph} graph=${block} />`;
    case "card": return html`<${Card} block=${block} />`;
    case "explore": return html`<${Explore} explore=${block} />`;
    case "fold": return html`<${Fold} fold=${block} page=${page} />`;
    case "chips": return html`<${Chips} block=${block} />`;
    case "text": return html`<p>${block.text}</p>`;
    default: return html`<p class="dim">This page has a part that this version cannot draw: ${block.type}.</p>`;
  }
}
