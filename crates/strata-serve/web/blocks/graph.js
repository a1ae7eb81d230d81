// Boxes and lines where the server laid them out.

import { html } from "../vendor/preact-htm.js";
import { SHAPES, moment } from "../format.js";
import { address } from "../route.js";

// Where only the end of the range was asked about, first and last are one.
const seen = (held) => !held ? "" : held[0] === held[1] ? `, seen at ${moment(held[1], true)}` : `, seen from ${moment(held[0], true)} to ${moment(held[1], true)}`;

/** A graph, with its outline for those who read it in words. */
export function Graph({ graph }) {
  const at = new Map(graph.nodes.map((node) => [node.id, node]));
  const middle = (node, right) => [node.x + (right ? node.width : 0), node.y + node.height / 2];
  const line = (edge) => {
    const [a, b] = [at.get(edge.from), at.get(edge.to)];
    if (!a || !b) return null;
    const words = html`<title>${a.name} ${edge.relation} ${b.name} (${edge.method}, ${Math.round(edge.confidence * 100)} %${seen(edge.held_ms)})</title>`;
    if (edge.line) return html`<polyline class=${edge.status} points=${edge.line.map((point) => point.join(",")).join(" ")}>${words}</polyline>`;
    const forward = a.x < b.x;
    const [x1, y1] = middle(a, forward);
    const [x2, y2] = middle(b, !forward);
    return html`<line x1=${x1} y1=${y1} x2=${x2} y2=${y2}>${words}</line>`;
  };
  const box = (node) => {
    const inner = html`<rect x=${node.x} y=${node.y} width=${node.width} height=${node.height} rx="4" />
      <text x=${node.x + 7} y=${node.y + node.height / 2 + 4}>${SHAPES[node.status]} ${node.name.length * 7 > node.width - 20 ? `${node.name.slice(0, Math.floor((node.width - 30) / 7))}~` : node.name}</text>
      <title>${node.kind} ${node.name}: ${node.status}</title>`;
    return node.link ? html`<a class=${node.status} href=${address(node.link)}>${inner}</a>` : html`<g class=${node.status}>${inner}</g>`;
  };
  if (!graph.nodes.length) return html`<div class="panel"><p class="dim">nothing is known to stand anywhere yet</p></div>`;
  return html`<div class="panel">${graph.title && html`<h3>${graph.title}</h3>`}<svg class="graph" viewBox=${`-4 -4 ${graph.width + 8} ${graph.height + 8}`} role="group" aria-label=${graph.title || "Topology"}>${graph.edges.map(line)}${graph.nodes.map(box)}</svg>
    <details><summary class="dim">in words</summary><ul>${graph.outline.map((one) => html`<li>${"\u00a0".repeat(one.depth * 4)}${SHAPES[one.status]} ${one.link ? html`<a href=${address(one.link)}>${one.text}</a>` : one.text}</li>`)}</ul></details></div>`;
}
