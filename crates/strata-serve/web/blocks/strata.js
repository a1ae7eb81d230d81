// The eight layers, with one plumb line through all of them.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { hatch, lastOf, moment, theme, valueAt, written } from "../format.js";
import { Num, Status } from "../parts.js";
import { address } from "../route.js";
import * as plumb from "../plumb.js";

/** Least height of a strip as a share of its values: what hardly moves looks so. */
const SPAN_MIN = 0.1;

const DAY_MS = 86400000;
const isLong = (axis) => (axis.count - 1) * axis.step_ms > DAY_MS;
const timeAt = (axis, share) => axis.start_ms + Math.round(share * (axis.count - 1)) * axis.step_ms;

function drawStrip(canvas, strip) {
  const ratio = devicePixelRatio || 1;
  const width = (canvas.width = canvas.clientWidth * ratio);
  const height = (canvas.height = canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const known = strip.values.filter((v) => v !== null);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const span = Math.max(most - least, SPAN_MIN * Math.max(Math.abs(least), Math.abs(most)));
  // A line of zeros lies at the bottom.
  const low = span > 0 ? (least + most - span) / 2 : 0;
  const count = Math.max(strip.axis.count - 1, 1);
  const x = (i) => (i / count) * width;
  const y = (v) => height - 5 * ratio - (span > 0 ? ((v - low) / span) * (height - 9 * ratio) : 0);
  const cell = width / count;
  if (strip.missing && !strip.values.length) hatch(context, 0, 0, width, height, ratio);
  strip.values.forEach((value, i) => {
    if (value === null) hatch(context, x(i) - cell / 2, 0, cell, height, ratio);
    const status = strip.statuses[i];
    if (status === "watch" || status === "broken") {
      context.fillStyle = theme(status === "watch" ? "--watch" : "--broken");
      // Broken stands twice as high: never by color alone.
      const high = (status === "watch" ? 3 : 6) * ratio;
      context.fillRect(x(i) - cell / 2, height - high, cell + 1, high);
    }
  });
  context.strokeStyle = theme("--curve");
  context.lineWidth = 1.4 * ratio;
  context.beginPath();
  let on = false;
  strip.values.forEach((value, i) => {
    if (value === null) { on = false; return; }
    if (on) context.lineTo(x(i), y(value)); else context.moveTo(x(i), y(value));
    on = true;
  });
  context.stroke();
}

function Strip({ strip, at }) {
  const canvas = useRef();
  useEffect(() => {
    drawStrip(canvas.current, strip);
    const again = () => canvas.current && drawStrip(canvas.current, strip);
    addEventListener("resize", again);
    addEventListener("strata-theme", again);
    return () => { removeEventListener("resize", again); removeEventListener("strata-theme", again); };
  }, [strip]);
  const last = lastOf(strip.values);
  const shown = at === null ? last : valueAt(strip.axis, strip.values, at);
  const words = strip.missing ? `no signal: ${strip.missing}` : `${strip.title}, last ${written(last, strip.scale)}`;
  return html`<div class="striphold"><p class="cap"><span>${strip.title}</span><b>${strip.missing && last === undefined ? "" : written(shown, strip.scale)}</b></p>
    <div class="stripbox"><canvas class="strip" ref=${canvas} role="img" aria-label=${words}></canvas>${strip.missing ? html`<span class="inhatch" title=${strip.missing}>${strip.missing}</span>` : null}</div></div>`;
}

function Layer({ stratum, index, at }) {
  const { numbers, verdict } = stratum;
  return html`<section class="layer" data-code=${stratum.code} ref=${(el) => el && el.style.setProperty("background", `var(--s${index})`)}>
    <header><h3><em>${stratum.code}</em><a href=${address(stratum.link)}>${stratum.title}</a></h3>
      <p>${stratum.question}</p><div class="cov"><${Num} number=${stratum.coverage} /></div></header>
    <div title=${stratum.reason}><${Status} status=${verdict} /></div>
    ${numbers.length ? html`<div><div class="three">${numbers.map((n) => html`<${Num} number=${n} />`)}</div>
      ${verdict !== "ok" ? html`<div class="why">${stratum.reason}</div>` : null}</div>`
    : html`<div class="why">${stratum.reason}</div>`}
    <${Strip} strip=${stratum.strip} at=${at} /></section>`;
}

/** All layers. */
export function Strata({ strata }) {
  const box = useRef();
  const [at, setAt] = useState(plumb.get());
  useEffect(() => plumb.watch(setAt), []);
  const [said, setSaid] = useState("");
  const strips = () => box.current && box.current.querySelector("canvas.strip");
  const move = (event) => {
    const strip = strips();
    if (!strip || !strata.length) return;
    const edge = strip.getBoundingClientRect();
    const share = (event.clientX - edge.left) / edge.width;
    plumb.set(share >= 0 && share <= 1 ? timeAt(strata[0].strip.axis, share) : null);
  };
  const key = (event) => {
    const axis = strata[0].strip.axis;
    const end = axis.start_ms + (axis.count - 1) * axis.step_ms;
    const step = { ArrowLeft: -axis.step_ms, ArrowRight: axis.step_ms }[event.key];
    if (!step) return;
    event.preventDefault();
    const to = Math.min(Math.max((plumb.get() ?? end) + step, axis.start_ms), end);
    plumb.set(to);
    // Said on keys alone: a pointer that moves would talk without end.
    setSaid(`${moment(to, isLong(axis))}: ${strata.map(({ code, strip: { axis: own, values, scale } }) => `${code} ${written(valueAt(own, values, to), scale)}`).join(", ")}`);
  };
  let left = null;
  const strip = strips();
  if (at !== null && strip) {
    const axis = strata[0].strip.axis;
    const share = (at - axis.start_ms) / ((axis.count - 1) * axis.step_ms || 1);
    const own = box.current.getBoundingClientRect();
    const edge = strip.getBoundingClientRect();
    if (share >= 0 && share <= 1) left = edge.left - own.left + share * edge.width;
  }
  return html`<div class="strata" ref=${box} tabindex="0" role="group" aria-label="Eight layers; left and right move the plumb line"
      onPointerMove=${move} onPointerLeave=${() => plumb.set(null)} onKeyDown=${key}>
    ${strata.map((s, i) => html`<${Layer} key=${s.code} stratum=${s} index=${i} at=${at} />`)}
    ${left === null ? null : html`<div class="plumb" ref=${(el) => el && el.style.setProperty("left", `${left}px`)}><span>${moment(at, isLong(strata[0].strip.axis))}</span></div>`}
    <div class="unseen" role="status" aria-live="polite">${said}</div>
  </div>`;
}
