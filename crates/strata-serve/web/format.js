// Writing of numbers and times, as the server chose scale and digits.

/** A value on a scale of the page. */
export function written(value, scale) {
  if (value === null || value === undefined) return "unknown";
  return `${(value / scale.divisor).toFixed(scale.digits)} ${scale.symbol}`.trim();
}

/** The value of a line at a moment; unknown outside its axis. */
export const valueAt = (axis, values, ms) => values[Math.round((ms - axis.start_ms) / axis.step_ms)];

/** The last known value of a line. */
export const lastOf = (values) => [...values].reverse().find((v) => v !== null);

/** A moment as hours and minutes, with the day when the range is longer than one. */
export function moment(ms, long) {
  const date = new Date(ms);
  const pad = (n) => String(n).padStart(2, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return long ? `${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}` : time;
}

/** Shape of a status: each has its own. */
export const SHAPES = {
  ok: "\u25cf", watch: "\u25b2", broken: "\u25a0", blind: "\u25cc", absent: "\u00b7",
};

/** The colors of lines, told apart without red against green. */
export const COLORS = ["#58b4e8", "#e2b75b", "#c58ad8", "#7fb69a", "#e8806c", "#9fb3ff",
  "#d0d06a", "#7fd1d1", "#d89ab0", "#a7a29a", "#bda36b", "#86a8c9"];

/** A color between cold and hot for a share of 0..1: the ends of cividis. */
export function heat(share) {
  const stops = [[0, 32, 76], [52, 66, 109], [101, 104, 111], [146, 142, 117], [195, 183, 104], [255, 234, 70]];
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, stops.length - 1);
  const mix = stops[low].map((v, i) => Math.round(v + (stops[high][i] - v) * (at - low)));
  return `rgb(${mix[0]},${mix[1]},${mix[2]})`;
}

/** A color of the current theme. */
export function theme(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Fill a rectangle with hatch: something is not known here. */
export function hatch(context, x, y, width, height, ratio) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = theme("--hatch");
  context.lineWidth = ratio;
  context.beginPath();
  const apart = 6 * ratio;
  // Counted from the left of the canvas, so that neighbors go on in one another.
  for (let at = Math.floor((x - height) / apart) * apart; at < x + width; at += apart) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}
