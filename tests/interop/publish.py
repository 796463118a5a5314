"""What clients do beside watching: publish, follow the connection graph, fetch assets; and the first messages of live topics."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import tempfile
import time

import websockets
from mcap.reader import make_reader
from mcap.writer import Writer

import http_api
from bridge import OLD, SDK, TESTDATA, Recording, check, equal, serving, until

ENCODINGS = ["json", "protobuf", "ros1", "cdr", "flatbuffer"]
SECOND = 10**9


def drive():
    return os.path.join(TESTDATA, "drive.mcap")


class Peer:
    """A client that publishes, follows and fetches. `events`: ("message", topic, log time, payload), ("time", t) and texts
    by their op; `assets`: what came for a request, bytes or the text of an error."""

    def __init__(self, socket, topics):
        self.socket, self.topics = socket, topics
        self.info, self.channels, self.subscribed, self.events, self.assets = None, {}, {}, [], {}
        self.task = asyncio.create_task(self.read())

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, server, *protocols, topics=()):
        """`topics`: what is subscribed to as soon as it is advertised; None: everything."""
        connection = await websockets.connect(
            f"ws://127.0.0.1:{server.port}", subprotocols=protocols or (SDK,), max_size=None, compression=None)
        peer = cls(connection, topics)
        try:
            await until(lambda: peer.info, "a server info")
            yield peer
        finally:
            await connection.close()
            await peer.task

    async def read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for frame in self.socket:
                if isinstance(frame, str):
                    await self.on_text(json.loads(frame))
                elif frame[0] == 1:
                    subscription, log_time = struct.unpack_from("<IQ", frame, 1)
                    self.events.append(("message", self.subscribed[subscription], log_time, frame[13:]))
                elif frame[0] == 2:
                    self.events.append(("time", struct.unpack_from("<Q", frame, 1)[0]))
                elif frame[0] == 4:
                    request, failed, length = struct.unpack_from("<IBI", frame, 1)
                    check(request not in self.assets, "two answers to request", request)
                    message = frame[10:10 + length].decode()
                    self.assets[request] = message if failed else frame[10 + length:]

    async def on_text(self, text):
        self.events.append((text["op"], text))
        if text["op"] == "serverInfo":
            self.info = text
        elif text["op"] == "advertise":
            new = [c for c in text["channels"] if c["id"] not in self.channels]
            self.channels.update((channel["id"], channel) for channel in text["channels"])
            for channel in new:
                if self.topics is None or channel["topic"] in self.topics:
                    await self.subscribe(channel)
        elif text["op"] == "unadvertise":
            for channel in text["channelIds"]:
                self.channels.pop(channel)

    async def say(self, op, **more):
        await self.socket.send(json.dumps({"op": op, **more}))

    async def fence(self):
        """The server has read all that this client has sent."""
        await (await self.socket.ping())

    async def subscribe(self, channel):
        number = len(self.subscribed)
        self.subscribed[number] = channel["topic"]
        await self.say("subscribe", subscriptions=[{"id": number, "channelId": channel["id"]}])

    async def advertise(self, number, topic, encoding="json", schema="", **more):
        channel = {"id": number, "topic": topic, "encoding": encoding, "schemaName": schema, **more}
        await self.say("advertise", channels=[channel])

    async def publish(self, number, payload):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self.socket.send(struct.pack("<BI", 1, number) + payload)

    async def fetch(self, uri, request):
        await self.say("fetchAsset", uri=uri, requestId=request)

    async def fetched(self, uri, request):
        await self.fetch(uri, request)
        return await until(lambda: self.assets.get(request), f"an answer about {uri}")

    def texts(self, op):
        return [event[1] for event in self.events if event[0] == op]

    def messages(self, topic):
        return [event[1:] for event in self.events if event[0] == "message" and event[1] == topic]

    def times(self):
        return [event[1] for event in self.events if event[0] == "time"]

    def offered(self, topic):
        """The id of a channel on a topic."""
        return next((channel["id"] for channel in self.channels.values() if channel["topic"] == topic), None)


async def published():
    """Whatever is served, what one client publishes reaches the others, with the time of what is served."""
    with tempfile.TemporaryDirectory() as folder:
        for sources, writes, lowest, highest in [
            ([drive()], None, *range_of(drive())),
            ([drive(), "-", "--shift", "now"], "now", None, None),
            (["-"], "now", None, None),
            (["-"], 100, 100 * SECOND, 110 * SECOND),
            (["tcp-listen://127.0.0.1:0"], None, None, None),
        ]:
            path = os.path.join(folder, f"{len(os.listdir(folder))}.mcap")
            async with serving(*sources, "--record", path, stdin="pipe") as server:
                await one_publishes(server, writes, lowest, highest)
                server.process.terminate()
                equal(await server.code(), 0, "exit code; " + server.said())
            with open(path, "rb") as file:
                recorded = [message.data for _, channel, message in make_reader(file).iter_messages("/cmd")]
            equal(recorded, [json.dumps({"n": n}).encode() for n in range(20)], f"recorded of {sources}")


def range_of(path):
    times = Recording(path).times
    return times[0], times[-1]


async def one_publishes(server, writes, lowest, highest):
    began = time.time_ns()
    async with Peer.at(server, OLD, topics=None) as viewer, Peer.at(server, topics=None) as own:
        check("clientPublish" in own.info["capabilities"], own.info)
        equal(own.info["supportedEncodings"], ENCODINGS, "encodings")
        await own.advertise(7, "/cmd")
        for number in range(20):
            if writes:
                moment = {"log_time": writes + number / 4} if writes != "now" else {}
                await server.write({"topic": "/input", **moment, "data": {"n": number}})
            if number in (0, 1):
                # the first one must not depend on who has subscribed
                await until(lambda: viewer.offered("/cmd"), "the channel")
                await viewer.fence()
                await asyncio.sleep(0.3 if writes else 0.1)
            await own.publish(7, {"n": number})
            await asyncio.sleep(0.03)
        await until(lambda: len(viewer.messages("/cmd")) == 20, "what was published")
        got = viewer.messages("/cmd")
        equal([json.loads(payload)["n"] for _, _, payload in got], list(range(20)), "in order")
        equal(own.messages("/cmd"), [], "its own messages")
        lowest, highest = lowest or began - SECOND, highest or time.time_ns() + SECOND
        for kind, *event in viewer.events:
            if kind in ("message", "time"):
                at = event[1] if kind == "message" else event[0]
                check(lowest <= at <= highest, kind, "at", at, "not between", lowest, "and", highest)
        equal(viewer.times(), sorted(viewer.times()), "times")
        equal(len(viewer.texts("serverInfo")), 1, "sessions")


async def publish_forms():
    """Channels of the server, others beside them, schemas that the server knows, and what is refused."""
    async with serving("-", "--on-eof", "keep", stdin="pipe") as server:
        async with Peer.at(server) as own, Peer.at(server, topics=None) as viewer:
            await server.write(
                {"op": "schema", "name": "Pose", "schema": {"type": "object", "properties": {"x": {"type": "number"}}}},
                {"op": "channel", "topic": "/pose", "schema": "Pose"}, {"topic": "/plain", "data": {"a": 1}},
                {"topic": "/log", "schema": "foxglove.Log", "data": {"message": "hi"}})
            await until(lambda: viewer.offered("/log"), "the input's channels")
            before = set(viewer.channels)
            await own.advertise(1, "/plain")
            await own.advertise(2, "/pose", schema="Pose")
            await own.advertise(3, "/log", "protobuf", "foxglove.Log")
            await own.publish(1, {"a": 2})
            await until(lambda: len(viewer.messages("/plain")) == 2, "a message on the input's channel")
            await asyncio.sleep(0.2)
            equal(set(viewer.channels), before, "channels")
            await own.advertise(4, "/log", "json", "foxglove.Log")
            await own.advertise(5, "/unknown", "json", "my/Type")
            await own.advertise(6, "/grid", "json", "foxglove.Grid")
            topics = "/log#2", "/unknown", "/grid"
            await until(lambda: all(map(viewer.offered, topics)), "others beside them")
            await until(lambda: own.texts("status"), "the name")
            [status] = own.texts("status")
            check(status["level"] == 0 and status["message"].endswith("/log#2"), status)
            equal(viewer.texts("status"), [], "status of others")
            told = await asyncio.to_thread(http_api.ask_now, server.port, "GET", "/api/topics")
            from_client = {topic["topic"] for topic in told.json()["topics"] if topic["from_client"]}
            equal(from_client, set(topics), "topics of clients")
            log, unknown, grid = (viewer.channels[viewer.offered(topic)] for topic in topics)
            equal((grid["schemaName"], grid["schemaEncoding"]), ("foxglove.Grid", "jsonschema"), "schema")
            check(json.loads(grid["schema"])["properties"], grid["schema"])
            for channel in (unknown, log):
                equal((channel["schemaName"], channel["schema"]), ("", '{"type":"object"}'), "no second definition")
            for number, (topic, encoding, reason) in enumerate([
                ("", "json", "the topic is empty"), ("t" * 1025, "json", "1025 bytes"), ("/x", "cbor", "cbor"),
            ]):
                said = len(own.texts("status"))
                await own.advertise(100 + number, topic, encoding)
                await until(lambda: len(own.texts("status")) > said, "a refusal")
                last = own.texts("status")[-1]
                check(last["level"] == 2 and reason in last["message"], last)
            await own.publish(555, {})
            await until(lambda: "555" in own.texts("status")[-1]["message"], "an unknown channel")
            # more than a client may have
            said = len(own.texts("status"))
            await own.say("advertise", channels=[
                {"id": 1000 + n, "topic": f"/many/{n}", "encoding": "json", "schemaName": ""} for n in range(1100)])
            await until(lambda: len(own.texts("status")) >= said + 100, "channels beyond the bound")


async def publish_again():
    """Taken back and advertised again at once, as Lichtblick does: the same channel. It goes two seconds after its end."""
    async with serving("tcp-listen://127.0.0.1:0") as server, Peer.at(server, topics=None) as viewer:
        async with Peer.at(server) as own:
            for number in range(1, 6):
                await own.advertise(number, "/cmd", schema="geometry_msgs/Twist")
                await own.publish(number, {"n": number})
                await own.say("unadvertise", channelIds=[number])
                await asyncio.sleep(0.2)
            await until(lambda: len(viewer.messages("/cmd")) == 5, "messages")
            equal((len(viewer.texts("unadvertise")), viewer.offered("/cmd") is not None), (0, True), "taken back")
            began = time.monotonic()
            await until(lambda: viewer.offered("/cmd") is None, "the end of the channel")
            check(1 < time.monotonic() - began < 20, "after", time.monotonic() - began, "s")
            await own.advertise(9, "/cmd")
            await until(lambda: viewer.offered("/cmd"), "the channel again")
        left = viewer.offered("/cmd")
        # it goes five seconds after its client
        await asyncio.sleep(2)
        async with Peer.at(server) as own:
            await own.advertise(1, "/cmd")
            await own.publish(1, {})
            await asyncio.sleep(4)
            equal(viewer.offered("/cmd"), left, "the channel of one that came back")
            await until(lambda: len(viewer.messages("/cmd")) == 6, "messages")


async def publish_flood():
    """A client that publishes as fast as it can harms neither memory nor other clients."""
    async with serving("tcp-listen://127.0.0.1:0", "--client-buffer", "1MiB") as server:
        async with Peer.at(server) as own, Peer.at(server, topics=None) as viewer:
            slow = await websockets.connect(f"ws://127.0.0.1:{server.port}", subprotocols=[SDK], max_queue=1)
            await own.advertise(1, "/flood")
            await until(lambda: viewer.offered("/flood"), "the channel")
            channel = viewer.offered("/flood")
            await slow.send(json.dumps({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": channel}]}))
            for _ in range(3000):
                await own.publish(1, bytes(100_000))
            await until(lambda: viewer.messages("/flood"), "messages")
            with open(f"/proc/{server.process.pid}/status") as file:
                peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            check(peak < 120_000, "memory:", peak, "kB")
            slow.transport.abort()


async def first_messages():
    """A line of a topic that nobody announced reaches viewers that are there, once."""
    async with serving("-", "tcp-listen://127.0.0.1:0", stdin="pipe") as server:
        port = int(server.said().split("tcp-listen://127.0.0.1:")[1].split()[0].rstrip(",)"))
        async with Peer.at(server, topics=None) as viewer, Peer.at(server, OLD, topics=None) as other:
            await server.write({"topic": "/stdin", "data": {"n": 1}}, {"topic": "/stdin", "data": {"n": 2}})
            for number in range(30):
                with socket.create_connection(("127.0.0.1", port)) as writer:
                    writer.sendall(json.dumps({"topic": f"/once/{number}", "data": {"n": number}}).encode() + b"\n")
            for peer in (viewer, other):
                topics = ["/stdin", *(f"/once/{number}" for number in range(30))]
                await until(lambda: all(peer.messages(topic) for topic in topics), "first messages")
            await server.write({"topic": "/stdin", "data": {"n": 3}})
            await until(lambda: len(viewer.messages("/stdin")) == 3, "the next one")
            await asyncio.sleep(0.5)
            for peer in (viewer, other):
                equal([json.loads(m[2])["n"] for m in peer.messages("/stdin")], [1, 2, 3], "in order, each once")
                equal([len(peer.messages(topic)) for topic in topics[1:]], [1] * 30, "each once")
            await asyncio.sleep(2)
            async with Peer.at(server, topics=None) as late:
                await until(lambda: late.offered("/stdin"), "channels")
                await asyncio.sleep(0.3)
                equal(late.messages("/stdin"), [], "what is older")


async def graph():
    """Who publishes and who subscribes; an update has all five arrays and what changed."""
    async with serving(drive(), "tcp-listen://127.0.0.1:0", "--shift", "now") as server:
        port = int(server.said().split("tcp-listen://127.0.0.1:")[1].split()[0].rstrip(",)"))
        async with Peer.at(server) as follows, Peer.at(server, topics=["/vehicle/state"]) as other:
            check("connectionGraph" in follows.info["capabilities"], follows.info)
            await follows.say("subscribeConnectionGraph")
            now = {"published": {}, "subscribed": {}}
            seen = 0

            def apply():
                nonlocal seen
                updates = follows.texts("connectionGraphUpdate")
                for update in updates[seen:]:
                    equal(sorted(update), sorted([
                        "op", "publishedTopics", "subscribedTopics", "advertisedServices", "removedTopics",
                        "removedServices"]), "arrays")
                    for name, key, ids in (("published", "publishedTopics", "publisherIds"),
                                           ("subscribed", "subscribedTopics", "subscriberIds")):
                        now[name].update((topic["name"], topic[ids]) for topic in update[key])
                        for topic in update["removedTopics"]:
                            now[name].pop(topic, None)
                seen = len(updates)
                return now

            def others(topic):
                return apply()["subscribed"].get(topic) or []

            await until(lambda: others("/vehicle/state"), "a subscriber")
            [subscriber] = others("/vehicle/state")
            check(subscriber.startswith("client 1 (127.0.0.1, Python"), subscriber)
            equal(now["published"]["/vehicle/state"], ["drive.mcap"], "publisher")
            with socket.create_connection(("127.0.0.1", port)) as writer:
                writer.sendall(b'{"topic":"/robot","data":{}}\n')
                name = "{}:{}".format(*writer.getsockname())
                await until(lambda: apply()["published"].get("/robot") == [name], "the writer")
            await until(lambda: not apply()["published"].get("/robot"), "the end of the writer")
            await other.advertise(1, "/cmd")
            await until(lambda: apply()["published"].get("/cmd") == [subscriber], "a client that publishes")
            await other.say("unadvertise", channelIds=[1])
            await until(lambda: "/cmd" not in apply()["published"], "its end")
            # few updates for many subscriptions
            before = len(follows.texts("connectionGraphUpdate"))
            for channel in list(other.channels.values()):
                if channel["topic"] not in other.topics:
                    await other.subscribe(channel)
            await until(lambda: len([t for t in apply()["subscribed"] if others(t)]) >= 10, "subscriptions")
            check(len(follows.texts("connectionGraphUpdate")) - before <= 7, "updates")
            await follows.say("unsubscribeConnectionGraph")
        await asyncio.sleep(0.3)
        equal(server.process.poll(), None, "the program")


def write_assets(folder):
    rover = os.path.join(folder, "rover")
    os.makedirs(os.path.join(rover, "meshes"))
    for number in range(100):
        with open(os.path.join(rover, "meshes", f"{number}.stl"), "wb") as file:
            file.write(bytes([number]) * (100_000 + number))
    with open(os.path.join(rover, "large"), "wb") as file:
        file.truncate(3 << 20)
    with open(os.path.join(folder, "secret"), "w") as file:
        file.write("precious")
    os.symlink("../secret", os.path.join(rover, "out"))
    os.symlink("meshes/1.stl", os.path.join(rover, "in"))
    os.symlink("/", os.path.join(rover, "root"))
    os.mkfifo(os.path.join(rover, "pipe"))
    return rover


async def assets():
    with tempfile.TemporaryDirectory() as folder:
        rover = write_assets(folder)
        options = ("--assets", f"package://rover={rover}", "--assets", "dev://=/dev", "--max-asset", "2MiB")
        async with serving(drive(), *options) as server, Peer.at(server) as peer:
            check("assets" in peer.info["capabilities"], peer.info)
            equal(await peer.fetched("package://rover/meshes/7.stl", 1), bytes([7]) * 100_007, "a mesh")
            equal(await peer.fetched("package://rover/in", 2), bytes([1]) * 100_001, "by a link")
            for number, (uri, reason) in enumerate([
                ("package://rover/../secret", "leads out"), ("package://rover/%2e%2e/secret", "leads out"),
                ("package://rover/meshes/..%2f..%2fsecret", "leads out"), ("package://rover/..%2Fsecret", "leads out"),
                ("package://rover/%252e%252e/secret", "no such file"), ("package://rover/out", "leads out"),
                ("package://rover/root/etc/passwd", "leads out"), ("package://rover/a%00b", "leads out"),
                ("package://rover//etc/passwd", "no such file"), ("package://rover", "no such asset"),
                ("package://rover/", "names no file"), ("package://rover/meshes", "not a regular file"),
                ("package://rover/pipe", "not a regular file"), ("package://rover/large", "more than the"),
                ("package://rover/none", "no such file"), ("package://rover/%", "hexadecimal"),
                ("dev:///zero", "not a regular file"), ("dev:///tty", "not a regular file"), ("", "no such asset"),
                ("file:///etc/passwd", "no such asset"), ("package://rover/" + "a/" * 5000, "bytes"),
                ("package://rover/" + "a" * 300, ""),
            ], 10):
                answer = await peer.fetched(uri, number)
                check(isinstance(answer, str) and reason in answer and folder not in answer, uri, answer)
            # all at once
            for number in range(100):
                await peer.fetch(f"package://rover/meshes/{number}.stl", 1000 + number)
            await until(lambda: len([r for r in peer.assets if r >= 1000]) == 100, "100 assets")
            for number in range(100):
                equal(peer.assets[1000 + number], bytes([number]) * (100_000 + number), f"asset {number}")
        async with serving("tcp-listen://127.0.0.1:0") as server, Peer.at(server) as peer:
            check("assets" not in peer.info["capabilities"], peer.info)
            check("no assets" in await peer.fetched("package://rover/a", 1), peer.assets)


async def assets_slow():
    """Who fetches much and reads nothing holds little memory."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "mesh"), "wb") as file:
            file.truncate(8 << 20)
        async with serving(drive(), "--assets", f"package://a={folder}") as server, Peer.at(server) as other:
            lazy = await websockets.connect(
                f"ws://127.0.0.1:{server.port}", subprotocols=[SDK], max_queue=1, max_size=None, compression=None)
            for number in range(500):
                await lazy.send(json.dumps({"op": "fetchAsset", "uri": "package://a/mesh", "requestId": number}))
            await asyncio.sleep(1)
            equal(len(await other.fetched("package://a/mesh", 1)), 8 << 20, "an asset of another client")
            with open(f"/proc/{server.process.pid}/status") as file:
                peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
            check(peak < 200_000, "memory:", peak, "kB")
            # and it gets all of them, once it reads
            got = 0
            while got < 20:
                frame = await lazy.recv()
                got += not isinstance(frame, str) and frame[0] == 4 and len(frame) == (8 << 20) + 10
            lazy.transport.abort()


