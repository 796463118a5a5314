// A running server, and Chromium looking at its page. Needs npm `playwright-core`; the program's path is in BRIDGE.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const { chromium } = require("playwright-core");

const PATIENCE = 60_000;
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP evil.example 127.0.0.1"];

/** Waits until it holds; `what` is said if it does not. */
async function until(holds, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await holds();
    if (value) return value;
    assert.ok(Date.now() < end, `${what}: not within ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that a server can listen on again: none that the system gives to connections, or to who asks for any. */
async function freePort() {
  const lowest = parseInt(fs.readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"));
  for (;;) {
    const port = Math.floor((lowest / 2) * (1 + Math.random()));
    const listens = new Promise((resolve) => {
      const listener = net.createServer();
      listener.once("error", () => resolve(false));
      listener.listen(port, "127.0.0.1", () => listener.close(() => resolve(true)));
    });
    if (await listens) return port;
  }
}

const servers = [];

/** For who looks for the cause of a failure. */
function logs() {
  return servers.map(({ sources, said }) => `---- serve ${sources.join(" ")}, its log:\n${said()}`).join("\n");
}

/** A server of these sources; `input` is written to its stdin, which stays open. */
async function serve(sources, { port = 0, input = null } = {}) {
  const child = spawn(process.env.BRIDGE, ["serve", ...sources, "--no-progress", "--port", String(port)], {
    stdio: [input === null ? "ignore" : "pipe", "ignore", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  servers.push({ sources, said: () => said });
  child.stderr.on("data", (data) => (said += data));
  if (input !== null) child.stdin.write(input);
  const found = await until(() => /WebSocket +ws:\/\/localhost:(\d+)/.exec(said), "the server listens");
  const url = `http://localhost:${found[1]}/`;
  return {
    url,
    port: Number(found[1]),
    said: () => said,
    write: (line) => child.stdin.write(line),
    get: async (path) => (await fetch(new URL(path, url))).json(),
    post: async (path, body) =>
      (await fetch(new URL(path, url), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json(),
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

/** Chromium; `finish` fails if a page complained, or asked anybody else than its server. */
async function browse(executablePath) {
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  const faults = [];
  return {
    /** Opens a page; `tolerates` tells complaints that are meant to come. */
    async open(url, options = {}, tolerates = () => false) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      // trials look at canvases, which the page does not
      const fault = (text) => tolerates(text) || text.includes("willReadFrequently") || faults.push(text);
      page.on("console", (message) => ["error", "warning"].includes(message.type()) && fault(`${message.text()} ${message.location().url}`));
      page.on("pageerror", (error) => fault(error.stack));
      page.on("request", (request) => {
        const asked = new URL(request.url());
        if (!["data:", "blob:"].includes(asked.protocol) && asked.host !== new URL(url).host) fault(`asked ${request.url()}`);
      });
      await page.goto(url);
      return page;
    },
    async finish() {
      await browser.close();
      assert.deepEqual(faults, []);
    },
  };
}

module.exports = { browse, freePort, logs, serve, until };
