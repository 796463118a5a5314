// The client of npm `@foxglove/ws-protocol` asks for every capability: `node capabilities.cjs PORT SUBPROTOCOL [read-only]`,
// of the server that capabilities.py starts.
"use strict";

const assert = require("node:assert/strict");
const { FoxgloveClient } = require("@foxglove/ws-protocol");
const WebSocket = require("ws");

const [port, subprotocol, access] = process.argv.slice(2);
setTimeout(() => assert.fail(`waits for: ${[...waiting].join(", ")}`), 150_000).unref();

const waiting = new Set();
/** The first event of a kind for which `is` holds, and what is done once it is awaited. */
function event(client, kind, is = () => true, what = `${kind} ${is}`) {
  waiting.add(what);
  return new Promise((resolve) => {
    const listener = (value) => {
      if (is(value)) {
        client.off(kind, listener);
        waiting.delete(what);
        resolve(value);
      }
    };
    client.on(kind, listener);
  });
}

function connect() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, [subprotocol]);
  const client = new FoxgloveClient({ ws: socket });
  // of newer subprotocols it knows no playback state
  const known = subprotocol === FoxgloveClient.SUPPORTED_SUBPROTOCOL ? /^$/ : /opcode in binary message: 5$/;
  client.on("error", (error) => assert.match(error.message, known));
  return client;
}

const text = (data) => new TextDecoder().decode(data);
const json = (value) => Buffer.from(JSON.stringify(value));
let last = 0;

async function values(client, ask) {
  const id = `request ${++last}`;
  const answer = event(client, "parameterValues", (values) => values.id === id);
  ask(id);
  return Object.fromEntries((await answer).parameters.map(({ name, value }) => [name, value]));
}

/** The JSON of a response, or the text of the failure. */
async function call(client, serviceId, request) {
  const callId = ++last;
  const is = (answer) => answer.callId === callId;
  const answer = Promise.race([
    event(client, "serviceCallResponse", is).then(({ data }) => JSON.parse(text(data))),
    event(client, "serviceCallFailure", is).then(({ message }) => message),
  ]);
  client.sendServiceCallRequest({ serviceId, callId, encoding: "json", data: json(request) });
  return await answer;
}

async function fetchAsset(client, uri) {
  const requestId = ++last;
  const answer = event(client, "fetchAssetResponse", (response) => response.requestId === requestId);
  client.fetchAsset(uri, requestId);
  return await answer;
}

/** Does something that is answered by a status. */
async function refused(client, level, message, act) {
  const status = event(client, "status", (status) => status.level === level && message.test(status.message), `${message}`);
  act();
  await status;
}

/** What a read-only server does as well. */
async function look(client, channels) {
  const state = channels.find(({ topic }) => topic === "/vehicle/state");
  const subscription = client.subscribe(state.id);
  const message = await event(client, "message", ({ subscriptionId }) => subscriptionId === subscription);
  assert.equal(typeof JSON.parse(text(message.data)), "object");
  client.unsubscribe(subscription);
  await refused(client, 1, new RegExp(`${subscription}`), () => client.unsubscribe(subscription));

  const all = await values(client, (id) => client.getParameters([], id));
  assert.deepEqual({ gain: all.gain, on: all.on, key: all.key }, { gain: 2, on: false, key: "AQL/" });
  const asset = await fetchAsset(client, "package://data/README.md");
  assert.ok(asset.status === 0 && asset.data.byteLength > 100);
  const missing = await fetchAsset(client, "package://data/none.stl");
  assert.ok(missing.status === 1 && /no such file/.test(missing.error), JSON.stringify(missing));

  const graph = event(client, "connectionGraphUpdate");
  client.subscribeConnectionGraph();
  const { publishedTopics, subscribedTopics, advertisedServices, removedTopics, removedServices } = await graph;
  for (const array of [publishedTopics, subscribedTopics, advertisedServices, removedTopics, removedServices]) {
    assert.ok(Array.isArray(array));
  }
  assert.deepEqual(publishedTopics.find(({ name }) => name === "/tf").publisherIds, ["drive.mcap"]);
}

