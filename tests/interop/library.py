"""Trials of programs that embed the library: those of `examples/`, with clients and decoders of others."""

import asyncio
import base64
import contextlib
import json
import os
import re
import struct
import subprocess
import tempfile

import websockets
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from mcap.reader import make_reader

from bridge import BRIDGE, OLD, PATIENCE, PAUSE, PLAY, SDK, TESTDATA, check, equal, serving

EXAMPLES = os.path.join(os.path.dirname(BRIDGE), "examples")


class Viewer:
    """Keeps what it is sent: texts by operation, messages by topic, answers in binary."""

    def __init__(self, socket):
        self.socket = socket
        self.texts, self.messages, self.binary, self.channels = {}, {}, [], {}
        self.changed = asyncio.Event()
        self.task = asyncio.create_task(self.read())

    async def read(self):
        async for frame in self.socket:
            if isinstance(frame, str):
                text = json.loads(frame)
                self.texts.setdefault(text["op"], []).append(text)
                if text["op"] == "advertise":
                    self.channels.update((channel["topic"], channel) for channel in text["channels"])
            elif frame[0] == 1:
                subscription, log_time = struct.unpack_from("<IQ", frame, 1)
                topics = [topic for topic, channel in self.channels.items() if channel["id"] == subscription]
                self.messages.setdefault(topics[0], []).append((log_time, frame[13:]))
            elif frame[0] != 2:
                self.binary.append(frame)
            self.changed.set()

    async def until(self, value, what, seconds=PATIENCE):
        """Waits until `value()` is true; its value."""
        async def wait():
            while not (found := value()):
                check(not self.task.done(), what, ": the connection ended")
                self.changed.clear()
                await self.changed.wait()
            return found
        try:
            return await asyncio.wait_for(wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: not within {seconds} s; {self.texts}") from None

    async def text(self, op, count=1):
        """The last one of so many texts of an operation."""
        return (await self.until(lambda: self.texts.get(op, [])[count - 1:], op))[0]

    async def say(self, op, **fields):
        await self.socket.send(json.dumps({"op": op, **fields}))

    async def of(self, topic, count):
        """So many messages of a topic: times and payloads."""
        channel = await self.until(lambda: self.channels.get(topic), f"channel {topic}")
        await self.say("subscribe", subscriptions=[{"id": channel["id"], "channelId": channel["id"]}])
        await self.until(lambda: len(self.messages.get(topic, [])) >= count, f"messages of {topic}")
        return self.messages[topic][:count]

    async def answer(self, opcode):
        """The next binary answer."""
        frames = await self.until(lambda: [frame for frame in self.binary if frame[0] == opcode], f"answer {opcode}")
        self.binary.remove(frames[0])
        return frames[0]

    async def call(self, service, request):
        """What a service answers to JSON: the response, or the text of a failure."""
        failures = len(self.texts.get("serviceCallFailure", []))
        head = struct.pack("<BIII", 2, service["id"], 77, 4) + b"json"
        await self.socket.send(head + json.dumps(request).encode())
        answered = lambda: ([frame for frame in self.binary if frame[0] == 3]
                            or self.texts.get("serviceCallFailure", [])[failures:])
        found = (await self.until(answered, "the answer of " + service["name"]))[0]
        if isinstance(found, dict):
            return found["message"]
        self.binary.remove(found)
        equal(struct.unpack_from("<BIII", found), (3, service["id"], 77, 4), "head of the response")
        return json.loads(found[17:])


@contextlib.asynccontextmanager
async def example(name, protocol=OLD, argument="0"):
    """An example that runs, and a viewer of it."""
    program = os.path.join(EXAMPLES, name)
    check(os.path.exists(program), program, "is missing: cargo build --examples makes it")
    process = subprocess.Popen([program, argument], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        address = re.fullmatch(r"(ws://127\.0\.0\.1:\d+)\n", line)
        check(address, "it says", repr(line))
        async with websockets.connect(address[1], subprotocols=[protocol], compression=None) as socket:
            viewer = Viewer(socket)
            await viewer.text("serverInfo")
            yield viewer
            viewer.task.cancel()
        check(process.poll() is None, "it ended with", process.returncode)
    finally:
        process.kill()
        process.wait()


def decoder(channel):
    """Of the messages of a protobuf channel, by its own definition."""
    equal((channel["encoding"], channel["schemaEncoding"]), ("protobuf", "protobuf"), "encodings")
    files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(channel["schema"]))
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(channel["schemaName"])).FromString


