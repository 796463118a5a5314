// Links that open viewers, a QR code for a phone, links to a time, and the same from a shell.

import { $, copy, el, put, svg } from "./dom.js";
import { timeAt } from "./playback.js";
import { modules } from "./qr.js";
import { state } from "./server.js";

/** Hosts to which browsers let a public page connect; other names they refuse as mixed content. */
const ACCEPTED = /^(localhost|[\d.]+|\[.*\]|.*\.local)(:\d+)?$/;
const HERE = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/;

const { host: opened, origin, protocol } = location;
const socket = (host) => `${protocol === "https:" ? "wss" : "ws"}://${host}`;
/** The viewer that this server offers, one of the user, or one that runs on this computer. */
const lichtblick = () => localStorage.getItem("lichtblick") ?? (state.status?.viewer ? origin + state.status.viewer.replace(/\/$/, "") : "http://localhost:8080");

/** Hosts by which other computers reach the server, the best first. */
function elsewhere() {
  const hosts = (state.status?.addresses ?? []).map((address) => address.replace(/^\w+:\/\/|\/$/g, ""));
  return [...new Set([opened, ...hosts])].filter((host) => !HERE.test(host));
}

/** Where viewers of this browser connect. */
const here = () => [opened, ...elsewhere()].find((host) => ACCEPTED.test(host)) ?? opened;

export function showLinks() {
  const files = state.status?.files ?? [];
  const query = `?ds=foxglove-websocket&ds.url=${encodeURIComponent(socket(here()))}`;
  const sources = files.map(({ name }) => `&ds.url=${encodeURIComponent(`${protocol}//${here()}/files/${encodeURIComponent(name)}`)}`);
  $("foxglove").href = `https://app.foxglove.dev/~/view${query}`;
  $("desktop").href = `foxglove://open${query}`;
  $("lichtblick").href = `${lichtblick()}/${query}`;
  $("lichtblick-file").href = `${lichtblick()}/?ds=remote-file${sources.join("")}`;
  $("lichtblick-file").hidden = !files.length;
  put("url", socket(here()));
}

function showPhone() {
  const page = `${protocol}//${$("address").value}/`;
  const grid = modules(page);
  put("phone-url", page);
  const dots = grid.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : "")));
  const shape = svg("path", { d: dots.join(""), "shape-rendering": "crispEdges" });
  $("qr").replaceChildren(svg("svg", { viewBox: `-2 -2 ${grid.length + 4} ${grid.length + 4}` }, shape));
}

function showMore() {
  const hosts = elsewhere();
  $("address").replaceChildren(...hosts.map((host) => new Option(host)));
  $("address").parentElement.hidden = hosts.length < 2;
  for (const id of ["qr", "phone-url", "copy-phone"]) $(id).hidden = !hosts.length;
  put("phone-note", hosts.length ? "This page, for a phone or another computer in the same network." : "No address for other computers is known. Start the server with --host 0.0.0.0, and open this page by its address from outside.");
  if (hosts.length) showPhone();
  $("lichtblick-at").value = lichtblick();
  $("more").showModal();
}

/** A link that seeks for whoever opens it. */
const timeLink = () => `${protocol}//${elsewhere()[0] ?? opened}/?t=${+state.playback.position_s.toFixed(3)}${location.hash}`;

/** What `?t=` asks for, as the server takes it: seconds from the start, else a time in RFC 3339 or nanoseconds. */
export function askedTime() {
  const asked = new URLSearchParams(location.search).get("t")?.trim();
  const seconds = /^\+?(\d{1,9}(?:\.\d*)?)s?$/.exec(asked)?.[1];
  return seconds ? String(timeAt(Number(seconds))) : asked;
}

function showCurl() {
  // names can hold anything, and a shell must not see it
  const quoted = (path) => `'${origin}${path.replaceAll("'", "%27")}'`;
  const post = (path, body) => `curl -X POST ${origin}${path} -H 'Content-Type: application/json' -d '${body}'`;
  const { playback, status } = state;
  const topic = $("message").hidden ? (document.querySelector("#rows button")?.title || "/topic") : $("message-topic").textContent;
  const lines = [
    ["What is served", `curl ${origin}/api/status`],
    ["Topics and their rates", `curl ${origin}/api/topics`],
    ["The last message of a topic", `curl ${quoted(`/api/topics/${encodeURIComponent(topic)}/latest`)}`],
    ["All that this page is told", `curl -N ${origin}/api/events`],
    playback && ["Pause, play", post("/api/playback", '{"command":"toggle"}')],
    playback?.seekable && ["Seek, speed, a part to repeat", post("/api/playback", '{"seek":"+2s","rate":2,"range":["+1s","+5s"]}')],
    status?.kept && ["Save what was kept", post("/api/save", "{}")],
    status?.files[0] && ["The recording", `curl -O ${quoted(`/files/${encodeURIComponent(status.files[0].name)}`)}`],
  ].filter(Boolean);
  $("curl-lines").replaceChildren(...lines.flatMap(([what, command]) => [what, el("pre", {}, command)]));
  $("curl").showModal();
}

export function startLinks() {
  $("copy-url").onclick = () => copy(socket(here()), "Address");
  $("copy-link").onclick = () => copy(timeLink(), "Link to this time");
  $("copy-phone").onclick = () => copy($("phone-url").textContent, "Address");
  $("show-more").onclick = showMore;
  $("show-curl").onclick = showCurl;
  $("address").onchange = showPhone;
  $("lichtblick-at").onchange = ({ target: { value } }) => {
    if (/^https?:\/\//.test(value)) localStorage.setItem("lichtblick", value.replace(/\/+$/, ""));
    else localStorage.removeItem("lichtblick");
    showLinks();
  };
  showLinks();
}
