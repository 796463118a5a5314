// The last message of a topic, kept up to date: as a tree, as a picture, and its numbers as plots.

import { $, bytes, count, date, el, max, min, put, svg, text, uptime } from "./dom.js";
import { plot } from "./draw.js";
import { control, get, state } from "./server.js";

/** Between two questions for one topic, in ms; after one that has no message; between pictures that come as JSON. */
const [PAUSE, NONE_PAUSE, RAW_PAUSE] = [200, 1000, 500];
/** Seconds of a plot. */
const PLOT = 30;
/** Entries of a list or an object that are shown, and of a list that the server sends. */
const [ENTRIES, SENT] = [200, 10];

const path = (topic) => `/api/topics/${encodeURIComponent(topic)}/latest`;

/** By topic: who wants its messages, and the position for which it was asked. */
const watched = new Map();

function watch(topic, handle) {
  const entry = watched.get(topic) ?? { handles: new Set() };
  entry.handles.add(handle);
  Object.assign(entry, { asked: null, next: 0 });
  watched.set(topic, entry);
  update(topic, entry);
  return () => {
    entry.handles.delete(handle);
    if (!entry.handles.size) watched.delete(topic);
  };
}

async function update(topic, entry) {
  // a recording that stands has no newer message
  const position = state.status?.mode === "recording" ? state.playback?.position_ns : null;
  if (entry.busy || uptime() < entry.next || (position && position === entry.asked)) return;
  Object.assign(entry, { busy: true, asked: position });
  let [message, error] = [null, null];
  try {
    message = await get(`${path(topic)}?short`);
  } catch (failed) {
    error = failed;
    Object.assign(entry, { next: uptime() + NONE_PAUSE, asked: null });
  }
  entry.busy = false;
  for (const handle of entry.handles) handle(message, error);
}

setInterval(() => {
  if (!document.hidden && !document.body.classList.contains("gone")) watched.forEach((entry, topic) => update(topic, entry));
}, PAUSE);

// the tree

const kind = (value) => (Array.isArray(value) ? "list" : value === null ? "null" : typeof value);

/** A node that shows the value: the old one, open as it is, if that was made for a value of this kind. */
function node(old, key, value, at, topic) {
  const what = kind(value);
  const made = old?.kind === what ? old : (what === "list" || what === "object" ? branch : leaf)(key, at, topic, what);
  made.kind = what;
  made.show(value);
  return made;
}

function leaf(key, at, topic, what) {
  const value = el(`span.value.${what === "bigint" ? "number" : what}`);
  const element = el("div.leaf", {}, el("span.muted", {}, key), value);
  if (what === "number") {
    const pin = el("button.quiet", { title: "Plot it", ariaLabel: `Plot ${at.join(".")}`, name: pinName(topic, at) }, svg("svg", { class: "icon" }, svg("use", { href: "#i-pin" })));
    pin.onclick = () => togglePin(topic, at);
    pin.ariaPressed = String(pins.has(pin.name));
    element.append(pin);
  }
  return { element, show: (now) => text(value, what === "string" ? JSON.stringify(now) : String(now)) };
}

function branch(key, at, topic, what) {
  const [note, inner, nodes] = [el("span.muted.value"), el("div"), new Map()];
  const element = el("details", {}, el("summary.muted", {}, `${key} `, note), inner);
  const tail = el("div.leaf.muted");
  let [entries, more, isNew] = [[], 0, true];
  const fill = () => {
    const before = new Map(nodes);
    nodes.clear();
    for (const [name, value] of entries.slice(0, ENTRIES)) {
      nodes.set(name, node(before.get(name), name, value, [...at, name], topic));
    }
    const elements = [...nodes.values()].map((made) => made.element);
    if (more) elements.push(tail);
    text(tail, `… ${count(more)} more`);
    if (elements.length !== inner.childNodes.length || elements.some((child, index) => child !== inner.childNodes[index])) {
      inner.replaceChildren(...elements);
    }
  };
  element.addEventListener("toggle", () => element.open && fill());
  return {
    element,
    show(value) {
      entries = Object.entries(value);
      // of a long list the server sends the beginning, and how many follow
      const left = Array.isArray(value) && value.length === SENT + 1 && /^… (\d+) more$/.exec(value[SENT]);
      if (left) entries.pop();
      const all = entries.length + (left ? Number(left[1]) : 0);
      more = all - min(entries.length, ENTRIES);
      const names = entries.slice(0, 4).map(([name]) => name);
      text(note, Array.isArray(value) ? `[${all}]` : `{${names.join(", ")}${entries.length > 4 ? ", …" : ""}}`);
      // a vector is seen at once
      if (isNew) element.open = what === "object" && all < 5 && entries.every(([, of]) => kind(of) === "number");
      isNew = false;
      if (element.open) fill();
    },
  };
}

// pictures

/** Bytes of a pixel, and which of them are red, green and blue. */
const PIXELS = { rgb8: [3, 0, 1, 2], bgr8: [3, 2, 1, 0], rgba8: [4, 0, 1, 2], bgra8: [4, 2, 1, 0], mono8: [1, 0, 0, 0], mono16: [2, 1, 1, 1] };
Object.assign(PIXELS, { "8UC3": PIXELS.bgr8, "8UC1": PIXELS.mono8, "16UC1": PIXELS.mono16 });

