// Rows and columns; a click on a heading sorts.

import { html, useState } from "../vendor/preact-htm.js";
import { address } from "../route.js";
import { Copy, Num, Status } from "../parts.js";

function Spark({ values }) {
  const known = values.filter((v) => v !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const y = (v) => (high > low ? 18 - ((v - low) / (high - low)) * 16 : 10);
  let path = "";
  values.forEach((v, i) => { if (v !== null) path += `${path && values[i - 1] !== null ? "L" : "M"}${(i / Math.max(values.length - 1, 1)) * 100},${y(v)} `; });
  return html`<svg class="spark" width="100" height="20" viewBox="0 0 100 20" aria-hidden="true"><path d=${path || "M0,10"} /></svg>`;
}

// What it stands for is written beside it. The least width is one that is seen.
function Bar({ from, to }) {
  const width = Math.max(Math.abs(to - from) * 200, from === to ? 0 : 1);
  return html`<svg class=${to < from ? "stretch falls" : "stretch"} width="200" height="12" viewBox="0 0 200 12" aria-hidden="true"><rect x=${Math.min(from, to) * 200} y="1" width=${width} height="10" /></svg>`;
}

function Cell({ cell }) {
  switch (cell.type) {
    case "number": return html`<${Num} number=${cell} />`;
    case "status": return html`<${Status} status=${cell.status} text=${cell.text} />`;
    case "command": return html`<${Copy} text=${cell.text} />`;
    case "fold": return html`<details><summary>${cell.text}</summary>${cell.lines.map((line) => html`<p>${line}</p>`)}</details>`;
    case "bar": return html`<${Bar} from=${cell.from} to=${cell.to} />`;
    case "spark": return html`<${Spark} values=${cell.values} />`;
    default: return cell.text;
  }
}

const keyOf = (cell, numeric) => {
  if (cell.type === "number") return cell.value ?? -Infinity;
  const written = numeric ? Number.parseFloat(cell.text) : cell.text ?? "";
  return Number.isNaN(written) ? -Infinity : written;
};

/** A table. */
export function Table({ table }) {
  const [sort, setSort] = useState(null);
  const rows = [...table.rows];
  if (sort) {
    rows.sort((a, b) => {
      const { numeric } = table.columns[sort.at];
      const [x, y] = [keyOf(a.cells[sort.at], numeric), keyOf(b.cells[sort.at], numeric)];
      return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1);
    });
  }
  const by = (at) => setSort((old) => ({ at, down: old && old.at === at ? !old.down : table.columns[at].numeric }));
  if (!table.rows.length) return html`<div class="panel">${table.title ? html`<h3>${table.title}</h3>` : null}<p class="dim">${table.empty}</p></div>`;
  return html`<div class="panel scroll">${table.title ? html`<h3>${table.title}</h3>` : null}<table>
    <thead><tr>${table.columns.map((column, at) => html`<th class=${column.numeric ? "r" : ""} aria-sort=${sort && sort.at === at ? (sort.down ? "descending" : "ascending") : undefined}><button onClick=${() => by(at)}>${column.title}</button></th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.cells.map((cell, at) => html`<td class=${table.columns[at] && table.columns[at].numeric ? "r" : ""}>${at === 0 && row.link ? html`<a href=${address(row.link)}><${Cell} cell=${cell} /></a>` : html`<${Cell} cell=${cell} />`}</td>`)}</tr>`)}</tbody>
  </table>${table.total_rows ? html`<p class="dim">${table.rows.length} of ${table.total_rows} rows</p>` : null}</div>`;
}
