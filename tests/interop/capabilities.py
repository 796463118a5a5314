"""Every capability of one server, in every subprotocol, asked by a client of PyPI `websockets` and by that of npm
`@foxglove/ws-protocol` (capabilities.cjs); and what a read-only server makes of the same."""

import asyncio
import base64
import collections
import contextlib
import json
import os
import struct
import tempfile

from mcap.reader import make_reader

from bridge import OLD, PAUSE, PLAY, SDK, TABLE, TESTDATA, Client, check, equal, messages_in, until
from lines import call, failure, response, service, talking

DRIVE = os.path.join(TESTDATA, "drive.mcap")
PROTOCOLS = (OLD, SDK, TABLE)
EVERYTHING = {"time", "clientPublish", "parameters", "parametersSubscribe", "services", "connectionGraph", "assets",
              "playbackControl"}


async def answer_calls(server):
    """The program on stdin: it answers `{"ok":…}` with the same, fails what has `fail`, and leaves all else unanswered."""
    done = 0
    while True:
        for line in server.heard.of("call")[done:]:
            done += 1
            if "fail" in line["data"]:
                await server.write({"op": "response", "id": line["id"], "error": line["data"]["fail"]})
            elif "ok" in line["data"]:
                await server.write({"op": "response", "id": line["id"], "data": line["data"]})
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def everything(*more):
    """A recording with all that clients can ask for; in the end `server.recorded` are the numbers of messages of each topic
    that has been served."""
    with tempfile.TemporaryDirectory() as folder:
        recorded, config = os.path.join(folder, "served.mcap"), os.path.join(folder, "bridge.toml")
        with open(config, "w") as file:
            file.write('[[service]]\nname = "/hangs"\nexec = ["sleep", "60"]\ntimeout = "300ms"\n')
        options = ["--config", config, "--param", "gain:float64=2", "--param", "on=false", "--param", "key:byte_array=AQL/",
                   "--service", "/echo=cat", "--service", "/fails=false", "--assets", f"package://data={TESTDATA}",
                   "--call-timeout", "400ms", "--events", "--record", recorded]
        async with talking(DRIVE, "-", *options, *more) as server:
            await server.write({"op": "service", "name": "/script"},
                               {"op": "parameter", "name": "mode", "value": "auto"})
            answering = asyncio.create_task(answer_calls(server))
            yield server
            answering.cancel()
            server.process.terminate()
            equal(await server.code(), 0, "exit code; " + server.said())
            check("ERROR" not in server.said() and "panicked" not in server.said(), server.said())
            with open(recorded, "rb") as file:
                topics = [channel.topic for _, channel, _ in make_reader(file).iter_messages()]
            server.recorded = collections.Counter(topics)


class Asking:
    """Short forms of what a client asks, each with its answer."""

    def __init__(self, client):
        self.client, self.number = client, 0

    def next(self):
        self.number += 1
        return self.number

    async def say(self, op, **fields):
        await self.client.socket.send(json.dumps({"op": op, **fields}))

    async def text(self, op, is_it, what):
        """The first text of this op for which `is_it` holds."""
        return (await self.client.until(lambda _: [text for text in self.client.texts(op) if is_it(text)], what))[0]

    async def values(self, op, **fields):
        """The parameters in the answer to `getParameters` or `setParameters`, by name."""
        id = f"request {self.next()}"
        await self.say(op, id=id, **fields)
        values = await self.text("parameterValues", lambda text: text.get("id") == id, id)
        return {one["name"]: (one["value"], one.get("type")) for one in values["parameters"]}

    async def changed(self, name, value):
        def is_it(text):
            return "id" not in text and {"name": name, "value": value}.items() <= text["parameters"][0].items()
        await self.text("parameterValues", is_it, f"{name} = {value}")

    async def status(self, level, *words):
        def is_it(text):
            return text["level"] == level and all(word in text["message"] for word in words)
        return await self.text("status", is_it, f"a status of level {level} about {words}")

    async def asset(self, uri):
        number = self.next()
        await self.say("fetchAsset", uri=uri, requestId=number)
        return (await self.client.until(
            lambda events: [e[2] for e in events if e[0] == "asset" and e[1] == number], uri))[0]

    async def respond(self, service, data):
        number = self.next()
        await call(self.client, service, number, data)
        return await response(self.client, number)

    async def fail(self, service, data=b"{}"):
        number = self.next()
        await call(self.client, service, number, data)
        return await failure(self.client, number)

    async def publish(self, channel, payload):
        await self.client.socket.send(struct.pack("<BI", 1, channel) + payload)

    async def fence(self):
        """All that came before has been answered."""
        await (await self.client.socket.ping())


