// The eight layers, with one plumb line through all of them.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { hatch, moment, theme, written } from "../format.js";
import { Num, Status } from "../parts.js";
import { address } from "../route.js";
import * as plumb from "../plumb.js";

const timeAt = (axis, share) => axis.start_ms + Math.round(share * (axis.count - 1)) * axis.step_ms;

function drawStrip(canvas, strip) {
  const ratio = devicePixelRatio || 1;
  const width = (canvas.width = canvas.clientWidth * ratio);
  const height = (canvas.height = canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const known = strip.values.filter((v) => v !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const count = Math.max(strip.axis.count - 1, 1);
  const x = (i) => (i / count) * width;
  const y = (v) => (high > low ? height - 5 * ratio - ((v - low) / (high - low)) * (height - 12 * ratio) : height / 2);
  const cell = width / count;
  strip.values.forEach((value, i) => {
    if (value === null) hatch(context, x(i) - cell / 2, 0, cell, height, ratio);
    const status = strip.statuses[i];
    if (status === "watch" || status === "broken") {
      context.fillStyle = theme(status === "watch" ? "--watch" : "--broken");
      context.fillRect(x(i) - cell / 2, height - 3 * ratio, cell + 1, 3 * ratio);
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

function Strip({ strip }) {
  const canvas = useRef();
  useEffect(() => {
    drawStrip(canvas.current, strip);
    const again = () => canvas.current && drawStrip(canvas.current, strip);
    addEventListener("resize", again);
    addEventListener("strata-theme", again);
    return () => { removeEventListener("resize", again); removeEventListener("strata-theme", again); };
  }, [strip]);
  const last = [...strip.values].reverse().find((v) => v !== null);
  const words = strip.missing ? `no signal: ${strip.missing}` : `${strip.title}, last ${written(last, strip.scale)}`;
  return html`<div class="striphold"><canvas class="strip" ref=${canvas} role="img" aria-label=${words} title=${words}></canvas></div>`;
}

function Layer({ stratum, index }) {
  const { numbers } = stratum;
  return html`<section class="layer" data-code=${stratum.code} ref=${(el) => el && el.style.setProperty("background", `var(--s${index})`)}>
    <header><h3><em>${stratum.code}</em><a href=${address(stratum.link)}>${stratum.title}</a></h3>
      <p>${stratum.question}</p><div class="cov"><${Num} number=${stratum.coverage} /></div></header>
    <div title=${stratum.reason}><${Status} status=${stratum.verdict} /></div>
    ${numbers.length ? html`<div><div class="three">${numbers.map((n) => html`<${Num} number=${n} />`)}</div>
      ${stratum.verdict === "watch" || stratum.verdict === "broken" ? html`<div class="why">${stratum.reason}</div>` : null}</div>`
    : html`<div class="why">${stratum.reason}</div>`}
    <${Strip} strip=${stratum.strip} /></section>`;
}

/** All layers. */
export function Strata({ strata }) {
  const box = useRef();
  const [at, setAt] = useState(plumb.get());
  useEffect(() => plumb.watch(setAt), []);
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
    plumb.set(Math.min(Math.max((plumb.get() ?? end) + step, axis.start_ms), end));
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
  const values = at === null ? "" : strata.map((s) => {
    const value = s.strip.values[Math.round((at - s.strip.axis.start_ms) / s.strip.axis.step_ms)];
    return `${s.code} ${written(value, s.strip.scale)}`;
  }).join(", ");
  return html`<div class="strata" ref=${box} tabindex="0" role="group" aria-label="Eight layers; left and right move the plumb line"
      onPointerMove=${move} onPointerLeave=${() => plumb.set(null)} onKeyDown=${key}>
    ${strata.map((s, i) => html`<${Layer} key=${s.code} stratum=${s} index=${i} />`)}
    ${left === null ? null : html`<div class="plumb" title=${values} ref=${(el) => el && el.style.setProperty("left", `${left}px`)}><span>${moment(at)}</span></div>`}
  </div>`;
}
