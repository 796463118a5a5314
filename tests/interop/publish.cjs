// Clients of npm `@foxglove/ws-protocol` publish, follow the connection graph and fetch an asset: `node publish.cjs`, with
// the program's path in BRIDGE and the folder of recordings in BRIDGE_TESTDATA.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const { FoxgloveClient } = require("@foxglove/ws-protocol");
const WebSocket = require("ws");

const folder = process.env.BRIDGE_TESTDATA;
const options = ["--assets", `package://data=${folder}`, "--no-progress", "--port", "0"];
const server = spawn(process.env.BRIDGE, ["serve", path.join(folder, "drive.mcap"), ...options], {
  stdio: ["ignore", "ignore", "pipe"],
});
process.on("exit", () => server.kill("SIGKILL"));
setTimeout(() => assert.fail(`took too long: ${said}`), 120_000).unref();

let said = "";
let started = false;
server.stderr.on("data", (data) => {
  said += data;
  const port = /WebSocket +ws:\/\/localhost:(\d+)/.exec(said)?.[1];
  if (port != undefined && !started) {
    started = true;
    run(port).then(
      () => process.exit(0),
      (error) => {
        console.error(error, said);
        process.exit(1);
      },
    );
  }
});

function connect(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, [FoxgloveClient.SUPPORTED_SUBPROTOCOL]);
  const client = new FoxgloveClient({ ws: socket });
  client.on("error", (error) => assert.fail(error));
  return client;
}

/** The first event of a kind for which `is` holds. */
function event(client, kind, is = () => true) {
  return new Promise((resolve) => {
    const listener = (value) => {
      if (is(value)) {
        client.off(kind, listener);
        resolve(value);
      }
    };
    client.on(kind, listener);
  });
}

async function run(port) {
  const [viewer, publisher] = [connect(port), connect(port)];
  const [info] = await Promise.all([event(publisher, "serverInfo"), event(viewer, "serverInfo")]);
  assert.equal(info.supportedEncodings[0], "json");
  for (const capability of ["clientPublish", "connectionGraph", "assets"]) {
    assert.ok(info.capabilities.includes(capability), JSON.stringify(info));
  }

  const has = (topic) => (channels) => channels.some((channel) => channel.topic === topic);
  const offered = event(viewer, "advertise", has("/cmd"));
  const changed = event(viewer, "connectionGraphUpdate", ({ publishedTopics }) =>
    publishedTopics.some(({ name, publisherIds }) => name === "/cmd" && publisherIds[0].startsWith("client ")),
  );
  viewer.subscribeConnectionGraph();
  const own = publisher.advertise({ topic: "/cmd", encoding: "json", schemaName: "geometry_msgs/Twist" });
  const channel = (await offered).find(({ topic }) => topic === "/cmd");
  const subscription = viewer.subscribe(channel.id);
  const message = event(viewer, "message", ({ subscriptionId }) => subscriptionId === subscription);
  publisher.sendMessage(own, Buffer.from('{"linear":{"x":1}}'));
  const { data } = await message;
  assert.deepEqual(JSON.parse(new TextDecoder().decode(data)), { linear: { x: 1 } });
  await changed;

  const gone = event(viewer, "unadvertise", (ids) => ids.includes(channel.id));
  publisher.unadvertise(own);
  await gone;

  const answer = event(viewer, "fetchAssetResponse", ({ requestId }) => requestId === 5);
  viewer.fetchAsset("package://data/README.md", 5);
  const asset = await answer;
  assert.equal(asset.status, 0);
  assert.ok(asset.data.byteLength > 100);
}