async def parameters(server, one, other):
    everything = {"gain": (2.0, "float64"), "on": (False, None), "key": ("AQL/", "byte_array"), "mode": ("auto", None)}
    got = await one.values("getParameters", parameterNames=[])
    equal({name: got[name] for name in everything}, everything, "all parameters")
    equal(await one.values("getParameters", parameterNames=["on", "none"]), {"on": (False, None)}, "by name")
    # Lichtblick follows each name that it sees, again and again
    for _ in range(2):
        await other.say("subscribeParameterUpdates", parameterNames=["gain", "mode"])
    await other.fence()
    changed = await one.values("setParameters", parameters=[{"name": "gain", "value": 7, "type": "float64"}])
    equal(changed, {"gain": (7.0, "float64")}, "a whole number for a float")
    await other.changed("gain", 7.0)
    await one.values("setParameters", parameters=[{"name": "mode", "value": "manual"}])
    set_by_clients = [(line["name"], line["value"]) for line in await server.heard.until("set_parameter", 2)]
    equal(set_by_clients, [("gain", 7.0), ("mode", "manual")], "what came out at the script")
    await server.write({"op": "parameter", "name": "mode", "value": "script"})
    await other.changed("mode", "script")
    for name, value, kind in [("gain", "high", None), ("none", 1, None), ("key", "\x80*", "byte_array")]:
        said = len(one.client.texts("status"))
        await one.say("setParameters", parameters=[{"name": name, "value": value} | ({"type": kind} if kind else {})])
        await one.client.until(lambda _: len(one.client.texts("status")) > said, f"a refusal of {name}")
    equal((await one.values("getParameters", parameterNames=["key"]))["key"], ("AQL/", "byte_array"), "bytes")
    await other.say("unsubscribeParameterUpdates", parameterNames=["gain"])
    await other.fence()
    await one.values("setParameters", parameters=[{"name": "gain", "value": 3, "type": "float64"}])
    await other.fence()
    changes = [p["value"] for t in other.client.texts("parameterValues") for p in t["parameters"] if p["name"] == "gain"]
    equal(changes, [7.0], "changes of gain")


async def services(server, one):
    echo, fails, hangs, script = [await service(one.client, name) for name in ("/echo", "/fails", "/hangs", "/script")]
    equal(await one.respond(echo, {"x": 1.5}), {"x": 1.5}, "a command")
    equal(await one.fail(fails), "the command failed (exit status: 1)", "a command that fails")
    equal(await one.fail(hangs), "no answer within 0.3 s", "a command that takes too long")
    equal(await one.respond(script, {"ok": [1]}), {"ok": [1]}, "a program")
    equal(await one.fail(script, {"fail": "not now"}), "not now", "a program that refuses")
    equal(await one.fail(script, {}), "/script gave no answer within 400ms", "a program that says nothing")
    check("no service" in await one.fail(4_000_000_000), "an unknown service")


