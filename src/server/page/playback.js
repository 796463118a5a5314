// The playback bar: buttons, the timeline to drag, A and B, keys.

import { $, abs, clock, date, max, min, put, round, say, uptime } from "./dom.js";
import { onLook, ruler } from "./draw.js";
import { control, get, state } from "./server.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, "max"];
/** What is shown of the timeline at least, in seconds. */
const LEAST = 0.02;
/** For so long after a seek positions are not shown that were on their way before it, in ms. */
const STALE = 150;

/** What is dragged: "seek" or "range", from where to where. */
const drag = { on: null, from: 0, to: 0 };
/** A, while there is no B. */
let a = null;
let [waiting, asking, quietUntil, shown, current] = [null, false, 0, -1, 0];
let [onTimeline, loading, later, wanted] = [() => {}, false, 0, null];
/** What is shown of the timeline, in seconds. */
let view = { from: 0, width: 0 };
/** By pointer: what of a finger is on the timeline, and the time that was below it at first. */
const fingers = new Map();

const canSeek = () => state.playback?.seekable && state.playback.duration_s > 0;
const maySeek = () => canSeek() && !state.status.read_only;
/** The time of an offset, in nanoseconds. */
export const timeAt = (offset) => BigInt(state.playback.start_ns) + BigInt(round(offset * 1e6)) * 1000n;

/** Where in what is shown an offset lies, from 0 to 1. */
const share = (offset) => (offset - view.from) / (view.width || 1);
const isInside = (at) => at >= 0 && at <= 1;

/** From where to where the counts of the timeline go in what is shown. */
export const timelineShares = () => (view.width ? [share(state.timeline.from), share(state.timeline.from + state.timeline.duration_s)] : [0, 1]);

/** Shows a part of the timeline. */
function lookAt(from, width) {
  const all = state.playback.duration_s;
  width = min(max(width, LEAST), all);
  view = { from: min(max(from, 0), all - width), width };
  $("whole").hidden = width === all;
  shown = -1;
  showPosition(current);
  showRange(state.playback.range);
  drawRuler();
  // until there are finer counts, those that are there
  state.timeline &&= { ...state.timeline };
  onTimeline();
  clearTimeout(later);
  later = setTimeout(loadTimeline, 120);
}

const lookAtAll = () => lookAt(0, Infinity);

/** Shows more or less of the timeline; what is at `around` stays where it is. */
function zoom(factor, around = isInside(share(current)) ? current : view.from + view.width / 2) {
  const width = max(LEAST, view.width * factor);
  lookAt(around - share(around) * width, width);
}

/** Two fingers keep the times that were below them. */
function pinch(track) {
  const [one, other] = fingers.values();
  const { left, width } = track.getBoundingClientRect();
  const all = ((other.time - one.time) * width) / (other.x - one.x);
  if (all > 0) lookAt(one.time - ((one.x - left) / width) * all, all);
}

/** Asks for a position; of several that come while one is on its way, the newest. */
async function seek(offset) {
  waiting = offset;
  if (asking) return;
  asking = true;
  while (waiting !== null) {
    offset = waiting;
    waiting = null;
    await control({ seek: String(timeAt(offset)) });
  }
  asking = false;
  quietUntil = uptime() + STALE;
  if (!drag.on) settle(offset);
}

/** Shows where playback is after a seek to this offset. */
function settle(offset) {
  if (!state.playback) return;
  const { range, position_s: position } = state.playback;
  showPosition(position);
  if (range && (offset < range.start_s || offset > range.end_s)) say(`A–B is repeated: the seek was held to ${clock(position)}`);
}

export function showPlayback(now) {
  const before = state.playback;
  state.playback = now;
  const { read_only: readOnly, mode } = state.status;
  $("transport").hidden = $("wall").hidden = $("ruler-head").hidden = !now;
  $("copy-link").hidden = readOnly;
  $("ruler").classList.toggle("seekable", Boolean(maySeek()));
  $("ruler").ariaDisabled = String(!maySeek());
  if (!now) return put("doing", mode === "recording" ? "This recording has no messages" : "");
  put("doing", { waiting: readOnly ? "waits for a viewer" : "waits for a viewer, or play", ended: "ended" }[now.state] ?? "");
  const playing = now.state === "playing";
  $("play-icon").setAttribute("href", playing ? "#i-pause" : "#i-play");
  $("play").title = playing ? "Pause (space)" : now.state === "waiting" && !readOnly ? "Play now, before a viewer subscribes (space)" : "Play (space)";
  $("loop").ariaPressed = String(now.loop);
  showRate(now.rate);
  showRange(now.range);
  for (const id of ["play", "step", "loop", "rate", "range"]) $(id).disabled = readOnly || (id === "range" && !now.seekable);
  put("duration", `/ ${clock(now.duration_s)}`);
  document.title = `${playing ? "▶ " : ""}${state.status.name}`;
  if (!before || (drag.on !== "seek" && !asking && uptime() > quietUntil)) showPosition(now.position_s);
  if (before?.start_ns !== now.start_ns || before.end_ns !== now.end_ns) {
    view = { from: 0, width: now.duration_s };
    $("whole").hidden = true;
    drawRuler();
    if (now.seekable) loadTimeline();
  }
}

