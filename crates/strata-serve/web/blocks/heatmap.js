// One cell a thing on a canvas; drawn once, hovered by index, so that ten thousand cost nothing.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { SHAPES, hatch, heat, theme, written } from "../format.js";
import { address, go } from "../route.js";

const CELL = 18;
const GAP = 2;
const HEAD = 20;
/** Room for the names of rows. */
const SIDE = 90;

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
    if (group.outliers[i] || group.statuses[i] === "broken" || group.statuses[i] === "watch") {
      context.lineWidth = 2 * ratio;
      context.strokeStyle = theme(group.statuses[i] === "broken" ? "--broken" : "--gold");
      context.strokeRect(left + ratio, top + ratio, size - 2 * ratio, size - 2 * ratio);
    }
    if (group.statuses[i] === "broken") {
      context.fillStyle = theme("--broken");
      context.fillRect(left + size - 6 * ratio, top, 6 * ratio, 6 * ratio);
    }
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
  const plan = useRef(null);
  useEffect(() => {
    const draw = () => {
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
    setOver(cell ? { ...cell, px: event.clientX, py: event.clientY } : null);
  };
  const click = (event) => {
    const cell = find(event);
    const id = cell && map.groups[cell.g].ids[cell.i];
    if (id) go(address({ page: map.cell_page, params: [["entity", id]] }));
  };
  const count = map.groups.reduce((sum, group) => sum + group.ids.length, 0);
  const hover = over && map.groups[over.g];
  return html`<div class="panel"><h3>${map.title}</h3>
    <${Choices} name="group" choices=${map.group_choices} page=${page} />
    <${Choices} name="color" choices=${map.color_choices} page=${page} />
    <div class="chips dim"><span>${written(map.min, map.scale)}</span>${[0, 0.2, 0.4, 0.6, 0.8, 1].map((s) => html`<span class="key" ref=${(el) => el && (el.style.setProperty("background", heat(s)), el.style.setProperty("height", "10px"))}></span>`)}<span>${written(map.max, map.scale)}</span>
      <span>hatched: unknown; ring: apart from its peers or not well</span></div>
    ${count ? html`<div class="cells"><canvas ref=${canvas} role="img" aria-label=${`${count} cells; the table below lists them`} onPointerMove=${move} onPointerLeave=${() => setOver(null)} onClick=${click}></canvas></div>` : html`<p class="dim">nothing to show</p>`}
    ${hover ? html`<div class="tip" ref=${(el) => el && (el.style.setProperty("left", `${over.px + 12}px`), el.style.setProperty("top", `${over.py + 12}px`))}>
      <b>${hover.names[over.i]}</b> ${written(hover.values[over.i], map.scale)} ${SHAPES[hover.statuses[over.i]]} ${hover.statuses[over.i]}</div>` : null}
  </div>`;
}