async def publishing(server, one, other):
    """JSON and bytes; they reach the other client and come out."""
    await one.say("advertise", channels=[
        {"id": 1, "topic": "/cmd", "encoding": "json", "schemaName": "geometry_msgs/Twist"},
        {"id": 2, "topic": "/bytes", "encoding": "ros1", "schemaName": "own/Byte", "schema": "uint8 data",
         "schemaEncoding": "ros1msg"}])
    offered = lambda: {channel["topic"]: channel for channel in other.client.channels.values()}
    await other.client.until(lambda _: {"/cmd", "/bytes"} <= offered().keys(), "the channels of a client")
    equal(offered()["/bytes"]["schema"], "uint8 data", "schema")
    await other.client.subscribe([offered()["/cmd"], offered()["/bytes"]])
    await other.fence()
    for channel, topic, payload in ((1, "/cmd", b'{"linear":{"x":1}}'), (2, "/bytes", b"\x07")):
        await one.publish(channel, payload)
        got = await other.client.until(lambda events: [m[2] for m in messages_in(events) if m[0] == topic], topic)
        equal(got, [payload], topic)
        key, expected = ("data", json.loads(payload)) if channel == 1 else ("data_base64", base64.b64encode(payload).decode())
        await until(lambda: [l for _, l in list(server.heard.lines) if l.get("topic") == topic and l.get(key) == expected], topic)


async def graph(one, other):
    """Whole, and then what changes, with all five arrays."""
    # Lichtblick subscribes again in each session
    for _ in range(2):
        await one.say("subscribeConnectionGraph")
    updates = lambda: one.client.texts("connectionGraphUpdate")
    first = (await one.client.until(lambda _: updates(), "the graph"))[0]
    equal(sorted(first), ["advertisedServices", "op", "publishedTopics", "removedServices", "removedTopics",
                          "subscribedTopics"], "fields")
    published, subscribed, services = [
        {edge["name"]: edge[ids] for edge in first[key]} for key, ids in (
            ("publishedTopics", "publisherIds"), ("subscribedTopics", "subscriberIds"), ("advertisedServices", "providerIds"))]
    equal(published["/tf"], ["drive.mcap"], "who publishes /tf")
    check(published["/cmd"][0].startswith("client "), published["/cmd"])
    check(subscribed["/cmd"][0].startswith("client "), subscribed)
    check({"/echo", "/script", "/playback/play"} <= services.keys(), services)
    await one.say("unadvertise", channelIds=[2])
    await other.client.until(lambda _: other.client.texts("unadvertise"), "the end of a channel")
    await one.client.until(lambda _: "/bytes" in updates()[-1]["removedTopics"], "its end in the graph")
    for update in updates():
        equal(sorted(update), sorted(first), "fields")
    await one.say("unsubscribeConnectionGraph")


async def playback(one, protocol):
    """By requests for who knows them, and by a service and a parameter for everybody."""
    play, pause = [await service(one.client, f"/playback/{name}") for name in ("play", "pause")]
    equal((await one.respond(play, {}))["status"], "playing", "played by a service")
    await one.client.until(lambda events: [m for m in messages_in(events) if m[0] == "/vehicle/state"], "messages")
    equal((await one.values("setParameters", parameters=[{"name": "playback.paused", "value": True}])),
          {"playback.paused": (True, None)}, "paused by a parameter")
    equal((await one.respond(pause, {}))["status"], "paused", "paused by a service")
    if protocol == OLD:
        equal([event for event in one.client.events if event[0] == "state"], [], "states for who asked for none")
    info = one.client.texts("serverInfo")[-1]
    start = info["dataStartTime"]["sec"] * 10**9 + info["dataStartTime"]["nsec"]
    name = await one.client.control(PLAY, 2.0, start + 10**9)
    state = one.client.events[await one.client.answer(name)][1]
    equal((state["status"], state["speed"], state["seek"]), (PLAY, 2.0, 1), "the state after a request")
    name = await one.client.control(PAUSE)
    equal(one.client.events[await one.client.answer(name)][1]["status"], PAUSE, "the state after a request")


async def looking(one):
    """What a read-only server does as well."""
    readme = os.path.join(TESTDATA, "README.md")
    with open(readme, "rb") as file:
        equal(await one.asset("package://data/README.md"), file.read(), "an asset")
    check("no such file" in await one.asset("package://data/none.stl"), "an asset that is missing")
    await one.say("unsubscribe", subscriptionIds=[12345])
    await one.status(1, "12345")
    await one.client.socket.send("nonsense")
    await one.status(2, "JSON")


