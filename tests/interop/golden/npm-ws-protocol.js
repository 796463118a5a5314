// Records what npm @foxglove/ws-protocol sends, as a client and as a server, over local sockets.
//
//     npm install && node npm-ws-protocol.js > ../../../testdata/wire/npm-ws-protocol-0.8.0.json
"use strict";

const { FoxgloveClient, FoxgloveServer, StatusLevel, FetchAssetStatus } = require("@foxglove/ws-protocol");
const { WebSocket, WebSocketServer } = require("ws");

const frames = [];

/** Why frames can't be equal byte for byte: decided here, where the writer is known. */
const JSON_EQUALITY = {
  advertise_channel:
    "the server appends the id after the fields of the channel; the SDK puts it first, and so do we",
  advertise_services:
    "the server appends the id after the fields of the service; the SDK puts it first, and so do we",
};

function record(name, direction, data, isBinary) {
  const frame = { name, direction, kind: isBinary ? "binary" : "text" };
  frame.data = data.toString(isBinary ? "hex" : "utf8");
  const key = Object.keys(JSON_EQUALITY).find((prefix) => direction === "server" && name.startsWith(prefix));
  if (key) {
    frame.text_equality = "json";
    frame.reason = JSON_EQUALITY[key];
  }
  frames.push(frame);
}

/** Turns a socket into a function that resolves with its next message. */
function inbox(socket) {
  const waiting = [];
  const messages = [];
  socket.on("message", (data, isBinary) => {
    const message = { data, isBinary };
    waiting.length > 0 ? waiting.shift()(message) : messages.push(message);
  });
  return () => (messages.length > 0 ? messages.shift() : new Promise((resolve) => waiting.push(resolve)));
}

const event = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));
const bytes = (...values) => Uint8Array.from(values);
const utf8 = (text) => new TextEncoder().encode(text);

async function recordClient() {
  const listener = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await event(listener, "listening");
  const connected = event(listener, "connection");
  const socket = new WebSocket(`ws://127.0.0.1:${listener.address().port}`, [
    FoxgloveClient.SUPPORTED_SUBPROTOCOL,
  ]);
  const client = new FoxgloveClient({ ws: socket });
  const next = inbox(await connected);
  if (socket.readyState !== WebSocket.OPEN) {
    await new Promise((resolve) => client.on("open", resolve));
  }
  const say = async (name, action) => {
    action();
    const { data, isBinary } = await next();
    record(name, "client", data, isBinary);
  };

  await say("subscribe", () => client.subscribe(7));
  await say("subscribe_largest_channel_id", () => client.subscribe(4294967295));
  await say("unsubscribe", () => client.unsubscribe(1));
  await say("advertise", () => client.advertise({ topic: "/cmd", encoding: "json", schemaName: "Cmd" }));
  await say("advertise_with_schema", () =>
    client.advertise({
      topic: "/cmd \"µ\"",
      encoding: "ros1",
      schemaName: "std_msgs/String",
      schemaEncoding: "ros1msg",
      schema: "string data\n",
    }),
  );
  await say("unadvertise", () => client.unadvertise(2));
  await say("message_data", () => client.sendMessage(1, utf8('{"v":1}')));
  await say("message_data_empty", () => client.sendMessage(1, bytes()));
  await say("get_parameters", () => client.getParameters(["/a", "/b"], "req-1"));
  await say("get_parameters_all_without_id", () => client.getParameters([], undefined));
  await say("set_parameters", () =>
    client.setParameters(
      [
        { name: "/int", value: 7 },
        { name: "/integral_float", type: "float64", value: 7 },
        { name: "/float", type: "float64", value: 0.1 },
        { name: "/floats", type: "float64_array", value: [1, 2.5, -3] },
        { name: "/bytes", type: "byte_array", value: "AP8Q" },
        { name: "/text", value: "a\nb" },
        { name: "/flag", value: true },
        { name: "/nested", value: { a: [{ b: [] }, "x", false, { c: 1.5 }], d: {} } },
        { name: "/removed" },
      ],
      "req-2",
    ),
  );
  await say("set_parameters_without_id", () => client.setParameters([{ name: "/undefined", value: undefined }]));
  await say("subscribe_parameter_updates", () => client.subscribeParameterUpdates(["/a"]));
  await say("unsubscribe_parameter_updates", () => client.unsubscribeParameterUpdates(["/a", "/b"]));
  await say("service_call_request", () =>
    client.sendServiceCallRequest({ serviceId: 3, callId: 1, encoding: "json", data: utf8('{"on":true}') }),
  );
  await say("service_call_request_empty", () =>
    client.sendServiceCallRequest({ serviceId: 3, callId: 4294967295, encoding: "", data: bytes() }),
  );
  await say("subscribe_connection_graph", () => client.subscribeConnectionGraph());
  await say("unsubscribe_connection_graph", () => client.unsubscribeConnectionGraph());
  await say("fetch_asset", () => client.fetchAsset("package://robot/arm.stl", 4294967295));

  client.close();
  listener.close();
}

