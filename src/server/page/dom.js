// Elements, and how numbers and times are written. Names of topics can be anything, so text only ever becomes text.

export const $ = (id) => document.getElementById(id);
export const { abs, ceil, floor, max, min, round } = Math;
/** In ms, of a clock that nobody sets. */
export const uptime = () => performance.now();

/** An element, `tag.class`, with properties and children; strings become text. */
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = Object.assign(document.createElement(name), { className: classes.join(" ") }, properties);
  element.append(...children);
  return element;
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Touches the page only if the text is another. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** The text of the element with this id. */
export const put = (id, value) => text($(id), value);

/** A variable of the style. */
export const variable = (name, value) => document.documentElement.style.setProperty(`--${name}`, value);

let timer;
/** One line at the bottom, for a while. */
export function say(line) {
  put("said", line);
  clearTimeout(timer);
  timer = setTimeout(text, 6000, $("said"), "");
}

export function copy(value, what) {
  // the newer way is only for pages of this computer, and encrypted ones
  const area = el("textarea", { value });
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  say(done ? `${what} copied` : value);
}

const drops = new Map();
/** Whether this total of drops has grown in the last ten seconds. */
export function recent(key, total) {
  const known = drops.get(key);
  if (total !== known?.total) drops.set(key, { total, at: total > known?.total ? uptime() : -Infinity });
  return uptime() - drops.get(key).at < 10_000;
}

export const count = (value) => value.toLocaleString("en");

/** Three digits. */
export const short = (value) => (value >= 99.95 ? count(round(value)) : value.toFixed(value >= 9.995 ? 1 : 2));

export function bytes(value) {
  const power = value < 1000 ? 0 : value < 999.5e3 ? 1 : value < 999.5e6 ? 2 : 3;
  value /= 1000 ** power;
  return `${power && value < 9.95 ? value.toFixed(1) : count(round(value))} ${["B", "kB", "MB", "GB"][power]}`;
}

/** Seconds as `m:ss.mmm`, with hours and days where there are any. */
export function clock(seconds, digits = 3) {
  const two = (value) => String(value).padStart(2, "0");
  const total = round(seconds * 10 ** digits);
  const whole = floor(total / 10 ** digits);
  const [s, m, h, d] = [whole % 60, floor(whole / 60) % 60, floor(whole / 3600) % 24, floor(whole / 86400)];
  const fraction = digits ? "." + String(total % 10 ** digits).padStart(digits, "0") : "";
  return `${d ? `${d}d ` : ""}${d || h ? `${h}:${two(m)}` : m}:${two(s)}${fraction}`;
}

/** Nanoseconds since 1970 as date and time in UTC. */
export function date(ns) {
  return new Date(Number(BigInt(ns) / 1000000n)).toISOString().replace("T", " ").slice(0, 23);
}
