// The page: joins what the server says with what is shown.

import { $, bytes, clock, count, date, el, put, recent, say } from "./dom.js";
import { askedTime, showLinks, startLinks } from "./links.js";
import { openMessage, startPlots } from "./message.js";
import { dragsOn, key, loadTimeline, showPlayback, startPlayback } from "./playback.js";
import { control, follow, notice, post, state } from "./server.js";
import { choose, showTopics, startTopics, timelineChanged } from "./topics.js";

function showStatus(status) {
  const before = state.status;
  state.status = status;
  // after a server was gone all is new
  if (document.body.className === "gone") state.playback = state.since = null;
  const { name, contents, mode, read_only: readOnly, version, warnings, kept, playback, messages_dropped: dropped } = status;
  put("name", name);
  // without the name: (20.0 s, 12 channels, 2885 messages)
  const inside = contents?.match(/\(([^()]*)\)$/)?.[1].replace(/\d{4,}/, (digits) => count(+digits)).replaceAll(", ", " · ") ?? mode;
  put("contents", (inside === "live" && mode === "recording" ? "live input, ended" : inside) + (readOnly ? " · read-only" : ""));
  put("version", `foxglove-bridge ${version}`);
  put("sent", `${count(status.messages_sent)} messages, ${bytes(status.bytes_sent)} sent${dropped ? `, ${count(dropped)} dropped` : ""}`);
  warnings.forEach(notice);
  // damage is found while a recording plays
  if (before && before.warnings.length !== warnings.length && state.timeline) loadTimeline();
  showKept(kept);
  showLinks();
  showPlayback(playback);
  if (!playback) {
    document.title = name;
    // another server can have taken the place of one that played a recording
    if (mode === "mixed" ? !before : state.timeline) loadTimeline();
  } else if (!before && askedTime()) {
    // a link seeks once, and not again when the page is loaded again
    control({ seek: askedTime() });
    history.replaceState(null, "", location.pathname + location.hash);
  }
}

function showKept(kept) {
  $("keep").hidden = !kept;
  if (!kept) return;
  const seconds = kept.start_ns ? Number(BigInt(kept.end_ns) - BigInt(kept.start_ns)) / 1e9 : 0;
  put("kept", kept.saving ? "Saving…" : `${clock(seconds, 0)} · ${bytes(kept.bytes)} in memory`);
  $("save").disabled = !kept.messages || kept.saving || state.status.read_only;
}

async function save() {
  $("save").disabled = true;
  try {
    const { path, url, messages, bytes: size } = await post("/api/save", {});
    notice({ level: "info", text: `Saved ${path}: ${count(messages)} messages, ${bytes(size)}` });
    $("saved").href = url;
  } catch (error) {
    say(error.message);
  }
  showKept(state.status.kept);
}

/** Which program a user agent stands for. */
const program = (agent) => /(foxglove|lichtblick)[\w-]*\/[\d.]+/i.exec(agent)?.[0] ?? /(Edg|Firefox|Chrome|Safari)\/\d+/.exec(agent)?.[0] ?? agent;

function showClients({ clients }) {
  put("clients-count", count(clients.length));
  $("no-clients").hidden = clients.length;
  $("client-table").hidden = !clients.length;
  const cell = (value, note = "", className = "", title = "") => el("td", { className, title }, value, el("small", {}, note));
  const row = (client) => {
    const lost = Object.entries(client.dropped_by_topic).map(([topic, messages]) => `${topic}: ${messages}`);
    return el(
      "tr",
      {},
      cell(client.address ?? "–", `${program(client.agent)} · ${client.subprotocol}`, "", client.agent),
      cell(count(client.subscriptions.length), "", "n", client.subscriptions.join("\n")),
      cell(bytes(client.bytes_sent), `${count(client.messages_sent)} messages`, "n"),
      cell(bytes(client.queue_bytes), "", "n"),
      cell(count(client.dropped), "", recent(`client ${client.id}`, client.dropped) ? "n lost" : "n", lost.join("\n")),
      cell(client.slow_because ?? "–", "", client.slow_because ? "lost" : ""),
      cell(date(client.since_ns).slice(11, 19)),
    );
  };
  if (!$("clients").hidden) $("client-rows").replaceChildren(...clients.map(row));
}

const TABS = ["topics", "clients", "notices"];
let lastClients = { clients: [] };

function tab(name) {
  for (const other of TABS) {
    $(other).hidden = other !== name;
    Object.assign($(`tab-${other}`), { ariaSelected: String(other === name), tabIndex: other === name ? 0 : -1 });
  }
  $("filter").hidden = name !== "topics";
  if (name === "notices") $("notices-count").className = "";
  showClients(lastClients);
}

/** Shows the last message of a topic, or none; the address keeps it. */
function showTopic(topic) {
  choose(topic);
  openMessage(topic);
  history.replaceState(null, "", topic === null ? location.pathname : `#${encodeURIComponent(topic)}`);
}

/** Whether the focus was last moved by pointer: space presses only what somebody moved to by keyboard. */
let pointed = false;
addEventListener("pointerdown", () => (pointed = true), true);

document.addEventListener("keydown", (event) => {
  const { key: name, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (name === "Escape") return target.id === "filter" ? target.blur() : showTopic(null);
  if (target.matches("input, select")) return;
  if (name === "Tab") pointed = false;
  if (name === " " && target.matches("button, a, summary")) {
    if (!pointed) return;
    target.blur();
  }
  if (target.role === "tab" && name.startsWith("Arrow")) {
    const at = TABS.findIndex((of) => target.id === `tab-${of}`) + (name === "ArrowRight" ? 1 : 2);
    $(`tab-${TABS[at % 3]}`).focus();
    tab(TABS[at % 3]);
    pointed = false;
  } else if (name === "/") $("filter").focus();
  else if (name === "?") $("keys").showModal();
  else if (!key(event)) return;
  event.preventDefault();
});

for (const name of TABS) $(`tab-${name}`).onclick = () => tab(name);
$("show-keys").onclick = () => $("keys").showModal();
$("message-close").onclick = () => showTopic(null);
$("save").onclick = save;
startLinks();
startPlayback(timelineChanged);
startTopics(showTopic);
startPlots();
// fingers that scroll begin anywhere
dragsOn($("rows"), ({ target, pointerType }) => (target.matches("canvas") && pointerType !== "touch" && state.timeline ? target : null));
const hashTopic = () => new URLSearchParams(`t=${location.hash.slice(1).replaceAll("+", "%2B")}`).get("t") || null;
addEventListener("hashchange", () => showTopic(hashTopic()));
let asked = hashTopic();
follow({
  status: showStatus,
  playback: (playback) => state.status && showPlayback(playback),
  topics(all) {
    showTopics(all);
    if (asked) showTopic(asked);
    asked = null;
  },
  clients(all) {
    lastClients = all;
    showClients(all);
  },
  warning: notice,
});
