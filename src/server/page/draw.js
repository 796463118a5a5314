// Canvases: the ruler, strips of density, rates and plots.

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
  const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = pen.strokeStyle = colour("accent");
  pen.lineWidth = 1.3;
  return { pen, width, height };
}

/** Where messages are: each by itself if there is room, else how dense they are, by opacity. */
export function strip(canvas, counts) {
  const { pen, width, height } = fresh(canvas);
  pen.globalAlpha = 0.15;
  pen.fillRect(0, height / 2 - 0.5, width, 1);
  const bin = width / counts.length;
  const filled = [...counts.keys()].filter((at) => counts[at]);
  const steps = filled.slice(1).map((at, index) => at - filled[index]);
  const usual = [...steps].sort((x, y) => x - y)[steps.length >> 1] ?? Infinity;
  if (usual * bin >= 5) {
    pen.globalAlpha = 0.6;
    for (const at of filled) pen.fillRect(Math.round(at * bin), height / 6, 2, (height * 2) / 3);
    return;
  }
  // what is apart no more than usual belongs together, and its density is that of its neighbourhood
  const reach = Math.ceil(Math.max(3 * usual, 6 / bin));
  const sums = [0];
  for (const count of counts) sums.push(sums.at(-1) + count);
  const around = (at) => {
    const [from, to] = [Math.max(0, at - reach), Math.min(counts.length, at + reach + 1)];
    return (sums[to] - sums[from]) / (to - from);
  };
  const most = Math.max(...filled.map(around));
  const [inset, opacity] = [height > 12 ? 4 : 1, new Float32Array(Math.ceil(width))];
  filled.forEach((at, index) => {
    const end = steps[index] <= 2.5 * usual ? at + steps[index] : at + 1;
    opacity.fill(0.14 + 0.42 * (around(at) / most), Math.floor(at * bin), Math.ceil(end * bin));
  });
  opacity.forEach((of, x) => {
    pen.globalAlpha = of;
    pen.fillRect(x, inset, 1, height - 2 * inset);
  });
}

/** Values, one a second, the last at the right, with what is below them filled. */
export function line(canvas, values, slots, top = 2) {
  const { pen, width, height } = fresh(canvas);
  const most = Math.max(...values, 1e-9);
  const x = (index) => width - ((values.length - 1 - index) * width) / (slots - 1);
  values.forEach((value, index) => pen.lineTo(x(index), height - 1 - (value / most) * (height - top - 2)));
  pen.globalAlpha = 0.8;
  pen.stroke();
  pen.lineTo(width, height);
  pen.lineTo(x(0), height);
  pen.globalAlpha = 0.12;
  pen.fill();
}

/** Points `[x, y]` over the last `seconds` before the newest. */
export function plot(canvas, points, seconds) {
  const { pen, width, height } = fresh(canvas);
  const ys = points.map(([, y]) => y);
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const [end, last] = points.at(-1);
  const y = (value) => (high > low ? height - 3 - ((value - low) / (high - low)) * (height - 6) : height / 2);
  for (const [time, value] of points) pen.lineTo((width - 3) * (1 - (end - time) / seconds), y(value));
  pen.stroke();
  pen.beginPath();
  pen.arc(width - 3, y(last), 2.4, 0, 7);
  pen.fill();
}

/** Seconds between marks. */
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200];

/** Times along the top, how much there is below them, gaps and damage. */
export function ruler(canvas, duration, timeline, label) {
  const { pen, width, height } = fresh(canvas);
  const [top, base] = [24, height - 8];
  const x = (seconds) => (seconds / duration) * width;
  if (timeline) {
    const sums = Array(timeline.bins + 2).fill(0);
    for (const { counts } of timeline.topics) {
      const most = Math.max(...counts, 1);
      counts.forEach((count, at) => (sums[at + 1] += Math.sqrt(count / most)));
    }
    const smooth = sums.slice(1, -1).map((_, at) => sums[at] + sums[at + 1] + sums[at + 2]);
    const most = Math.max(...smooth, 1e-9);
    pen.globalAlpha = 0.2;
    pen.moveTo(0, base);
    smooth.forEach((sum, at) => pen.lineTo(((at + 0.5) * width) / smooth.length, base - (sum / most) * (base - top - 6)));
    pen.lineTo(width, base);
    pen.fill();
    for (const { start_s, end_s } of timeline.gaps) hatch(pen, x(start_s), x(end_s), top, base, colour("muted"));
    for (const { start_s, end_s } of timeline.damaged) hatch(pen, x(start_s), Math.max(x(end_s), x(start_s) + 3), top, base, colour("bad"));
  }
  pen.globalAlpha = 1;
  pen.fillStyle = colour("line");
  pen.fillRect(0, base, width, 1);
  if (!(duration > 0)) return;
  pen.font = `11.5px ${style.fontFamily}`;
  pen.textBaseline = "top";
  const room = Math.max(84, pen.measureText(label(duration, 1)).width + 24);
  const step = STEPS.find((candidate) => x(candidate) >= room) ?? 86400 * Math.ceil((duration * room) / width / 86400);
  for (let at = 0, index = 0; at <= duration; at = ++index * step) {
    pen.fillStyle = colour("line");
    pen.fillRect(Math.round(x(at)), 20, 1, base - 20);
    pen.fillStyle = colour("muted");
    const name = label(at, step);
    const half = index ? pen.measureText(name).width / 2 : -1;
    if (x(at) + half <= width) pen.fillText(name, x(at) - half, 5);
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