async def minimal():
    """The program of the README."""
    async with example("minimal", argument="127.0.0.1:0") as viewer:
        messages = await viewer.of("/imu", 20)
        check(all(-1 <= json.loads(payload)["ax"] <= 1 for _, payload in messages), messages)
        check(messages == sorted(messages, key=lambda message: message[0]), "times go back")


async def publish():
    async with example("publish") as viewer:
        equal(viewer.texts["serverInfo"][0]["name"], "robot", "name")
        (_, plan), = await viewer.of("/plan", 1)
        equal(json.loads(plan), {"goal": [3.0, 4.0]}, "the latched message")
        battery = viewer.channels["/battery"]
        equal((battery["encoding"], battery["schemaName"]), ("json", "Battery"), "the channel")
        equal(json.loads(battery["schema"])["properties"]["volts"], {"type": "number"}, "its schema")
        check(all(11 < json.loads(payload)["volts"] <= 12 for _, payload in await viewer.of("/battery", 10)))
        logged = await viewer.of("/log", 2)
        decode = decoder(viewer.channels["/log"])
        for log_time, payload in logged:
            message = decode(payload)
            equal(message.timestamp.seconds * 10**9 + message.timestamp.nanos, log_time, "time of the log")
            check(message.level == 2 and message.message.startswith("step "), message)


async def protobuf():
    async with example("protobuf") as viewer:
        for topic, az in (("/imu", 9.81), ("/imu/dynamic", 0.0)):
            payloads = [payload for _, payload in await viewer.of(topic, 10)]
            decode = decoder(viewer.channels[topic])
            equal(viewer.channels[topic]["schemaName"], "robot.Imu", "schema")
            check(all(-1 <= decode(one).ax <= 1 and decode(one).az == az for one in payloads), payloads)
            check(any(decode(one).ax for one in payloads), "nothing but zeros")


async def service():
    async with example("service") as viewer:
        info = viewer.texts["serverInfo"][0]
        equal(set(info["capabilities"]), {"time", "services", "assets", "clientPublish"}, "capabilities")
        check("json" in info["supportedEncodings"], info)
        drive, = (await viewer.text("advertiseServices"))["services"]
        equal((drive["name"], drive["request"]["schemaName"]), ("/drive", "Drive"), "the service")
        equal(await viewer.call(drive, {"meters": 5}), {"seconds": 0.05}, "the response")
        equal(await viewer.call(drive, {"meters": 50}), "50 m: from 0 to 10 are allowed", "the failure")
        check("the request can't be read" in await viewer.call(drive, {"miles": 5}), "another failure")

        await viewer.say("fetchAsset", uri="package://robot/model.urdf", requestId=5)
        equal(await viewer.answer(4), struct.pack("<BIBI", 4, 5, 0, 0) + b'<robot name="robot"/>', "the asset")
        await viewer.say("fetchAsset", uri="file:///etc/passwd", requestId=6)
        equal((await viewer.answer(4))[5], 1, "status of the other asset")

        await viewer.say("advertise", channels=[
            {"id": 1, "topic": "/cmd", "encoding": "json", "schemaName": ""},
            {"id": 2, "topic": "/cmd", "encoding": "cdr", "schemaName": ""}])
        check("cdr" in (await viewer.text("status"))["message"], viewer.texts["status"])
        channel = viewer.channels["/heard"]
        await viewer.say("subscribe", subscriptions=[{"id": channel["id"], "channelId": channel["id"]}])
        for n in range(100):
            await viewer.socket.send(struct.pack("<BI", 1, 1) + str(n).encode())
        await viewer.until(lambda: len(viewer.messages.get("/heard", [])) == 100, "what was published")
        heard = [json.loads(payload) for _, payload in viewer.messages["/heard"]]
        equal(heard, [{"topic": "/cmd", "text": str(n)} for n in range(100)], "what was published")


