// Lines over time with uPlot; missing points stay gaps and are hatched.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { COLORS, hatch, lastOf, moment, theme, valueAt, written } from "../format.js";
import { Missing } from "../parts.js";
import { open } from "../explain.js";
import * as plumb from "../plumb.js";

const DAY_S = 86400;
/** Pixels of a character of the axis, and room beside the text. */
const CHARACTER = 6.4;
const BESIDE = 14;
/** Pixels of the row of times, between lines across, and above the plot. */
const TIMES = 24;
const ACROSS = 26;
const ABOVE = 10;
/** Pixels between two times, without and with the day. */
const BETWEEN = [50, 90];

/** A round step, as written on the scale, for so many pixels of height. */
function step(span, scale, pixels) {
  const parts = Math.min(Math.max(Math.floor(pixels / ACROSS), 2), 6);
  const wanted = Math.max(span / scale.divisor / parts, 10 ** -scale.digits);
  const ten = 10 ** Math.floor(Math.log10(wanted) + 1e-9);
  return ([1, 2, 5].find((times) => times * ten >= wanted * 0.999) ?? 10) * ten * scale.divisor;
}

/** Where lines go across: round values, and the top, which is always labelled. */
function across(low, high, every) {
  const at = [];
  for (let i = Math.ceil(low / every - 1e-6); i * every <= high + every * 1e-6; i += 1) at.push(i * every);
  if (high - (at[at.length - 1] ?? low) > every * 1e-3) {
    if (high - at[at.length - 1] < every / 2) at.pop();
    at.push(high);
  }
  return at;
}

/** The span of values drawn: what the server set, else round ends around the values. */
function ends(chart, low, high, pixels) {
  const from = chart.min ?? low ?? 0;
  const to = Math.max(chart.max ?? high ?? 1, from);
  const every = step(to > from ? to - from : Math.abs(to) || chart.scale.divisor, chart.scale, pixels);
  const bottom = chart.min ?? Math.floor(from / every + 1e-6) * every;
  const top = chart.max ?? Math.ceil(to / every - 1e-6) * every;
  return [bottom, top > bottom ? top : bottom + every];
}

/** Values as drawn: each on top of those before it when stacked. */
function drawn(chart) {
  if (!chart.stacked) return chart.lines.map((line) => line.values);
  const sums = new Array(chart.axis.count).fill(0);
  return chart.lines.map((line) => line.values.map((value, i) => (value === null ? null : (sums[i] += value))));
}

function hatchGaps(u, series) {
  const ratio = devicePixelRatio || 1;
  const { left, top, width, height } = u.bbox;
  const count = series[0].length;
  const step = width / Math.max(count - 1, 1);
  for (let i = 0; i < count; i += 1) {
    if (series.slice(1).every((values) => values[i] === null)) {
      hatch(u.ctx, Math.max(left, left + (i - 0.5) * step), top, step, height, ratio);
    }
  }
}

