"""Trials of live input: JSON lines, MCAP streams, growing files, sockets."""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import tempfile
import time

from google.protobuf import json_format
from mcap.records import Schema
from mcap.writer import CompressionType, Writer
from mcap_protobuf.decoder import DecoderFactory

from bridge import (
    DATA, OLD, PATIENCE, SDK, TESTDATA, Client, RawClient, Recording, Server, check, check_silence, check_times, equal,
    messages_in, serving, shell, until,
)

SECOND = 10**9


def payloads(client, topic):
    return [event[3] for event in client.events if event[0] == "message" and event[1] == topic]


def offered(client, topic):
    """The channels that were offered under a topic, oldest first."""
    return [channel for channel in client.channels.values() if channel["topic"] == topic]


def decoded(channel, payload):
    """A protobuf payload as PyPI `mcap-protobuf-support` reads it by the advertised schema."""
    equal((channel["encoding"], channel["schemaEncoding"]), ("protobuf", "protobuf"), "encoding")
    schema = Schema(1, base64.b64decode(channel["schema"], validate=True), "protobuf", channel["schemaName"])
    return DecoderFactory().decoder_for("protobuf", schema)(payload)


def interrupts(server):
    """Ends a server, which must not take long whatever its inputs wait for."""
    server.process.send_signal(signal.SIGTERM)
    return server.code(20)


async def got(client, number, seconds=PATIENCE):
    await client.until(lambda events: len(messages_in(events)) >= number, f"{number} messages", seconds)
    return messages_in(client.events)


# ---- JSON lines ----

def older_time(nanos):
    return f"{nanos // SECOND}.{nanos % SECOND:09}"


def newer_time(nanos):
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanos // SECOND))
    return f'"{seconds}.{nanos % SECOND:09}Z"'


class Schemas(Recording):
    """A recording with the schemas of its channels."""

    def __init__(self, path):
        super().__init__(path)
        from mcap.reader import make_reader
        with open(path, "rb") as file:
            summary = make_reader(file).get_summary()
        self.schemas = {id: summary.schemas.get(channel.schema_id) for id, channel in self.channels.items()}


async def cat(name, stamp):
    """What `mcap cat --json` prints of a recording, piped in, is the recording."""
    recording = Schemas(os.path.join(DATA, name))
    decoders, more = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for id, schema in recording.schemas.items():
            if recording.channels[id].message_encoding == "protobuf":
                decoders[id] = DecoderFactory().decoder_for("protobuf", schema)
                more += ["--schema", f"{recording.channels[id].topic}={schema.name}"]
                if not schema.name.startswith("foxglove."):
                    path = os.path.join(folder, f"{id}.desc")
                    with open(path, "wb") as file:
                        file.write(schema.data)
                    more += ["--proto", path]
        # the announcements let the client subscribe before the first message of a late topic
        topics = {recording.topic(message) for message in recording.messages}
        lines = [json.dumps({"op": "channel", "topic": topic}) for topic in sorted(topics)]
        for message in recording.messages:
            data = message.data.decode() if message.channel_id not in decoders else json_format.MessageToJson(
                decoders[message.channel_id](message.data), indent=None)
            lines.append(
                f'{{"topic":{json.dumps(recording.topic(message))},"sequence":{message.sequence},'
                f'"log_time":{stamp(message.log_time)},"publish_time":{stamp(message.publish_time)},"data":{data}}}')
        arguments = ("-", "--rate", "max", "--on-eof", "exit", *more)
        async with serving(*arguments, stdin="pipe") as server:
            client = await Client.connect(server, OLD, topics=None)
            await server.write(*lines)
            server.stdin.close()
            equal(await client.closed(), 1000, "close code; " + server.said())
            equal(await server.code(), 0, "exit code; " + server.said())
    sent = messages_in(client.events)
    equal(len(sent), len(recording.messages), "messages; " + server.said())
    for index, (message, (topic, log_time, data)) in enumerate(zip(recording.messages, sent)):
        equal((topic, log_time), (recording.topic(message), message.log_time), f"message {index}")
        if message.channel_id not in decoders:
            equal(data, message.data, f"payload {index}")
        else:
            channel = offered(client, topic)[-1]
            one = json_format.MessageToDict(decoded(channel, data))
            other = json_format.MessageToDict(decoders[message.channel_id](message.data))
            equal(one, other, f"payload {index}")
    check_times(client.events)


async def cats(stamp, *more):
    for name in ("real/mouse_json_zstd.mcap", "made/drive_20s.mcap", *more):
        try:
            await cat(name, stamp)
        except Exception as error:
            raise AssertionError(name) from error