async def capabilities():
    for protocol in PROTOCOLS:
        async with everything("--start-paused") as server:
            topics = ["/vehicle/state", "/tf"]
            one, other = [Asking(await Client.connect(server, protocol, topics=topics)) for _ in range(2)]
            info = (await one.client.until(lambda _: one.client.texts("serverInfo"), "serverInfo"))[0]
            equal((one.client.socket.subprotocol, set(info["capabilities"])), (protocol, EVERYTHING), "capabilities")
            equal(info["supportedEncodings"][0], "json", "the encoding that Lichtblick chooses")
            await one.client.until(lambda _: "/tf" in {c["topic"] for c in one.client.channels.values()}, "channels")
            tf = next(c for c in one.client.channels.values() if c["topic"] == "/tf")
            equal((tf["schemaName"], tf["encoding"]), ("foxglove.FrameTransforms", "protobuf"), "schema of /tf")
            check(base64.b64decode(tf["schema"], validate=True), tf)
            await looking(one)
            await parameters(server, one, other)
            await services(server, one)
            await publishing(server, one, other)
            await graph(one, other)
            await playback(one, protocol)
        served = server.recorded
        check(served["/vehicle/state"] > 0 and served["/cmd"] == served["/bytes"] == 1, served)


async def read_only():
    """What looks goes on; what acts is refused, each in its form. With the same of the npm client."""
    for protocol in PROTOCOLS:
        async with everything("--start-on", "launch", "--read-only") as server:
            one = Asking(await Client.connect(server, protocol, topics=["/vehicle/state"]))
            await one.client.until(messages_in, "messages")
            info = one.client.texts("serverInfo")[0]
            equal(set(info["capabilities"]), {"time", "parameters", "parametersSubscribe", "connectionGraph", "assets"},
                  "capabilities")
            await looking(one)
            equal((await one.values("getParameters", parameterNames=["gain"])), {"gain": (2.0, "float64")}, "gain")
            await one.say("subscribeParameterUpdates", parameterNames=["mode"])
            await one.fence()
            await server.write({"op": "parameter", "name": "mode", "value": "script"})
            await one.changed("mode", "script")
            await one.say("subscribeConnectionGraph")
            await one.client.until(lambda _: one.client.texts("connectionGraphUpdate"), "the graph")

            refused = "this server is read-only"
            changed = await one.values("setParameters", parameters=[{"name": "gain", "value": 7, "type": "float64"}])
            equal(changed, {"gain": (2.0, "float64")}, "what holds")
            await one.status(2, "setParameters", refused)
            for number in (1, 4_000_000_000):
                check(refused in await one.fail(number), "a service")
            equal(one.client.texts("advertiseServices"), [], "services")
            name = await one.client.control(PLAY)
            await one.status(2, name, refused)
            await one.say("advertise", channels=[{"id": 1, "topic": "/cmd", "encoding": "json", "schemaName": ""}])
            await one.publish(1, b"{}")
            await one.say("unadvertise", channelIds=[1])
            for what in ("advertise: channel 1", "message on channel 1", "unadvertise: channel 1"):
                await one.status(2, what, refused)
            equal(len(one.client.texts("status")), 7, "statuses")
            await node(server, protocol, "read-only")
            equal(server.heard.of("set_parameter") + server.heard.of("call"), [], "what came out at the script")


async def capabilities_npm():
    for protocol in PROTOCOLS:
        async with everything("--start-on", "launch") as server:
            await node(server, protocol)


async def node(server, *arguments):
    """The same asked by the npm client."""
    script = os.path.join(os.path.dirname(__file__), "capabilities.cjs")
    process = await asyncio.create_subprocess_exec(
        "node", script, str(server.port), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 180)
        equal(process.returncode, 0, f"{arguments}: {said.decode()} {server.said()}; exit code")
    finally:
        if process.returncode is None:
            process.kill()


TRIALS = dict(capabilities=capabilities, capabilities_npm=capabilities_npm, capabilities_read_only=read_only)