function plot(holder, chart, height) {
  const xs = Array.from({ length: chart.axis.count }, (_, i) => (chart.axis.start_ms + i * chart.axis.step_ms) / 1000);
  const data = [xs, ...drawn(chart)];
  const axis = { stroke: theme("--dim"), grid: { stroke: theme("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const stroke = (i, faint) => (faint ? theme("--dim") : COLORS[i % COLORS.length]);
  let quiet = false;
  const long = xs[xs.length - 1] - xs[0] > DAY_S;
  const tall = height - TIMES - ABOVE;
  const u = new uPlot({
    width: holder.clientWidth || 300, height, padding: [ABOVE, null, 0, null], legend: { show: false },
    cursor: { y: false, points: { size: 5 }, drag: { x: true, y: false, setScale: false } },
    select: { show: true },
    scales: { x: { time: true }, y: { range: (_, low, high) => ends(chart, low, high, tall) } },
    axes: [{ ...axis, size: TIMES, space: BETWEEN[long ? 1 : 0], values: (_, ticks) => ticks.map((tick) => moment(tick * 1000, long)) },
      { ...axis, splits: (_, __, low, high) => across(low, high, step(high - low, chart.scale, tall)), size: (_, texts) => BESIDE + CHARACTER * Math.max(6, ...(texts || []).map((text) => text.length)), values: (_, ticks) => ticks.map((tick) => written(tick, chart.scale)) }],
    series: [{}, ...chart.lines.map((line, i) => ({ label: line.name, stroke: stroke(i, line.faint), width: 1.5,
      dash: line.faint ? [4, 3] : undefined, fill: chart.stacked ? `${stroke(i, false)}22` : undefined, spanGaps: false }))],
    hooks: {
      drawClear: [(u) => hatchGaps(u, data)],
      draw: [(u) => chart.marks.forEach((mark) => {
        const y = u.valToPos(mark.value, "y", true);
        u.ctx.strokeStyle = theme("--gold"); u.ctx.setLineDash([6, 4]); u.ctx.beginPath();
        u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke(); u.ctx.setLineDash([]);
      })],
      setCursor: [(u) => { if (!quiet) plumb.set(u.cursor.idx === null || u.cursor.idx === undefined ? null : xs[u.cursor.idx] * 1000); }],
      setSelect: [(u) => {
        if (u.select.width < 8) return;
        const at = (px) => Math.round(u.posToVal(px, "x") * 1000);
        const [start, end] = [at(u.select.left), at(u.select.left + u.select.width)];
        if (end - start >= 60000) dispatchEvent(new CustomEvent("strata-zoom", { detail: { start, end } }));
      }],
    },
  }, data, holder);
  const show = (ms) => {
    quiet = true;
    if (ms === null) u.setCursor({ left: -10, top: -10 });
    else u.setCursor({ left: u.valToPos(ms / 1000, "x"), top: 0 });
    quiet = false;
  };
  return { u, show };
}

/** The lines with their values: at the plumb line while it is set, else the last. */
function Legend({ chart }) {
  const [at, setAt] = useState(plumb.get());
  useEffect(() => plumb.watch(setAt), []);
  const { axis } = chart;
  const value = (line) => (at === null ? lastOf(line.values) : valueAt(axis, line.values, at));
  return html`<div class="legend"><span class="when">${at === null ? "last" : moment(at, (axis.count - 1) * axis.step_ms > DAY_S * 1000)}</span>
    ${chart.lines.map((line, i) => html`<span><span class="key" ref=${(el) => el && el.style.setProperty("background", line.faint ? theme("--dim") : COLORS[i % COLORS.length])}></span>${line.name} ${written(value(line), chart.scale)}</span>`)}
    ${chart.marks.map((mark) => html`<span>- - ${mark.name} ${written(mark.value, chart.scale)}</span>`)}</div>`;
}

/** A chart with its legend. */
export function Chart({ chart, height }) {
  const holder = useRef();
  useEffect(() => {
    if (chart.missing || !chart.lines.length) return undefined;
    let made = plot(holder.current, chart, height);
    const stop = plumb.watch((ms) => made.show(ms));
    const again = () => { made.u.destroy(); made = plot(holder.current, chart, height); };
    const size = () => made.u.setSize({ width: holder.current.clientWidth, height });
    addEventListener("resize", size);
    addEventListener("strata-theme", again);
    return () => { stop(); removeEventListener("resize", size); removeEventListener("strata-theme", again); made.u.destroy(); };
  }, [chart, height]);
  const none = chart.missing || !chart.lines.length;
  return html`<div class="panel chart">
    <h3><button class="num" onClick=${(e) => open(e.currentTarget, chart.title, "", chart.explain, chart.link)}>${chart.title}</button></h3>
    ${none ? html`<${Missing} text=${chart.missing || "nothing in this range"} />`
    : html`<div ref=${holder} role="img" aria-label=${`${chart.title}: ${chart.lines.map((l) => `${l.name} ${written(lastOf(l.values), chart.scale)}`).join(", ")}`}></div>
    <${Legend} chart=${chart} />`}
  </div>`;
}