LOOKS = {
    "foxglove.Log": {
        "timestamp": "2026-01-02T03:04:05.123456789Z", "level": "WARNING", "message": "grüß dich", "name": "node",
        "file": "a.py", "line": 7},
    "foxglove.LocationFix": {
        "timestamp": "2026-01-02T03:04:05Z", "frame_id": "map", "latitude": 48.1, "longitude": 11.5,
        "altitude": 519.25, "position_covariance": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        "position_covariance_type": "DIAGONAL_KNOWN"},
    "foxglove.CompressedImage": {
        "timestamp": "2026-01-02T03:04:05Z", "frame_id": "camera", "format": "jpeg",
        "data": base64.b64encode(bytes(range(256))).decode()},
    "foxglove.FrameTransforms": {"transforms": [{
        "timestamp": "2026-01-02T03:04:05Z", "parent_frame_id": "map", "child_frame_id": "base",
        "translation": {"x": 1.5, "y": -2, "z": 0.25}, "rotation": {"x": 0, "y": 0, "z": 0.5, "w": 0.5}}]},
    "foxglove.SceneUpdate": {"entities": [{
        "timestamp": "2026-01-02T03:04:05Z", "frame_id": "map", "id": "cube", "lifetime": "1.500s",
        "frame_locked": True, "metadata": [{"key": "a", "value": "b"}],
        "cubes": [{"pose": {"position": {"x": 1}, "orientation": {"w": 1}}, "size": {"x": 1, "y": 2, "z": 3},
                   "color": {"r": 1, "a": 0.5}}],
        "texts": [{"text": "hi", "billboard": True, "font_size": 12}]}]},
    "foxglove.PointCloud": {
        "timestamp": "2026-01-02T03:04:05Z", "frame_id": "lidar", "pose": {"orientation": {"w": 1}},
        "point_stride": 8, "fields": [{"name": "x", "type": "FLOAT32"}, {"name": "y", "offset": 4, "type": "FLOAT32"}],
        "data": base64.b64encode(struct.pack("<8f", *range(8))).decode()},
}


async def looks():
    """Messages of built-in schemas, written as JSON, are protobuf that others decode field for field."""
    async with serving("-", stdin="pipe") as server:
        client = await Client.connect(server, SDK, topics=None)
        topics = {f"/{name}": name for name in LOOKS}
        await server.write(*({"op": "channel", "topic": topic, "schema": name} for topic, name in topics.items()))
        await client.until(lambda _: len(client.subscribed) == len(topics), "all topics")
        await client.fence()
        await server.write(*({"topic": topic, "data": LOOKS[name]} for topic, name in topics.items()))
        messages = await got(client, len(topics))
    for topic, _, payload in messages:
        channel = offered(client, topic)[0]
        equal(channel["schemaName"], topics[topic], "schema name")
        message = decoded(channel, payload)
        wanted = json_format.ParseDict(LOOKS[topics[topic]], type(message)())
        equal(message, wanted, topic)
    equal(len({topic for topic, _, _ in messages}), len(topics), "topics")