async def attachments():
    with tempfile.TemporaryDirectory() as folder:
        for part, texts in (("a.mcap", ["one", "two"]), ("b.mcap", ["three"])):
            with open(os.path.join(folder, part), "wb") as file:
                writer = Writer(file)
                writer.start()
                channel = writer.register_channel("/a", "json", 0)
                writer.add_message(channel, 10**18, b"{}", 10**18)
                for text in texts:
                    writer.add_attachment(1, 1, "rover model.urdf", "text/xml", text.encode())
                writer.finish()
        async with serving(folder) as server, Peer.at(server) as peer:
            check("assets" in peer.info["capabilities"], peer.info)
            for number, (uri, expected) in enumerate([
                ("rover model.urdf", b"one"), ("attachment:rover%20model.urdf", b"one"),
                ("attachment:rover%20model.urdf%232", b"two"), ("attachment:rover model.urdf#3", b"three"),
            ]):
                equal(await peer.fetched(uri, number), expected, uri)
            check("no such asset" in await peer.fetched("attachment:rover model.urdf#4", 9), peer.assets)


TRIALS = dict(
    published=published, publish_forms=publish_forms, publish_again=publish_again, publish_flood=publish_flood,
    first_messages=first_messages, graph=graph, assets=assets, assets_slow=assets_slow, attachments=attachments,
)
