// The topics: one row each, with where its messages are on the timeline, or its rate in the last minute.

import { $, bytes, count, el, max, put, recent, short, text, uptime, variable } from "./dom.js";
import { line, onLook, strip } from "./draw.js";
import { timelineShares } from "./playback.js";
import { state } from "./server.js";

/** Rates that are kept of a live topic, one a second. */
const RATES = 60;

/** By channel and topic: what is shown of it. */
const rows = new Map();
const totals = [];
let chosen = null;
/** Places of topics, by key, of when somebody sorted them; by name, in the first moments. */
let places = new Map();
/** After this time topics are added at the end, so that they move no other; in ms. */
const SETTLED = 5000;

/** Rows that can be seen are kept up to date, the others once they come into sight. */
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const row = rows.get(target.key);
      if (!row) continue;
      row.seen = isIntersecting;
      if (isIntersecting) showRow(row);
      else row.canvas.width = 0;
    }
  },
  { rootMargin: "200px" },
);

const keyOf = ({ channel, topic }) => `${channel} ${topic}`;

function add(data) {
  const [key, { topic }] = [keyOf(data), data];
  const name = el("button", { title: topic }, el("bdi", { dir: "ltr" }, topic || "(no name)"));
  const { schema_name: schema, encoding, latched } = data;
  const note = el("small", { title: `${schema} · ${encoding}${latched ? " · latched" : ""}` }, schema || encoding || " ");
  const cells = [0, 1, 2, 3].map(() => el("span", { role: "cell" }));
  const canvas = el("canvas");
  const element = el("div.row", { role: "row", key }, el("div.topic", { role: "cell" }, name, note), ...cells, el("span", { role: "cell" }, canvas));
  const row = { element, name, cells, canvas, rates: [], drawn: null, seen: false };
  rows.set(key, row);
  sight.observe(element);
  return row;
}

function showRow(row) {
  const { data, cells, canvas } = row;
  const { hz, bytes_per_s: rate, subscribers, dropped } = data;
  const losing = recent(keyOf(data), dropped);
  cells[3].title = dropped ? `${count(dropped)} since the start` : "";
  [hz && short(hz), rate && `${bytes(rate)}/s`, subscribers && count(subscribers), dropped && count(dropped)].forEach((value, index) => {
    text(cells[index], value || "–");
    cells[index].className = !value ? "zero" : index === 3 && losing ? "lost" : index === 3 ? "muted" : "";
  });
  if (!state.timeline) line(canvas, row.rates, RATES);
  else if (row.drawn !== state.timeline || !canvas.width) {
    row.drawn = state.timeline;
    strip(canvas, row.counts ?? [], ...timelineShares());
  }
}

function hides({ topic, schema_name: schema }) {
  const where = `${topic} ${schema}`.toLowerCase();
  return $("filter").value.toLowerCase().split(/\s+/).some((word) => !where.includes(word));
}

/** Adds what came a second later. */
function push(values, value) {
  values.push(value);
  if (values.length > RATES) values.shift();
}

export function showTopics({ topics }) {
  let previous = null;
  const place = (data) => places.get(keyOf(data)) ?? places.size;
  if (state.since === null) places = new Map();
  topics.sort((one, other) => place(one) - place(other));
  state.since ??= uptime();
  if (uptime() - state.since > SETTLED) topics.forEach((data) => place(data) === places.size && places.set(keyOf(data), places.size));
  else variable("name", `${max(0, ...topics.map(({ topic, schema_name: schema }) => max(0.53 * topic.length, 0.43 * (schema?.length ?? 0))))}rem`);
  for (const data of topics) {
    const known = rows.get(keyOf(data));
    const row = known ?? add(data);
    row.data = data;
    if (!known) {
      row.element.hidden = hides(data);
      row.counts = state.timeline?.topics.find(({ channel }) => channel === data.channel)?.counts;
    }
    push(row.rates, data.hz);
    const next = previous ? previous.nextSibling : $("rows").firstChild;
    if (next !== row.element) $("rows").insertBefore(row.element, next);
    previous = row.element;
    if (row.seen) showRow(row);
  }
  const offered = new Set(topics.map(keyOf));
  for (const [key, { element }] of rows) {
    if (offered.has(key)) continue;
    sight.unobserve(element);
    element.remove();
    rows.delete(key);
  }
  put("topics-count", count(topics.length));
  showEmpty();
  const sum = (key) => topics.reduce((all, topic) => all + topic[key], 0);
  push(totals, sum("hz"));
  if (state.playback || state.status?.mode === "recording") return;
  put("doing", !sum("subscribers") && topics.some(({ messages }) => !messages) ? "Quiet topics may be sent once somebody subscribes" : "");
  put("position", `${short(totals.at(-1))} messages/s`);
  put("duration", `${bytes(sum("bytes_per_s"))}/s`);
  line($("overview"), totals, RATES, 18);
}

function showEmpty() {
  $("no-topics").hidden = [...rows.values()].some(({ element }) => !element.hidden);
  put("no-topics", rows.size ? "No topic has this in its name or schema." : "There are no topics.");
}

/** There is another timeline, or none any more. */
export function timelineChanged() {
  put("lane-label", state.timeline ? "Messages over time" : "Rate in the last minute");
  const counts = new Map(state.timeline?.topics.map((topic) => [topic.channel, topic.counts]));
  for (const row of rows.values()) {
    row.counts = counts.get(row.data.channel);
    if (row.seen) showRow(row);
  }
}

export function choose(topic) {
  chosen = topic;
  for (const { element, name, data } of rows.values()) {
    element.classList.toggle("chosen", data.topic === chosen);
    name.ariaExpanded = String(data.topic === chosen);
  }
}

/** Sorts by what the heading tells, the most first; by name, as the server sends them. */
function sortBy(heading) {
  const key = heading.value;
  for (const other of document.querySelectorAll(".labels button")) other.parentElement.ariaSort = other !== heading ? "none" : key ? "descending" : "ascending";
  const all = [...rows.values()].map(({ data }) => data);
  if (key) all.sort((one, other) => other[key] - one[key]);
  else all.sort((one, other) => (one.topic < other.topic ? -1 : 1));
  places = new Map(key && all.map((data, at) => [keyOf(data), at]));
  for (const data of all) $("rows").append(rows.get(keyOf(data)).element);
}

export function startTopics(onChoose) {
  new ResizeObserver(() => variable("deck", `${$("deck").offsetHeight}px`)).observe($("deck"));
  for (const heading of document.querySelectorAll(".labels button")) heading.onclick = () => sortBy(heading);
  $("rows").addEventListener("click", ({ target }) => {
    const topic = rows.get(target.closest(".row")?.key)?.data.topic;
    if (topic !== undefined && !target.matches("canvas")) onChoose(topic === chosen ? null : topic);
  });
  $("filter").addEventListener("input", () => {
    for (const { element, data } of rows.values()) element.hidden = hides(data);
    showEmpty();
  });
  onLook($("rows"), () => {
    for (const row of rows.values()) {
      row.drawn = null;
      if (row.seen) showRow(row);
    }
    if (!state.playback) line($("overview"), totals, RATES, 18);
  });
}
