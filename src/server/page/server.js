// The server's API: what it says, what is asked of it, and whether it is there.

import { $, count, el, min, put, say } from "./dom.js";

/** What the server said last, and when topics were first shown, in ms. */
export const state = { status: null, playback: null, timeline: null, since: null };

/** Between attempts to reach a server that is gone, in ms. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [500, 5000];

/** JSON with whole numbers of any size. */
const parse = (body) =>
  JSON.parse(body, (_, value, context) => (typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source) ? BigInt(context.source) : value));

async function ask(path, options) {
  const response = await fetch(path, options).catch(() => null);
  if (!response) throw new Error("The server does not answer");
  if (response.ok) return parse(await response.text());
  const { error } = await response.json().catch(() => ({ error: response.statusText }));
  throw Object.assign(new Error(error), { missing: response.status === 404 });
}

/** The answer of a GET, or an error with what the server said. */
export const get = (path) => ask(path, { cache: "no-store" });
export const post = (path, body) => ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

let [onPlayback, last] = [null, null];

/** Asks playback for something, one after the other, and shows the state after it. */
export const control = (body) => (last = Promise.resolve(last).then(() => post("/api/playback", body)).then(onPlayback, (error) => say(error.message)));

/** Follows the server's events as long as the page can be seen; comes back by itself. */
export function follow(handlers) {
  let [source, pause, timer] = [null, FIRST_PAUSE, 0];
  onPlayback = handlers.playback;

  function show(isThere) {
    document.body.className = isThere ? "live" : "gone";
    $("gone").hidden = isThere;
    put("state", isThere ? "Connected" : "No answer");
    if (!isThere) put("gone", `The server at ${location.host} does not answer. The page goes on as soon as it does.`);
  }
  function close() {
    clearTimeout(timer);
    source?.close();
  }
  function connect() {
    close();
    source = new EventSource("/api/events");
    for (const [name, handle] of Object.entries(handlers)) source.addEventListener(name, ({ data }) => handle(parse(data)));
    source.addEventListener("status", () => {
      pause = FIRST_PAUSE;
      show(true);
    });
    // the browser's own attempts would end after some answers
    source.onerror = () => {
      close();
      show(false);
      timer = setTimeout(connect, pause);
      pause = min(2 * pause, LONGEST_PAUSE);
    };
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : connect()));
  connect();
}

const notices = new Set();

/** A warning of the server, or what was done: in the list of notices, and for a while at the bottom. */
export function notice({ level, text: line }) {
  if (notices.has(line)) return;
  notices.add(line);
  const row = el(`p.${level}`, {}, el("small", {}, new Date().toTimeString().slice(0, 8)), line);
  $("notices").prepend(row);
  put("notices-count", count(notices.size));
  // until somebody looks
  if (level !== "info" && $("notices").hidden) $("notices-count").className = "lost";
  say(line);
}