async function actInVain(client) {
  const answer = values(client, (id) => client.setParameters([{ name: "gain", value: 5, type: "float64" }], id));
  await refused(client, 2, /setParameters: this server is read-only/, () => {});
  assert.deepEqual(await answer, { gain: 2 });
  assert.equal(await call(client, 1, {}), "this server is read-only");
  let channel;
  const advertise = () => (channel = client.advertise({ topic: "/cmd", encoding: "json", schemaName: "" }));
  await refused(client, 2, /^advertise: .*read-only/, advertise);
  await refused(client, 2, /^message on .*read-only/, () => client.sendMessage(channel, json({})));
  await refused(client, 2, /^unadvertise: .*read-only/, () => client.unadvertise(channel));
}

async function act(client, other, services, channels) {
  const service = (name) => services.find((service) => service.name === name).id;
  assert.deepEqual(await call(client, service("/echo"), { x: 1.5 }), { x: 1.5 });
  assert.match(await call(client, service("/fails"), {}), /exit status: 1/);
  assert.equal(await call(client, service("/hangs"), {}), "no answer within 0.3 s");
  assert.deepEqual(await call(client, service("/script"), { ok: [1] }), { ok: [1] });
  assert.equal(await call(client, service("/script"), { fail: "not now" }), "not now");
  assert.equal(await call(client, service("/script"), {}), "/script gave no answer within 400ms");
  assert.match(await call(client, 4_000_000_000, {}), /no service/);

  const followed = event(other, "parameterValues", ({ id, parameters }) => id == undefined && parameters[0].value === 7);
  other.subscribeParameterUpdates(["gain"]);
  // answered once it follows
  await values(other, (id) => other.getParameters(["gain"], id));
  const set = await values(client, (id) => client.setParameters([{ name: "gain", value: 7, type: "float64" }], id));
  assert.deepEqual(set, { gain: 7 });
  await followed;
  let told = 0;
  other.on("parameterValues", ({ id }) => (told += id == undefined ? 1 : 0));
  other.unsubscribeParameterUpdates(["gain"]);
  await values(other, (id) => other.getParameters(["gain"], id));
  await values(client, (id) => client.setParameters([{ name: "gain", value: 8, type: "float64" }], id));
  await values(other, (id) => other.getParameters(["gain"], id));
  assert.equal(told, 0, "changes after the end");

  const removed = [];
  for (const [topic, encoding, payload] of [["/cmd", "json", '{"x":1}'], ["/bytes", "ros1", "\x07"]]) {
    const offered = event(other, "advertise", (channels) => channels.some((channel) => channel.topic === topic));
    const schema = encoding === "ros1" ? { schema: "uint8 data", schemaEncoding: "ros1msg" } : {};
    const own = client.advertise({ topic, encoding, schemaName: encoding === "ros1" ? "own/Byte" : "", ...schema });
    const subscription = other.subscribe((await offered).find((channel) => channel.topic === topic).id);
    const message = event(other, "message", ({ subscriptionId }) => subscriptionId === subscription);
    client.sendMessage(own, Buffer.from(payload));
    assert.equal(text((await message).data), payload);
    removed.push(event(client, "connectionGraphUpdate", ({ removedTopics }) => removedTopics.includes(topic)));
    client.unadvertise(own);
  }
  await Promise.all(removed);
  client.unsubscribeConnectionGraph();

  assert.equal((await call(client, service("/playback/play"), {})).status, "playing");
  const subscription = client.subscribe(channels.find(({ topic }) => topic === "/tf").id);
  const messages = ["message", "time"].map((kind) => event(client, kind, (event) => event.subscriptionId ?? true));
  await Promise.all(messages);
  client.unsubscribe(subscription);
  const paused = await values(client, (id) => client.setParameters([{ name: "playback.paused", value: true }], id));
  assert.deepEqual(paused, { "playback.paused": true });
}

async function main() {
  const [client, other] = [connect(), connect()];
  const advertised = event(client, "advertise");
  const offered = access ? undefined : event(client, "advertiseServices", (services) => services.some(({ name }) => name === "/script"));
  let services = [];
  client.on("advertiseServices", (more) => (services = services.concat(more)));
  const [info] = await Promise.all([event(client, "serverInfo"), event(other, "serverInfo")]);
  assert.equal(info.capabilities.includes("services"), !access);
  const channels = await advertised;
  await offered;
  await look(client, channels);
  await (access ? actInVain(client) : act(client, other, services, channels));
  client.close();
  other.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