async def parameters():
    async with example("parameters") as viewer:
        check({"parameters", "parametersSubscribe"} <= set(viewer.texts["serverInfo"][0]["capabilities"]))
        speed = lambda value: {"name": "speed", "type": "float64", "value": value}
        name = lambda value: {"name": "name", "value": value}
        await viewer.say("getParameters", parameterNames=[], id="all")
        equal(await viewer.text("parameterValues"),
              {"op": "parameterValues", "parameters": [name("rover"), speed(1.5)], "id": "all"}, "all parameters")
        await viewer.say("subscribeParameterUpdates", parameterNames=["speed"])
        answers = 1
        # the last two are refused: what holds is the answer
        for asked, holds in ((speed(2.5), speed(2.5)), (speed(7), speed(2.5)), (name(5), name("rover"))):
            await viewer.say("setParameters", parameters=[asked], id="one")
            answers += 2 if asked["name"] == "speed" else 1
            await viewer.text("parameterValues", answers)
            got = viewer.texts["parameterValues"][-1 if asked["name"] == "name" else -2:]
            check(all(one["parameters"] == [holds] for one in got), got)
            check(any(one.get("id") == "one" for one in got), got)
        await viewer.of("/position", 3)


async def playback():
    start = 1_700_000_000 * 10**9
    async with example("playback", SDK) as viewer:
        info = viewer.texts["serverInfo"][0]
        check("playbackControl" in info["capabilities"], info)
        equal((info["dataStartTime"], info["dataEndTime"]),
              ({"sec": 1_700_000_000, "nsec": 0}, {"sec": 1_700_000_060, "nsec": 0}), "the range")
        await viewer.of("/pendulum", 5)

        async def control(command, name, speed=1.0, seek=None):
            head = struct.pack("<BBfBQI", 3, command, speed, seek is not None, seek or 0, len(name))
            await viewer.socket.send(head + name)
            answered = lambda: [frame for frame in viewer.binary if frame[0] == 5 and frame.endswith(name)]
            frame, = await viewer.until(answered, name)
            return struct.unpack_from("<BQfB", frame, 1)
        status, now, speed, sought = await control(PAUSE, b"pause")
        equal((status, sought), (1, 0), "paused")
        before = len(viewer.messages["/pendulum"])
        await asyncio.sleep(0.3)
        check(len(viewer.messages["/pendulum"]) <= before + 1, "it goes on")
        back = await control(PLAY, b"forth", 4.0, start + 50 * 10**9)
        equal(back, (0, start + 50 * 10**9, 4.0, 1), "after the seek")
        before = len(viewer.messages["/pendulum"])
        await viewer.until(lambda: len(viewer.messages["/pendulum"]) > before + 5, "messages after the seek")
        check(viewer.messages["/pendulum"][-1][0] >= start + 50 * 10**9, "of the new time")
        await control(PLAY, b"back", 1.0, start + 10**9)
        before = len(viewer.messages["/pendulum"])
        await viewer.until(lambda: len(viewer.messages["/pendulum"]) > before + 5, "messages after the seek back")
        check(viewer.messages["/pendulum"][-1][0] < start + 40 * 10**9, "of the old time")
        equal(len(viewer.texts["serverInfo"]), 1, "sessions")


async def client():
    """What a client subscribes to by a pattern is printed as JSON, and in its file."""
    program = os.path.join(EXAMPLES, "client")
    check(os.path.exists(program), program, "is missing: cargo build --examples makes it")
    async with serving(os.path.join(TESTDATA, "drive.mcap"), "--loop") as server:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "a.mcap")
            ran = await asyncio.to_thread(
                subprocess.run, [program, f"ws://127.0.0.1:{server.port}", "/vehicle/*", file, "3"],
                capture_output=True, text=True, timeout=60)
            equal(ran.returncode, 0, ran.stderr)
            *lines, last = ran.stdout.splitlines()
            equal(last, f"3 messages in {file}", "the last line")
            printed = [json.loads(line.split(" ", 2)[2]) for line in lines]
            with open(file, "rb") as stream:
                stored = [(c.topic, json.loads(m.data)) for _, c, m in make_reader(stream).iter_messages()]
            equal(stored, [("/vehicle/state", message) for message in printed], "messages in the file")


TRIALS = dict(
    library_client=client,
    library_minimal=minimal, library_publish=publish, library_protobuf=protobuf, library_service=service,
    library_parameters=parameters, library_playback=playback,
)
