// A page of another name is refused in Chromium, and one of this computer reads a whole compressed recording: `node browser.cjs CHROMIUM`, with the program's path in BRIDGE
// and the folder of recordings in BRIDGE_TESTDATA. Needs npm `playwright-core`.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const { chromium } = require("playwright-core");

const recording = path.join(process.env.BRIDGE_TESTDATA, "ros1_demo_zstd.mcap");
const options = ["--compression", "on", "--rate", "max", "--at-end", "exit", "--no-progress", "--port", "0"];
const server = spawn(process.env.BRIDGE, ["serve", recording, ...options], { stdio: ["ignore", "ignore", "pipe"] });
process.on("exit", () => server.kill("SIGKILL"));

async function main() {
  let said = "";
  const port = await new Promise((resolve) =>
    server.stderr.on("data", (data) => {
      said += data;
      const found = /WebSocket +ws:\/\/localhost:(\d+)/.exec(said)?.[1];
      if (found != undefined) {
        resolve(found);
      }
    }),
  );
  const args = ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"];
  const browser = await chromium.launch({ executablePath: process.argv[2], args });
  try {
    const page = await browser.newPage();
    await page.goto(`http://evil.example:${port}/`);
    // a name that was made to point here, and a page of another site
    for (const host of ["evil.example", "127.0.0.1", "localhost"]) {
      const outcome = await page.evaluate(
        (address) =>
          new Promise((resolve) => {
            const socket = new WebSocket(address, ["foxglove.websocket.v1"]);
            socket.onopen = () => resolve("opened");
            socket.onclose = ({ code }) => resolve(code);
          }),
        `ws://${host}:${port}/`,
      );
      assert.equal(outcome, 1006, host);
    }
    const refusals = () => said.match(/--allow-origin http:\/\/evil\.example/g)?.length ?? 0;
    for (let waited = 0; refusals() < 3; waited += 10) {
      assert.ok(waited < 60_000, said);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await page.goto(`http://127.0.0.1:${port}/`);
    const seen = await page.evaluate(
      (address) =>
        new Promise((resolve) => {
          const socket = new WebSocket(address, ["foxglove.websocket.v1"]);
          socket.binaryType = "arraybuffer";
          let messages = 0;
          let bytes = 0;
          socket.onmessage = ({ data }) => {
            if (typeof data === "string") {
              const text = JSON.parse(data);
              if (text.op === "advertise") {
                const subscriptions = text.channels.map(({ id }) => ({ id, channelId: id }));
                // long enough for the browser to compress it
                const note = "compressed ".repeat(1000);
                socket.send(JSON.stringify({ op: "subscribe", subscriptions, note }));
              }
            } else if (new Uint8Array(data)[0] === 1) {
              messages += 1;
              bytes += data.byteLength - 13;
            }
          };
          socket.onclose = ({ code, wasClean }) =>
            resolve({ messages, bytes, code, wasClean, extensions: socket.extensions });
        }),
      `ws://127.0.0.1:${port}/`,
    );
    assert.match(seen.extensions, /^permessage-deflate/);
    assert.equal(seen.messages, 826, JSON.stringify(seen));
    assert.ok(seen.bytes > 100_000, JSON.stringify(seen));
    assert.deepEqual([seen.code, seen.wasClean], [1000, true]);
  } finally {
    await browser.close();
  }
}

setTimeout(() => assert.fail("took too long"), 240_000).unref();
main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
