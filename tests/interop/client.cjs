// The client of npm `@foxglove/ws-protocol` reads a whole recording: `node client.cjs [compressed]`, with the program's
// path in BRIDGE and the folder of recordings in BRIDGE_TESTDATA.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const { FoxgloveClient } = require("@foxglove/ws-protocol");
const WebSocket = require("ws");

const recording = path.join(process.env.BRIDGE_TESTDATA, "ros1_demo_zstd.mcap");
const compression = process.argv[2] === "compressed" ? "on" : "off";
const options = ["--compression", compression, "--rate", "max", "--start-on", "client", "--at-end", "exit", "--no-progress", "--port", "0"];
const server = spawn(process.env.BRIDGE, ["serve", recording, ...options], { stdio: ["ignore", "ignore", "pipe"] });
process.on("exit", () => server.kill("SIGKILL"));
setTimeout(() => assert.fail(`took too long: exit code ${code}, closed: ${ended}: ${said}`), 120_000).unref();

let said = "";
let client;
server.stderr.on("data", (data) => {
  said += data;
  const port = /WebSocket +ws:\/\/localhost:(\d+)/.exec(said)?.[1];
  if (port != undefined && client == undefined) {
    client = read(port);
  }
});

const subscriptions = new Map();
let info;
let messages = 0;
let times = 0;
let clock = -1n;
let last = -1n;
let ended = false;

function read(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, [FoxgloveClient.SUPPORTED_SUBPROTOCOL]);
  socket.on("open", () => assert.equal(socket.extensions, compression === "on" ? "permessage-deflate" : ""));
  const reader = new FoxgloveClient({ ws: socket });
  reader.on("error", (error) => assert.fail(error));
  reader.on("serverInfo", (event) => (info = event));
  reader.on("status", (event) => assert.fail(JSON.stringify(event)));
  reader.on("time", ({ timestamp }) => {
    assert.ok(timestamp >= clock, "time goes back");
    clock = timestamp;
    times += 1;
  });
  reader.on("advertise", (channels) => {
    for (const channel of channels) {
      assert.ok(channel.schema.length > 0 && channel.schemaName.length > 0, channel.topic);
      assert.equal(channel.encoding, "ros1");
      subscriptions.set(reader.subscribe(channel.id), channel);
    }
  });
  reader.on("message", ({ subscriptionId, timestamp, data }) => {
    assert.ok(subscriptions.has(subscriptionId));
    assert.ok(timestamp >= last, "messages are out of order");
    assert.ok(clock >= 0n && clock <= timestamp, "time is ahead of a message");
    assert.ok(data.byteLength > 0);
    last = timestamp;
    messages += 1;
  });
  reader.on("close", (event) => {
    assert.equal(event.code, 1000);
    ended = true;
  });
  return reader;
}

let code;
server.on("exit", (exitCode) => (code = exitCode));

const ready = setInterval(() => {
  // what has arrived is handled first; the limit of time says what is missing
  if (code !== undefined && (ended || code !== 0)) {
    clearInterval(ready);
    assert.equal(code, 0, said);
    assert.ok(info.capabilities.includes("time"), JSON.stringify(info));
    assert.deepEqual([...subscriptions.values()].map((channel) => channel.topic).sort(), ["/diagnostics", "/tf"]);
    assert.equal(messages, 826);
    assert.ok(times > 0);
    process.exit(0);
  }
}, 20);