async def bad_lines():
    """Bad lines are logged and skipped; the good ones around them arrive."""
    async with serving("-", "--on-eof", "exit", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write("\ufeff# a comment", "", {"op": "channel", "topic": "/a"})
        await client.until(lambda _: client.subscribed, "the channel")
        await client.fence()
        await server.write(
            {"topic": "/a", "data": {"n": 1}}, '{"topic":"/a","data":{"n":', "[1,2]", '{"data":{}}',
            b'{"topic":"/a","data":"\xff"}\n', '{"topic":"/a","log_time":"yesterday","data":{}}',
            b'{"topic":"/a","data":{"n":2}}\r\n', '{"topic":"/a","data":{"n":NaN}}', '{"topic":"/a","data":{"n":4}}')
        server.stdin.close()
        equal(await client.closed(), 1000, "close code")
        equal(await server.code(), 0, "exit code")
        said = server.said()
    equal([json.loads(data)["n"] for data in payloads(client, "/a")], [1, 2, None, 4], "good lines; " + said)
    check(re.search(r"line 5\b", said), "the first bad line is not named:", said)
    check(re.search(r"\b5 (of them )?bad|bad.*\b5\b|\b5\b.*bad", said), "the bad lines are not counted:", said)


async def strict():
    async with serving("-", "--strict", stdin="pipe") as server:
        await server.write({"topic": "/a", "data": {}}, '{"topic":"/a","data":}')
        equal(await server.code(), 2, "exit code; " + server.said())
        check("stdin" in server.said() and "line 2" in server.said(), server.said())


async def raw():
    """Whole lines as payload, with the time in one of their fields."""
    line = '{"__REALTIME_TIMESTAMP":"1767323045123456","MESSAGE":"started"}'
    arguments = ("-", "--raw", "--default-topic", "/journal", "--time-field", "__REALTIME_TIMESTAMP")
    async with serving(*arguments, "--paced", "--on-eof", "exit", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write(line)
        server.stdin.close()
        equal(await client.closed(), 1000, "close code; " + server.said())
    equal(messages_in(client.events), [("/journal", 1_767_323_045_123_456_000, line.encode())], "messages")


async def changed_schema():
    """A schema that changes on a live topic is a new channel."""
    def imu(kind):
        return {"op": "schema", "name": "Imu", "encoding": "jsonschema",
                "schema": {"type": "object", "properties": {"x": {"type": kind}}}}
    async with serving("-", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=["/imu"])
        await server.write(imu("number"), {"op": "channel", "topic": "/imu", "schema": "Imu"})
        await client.until(lambda _: client.subscribed, "the channel")
        await client.fence()
        await server.write({"topic": "/imu", "schema": "Imu", "data": {"x": 1}})
        await got(client, 1)
        await server.write(imu("string"), {"topic": "/imu", "schema": "Imu", "data": {"x": "a"}})
        await client.until(lambda _: len(client.channels) == 2, "the new channel")
        await client.fence()
        await server.write({"topic": "/imu", "schema": "Imu", "data": {"x": "b"}})
        messages = await got(client, 3)
        # many topics that change are some lines of the log
        await server.write(*({"topic": f"/{n}", "encoding": name, "data_base64": ""} for name in "ab" for n in range(200)))
        await server.write(*({"op": "schema", "name": f"S{n}", "schema": {}} for n in range(200)))
        await server.write({"topic": "/imu", "schema": "Imu", "data": {"x": "b"}})
        await got(client, 4)
        def changes():
            return server.said().count("the topic is offered again") + server.said().count("some viewers will not list")
        # so many in ten seconds
        await until(lambda: changes() >= 20, "lines about changes")
        check(changes() <= 60, changes(), "lines about changes")
    equal([json.loads(data)["x"] for _, _, data in messages], [1, "a", "b"], "messages")
    old, new = offered(client, "/imu")
    check(old["id"] != new["id"], "one id for two schemas")
    check("string" in new["schema"] and "number" in old["schema"], old, new)
    order = [(t["op"], t.get("channelIds") or [c["id"] for c in t["channels"]]) for t in
             (e[1] for e in client.events if e[0] == "text") if t["op"] in ("advertise", "unadvertise")]
    changes = [entry for entry in order if entry[1]][:3]
    equal(changes, [("advertise", [old["id"]]), ("unadvertise", [old["id"]]), ("advertise", [new["id"]])], "changes")


async def live_rules():
    """Topics are chosen, renamed, prefixed, throttled and latched."""
    rules = ("--exclude", "/secret", "--remap", "/odom=/pose", "--prefix", "/r1", "--throttle", "/r1/fast=10",
             "--latch", "/r1/map", "--on-eof", "exit")
    async with serving("-", *rules, stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        names = ("/secret", "/odom", "/fast", "/map")
        await server.write(*({"op": "channel", "topic": topic} for topic in names))
        await client.until(lambda _: len(client.subscribed) == 3, "three channels")
        await client.fence()
        await server.write(*({"topic": topic, "log_time": 1000 + n / 100, "data": {"n": n}}
                             for n in range(100) for topic in ("/secret", "/odom", "/fast")),
                           {"topic": "/map", "log_time": 1001, "data": {"map": 1}})
        await got(client, 100 + 10 + 1)
        late = await Client.connect(server, OLD, topics={"/r1/map"})
        equal([message[:2] for message in await got(late, 1)], [("/r1/map", 1001 * SECOND)], "latched")
        server.stdin.close()
        await client.closed()
        equal(await server.code(), 0, "exit code")
        check(re.search(r"\b90 messages .*--throttle", server.said()), server.said())
    equal({c["topic"] for c in client.channels.values()}, {"/r1/pose", "/r1/fast", "/r1/map"}, "topics")
    equal([json.loads(data)["n"] for data in payloads(client, "/r1/pose")], list(range(100)), "/r1/pose")
    equal([json.loads(data)["n"] for data in payloads(client, "/r1/fast")], list(range(0, 100, 10)), "/r1/fast")
    check_times(client.events)


async def static_live():
    """Of latched transforms the last one of each child frame is there for late viewers and for a new session."""
    topic = "/tf_static"

    def placing(second, *children):
        transforms = [{"parent_frame_id": "base", "child_frame_id": child, "translation": {"x": second}}
                      for child in children]
        return {"topic": topic, "log_time": 100 + second, "data": {"transforms": transforms}}

    def placed(client, since=0):
        channel, = offered(client, topic)
        messages = [event[3] for event in client.events[since:] if event[0] == "message" and event[1] == topic]
        return [[(one.child_frame_id, one.translation.x) for one in decoded(channel, data).transforms]
                for data in messages]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input")
        async with serving("-", f"unix-listen://{path}", stdin="pipe") as server:
            await server.write({"op": "channel", "topic": topic, "schema": "foxglove.FrameTransforms", "latch": True},
                               placing(1, "a", "b"), placing(2, "c"), placing(3, "d"))
            first = await Client.connect(server, OLD)
            await first.until(lambda _: first.channels, "the channel")
            other = socket.socket(socket.AF_UNIX)
            other.connect(path)
            other.sendall(json.dumps(placing(4, "a")).encode() + b"\n" + json.dumps(placing(5, "d")).encode() + b"\n")
            wanted = [[("a", 1), ("b", 1)], [("c", 2)], [("a", 4)], [("d", 5)]]
            late = await Client.connect(server, OLD, topics={topic})
            await late.until(lambda _: [("d", 5)] in placed(late), "the last line of the other writer")
            later = await Client.connect(server, OLD, topics={topic})
            await later.until(lambda events: len(messages_in(events)) >= 4, "what is latched")
            await asyncio.sleep(0.3)
            equal(placed(later), wanted, "of the last of each frame")
            # a topic that was up to date goes back in time
            here = len(later.events)
            await server.write({"topic": topic, "log_time": 3, "data": {"transforms": [{"child_frame_id": "e"}]}})
            await later.until(lambda _: [("e", 0)] in placed(later, here), "the message after a restart")
            equal(placed(later, here), wanted + [[("e", 0)]], "after a restart")
            other.close()


async def time_anew():
    """A simulation that starts again is a new session, after a silence in which nothing is lost."""
    async with serving("-", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write({"op": "channel", "topic": "/sim"})
        await client.until(lambda _: client.subscribed, "the channel")
        raw = await asyncio.to_thread(RawClient, server.port)
        raw.subscribe()
        raw.start()
        await client.fence()
        await raw.fence()
        await server.write(*({"topic": "/sim", "log_time": 100 + n, "data": {}} for n in range(5)))
        await got(client, 5)
        await server.write(*({"topic": "/sim", "log_time": 1 + n, "data": {}} for n in range(5)))
        # still in the silence
        await asyncio.sleep(0.2)
        await server.write(*({"topic": "/sim", "log_time": 6 + n, "data": {}} for n in range(5)))
        await got(client, 15)
        await until(lambda: len(raw.messages) == 15, "messages of the other one")
    infos = [i for i, e in enumerate(client.events) if e[0] == "text" and e[1]["op"] == "serverInfo"]
    equal(len(infos), 2, "sessions")
    before, after = client.events[:infos[1]], client.events[infos[1]:]
    equal([m[1] // SECOND for m in messages_in(before)], [100, 101, 102, 103, 104], "before")
    equal([m[1] // SECOND for m in messages_in(after)], list(range(1, 11)), "after")
    equal(before.pop(), ("time", SECOND), "the last frame before")
    check_times(before)
    check_times(after)
    equal(len(check_silence(raw.events)), 2, "sessions")


# ---- sockets ----

async def sockets():
    """Many writers at once; a bad one and one in the middle of a line hurt no other."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "robot.sock")
        specs = ("tcp-listen://127.0.0.1:0", f"unix-listen://{path}")
        async with serving(*specs, "--max-writers", "4") as server:
            port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", server.said())[1])
            client = await Client.connect(server, OLD, topics=None)
            writers = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
            unix = socket.socket(socket.AF_UNIX)
            unix.connect(path)
            writers[0].sendall(b'{"op":"channel","topic":"/a"}\n{"op":"channel","topic":"/b"}\n')
            await client.until(lambda _: len(client.subscribed) == 2, "the channels")
            await client.fence()
            writers[1].sendall(b"\x00\xff garbage\n" * 1000 + b'{"topic":"/a","data":')
            writers[2].sendall(b'{"topic":"/a","da')
            for number in range(200):
                writers[0].sendall(b'{"topic":"/a","data":{"n":%d}}\n' % number)
                unix.sendall(b'{"topic":"/b","data":{"n":%d}}\n' % number)
            await got(client, 400)
            writers[2].sendall(b'ta":{"n":-1}}\n')
            await got(client, 401)
            fifth = socket.create_connection(("127.0.0.1", port))
            fifth.settimeout(10)
            equal(fifth.recv(1), b"", "what a fifth writer reads")
            await server.says("--max-writers")
            writers[1].close()

            def ended(writer):
                try:
                    return writer.recv(1, socket.MSG_DONTWAIT) == b""
                except BlockingIOError:
                    return False
                except ConnectionResetError:
                    return True
            # its place is free a moment later
            while len(messages_in(client.events)) < 402:
                sixth = socket.create_connection(("127.0.0.1", port))
                with contextlib.suppress(ConnectionError):
                    sixth.sendall(b'{"topic":"/b","data":{"n":-2}}\n')
                await until(lambda: ended(sixth) or len(messages_in(client.events)) == 402, "a place, or a refusal")
            messages = messages_in(client.events)
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code")
        check(not os.path.exists(path), "the socket is left behind")
    for topic, extra in (("/a", -1), ("/b", -2)):
        numbers = [json.loads(data)["n"] for name, _, data in messages if name == topic]
        equal(numbers, [*range(200), extra], topic)


# ---- pipes without viewers, and files of lines ----

def seconds(topic, times, latch=False):
    """Lines of one topic at these times."""
    return [{"op": "channel", "topic": topic, "latch": latch}, *(
        {"topic": topic, "log_time": time, "data": {"t": time}} for time in times)]


async def unwatched():
    """A pipe that ends before anybody subscribed is played as a recording, and is recorded once."""
    times = [1000 + n / 10 for n in range(21)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.mcap")
        async with serving("-", "--record", path, stdin="pipe") as server:
            await server.write(*seconds("/a", times))
            server.stdin.close()
            await server.says("played as a recording")
            client = await Client.connect(server, SDK, topics=None)
            messages = await got(client, 21)
            info = client.texts("serverInfo")[-1]
            check("playbackControl" in info["capabilities"], info)
            equal(info["dataStartTime"], {"sec": 1000, "nsec": 0}, "start")
            equal([m[1] for m in messages], [round(time * 10) * SECOND // 10 for time in times], "times")
            check_times(client.events)
            equal(await interrupts(server), 0, "exit code; " + server.said())
        equal(len(Recording(path).messages), 21, "messages that are recorded")
    async with serving("-", "--loop", stdin="pipe") as server:
        await server.write(*seconds("/a", [5, 5.5, 6]))
        server.stdin.close()
        await server.says("played as a recording")
        client = await Client.connect(server, OLD, topics=None)
        await got(client, 7)
        check(len(client.texts("serverInfo")) >= 3, "each lap is a session")
    async with serving("-", "--at-end", "exit", stdin="pipe") as server:
        await server.write(*seconds("/a", [5, 5.5, 6]))
        server.stdin.close()
        await server.says("played as a recording")
        client = await Client.connect(server, OLD, topics=None)
        equal(await client.closed(), 1000, "close code")
        equal([m[1] for m in messages_in(client.events)], [5 * SECOND, 11 * SECOND // 2, 6 * SECOND], "times")
        equal(await server.code(), 0, "exit code; " + server.said())


async def unwatched_moment():
    """What spans less than a second is not played: who subscribes gets the last message of each topic."""
    async with serving("-", stdin="pipe") as server:
        await server.write(*seconds("/a", [7, 7.5]), *seconds("/b", [7.1]))
        server.stdin.close()
        await server.says("less than a second")
        for _ in range(2):
            client = await Client.connect(server, OLD, topics=None)
            messages = await got(client, 2)
            equal(sorted(m[:2] for m in messages), [("/a", 15 * SECOND // 2), ("/b", 71 * SECOND // 10)], "messages")
        check("the input has ended" not in server.said(), server.said())


async def watched():
    """A pipe that somebody watches is sent as it comes, and is over at its end."""
    async with serving("-", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write({"op": "channel", "topic": "/a"})
        await client.until(lambda _: client.subscribed, "the channel")
        await client.fence()
        await server.write(*seconds("/a", [1000, 1005, 1010])[1:])
        await got(client, 3, 8)
        server.stdin.close()
        await server.says("the input has ended")
        check("recording" not in server.said(), server.said())


async def lines_file():
    """A file of JSON lines that is named is a recording; several are one."""
    with tempfile.TemporaryDirectory() as folder:
        def file(name, lines):
            path = os.path.join(folder, name)
            with open(path, "w") as out:
                out.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
            return path
        one = file("one.jsonl", ["half a line}", *seconds("/a", [1000, 1000.5, 1001])])
        two = file("two.log", seconds("/b", [1000.2, 1001.2]))
        async with serving(one, two, "--at-end", "exit", "--rate", "4") as server:
            check("one.jsonl and 1 more (1.2 s, 2 channels, 5 messages)" in server.said(), server.said())
            client = await Client.connect(server, SDK, topics=None)
            equal(await client.closed(), 1000, "close code")
            equal([m[1] * 10 // SECOND for m in messages_in(client.events)], [10000, 10002, 10005, 10010, 10012], "times")
            equal(await server.code(), 0, "exit code")
        async with serving(one, "--start", "+0.4s", "--at-end", "exit") as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.closed()
            equal([m[1] * 10 // SECOND for m in messages_in(client.events)][-2:], [10005, 10010], "times")
        table = file("table.csv", ["t,x,name", "1.5,2,a", "2.5,nan,b"])
        async with serving(table, "--csv", "--default-topic", "/t", "--time-field", "t", "--at-end", "exit") as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.closed()
            equal([m[2] for m in messages_in(client.events)],
                  [b'{"t":1.5,"x":2,"name":"a"}', b'{"t":2.5,"x":null,"name":"b"}'], "rows")
        server = Server(one, os.path.join(TESTDATA, "drive.mcap"))
        try:
            equal(await server.code(), 2, "exit code")
            check("JSON lines and MCAP files" in server.said(), server.said())
        finally:
            server.stop()
        async with serving("--follow", one) as server:
            client = await Client.connect(server, OLD, topics=None)
            with open(one, "a") as out:
                # it follows a moment after it listens
                while not client.subscribed:
                    out.write(json.dumps({"op": "channel", "topic": "/new"}) + "\n")
                    out.flush()
                    await asyncio.sleep(0.1)
                await client.fence()
                out.write(json.dumps({"topic": "/new", "log_time": 3, "data": {}}) + "\n")
                out.flush()
                equal([m[:2] for m in await got(client, 1)], [("/new", 3 * SECOND)], "what is appended")


async def beginnings():
    """First lines that can't be used are skipped; of a stream without any that can be the end is an error."""
    async with serving("-", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write('n":1}}', "ets Jun  8 2016 00:22:57", b"\x1b[0;32mI (27) boot\x1b[0m\xff\n")
        await asyncio.sleep(0.2)
        check("WARN" not in server.said(), server.said())
        await server.write({"op": "channel", "topic": "/a"})
        await client.until(lambda _: client.subscribed, "the channel; " + server.said())
        await server.says("3 lines before the first that can be used")
    for arguments in ((), ("--on-eof", "exit"), ("--at-end", "exit"), ("--paced", "--on-eof", "exit"), ("--paced", "--at-end", "exit")):
        for text, code in (('{"ax":1}', 2), ("", 0), ("# a comment", 0)):
            if not arguments and not code:
                continue
            async with serving("-", *arguments, stdin="pipe") as server:
                await server.write(text)
                server.stdin.close()
                equal(await server.code(), code, f"exit code of {text!r}, {arguments}; " + server.said())
                if code:
                    check("--default-topic /t takes whole lines" in server.said(), server.said())
    for text in (b'{"topic":"/a\\nERROR forged\\u001b[2J","data":[1]}\n', b"\x1b[2Jx\n"):
        async with serving("-", stdin="pipe") as server:
            await server.write(text)
            server.stdin.close()
            equal(await server.code(), 2, "exit code")
            said = re.sub("\x1b\\[[0-9;]*m", "", server.said())
            check("\x1b" not in said and "\nERROR forged" not in said, repr(said))


async def no_whole_line():
    """An input of which nothing can be used for ten seconds is told of, and goes on."""
    async with serving("-", "--default-topic", "/t", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write("time,x,y", b"1.5,2")
        told = await server.says("nothing that can be used so far in 1 line")
        check('"time,x,y"' in told and "--csv" in told, told)
        await server.write("", '{"ax":1}')
        await client.until(lambda _: client.subscribed, "the channel; " + server.said())


async def paced_times():
    """A line without a time plays where playback is, an outlier is skipped, and a short stream may begin again."""
    async with serving("-", "--paced", stdin="pipe") as server:
        client = await Client.connect(server, OLD, topics=None)
        await server.write({"op": "channel", "topic": "/a"}, {"topic": "/a", "log_time": 1000.0, "data": {"i": 0}},
                           {"topic": "/a", "data": {"i": 1}}, {"topic": "/a", "log_time": 1000.1, "data": {"i": 2}},
                           {"topic": "/a", "log_time": 1767323045, "data": {"i": 3}},
                           {"topic": "/a", "log_time": 1000.2, "data": {"i": 4}})
        messages = await got(client, 4)
        equal([json.loads(m[2])["i"] for m in messages], [0, 1, 2, 4], "messages")
        equal([m[1] * 10 // SECOND for m in messages], [10000, 10000, 10001, 10002], "times")
        await server.says("lies far after those around it")
        await server.write(*({"topic": "/a", "log_time": 1000 + n / 10, "data": {"i": n}} for n in range(3)))
        await got(client, 7)
        equal(len(client.texts("serverInfo")), 2, "sessions; " + server.said())


async def web_page():
    """A page in a browser can't put messages in: an HTTP request is no line."""
    async with serving("tcp-listen://127.0.0.1:0") as server:
        port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", server.said())[1])
        client = await Client.connect(server, OLD, topics=None)
        page = socket.create_connection(("127.0.0.1", port))
        page.settimeout(10)
        page.sendall(b'POST / HTTP/1.1\r\nHost: x\r\n\r\n\n{"op":"channel","topic":"/forged"}\n')
        try:
            equal(page.recv(1), b"", "what the page reads")
        except ConnectionResetError:
            pass
        writer = socket.create_connection(("127.0.0.1", port))
        writer.sendall(b'{"op":"channel","topic":"/real"}\n')
        await client.until(lambda _: client.subscribed, "the channel; " + server.said())
        equal([channel["topic"] for channel in client.channels.values()], ["/real"], "topics")
        await server.says("HTTP request")
        equal(server.said().count("HTTP request"), 1, "log lines; " + server.said())


async def long_lines():
    """Twenty writers with lines that never end take little memory together."""
    async with serving("tcp-listen://127.0.0.1:0") as server:
        port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", server.said())[1])
        writers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        piece = b"x" * (1 << 20)

        def send():
            for _ in range(20):
                for writer in writers:
                    writer.sendall(piece)
        await asyncio.to_thread(send)
        with open(f"/proc/{server.process.pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) >> 10
        check(peak < 300, f"{peak} MiB")


# ---- MCAP ----

async def mcap_stream():
    """`cat x.mcap | serve -` is the recording; what a killed recorder left is played up to there."""
    for name in ("testdata", "real/nissan_demo.mcap", "made/crashed_mid_chunk.mcap", "made/duplicate_topics.mcap"):
        path = os.path.join(TESTDATA, "ros1_demo_zstd.mcap") if name == "testdata" else os.path.join(DATA, name)
        recording = Recording(path)
        with open(path, "rb") as file:
            async with serving("-", "--rate", "max", "--on-eof", "exit", stdin=file) as server:
                client = await Client.connect(server, OLD, topics=None)
                await client.closed()
                equal(await server.code(), 0, "exit code; " + server.said())
        sent = sorted((recording.plain(topic), log_time, data) for topic, log_time, data in messages_in(client.events))
        equal(sent, sorted(recording.as_sent()), name)
        said = server.said()
        equal("stdin: byte" in said, recording.damaged, f"damage is logged: {said}")


async def not_a_stream():
    for first, hint in ((b"\x1f\x8b\x08\x00rest", "gunzip"), (b"\x28\xb5\x2f\xfdrest", "zstd"), (b"hello\n", "JSON")):
        server = Server("-", stdin="pipe")
        try:
            await server.write(first)
            server.stdin.close()
            equal(await server.code(), 2, "exit code; " + server.said())
            check(hint in server.said(), server.said())
        finally:
            server.stop()


class Recorder:
    """A recorder that writes to a file and flushes now and then."""

    def __init__(self, path, mode="wb"):
        self.file = open(path, mode)
        self.writer = Writer(self.file, chunk_size=1000, compression=CompressionType.ZSTD)
        self.writer.start()
        schema = self.writer.register_schema("N", "jsonschema", b'{"type":"object"}')
        self.channel = self.writer.register_channel("/n", "json", schema)

    def write(self, *numbers):
        for n in numbers:
            self.writer.add_message(self.channel, (1000 + n) * SECOND, b'{"n":%d}' % n, (1000 + n) * SECOND, n)
        self.writer.flush()
        self.file.flush()

    def finish(self):
        self.writer.finish()
        self.file.close()


async def follow():
    """A growing file is served from its end; it may be finished, replaced and truncated."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "live.mcap")
        recorder = Recorder(path)
        recorder.write(*range(200))
        async with serving(path, "--follow") as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.until(lambda _: client.subscribed, "the channel")
            await client.fence()
            recorder.write(*range(200, 300))
            recorder.finish()
            await client.until(lambda events: len(messages_in(events)) >= 100, "what was appended")
            equal([json.loads(m[2])["n"] for m in messages_in(client.events)], list(range(200, 300)), "appended")
            other = os.path.join(folder, "next.mcap")
            recorder = Recorder(other)
            recorder.write(*range(300, 350))
            os.replace(other, path)
            await client.until(lambda events: len(messages_in(events)) >= 150, "the replacement; " + server.said())
            recorder.write(*range(350, 360))
            await client.until(lambda events: len(messages_in(events)) >= 160, "what is appended to it")
        equal([json.loads(m[2])["n"] for m in messages_in(client.events)], list(range(200, 360)), "all")
        async with serving(path, "--follow", "--from-start") as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.until(lambda _: client.subscribed, "the channel")
            recorder.write(*range(360, 370))
            def numbers(events):
                return [json.loads(m[2])["n"] for m in messages_in(events)]
            await client.until(lambda events: 369 in numbers(events), "what is appended")
            last = numbers(client.events)
            equal(last, list(range(last[0], 370)), "each once, in order")


async def mixed():
    """An MCAP stream, lines from sockets and growing files on one server: each topic is one channel."""
    with tempfile.TemporaryDirectory() as folder:
        stream = os.path.join(folder, "stream.mcap")
        growing = [os.path.join(folder, name) for name in ("one.mcap", "two.mcap")]
        recorders = [Recorder(path) for path in growing]
        recorders[0].write(0)
        arguments = ("-", "tcp-listen://127.0.0.1:0", "--follow", *growing)
        async with serving(*arguments, stdin="pipe") as server:
            said = server.said()
            check("stdin" in said and "one.mcap" in said and "(live)" in said, said)
            client = await Client.connect(server, OLD, topics=None)
            port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", said)[1])
            writer = socket.create_connection(("127.0.0.1", port))
            # the same topic and schema as in the files; the same topic with another one; a topic of its own
            schema = {"op": "schema", "name": "N", "encoding": "jsonschema", "schema": {"type": "object"}}
            lines = [schema, {"op": "channel", "topic": "/n", "schema": "N"}, {"op": "channel", "topic": "/line"}]
            writer.sendall(b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines))
            await client.until(lambda _: len(client.subscribed) == 2, "the channels")
            with open(stream, "wb") as file:
                mcap = Writer(file, use_chunking=False)
                mcap.start()
                for n, id in enumerate([mcap.register_channel(topic, "cbor", 0) for topic in ("/n", "/stream")]):
                    mcap.add_message(id, n, b"\xa0", n)
                mcap.finish()
            with open(stream, "rb") as file:
                data = file.read()
            # its channels, and its messages once they are subscribed to
            half = data.index(b"/stream") + len("/stream" + "cbor") + 8
            await server.write(data[:half])
            await client.until(lambda _: len(client.subscribed) == 4, "the channels of the stream; " + server.said())
            await client.fence()
            await server.write(data[half:])
            for n, recorder in enumerate(recorders):
                recorder.write(100 + n)
            writer.sendall(b'{"topic":"/n","schema":"N","log_time":1100.5,"data":{"n":7}}\n')
            writer.sendall(b'{"topic":"/line","log_time":2,"data":{}}\n')
            await client.until(
                lambda events: len(messages_in(events)) >= 6, "messages of all inputs; " + server.said())
            # an input that ends takes nothing with it
            server.stdin.close()
            writer.close()
            recorders[1].write(102)
            await client.until(lambda events: (b'{"n":102}') in payloads(client, "/n"), "what goes on")
            equal(client.texts("unadvertise"), [], "channels that end")
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())
    ids = [channel["id"] for text in client.texts("advertise") for channel in text["channels"]]
    equal(len(ids), len(set(ids)), "ids that are advertised")
    equal(sorted(channel["topic"] for channel in client.channels.values()), ["/line", "/n", "/n#2", "/stream"], "topics")
    equal({json.loads(data)["n"] for data in payloads(client, "/n")}, {7, 100, 101, 102}, "/n")
    equal({topic for topic, _, _ in messages_in(client.events)} - {"/n#2"}, {"/line", "/n", "/stream"}, "topics")


async def shifted():
    """A recording plays beside live input as if it were recorded now; the program alone controls it."""
    drive = os.path.join(TESTDATA, "drive.mcap")
    recording = Recording(drive)
    async with serving(drive, "-", "--shift", "now", "--start", "+1s", "--on-eof", "exit", stdin="pipe") as server:
        check("drive.mcap" in server.said() and "stdin (live)" in server.said(), server.said())
        client = await Client.connect(server, SDK, topics=None)
        await server.write({"op": "channel", "topic": "/live"})
        await client.until(lambda _: any(c["topic"] == "/live" for c in client.channels.values()), "the live channel")
        await client.fence()
        await server.write(*({"topic": "/live", "data": {"n": n}} for n in range(3)))
        await client.until(lambda _: len(payloads(client, "/live")) == 3, "live messages; " + server.said())
        await client.until(lambda events: len(messages_in(events)) >= 200, "messages of the recording")
        now = time.time_ns()
        infos = client.texts("serverInfo")
        equal(len(infos), 1, "sessions")
        check("playbackControl" not in infos[0]["capabilities"], infos)
        equal(await interrupts(server), 0, "exit code; " + server.said())
    sent = messages_in(client.events)
    check(all(abs(log_time - now) < 20 * SECOND for _, log_time, _ in sent), "a message is not of now")
    ids = [channel["id"] for text in client.texts("advertise") for channel in text["channels"]]
    equal(len(ids), len(set(ids)), "ids that are advertised")
    topics = {recording.topic(message) for message in recording.messages}
    equal({topic for topic, _, _ in sent} - topics, {"/live"}, "topics beside those of the recording")


async def dont_mix():
    drive = os.path.join(TESTDATA, "drive.mcap")
    for arguments, hints in (
            (("tcp-listen://127.0.0.1:0", drive), ("--shift now", "port of its own")), (("tcp-listen://127.0.0.1:0", "--loop"), ("--loop",)),
            (("-", "--follow"), ("--follow",)), (("-", "-"), ("stdin",)),
            (("tcp-listen://127.0.0.1:0", "--start", "+1s"), ("--start",))):
        server = Server(*arguments)
        try:
            equal(await server.code(), 2, "exit code; " + server.said())
            for hint in hints:
                check(hint in server.said(), server.said())
        finally:
            server.stop()


def examples():
    """The shell commands of the README that serve stdin; not those that need Docker, another computer or a program of the reader."""
    with open(os.path.join(os.path.dirname(TESTDATA), "README.md")) as file:
        blocks = re.findall(r"```sh\n(.*?)```", file.read(), re.S)
    elsewhere = ("docker", "ws://robot", "my_robot")
    serving_stdin = [block for block in blocks if re.search(r"foxglove-bridge serve -\s", block)]
    return [block for block in serving_stdin if not any(word in block for word in elsewhere)]


async def example(command):
    """Runs a command as it is printed, until a client has three messages; the client."""
    async with shell(command, os.path.dirname(TESTDATA)) as server:
        client = await Client.connect(server, OLD, topics=None)
        await client.until(lambda events: len(messages_in(events)) >= 3, "three messages; " + server.said())
        check("bad line" not in server.said(), server.said())
        return client


async def readme():
    """The examples work as they are printed."""
    commands = examples()
    equal(len(commands), 7, "examples")
    for command in commands:
        tool = next(tool for tool in ("journalctl", "vmstat", "jq", "") if tool in command)
        if tool and not shutil.which(tool):
            print(f"not tried, {tool} is not installed:", command)
            continue
        if tool == "journalctl" and not await journal():
            print("not tried, the journal is empty:", command)
            continue
        try:
            client = await example(command)
        except AssertionError as error:
            raise AssertionError(command) from error
        if "foxglove.Log" in command:
            channel, payload = offered(client, "/log")[0], payloads(client, "/log")[0]
            equal(decoded(channel, payload).message, "hi", "the message of the log")


async def journal():
    process = await asyncio.create_subprocess_exec(
        "journalctl", "-n", "3", "-o", "json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    return len((await process.communicate())[0].splitlines()) >= 3


async def silent():
    """A server whose inputs are silent ends at once, also if another program has made stdin non-blocking."""
    with tempfile.TemporaryDirectory() as folder:
        missing = os.path.join(folder, "later.mcap")
        for more in ((), ("--live",), ("tcp-listen://127.0.0.1:0",), ("--follow", missing)):
            reader, writer = os.pipe()
            os.set_blocking(reader, False)
            async with serving("-", *more, stdin=reader) as server:
                # before the first byte
                await asyncio.sleep(0.1)
                equal(server.process.poll(), None, "exit code; " + server.said())
                if more:
                    equal(await interrupts(server), 0, "exit code; " + server.said())
                    continue
                client = await Client.connect(server, OLD, topics=None)
                os.write(writer, b'{"op":"channel","topic":"/a"}\n')
                await client.until(lambda _: client.subscribed, "the channel; " + server.said())
                await client.fence()
                # in the middle of a line
                os.write(writer, b'{"topic":"/a","data":{}}\n{"topic":')
                await got(client, 1)
                equal(await interrupts(server), 0, "exit code; " + server.said())
                check("ERROR" not in server.said(), server.said())
            os.close(reader)
            os.close(writer)
        # an MCAP stream that is played, and not at its end
        stream = os.path.join(folder, "stream.mcap")
        Recorder(stream).write(*range(200))
        async with serving("-", stdin="pipe") as server:
            with open(stream, "rb") as file:
                await server.write(file.read())
            client = await Client.connect(server, OLD, topics=None)
            await client.until(messages_in, "a message; " + server.said())
            equal(await interrupts(server), 0, "exit code; " + server.said())


async def eof_keeps():
    """At the end of stdin the server stays, and late viewers get what is latched."""
    async with serving("-", "--latch", "/map", stdin="pipe") as server:
        await server.write({"topic": "/map", "log_time": 7, "data": {"map": 1}})
        server.stdin.close()
        client = await Client.connect(server, SDK, topics=None)
        equal(await got(client, 1), [("/map", 7 * SECOND, b'{"map": 1}')], "latched")
        await asyncio.sleep(0.3)
        equal(server.process.poll(), None, "exit code")


async def live_mcap():
    """An MCAP stream is sent as it comes, whatever its times, if that is asked for; and recorded."""
    recording = Recording(os.path.join(TESTDATA, "ros1_demo_zstd.mcap"))
    with open(recording.path, "rb") as file:
        data = file.read()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.mcap")
        async with serving("-", "--live", "--on-eof", "exit", "--record", path, stdin="pipe") as server:
            client = await Client.connect(server, OLD, topics=None)
            half = len(data) // 2
            started = time.monotonic()
            await server.write(data[:half])
            await client.until(lambda events: messages_in(events), "first messages")
            await server.write(data[half:])
            server.stdin.close()
            await client.closed()
            check(time.monotonic() - started < 7, "eight seconds of recording were paced")
            equal(await server.code(), 0, "exit code; " + server.said())
        written = Recording(path)
    equal(written.as_sent(), recording.as_sent(), "what is recorded")
    sent, expected = messages_in(client.events), recording.as_sent()
    check(sent, "nothing is sent")
    for topic in {topic for topic, *_ in sent}:
        # it subscribed to some before others
        got, all = [[message for message in messages if message[0] == topic] for messages in (sent, expected)]
        equal(got, all[-len(got):], "what is sent of " + topic)


TRIALS = dict(
    unwatched=unwatched, unwatched_moment=unwatched_moment, watched=watched, lines_file=lines_file, beginnings=beginnings,
    no_whole_line=no_whole_line, paced_times=paced_times, web_page=web_page, long_lines=long_lines,
    readme=readme, eof_keeps=eof_keeps, silent=silent, live_mcap=live_mcap, cat_older=lambda: cats(older_time, "real/osi_moving_host_zstd.mcap"), cat_newer=lambda: cats(newer_time), looks=looks, bad_lines=bad_lines,
    strict=strict, raw=raw, changed_schema=changed_schema, live_rules=live_rules, static_live=static_live, time_anew=time_anew,
    sockets=sockets, mcap_stream=mcap_stream, not_a_stream=not_a_stream, follow=follow, mixed=mixed, shifted=shifted, dont_mix=dont_mix,
)
