// One cell a thing on a canvas; drawn once, hovered by index, so that ten thousand cost nothing.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { SHAPES, hatch, heat, theme, written } from "../format.js";
import { address, go } from "../route.js";

const CELL = 18;
const GAP = 2;
const HEAD = 20;
/** Room for the names of rows. */
const SIDE = 90;
/** Marks lie on the colors of cells, which are the same in both themes. */
const DARK = "#000000";
const LIGHT = "#ffffff";
const BROKEN = "#ff5a3c";
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

/** Where each cell stands for a width: groups below one another, cells in rows. */
function layout(map, width) {
  const per = Math.max(1, Math.floor(width / (CELL + GAP)));
  const cells = [];
  const heads = [];
  let y = 0;
  if (map.columns && map.columns.length) {
    const wide = Math.max(CELL, Math.min(56, Math.floor((width - SIDE) / map.columns.length) - GAP));
    map.columns.forEach((title, i) => heads.push({ title, x: SIDE + i * (wide + GAP), y }));
    y += HEAD;
    map.groups.forEach((group, g) => {
      heads.push({ title: group.title, x: 0, y });
      group.ids.forEach((_, i) => cells.push({ g, i, wide, x: SIDE + i * (wide + GAP), y }));
      y += CELL + GAP;
    });
    return { per, cells, heads, height: y };
  }
  map.groups.forEach((group, g) => {
    heads.push({ title: `${group.title} (${group.ids.length})`, y });
    y += HEAD;
    group.ids.forEach((_, i) => cells.push({ g, i, x: (i % per) * (CELL + GAP), y: y + Math.floor(i / per) * (CELL + GAP) }));
    y += Math.ceil(group.ids.length / per) * (CELL + GAP) + 8;
  });
  return { per, cells, heads, height: Math.max(y, CELL) };
}

/** A ring of a dark and a light line: one of them is seen on any color. */
function ring(context, left, top, width, height, ratio) {
  for (const [color, inset] of [[DARK, 1], [LIGHT, 3]]) {
    context.lineWidth = 2 * ratio;
    context.strokeStyle = color;
    context.strokeRect(left + inset * ratio, top + inset * ratio, width - 2 * inset * ratio, height - 2 * inset * ratio);
  }
}

/** The shape of a status in the upper right corner: a triangle for WATCH, a square for BROKEN. */
function mark(context, status, right, top, ratio) {
  const [x, y, side] = [right - 9 * ratio, top + ratio, 8 * ratio];
  context.beginPath();
  if (status === "watch") {
    context.moveTo(x + side / 2, y); context.lineTo(x + side, y + side); context.lineTo(x, y + side); context.closePath();
  } else context.rect(x, y, side, side);
  context.lineWidth = 2 * ratio;
  context.strokeStyle = DARK;
  context.stroke();
  context.fillStyle = status === "watch" ? LIGHT : BROKEN;
  context.fill();
}

/** The cell an arrow key leads to; across rows the one nearest in line. */
function beside(cells, at, key) {
  if (key === "Home" || key === "End") return key === "Home" ? 0 : cells.length - 1;
  if (key === "ArrowLeft" || key === "ArrowRight") return Math.min(Math.max(at + (key === "ArrowLeft" ? -1 : 1), 0), cells.length - 1);
  const down = key === "ArrowDown";
  const from = cells[at];
  let best = at;
  cells.forEach((cell, i) => {
    if (down ? cell.y <= from.y : cell.y >= from.y) return;
    const far = (one) => Math.abs(one.y - from.y) * 10000 + Math.abs(one.x - from.x);
    if (best === at || far(cell) < far(cells[best])) best = i;
  });
  return best;
}

function paint(canvas, map, plan, ratio) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.font = `${12 * ratio}px system-ui`;
  context.fillStyle = theme("--dim");
  plan.heads.forEach((head) => context.fillText(head.title, (head.x ?? 0) * ratio, (head.y + 13) * ratio));
  const size = CELL * ratio;
  plan.cells.forEach(({ g, i, x, y, wide }) => {
    const group = map.groups[g];
    const width = (wide ?? CELL) * ratio;
    const value = group.values[i];
    const [left, top] = [x * ratio, y * ratio];
    if (value === null) {
      hatch(context, left, top, width, size, ratio);
      context.strokeStyle = theme("--line");
      context.strokeRect(left + 0.5, top + 0.5, width - 1, size - 1);
    } else {
      context.fillStyle = heat(map.max > map.min ? (value - map.min) / (map.max - map.min) : 0.5);
      context.fillRect(left, top, width, size);
    }
    if (group.outliers[i]) ring(context, left, top, width, size, ratio);
    if (["broken", "watch"].includes(group.statuses[i])) mark(context, group.statuses[i], left + width, top, ratio);
  });
}

