// The playback bar: buttons, the timeline to drag, A and B, keys.

import { $, clock, date, say, text } from "./dom.js";
import { onLook, ruler } from "./draw.js";
import { control, get, state } from "./server.js";

const RATES = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, "max"];
/** For so long after a seek positions are not shown that were on their way before it, in ms. */
const STALE = 150;

/** What is dragged: "seek" or "range", from where to where. */
const drag = { on: null, from: 0, to: 0 };
/** A, while there is no B. */
let a = null;
let [waiting, asking, quietUntil, shown] = [null, false, 0, -1];
let [onTimeline, loading, wanted] = [() => {}, false, null];

const canSeek = () => state.playback?.seekable && state.playback.duration_s > 0;
const maySeek = () => canSeek() && !state.status.read_only;
/** The time of an offset, in nanoseconds. */
export const timeAt = (offset) => BigInt(state.playback.start_ns) + BigInt(Math.round(offset * 1e6)) * 1000n;

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
  quietUntil = performance.now() + STALE;
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
  if (!now) return text($("doing"), mode === "recording" ? "This recording has no messages" : "");
  text($("doing"), { waiting: readOnly ? "waits for a viewer" : "waits for a viewer, or play", ended: "ended" }[now.state] ?? "");
  const playing = now.state === "playing";
  $("play-icon").setAttribute("href", playing ? "#i-pause" : "#i-play");
  $("play").title = playing ? "Pause (space)" : now.state === "waiting" && !readOnly ? "Play now, before a viewer subscribes (space)" : "Play (space)";
  $("loop").ariaPressed = String(now.loop);
  showRate(now.rate);
  showRange(now.range);
  for (const id of ["play", "step", "loop", "rate", "range"]) $(id).disabled = readOnly || (id === "range" && !now.seekable);
  text($("duration"), `/ ${clock(now.duration_s)}`);
  document.title = `${playing ? "▶ " : ""}${state.status.name}`;
  if (!before || (drag.on !== "seek" && !asking && performance.now() > quietUntil)) showPosition(now.position_s);
  if (before?.start_ns !== now.start_ns || before.end_ns !== now.end_ns) {
    drawRuler();
    if (now.seekable) loadTimeline();
  }
}

function showPosition(position) {
  const { duration_s: all } = state.playback;
  const share = all > 0 ? Math.min(1, Math.max(0, position / all)) : 0;
  // it glides with time, and not over a seek
  const glides = share > shown && share - shown < 0.02;
  if (share === shown) return;
  shown = share;
  for (const id of ["ruler-head", "lane-playhead"]) {
    $(id).classList.toggle("glide", glides);
    $(id).style.transform = `translateX(${share * 100}%)`;
  }
  text($("position"), clock(position));
  text($("wall"), `${date(timeAt(position))} UTC`);
  Object.assign($("ruler"), { ariaValueMin: 0, ariaValueMax: all, ariaValueNow: position, ariaValueText: `${clock(position)} of ${clock(all)}` });
}

function showRate(rate) {
  const select = $("rate");
  if (select.value === String(rate)) return;
  const rates = RATES.includes(rate) ? RATES : [rate, ...RATES];
  select.replaceChildren(...rates.map((value) => new Option(value === "max" ? "max" : `${+value.toFixed(3)}×`, value)));
  select.value = rate;
}

function showRange(range) {
  const { duration_s: all } = state.playback;
  const [from, to] = drag.on === "range" ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : [range?.start_s ?? a, range?.end_s ?? a];
  $("span").hidden = from === null;
  Object.assign($("span").style, { left: `${(from / all) * 100}%`, width: `${((to - from) / all) * 100}%` });
  $("range").ariaPressed = String(from !== null);
  text($("range"), range || a === null ? "A–B" : "A–…");
}

function setRange(x, y) {
  a = null;
  say("");
  return control({ range: [String(timeAt(Math.min(x, y))), String(timeAt(Math.max(x, y)))] });
}

