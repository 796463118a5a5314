// Canvases: the ruler, strips of density, rates and plots.

import { ceil, floor, max, min, round } from "./dom.js";

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`);
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Calls `redraw` when what is drawn would look different. */
export function onLook(element, redraw) {
  new ResizeObserver(redraw).observe(element);
  dark.addEventListener("change", redraw);
}

/** A clean canvas in its size on the screen. */
function fresh(canvas) {
  const [w, h, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
  canvas.width = round(w * ratio);
  canvas.height = round(h * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = pen.strokeStyle = colour("accent");
  pen.lineWidth = 1.3;
  return { pen, w, h };
}

/** Where messages are: each by itself if there is room, else how dense they are, by opacity. The counts are of a part of the width. */
export function strip(canvas, counts, from, to) {
  const { pen, w, h } = fresh(canvas);
  pen.globalAlpha = 0.15;
  pen.fillRect(0, h / 2 - 0.5, w, 1);
  const bin = ((to - from) * w) / counts.length;
  const x = (at) => max(0, from * w + at * bin);
  const filled = [...counts.keys()].filter((at) => counts[at]);
  const steps = filled.slice(1).map((at, index) => at - filled[index]);
  const usual = [...steps].sort((x, y) => x - y)[steps.length >> 1] ?? Infinity;
  if (usual * bin >= 5) {
    pen.globalAlpha = 0.6;
    for (const at of filled) pen.fillRect(round(from * w + at * bin), h / 6, 2, (h * 2) / 3);
    return;
  }
  // what is apart no more than usual belongs together, and its density is that of its neighbourhood
  const reach = ceil(max(3 * usual, 6 / bin));
  const sums = [0];
  for (const count of counts) sums.push(sums.at(-1) + count);
  const around = (at) => {
    const [from, to] = [max(0, at - reach), min(counts.length, at + reach + 1)];
    return (sums[to] - sums[from]) / (to - from);
  };
  const most = max(...filled.map(around));
  const [inset, opacity] = [h > 12 ? 4 : 1, new Float32Array(ceil(w))];
  filled.forEach((at, index) => {
    const end = steps[index] <= 2.5 * usual ? at + steps[index] : at + 1;
    opacity.fill(0.14 + 0.42 * (around(at) / most), floor(x(at)), ceil(x(end)));
  });
  opacity.forEach((of, x) => {
    pen.globalAlpha = of;
    pen.fillRect(x, inset, 1, h - 2 * inset);
  });
}

/** Values, one a second, the last at the right, with what is below them filled. */
export function line(canvas, values, slots, top = 2) {
  const { pen, w, h } = fresh(canvas);
  const most = max(...values, 1e-9);
  const x = (index) => w - ((values.length - 1 - index) * w) / (slots - 1);
  values.forEach((value, index) => pen.lineTo(x(index), h - 1 - (value / most) * (h - top - 2)));
  pen.globalAlpha = 0.8;
  pen.stroke();
  pen.lineTo(w, h);
  pen.lineTo(x(0), h);
  pen.globalAlpha = 0.12;
  pen.fill();
}

/** Points `[x, y]` over the last `seconds` before the newest. */
export function plot(canvas, points, seconds) {
  const { pen, w, h } = fresh(canvas);
  const ys = points.map(([, y]) => y);
  const [low, high] = [min(...ys), max(...ys)];
  const [end, last] = points.at(-1);
  const y = (value) => (high > low ? h - 3 - ((value - low) / (high - low)) * (h - 6) : h / 2);
  for (const [time, value] of points) pen.lineTo((w - 3) * (1 - (end - time) / seconds), y(value));
  pen.stroke();
  pen.beginPath();
  pen.arc(w - 3, y(last), 2.4, 0, 7);
  pen.fill();
}

/** Seconds between marks. */
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200];

/** Times along the top, how much there is below them, gaps and damage: of what is shown of all, in seconds. */
export function ruler(canvas, view, all, timeline, label) {
  const { pen, w, h } = fresh(canvas);
  const [top, base] = [24, h - 8];
  const x = (seconds) => ((seconds - view.from) / view.width) * w;
  if (timeline) {
    const sums = Array(timeline.bins + 2).fill(0);
    for (const { counts } of timeline.topics) {
      const most = max(...counts, 1);
      counts.forEach((count, at) => (sums[at + 1] += Math.sqrt(count / most)));
    }
    const smooth = sums.slice(1, -1).map((_, at) => sums[at] + sums[at + 1] + sums[at + 2]);
    const most = max(...smooth, 1e-9);
    const { from, duration_s: duration } = timeline;
    pen.globalAlpha = 0.2;
    pen.moveTo(x(from), base);
    smooth.forEach((sum, at) => pen.lineTo(x(from + ((at + 0.5) * duration) / smooth.length), base - (sum / most) * (base - top - 6)));
    pen.lineTo(x(from + duration), base);
    pen.fill();
    for (const [parts, ink] of [[timeline.gaps, "muted"], [timeline.damaged, "bad"]]) {
      for (const { start_s: start, end_s: end } of parts) {
        const [left, right] = [max(0, x(from + start)), min(w, x(from + end))];
        if (right >= 0 && left <= w) hatch(pen, left, max(right, left + 3), top, base, colour(ink));
      }
    }
  }
  pen.globalAlpha = 1;
  pen.fillStyle = colour("line");
  pen.fillRect(0, base, w, 1);
  if (!(all > 0)) return;
  if (view.width < all) {
    pen.fillStyle = colour("accent");
    pen.fillRect((view.from / all) * w, base + 2, max(6, (view.width / all) * w), 3);
  }
  pen.font = `11.5px ${style.fontFamily}`;
  pen.textBaseline = "top";
  const room = max(84, pen.measureText(label(all, view.width / 10)).width + 24);
  const least = (view.width * room) / w;
  const step = STEPS.find((candidate) => candidate >= least) ?? 86400 * ceil(least / 86400);
  for (let index = ceil(view.from / step), at; (at = index * step) <= view.from + view.width; index++) {
    pen.fillStyle = colour("line");
    pen.fillRect(round(x(at)), 20, 1, base - 20);
    pen.fillStyle = colour("muted");
    const name = label(at, step);
    const half = index ? pen.measureText(name).width / 2 : -1;
    if (x(at) >= half && x(at) + half <= w) pen.fillText(name, x(at) - half, 5);
  }
}

function hatch(pen, from, to, top, bottom, ink) {
  pen.save();
  pen.beginPath();
  pen.rect(from, top, to - from, bottom - top);
  pen.clip();
  pen.strokeStyle = pen.fillStyle = ink;
  pen.globalAlpha = 0.1;
  pen.fill();
  pen.globalAlpha = 0.4;
  pen.beginPath();
  for (let at = from - (bottom - top); at < to; at += 6) {
    pen.moveTo(at, bottom);
    pen.lineTo(at + bottom - top, top);
  }
  pen.stroke();
  pen.restore();
}