async function recordServer() {
  const server = new FoxgloveServer({
    name: "golden",
    capabilities: ["clientPublish", "time", "parameters", "parametersSubscribe", "services", "assets", "someday"],
    supportedEncodings: ["json", "ros1"],
    metadata: { ROS_DISTRO: "humble", key: "value" },
    sessionId: "session-1",
  });
  const plain = new FoxgloveServer({ name: "plain", sessionId: "session-2" });
  const listener = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: (protocols) => server.handleProtocols(protocols),
  });
  await event(listener, "listening");
  const url = `ws://127.0.0.1:${listener.address().port}`;

  const connect = async (to) => {
    const connected = event(listener, "connection");
    const socket = new WebSocket(url, [FoxgloveServer.SUPPORTED_SUBPROTOCOL]);
    const next = inbox(socket);
    const connection = await connected;
    to.handleConnection(connection, "client");
    const hear = async (name, action) => {
      action?.();
      const { data, isBinary } = await next();
      record(name, "server", data, isBinary);
    };
    return { socket, connection, hear };
  };

  const other = await connect(plain);
  await other.hear("server_info_minimal");
  other.socket.close();

  const { socket, connection, hear } = await connect(server);
  await hear("server_info");
  let json, protobuf;
  await hear("advertise_channel_json", () => {
    json = server.addChannel({
      topic: "/pose",
      encoding: "json",
      schemaName: "Pose",
      schema: '{"type":"object"}',
      schemaEncoding: "jsonschema",
    });
  });
  await hear("advertise_channel_without_schema_encoding", () => {
    protobuf = server.addChannel({ topic: "/p", encoding: "protobuf", schemaName: "P", schema: "CgA=" });
  });
  await hear("unadvertise", () => server.removeChannel(protobuf));

  const subscribed = new Promise((resolve) => server.on("subscribe", resolve));
  const subscribe = { op: "subscribe", subscriptions: [{ id: 12, channelId: json }] };
  socket.send(JSON.stringify(subscribe));
  await subscribed;
  await hear("message_data", () => server.sendMessage(json, 1490149580103843113n, utf8('{"x":1}')));
  await hear("message_data_empty", () => server.sendMessage(json, 18446744073709551615n, bytes()));
  await hear("time", () => server.broadcastTime(1490149580103843113n));
  await hear("status_already_subscribed", () => socket.send(JSON.stringify(subscribe)));
  await hear("status_info", () => server.sendStatus({ level: StatusLevel.INFO, message: "hello \"µ\"" }));
  await hear("status_with_id", () =>
    server.sendStatus({ level: StatusLevel.WARNING, message: "slow", id: "s-1" }, connection),
  );
  await hear("remove_status", () => server.removeStatus(["s-1", "s-2"]));
  await hear("parameter_values", () =>
    server.publishParameterValues(
      [
        { name: "/int", value: 7 },
        { name: "/integral_float", type: "float64", value: 7 },
        { name: "/text", value: "x" },
      ],
      "req-1",
      connection,
    ),
  );
  await hear("parameter_values_updated", () => server.updateParameterValues([]));
  let service;
  await hear("advertise_services", () => {
    const schema = { schemaEncoding: "jsonschema", schema: '{"type":"object"}' };
    service = server.addService({
      name: "/set",
      type: "Set",
      request: { encoding: "json", schemaName: "SetRequest", ...schema },
      response: { encoding: "json", schemaName: "SetResponse", ...schema },
    });
  });
  let old;
  await hear("advertise_services_old_style", () => {
    old = server.addService({ name: "/old", type: "Old", requestSchema: "bool on", responseSchema: "" });
  });
  await hear("unadvertise_services", () => server.removeService(old));
  await hear("service_call_response", () =>
    server.sendServiceCallResponse(
      { serviceId: service, callId: 9, encoding: "json", data: utf8('{"ok":true}') },
      connection,
    ),
  );
  await hear("service_call_failure", () =>
    server.sendServiceCallFailure(
      { op: "serviceCallFailure", serviceId: service, callId: 9, message: "no" },
      connection,
    ),
  );
  await hear("fetch_asset_response", () =>
    server.sendFetchAssetResponse(
      { requestId: 5, status: FetchAssetStatus.SUCCESS, data: bytes(0, 1, 254, 255) },
      connection,
    ),
  );
  await hear("fetch_asset_response_error", () =>
    server.sendFetchAssetResponse({ requestId: 6, status: FetchAssetStatus.ERROR, error: "not found: µ" }, connection),
  );
  socket.close();
  listener.close();
}

(async () => {
  await recordClient();
  await recordServer();
  const lines = frames.map((frame) => `    ${JSON.stringify(frame)}`).join(",\n");
  process.stdout.write(`{\n  "writer": "npm @foxglove/ws-protocol 0.8.0",\n  "frames": [\n${lines}\n  ]\n}\n`);
})();