/** Sets A, then B, then neither. */
function cycleRange() {
  const { range, position_s: position } = state.playback;
  if (range) return control({ range: null });
  if (a !== null && Math.abs(position - a) > 0.001) return setRange(a, position);
  a = a === null ? position : null;
  showRange(null);
  if (a !== null) say(`A is ${clock(a)}. Once more sets B.`);
}

function drawRuler() {
  if (state.playback) ruler($("overview"), state.playback.duration_s, state.timeline, (at, step) => clock(at, step < 0.01 ? 3 : step < 1 ? 2 : 0));
}

/** Asks how many messages there are when. */
export async function loadTimeline() {
  if (loading) return;
  loading = true;
  const bins = Math.min(1600, Math.max(200, Math.round($("ruler").clientWidth)));
  state.timeline = await get(`/api/timeline?bins=${bins}`).catch(() => null);
  loading = false;
  $("lane-playhead").hidden = !state.timeline;
  drawRuler();
  onTimeline();
}

function offsetAt({ clientX }, track) {
  const { left, width } = track.getBoundingClientRect();
  return Math.min(1, Math.max(0, (clientX - left) / width)) * state.playback.duration_s;
}

/** Shows the time under the pointer, and what is wrong there. */
function hover(event, track) {
  $("hover").hidden = !track || !canSeek();
  if ($("hover").hidden) return;
  const [at, all] = [offsetAt(event, track), state.playback.duration_s];
  const near = (3 * all) / track.clientWidth;
  const within = (slack) => ({ start_s: start, end_s: end }) => at >= start - slack && at <= end + slack;
  const gap = state.timeline?.gaps.find(within(0));
  const note = state.timeline?.damaged.find(within(near))?.text ?? (gap && `nothing for ${clock(gap.end_s - gap.start_s)}`);
  $("hover").style.left = `${(at / all) * 100}%`;
  $("hover").classList.toggle("flip", at > all / 2);
  text($("hover-text"), [clock(at), date(timeAt(at)).slice(11), note].filter(Boolean).join(" · "));
}

/** Makes drags on tracks, which are as wide as the timeline, seek; with Shift they choose a part to repeat. */
export function dragsOn(element, trackOf = () => element) {
  element.addEventListener("pointerdown", (event) => {
    const track = trackOf(event);
    if (!track || event.button || !maySeek()) return;
    const other = state.playback.range?.[{ "span-a": "end_s", "span-b": "start_s" }[event.target.id]];
    element.setPointerCapture(event.pointerId);
    const move = (moved) => {
      drag.to = offsetAt(moved, track);
      if (drag.on === "range") return showRange(null);
      showPosition(drag.to);
      seek(drag.to);
    };
    const end = async ({ type }) => {
      ends.abort();
      const wide = Math.abs(drag.to - drag.from) > (3 * state.playback.duration_s) / track.clientWidth;
      if (drag.on === "range" && wide && type === "pointerup") await setRange(drag.from, drag.to);
      const sought = drag.on === "seek";
      drag.on = null;
      if (sought && !asking) settle(drag.to);
      showRange(state.playback.range);
    };
    const ends = new AbortController();
    for (const [name, handle] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) element.addEventListener(name, handle, ends);
    drag.from = other ?? offsetAt(event, track);
    drag.on = event.shiftKey || other !== undefined ? "range" : "seek";
    move(event);
  });
  element.addEventListener("pointermove", (event) => hover(event, trackOf(event)));
  element.addEventListener("pointerleave", (event) => hover(event, null));
}

/** The next speed of the menu, from the last one that was asked for. */
async function faster(by) {
  const speed = (rate) => by * (rate === "max" ? Infinity : rate);
  const now = speed(wanted ?? state.playback.rate);
  const rate = (by > 0 ? RATES : RATES.toReversed()).find((other) => speed(other) > now);
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
  Home: () => seek(0),
  End: () => seek(state.playback.duration_s),
};
const NEEDS_SEEK = ["ArrowLeft", "ArrowRight", "a", "Home", "End"];

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
  dragsOn($("ruler"));
  onLook($("ruler"), drawRuler);
}