function showPosition(position) {
  const { duration_s: all } = state.playback;
  const at = share(position);
  current = position;
  // what is shown goes with it, once it comes to an end of that
  if (isInside(shown) && !isInside(at) && !drag.on) return lookAt(position - 0.1 * view.width, view.width);
  // it glides with time, and not over a seek
  const glides = at > shown && at - shown < 0.02;
  if (at === shown) return;
  shown = at;
  for (const id of ["ruler-head", "lane-playhead"]) {
    $(id).classList.toggle("glide", glides);
    $(id).style.transform = `translateX(${at * 100}%)`;
  }
  put("position", clock(position));
  put("wall", `${date(timeAt(position))} UTC`);
  Object.assign($("ruler"), { ariaValueMin: 0, ariaValueMax: all, ariaValueNow: position, ariaValueText: `${clock(position)} of ${clock(all)}` });
}

function showRate(rate) {
  const select = $("rate");
  if (select.value === String(rate)) return;
  const rates = SPEEDS.includes(rate) ? SPEEDS : [rate, ...SPEEDS];
  select.replaceChildren(...rates.map((value) => new Option(value === "max" ? "max" : `${+value.toFixed(3)}×`, value)));
  select.value = rate;
}

function showRange(range) {
  const [from, to] = drag.on === "range" ? [min(drag.from, drag.to), max(drag.from, drag.to)] : [range?.start_s ?? a, range?.end_s ?? a];
  $("span").hidden = from === null;
  Object.assign($("span").style, { left: `${share(from) * 100}%`, width: `${(share(to) - share(from)) * 100}%` });
  $("range").ariaPressed = String(from !== null);
  put("range", range || a === null ? "A–B" : "A–…");
}

function setRange(x, y) {
  a = null;
  say("");
  return control({ range: [String(timeAt(min(x, y))), String(timeAt(max(x, y)))] });
}

/** Sets A, then B, then neither. */
function cycleRange() {
  const { range, position_s: position } = state.playback;
  if (range) return control({ range: null });
  if (a !== null && abs(position - a) > 0.001) return setRange(a, position);
  a = a === null ? position : null;
  showRange(null);
  if (a !== null) say(`A is ${clock(a)}. Once more sets B.`);
}

function drawRuler() {
  if (state.playback) ruler($("overview"), view, state.playback.duration_s, state.timeline, (at, step) => clock(at, step < 0.01 ? 3 : step < 1 ? 2 : 0));
}

/** Asks how many messages there are when: in what is shown, and half as much on both sides of it. */
export async function loadTimeline() {
  if (loading) return;
  loading = true;
  const { from, width } = view;
  const all = state.playback?.duration_s ?? 0;
  const [start, end] = [max(0, from - width / 2), min(all, from + 1.5 * width)];
  const isPart = end - start < all;
  const bins = round(min(1600, max(200, $("ruler").clientWidth)) * (isPart ? (end - start) / width : 1));
  const timeline = await get(`/api/timeline?bins=${bins}${isPart ? `&start=${timeAt(start)}&end=${timeAt(end)}` : ""}`).catch(() => null);
  loading = false;
  if (view.from !== from || view.width !== width) return loadTimeline();
  state.timeline = timeline && { ...timeline, from: isPart ? start : 0 };
  $("lane-playhead").hidden = !state.timeline;
  drawRuler();
  onTimeline();
}

function offsetAt({ clientX }, track) {
  const { left, width } = track.getBoundingClientRect();
  return view.from + min(1, max(0, (clientX - left) / width)) * view.width;
}

/** Shows the time under the pointer, and what is wrong there. */
function hover(event, track) {
  $("hover").hidden = !track || !canSeek();
  if ($("hover").hidden) return;
  const [at, from] = [offsetAt(event, track), state.timeline?.from];
  const near = (3 * view.width) / track.clientWidth;
  const within = (slack) => ({ start_s: start, end_s: end }) => at >= from + start - slack && at <= from + end + slack;
  const gap = state.timeline?.gaps.find(within(0));
  const note = state.timeline?.damaged.find(within(near))?.text ?? (gap && `nothing for ${clock(gap.end_s - gap.start_s)}`);
  $("hover").style.left = `${share(at) * 100}%`;
  $("hover").classList.toggle("flip", share(at) > 0.5);
  put("hover-text", [clock(at), date(timeAt(at)).slice(11), note].filter(Boolean).join(" · "));
}