const Choices = ({ name, choices, page }) => (choices.length ? html`<div class="chips"><span class="dim">${name} by</span>${choices.map((choice) => {
  const params = Object.entries(page.request).filter(([key, value]) => ["group", "color"].includes(key) && value && key !== name);
  return html`<a href=${address({ page: page.request.page, params: [...params, [name, choice.id]] })} aria-current=${choice.current ? "true" : undefined}>${choice.title}</a>`;
})}</div>` : null);

/** The fleet, or a map with rows and columns. */
export function Heatmap({ map, page }) {
  const canvas = useRef();
  const [over, setOver] = useState(null);
  const [at, setAt] = useState(null);
  const plan = useRef(null);
  useEffect(() => {
    const draw = () => {
      // A map of nothing has no canvas.
      if (!canvas.current) return;
      const ratio = devicePixelRatio || 1;
      const width = canvas.current.parentElement.clientWidth;
      plan.current = layout(map, width);
      canvas.current.width = width * ratio;
      canvas.current.height = plan.current.height * ratio;
      canvas.current.style.setProperty("height", `${plan.current.height}px`);
      paint(canvas.current, map, plan.current, ratio);
    };
    draw();
    addEventListener("resize", draw);
    addEventListener("strata-theme", draw);
    return () => { removeEventListener("resize", draw); removeEventListener("strata-theme", draw); };
  }, [map]);
  const find = (event) => {
    const edge = canvas.current.getBoundingClientRect();
    const [x, y] = [event.clientX - edge.left, event.clientY - edge.top];
    return plan.current && plan.current.cells.find((c) => x >= c.x && x < c.x + (c.wide ?? CELL) && y >= c.y && y < c.y + CELL);
  };
  const move = (event) => {
    const cell = find(event);
    setAt(null);
    setOver(cell ? { ...cell, px: event.clientX, py: event.clientY } : null);
  };
  const enter = (cell) => {
    const id = cell && map.groups[cell.g].ids[cell.i];
    if (id) go(address({ page: map.cell_page, params: [["entity", id]] }));
  };
  const cells = plan.current ? plan.current.cells : [];
  const key = (event) => {
    if (event.key === "Enter" && at !== null) { event.preventDefault(); enter(cells[at]); }
    if (!KEYS.includes(event.key) || !cells.length) return;
    event.preventDefault();
    const to = at === null || !cells[at] ? 0 : beside(cells, at, event.key);
    const edge = canvas.current.getBoundingClientRect();
    setAt(to);
    setOver({ ...cells[to], px: edge.left + cells[to].x + CELL, py: edge.top + cells[to].y + CELL });
  };
  const leave = () => { setAt(null); setOver(null); };
  const count = map.groups.reduce((sum, group) => sum + group.ids.length, 0);
  const hover = over && map.groups[over.g];
  return html`<div class="panel"><h3>${map.title}</h3>
    <${Choices} name="group" choices=${map.group_choices} page=${page} />
    <${Choices} name="color" choices=${map.color_choices} page=${page} />
    <div class="chips dim"><span>${written(map.min, map.scale)}</span>${[0, 0.2, 0.4, 0.6, 0.8, 1].map((s) => html`<span class="key" ref=${(el) => el && (el.style.setProperty("background", heat(s)), el.style.setProperty("height", "10px"))}></span>`)}<span>${written(map.max, map.scale)}</span>
      <span>hatched: unknown; ring: apart from its peers; ${SHAPES.watch} WATCH; ${SHAPES.broken} BROKEN</span></div>
    ${count ? html`<div class="cells" tabindex="0" role="group" aria-label=${`${count} cells; arrow keys go over them, Enter opens one`} onKeyDown=${key} onBlur=${leave}>
      <canvas ref=${canvas} role="img" aria-label=${`${count} cells; the table below lists them`} onPointerMove=${move} onPointerLeave=${() => setOver(null)} onClick=${(event) => enter(find(event))}></canvas>
      ${at !== null && cells[at] ? html`<div class="cellfocus" ref=${(el) => el && Object.entries({ left: cells[at].x, top: cells[at].y, width: cells[at].wide ?? CELL, height: CELL }).forEach(([name, px]) => el.style.setProperty(name, `${px}px`))}></div>` : null}
      <div class="unseen" role="status" aria-live="polite">${at !== null && hover ? `${hover.names[over.i]} ${written(hover.values[over.i], map.scale)} ${hover.statuses[over.i]}${hover.outliers[over.i] ? ", apart from its peers" : ""}` : ""}</div></div>` : html`<p class="dim">nothing to show</p>`}
    ${hover ? html`<div class="tip" ref=${(el) => el && (el.style.setProperty("left", `${over.px + 12}px`), el.style.setProperty("top", `${over.py + 12}px`))}>
      <b>${hover.names[over.i]}</b> ${written(hover.values[over.i], map.scale)} ${SHAPES[hover.statuses[over.i]]} ${hover.statuses[over.i]}</div>` : null}
  </div>`;
}