function drawRaw(canvas, { width, height, encoding, step, data }) {
  const [size, ...places] = PIXELS[encoding];
  const source = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  // what a message says of itself need not be true
  const line = max(step || 0, width * size);
  if (!(source.length >= line * (height - 1) + width * size)) throw new RangeError("a picture without its pixels");
  const image = new ImageData(width, height);
  for (let y = 0, out = 0; y < height; y++) {
    for (let x = 0; x < width; x++, out += 4) {
      for (let of = 0; of < 3; of++) image.data[out + of] = source[y * line + x * size + places[of]];
      image.data[out + 3] = 255;
    }
  }
  Object.assign(canvas, { width, height }).getContext("2d").putImageData(image, 0, 0);
}

/** What shows the pictures of a topic; null if it has none. */
function pictureOf(topic, schema) {
  const [compressed, raw] = [/CompressedImage$/, /(^|[./])(Raw)?Image$/].map((form) => form.test(schema));
  if (!compressed && !raw) return null;
  const name = `The picture of ${topic}`;
  const element = compressed ? el("img", { alt: name }) : el("canvas", { role: "img", ariaLabel: name });
  const note = el("p.muted", { hidden: true }, "The picture can't be shown here.");
  let [busy, shown, next] = [false, null, 0];
  $("picture").replaceChildren(element, note);
  return async ({ log_time_ns: time }) => {
    if (busy || time === shown || uptime() < next) return;
    [busy, shown] = [true, time];
    let fails = false;
    try {
      if (compressed) {
        const src = `${path(topic)}?image&v=${time}`;
        await Object.assign(new Image(), { src }).decode();
        element.src = src;
      } else {
        drawRaw(element, (await get(path(topic))).json);
        next = uptime() + RAW_PAUSE;
      }
    } catch {
      fails = true;
    }
    busy = false;
    element.hidden = fails;
    note.hidden = !fails;
  };
}

// the panel

let shut = () => {};

/** Opens the panel for a topic, or closes it. */
export function openMessage(topic) {
  shut();
  shut = () => {};
  $("message").hidden = topic === null;
  if (topic === null) return;
  let [root, picture, schema] = [null, null, null];
  for (const id of ["message-schema", "facts", "tree"]) $(id).replaceChildren();
  put("message-topic", topic);
  $("picture").hidden = true;
  $("message-step").hidden = !state.playback;
  $("message-step").onclick = () => control({ step: 1, topic });
  shut = watch(topic, (message, error) => {
    if (error) {
      put("facts", error.message);
      if (!error.missing) return;
      // nothing of before a seek, or of another run of the server
      root = schema = null;
      $("picture").hidden = true;
      for (const id of ["message-schema", "tree"]) $(id).replaceChildren();
      return;
    }
    const form = [message.schema_name, message.encoding].filter(Boolean).join(" · ");
    if (form !== schema) {
      put("message-schema", (schema = form));
      picture = pictureOf(topic, message.schema_name ?? "");
      $("picture").hidden = !picture;
    }
    put("facts", `${date(message.log_time_ns)} UTC · ${bytes(message.size)} · no. ${message.sequence}`);
    const { json, error: why, base64 } = message;
    const made = node(root, "", json === undefined ? { "not decoded": why, base64 } : json, [], topic);
    if (made !== root) {
      root = made;
      root.element.open = true;
      $("tree").replaceChildren(root.element);
    }
    picture?.(message);
  });
}

// plots

const pins = new Map();
const pinName = (topic, at) => JSON.stringify([topic, at]);

function togglePin(topic, at) {
  const name = pinName(topic, at);
  if (!pins.has(name)) addPin(name, topic, at);
  else pins.get(name)();
  for (const button of document.querySelectorAll(".leaf button")) button.ariaPressed = String(pins.has(button.name));
  sessionStorage.setItem("pins", JSON.stringify([...pins.keys()]));
}

function addPin(name, topic, at) {
  const [label, value, canvas] = [`${topic}.${at.join(".")}`, el("b"), el("canvas")];
  const away = el("button.quiet", { ariaLabel: `Remove the plot of ${label}`, onclick: () => togglePin(topic, at) }, "✕");
  const scale = el("small");
  const element = el("div.pin", {}, el("small.cut", { title: label }, el("bdi", {}, label)), value, canvas, scale, away);
  $("pins").append(element);
  let points = [];
  const unwatch = watch(topic, (message) => {
    const now = at.reduce((inner, step) => inner?.[step], message?.json);
    if (typeof now !== "number") return;
    const time = Number(BigInt(message.log_time_ns) / 1000n) / 1e6;
    // none of after this time, which is before them after a seek
    points = points.filter(([earlier]) => earlier < time && earlier > time - PLOT);
    points.push([time, now]);
    const digits = (number) => String(+number.toPrecision(6));
    const ys = points.map(([, y]) => y);
    text(value, digits(now));
    text(scale, `${digits(min(...ys))} to ${digits(max(...ys))}`);
    plot(canvas, points, PLOT);
  });
  pins.set(name, () => {
    unwatch();
    element.remove();
    pins.delete(name);
  });
}

/** Plots of before the page was loaded again. */
export function startPlots() {
  for (const name of JSON.parse(sessionStorage.getItem("pins") ?? "[]")) addPin(name, ...JSON.parse(name));
}