/** Makes drags on tracks, which are as wide as the timeline, seek; with Shift they choose a part to repeat. */
export function dragsOn(element, trackOf = () => element) {
  element.addEventListener("pointerdown", (event) => {
    const track = trackOf(event);
    if (!track || event.button || !canSeek()) return;
    if (element === $("ruler") && event.pointerType === "touch") fingers.set(event.pointerId, { x: event.clientX, time: offsetAt(event, track) });
    if (fingers.size > 1) drag.on = null;
    else if (!maySeek()) return;
    const other = state.playback.range?.[{ "span-a": "end_s", "span-b": "start_s" }[event.target.id]];
    element.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const finger = fingers.get(moved.pointerId);
      if (finger) finger.x = moved.clientX;
      if (fingers.size > 1) return pinch(track);
      drag.to = offsetAt(moved, track);
      if (drag.on === "range") return showRange(null);
      showPosition(drag.to);
      seek(drag.to);
    };
    const end = async ({ type }) => {
      ends.abort();
      fingers.clear();
      const wide = abs(drag.to - drag.from) > (3 * view.width) / track.clientWidth;
      if (drag.on === "range" && wide && type === "pointerup") await setRange(drag.from, drag.to);
      const sought = drag.on === "seek";
      drag.on = null;
      if (sought && !asking) settle(drag.to);
      showRange(state.playback.range);
    };
    const ends = new AbortController();
    for (const [name, handle] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) element.addEventListener(name, handle, ends);
    if (fingers.size > 1) return;
    drag.from = other ?? offsetAt(event, track);
    drag.on = event.shiftKey || other !== undefined ? "range" : "seek";
    move(event);
  });
  element.addEventListener("pointermove", (event) => hover(event, trackOf(event)));
  element.addEventListener("pointerleave", (event) => hover(event, null));
}

/** The wheel zooms around the pointer, and moves with Shift, or to the side. */
function wheel(event) {
  const { deltaX, deltaY, shiftKey, ctrlKey } = event;
  const by = deltaX + deltaY;
  const moves = shiftKey || abs(deltaX) > abs(deltaY);
  // where there is no more to see the page scrolls
  if (!canSeek() || ($("whole").hidden && (moves || by > 0))) return;
  event.preventDefault();
  if (moves) lookAt(view.from + (by / $("ruler").clientWidth) * view.width, view.width);
  // fingers on a pad come as a wheel with Ctrl, of small steps
  else zoom(1.002 ** (ctrlKey ? 5 * by : by), offsetAt(event, $("ruler")));
}

/** The next speed of the menu, from the last one that was asked for. */
async function faster(by) {
  const speed = (rate) => by * (rate === "max" ? Infinity : rate);
  const now = speed(wanted ?? state.playback.rate);
  const rate = (by > 0 ? SPEEDS : SPEEDS.toReversed()).find((other) => speed(other) > now);
  if (!rate) return;
  wanted = rate;
  await control({ rate });
  if (wanted === rate) wanted = null;
}

/** What keys do, as in the terminal. */
const KEYS = {
  " ": () => control({ command: "toggle" }),
  ".": () => control({ step: 1 }),
  ArrowLeft: () => control({ seek_by: -5 }),
  ArrowRight: () => control({ seek_by: 5 }),
  ArrowUp: () => faster(1),
  ArrowDown: () => faster(-1),
  l: () => control({ loop: !state.playback.loop }),
  a: cycleRange,
  "+": () => zoom(0.5),
  "-": () => zoom(2),
  0: lookAtAll,
  Home: () => seek(0),
  End: () => seek(state.playback.duration_s),
};
const NEEDS_SEEK = ["ArrowLeft", "ArrowRight", "a", "+", "-", "0", "Home", "End"];

/** Whether the key meant something. Home and End scroll, unless the timeline has the focus. */
export function key({ key: name, target }) {
  const scrolls = ["Home", "End"].includes(name) && target !== $("ruler");
  if (!Object.hasOwn(KEYS, name) || !state.playback || scrolls || (NEEDS_SEEK.includes(name) && !canSeek())) return false;
  KEYS[name]();
  return true;
}

export function startPlayback(whenTimeline) {
  onTimeline = whenTimeline;
  $("play").onclick = KEYS[" "];
  $("step").onclick = KEYS["."];
  $("loop").onclick = KEYS.l;
  $("range").onclick = cycleRange;
  $("rate").onchange = ({ target: { value } }) => control({ rate: value === "max" ? value : Number(value) });
  $("whole").onclick = lookAtAll;
  $("ruler").addEventListener("wheel", wheel, { passive: false });
  dragsOn($("ruler"));
  onLook($("ruler"), drawRuler);
}
