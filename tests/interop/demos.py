"""Every demo, started as a user does it: a client of another kind subscribes to all, and others' decoders read it."""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess

from mcap.records import Schema
from mcap_protobuf.decoder import DecoderFactory

from bridge import BRIDGE, OLD, PATIENCE, SDK, Client, Server, check, equal
from program import Address

NAMES = ["drive", "sysmon", "json", "protobuf", "image", "params", "services", "playback"]


class Demo(Server):
    """A demo that listens on a free port."""

    def __init__(self, *arguments, port=0):
        self.start(["demo", *arguments, "--port", str(port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Viewer(Client):
    """Subscribes to everything, and decodes every message by its schema."""

    def __init__(self, socket):
        super().__init__(socket)
        self.messages, self.responses, self.states = {}, [], []
        self.decoders, self.factory = {}, DecoderFactory()
        self.taken = 0

    @classmethod
    async def connect(cls, port, protocol=OLD):
        return await super().connect(Address(port), protocol, topics=None)

    def take(self):
        """Decodes what has come since the last time."""
        new, self.taken = self.events[self.taken:], len(self.events)
        for kind, *event in new:
            if kind == "text" and event[0]["op"] == "advertise":
                self.decoders.update((channel["topic"], self.decoder(channel)) for channel in event[0]["channels"])
            elif kind == "message":
                topic, log_time, payload = event
                self.messages.setdefault(topic, []).append((log_time, self.decoders[topic](payload)))
            elif kind == "response":
                call, encoding, payload = event
                equal(encoding, "json", "encoding of a response")
                self.responses.append((call, json.loads(payload)))
            elif kind == "state":
                self.states.append(event[0])

    async def send(self, **text):
        await self.socket.send(json.dumps(text))

    async def until(self, done, what, seconds=PATIENCE):
        def look(_):
            self.take()
            return done()
        return await super().until(look, what, seconds)

    def decoder(self, channel):
        if channel["encoding"] == "json":
            schema = json.loads(channel["schema"])
            equal(schema["type"], "object", channel["topic"])

            def decode(payload):
                message = json.loads(payload)
                if described := schema.get("properties"):
                    equal(sorted(message), sorted(described), "fields of " + channel["topic"])
                return message
            return decode
        equal(channel["encoding"], "protobuf", channel["topic"])
        schema = Schema(id=channel["id"], name=channel["schemaName"], encoding="protobuf",
                        data=base64.b64decode(channel["schema"], validate=True))
        return self.factory.decoder_for("protobuf", schema)

    async def call(self, name, request, number):
        def offered():
            return [s for text in self.texts("advertiseServices") for s in text["services"] if s["name"] == name]
        service = (await self.until(offered, name))[0]
        for part in ("request", "response"):
            equal(service[part]["schemaEncoding"], "jsonschema", name)
            equal(json.loads(service[part]["schema"])["type"], "object", name)
            check(service[part]["schemaName"], name)
        payload = json.dumps(request).encode()
        await self.socket.send(struct.pack("<BIII", 2, service["id"], number, 4) + b"json" + payload)

        def answered():
            failures = [text for text in self.texts("serviceCallFailure") if text["callId"] == number]
            return failures or [response for call, response in self.responses if call == number]
        return (await self.until(answered, name))[0]

    async def set(self, name, value):
        """Sets a parameter; what holds afterwards."""
        number = f"set {len(self.events)}"
        await self.send(op="setParameters", parameters=[{"name": name, "value": value}], id=number)

        def answered():
            return [text["parameters"] for text in self.texts("parameterValues") if text.get("id") == number]
        return (await self.until(answered, f"setting {name}"))[0]


@contextlib.asynccontextmanager
async def demo(name, protocol=OLD):
    """A demo with a viewer of it; Ctrl-C ends it in good order."""
    server = Demo(name)
    try:
        check(await server.ready() is not None, "the program ended:", server.said())
        check(f"Serving the demo {name} (" in server.said(), server.said())
        viewer = await Viewer.connect(server.port, protocol)
        await viewer.until(lambda: viewer.texts("advertise"), "channels")
        yield server, viewer
        server.process.send_signal(signal.SIGINT)
        equal(await server.code(), 0, "exit code; " + server.said())
        equal(await viewer.closed(), 1001, "close code")
        check(not re.search("ERROR|WARN|panicked", server.said()), server.said())
    finally:
        server.stop()


async def everything(viewer, least, seconds=PATIENCE):
    """Waits for messages of each topic: `least` of those that are not named in it."""
    def missing():
        return [topic for topic in (channel["topic"] for channel in viewer.channels.values())
                if len(viewer.messages.get(topic, [])) < least.get(topic, least[None])]
    await viewer.until(lambda: not missing(), "messages of every topic", seconds)
    for topic, messages in viewer.messages.items():
        times = [time for time, _ in messages]
        equal(times, sorted(times), "log times of " + topic)


async def listed():
    def run(*arguments):
        return subprocess.run([BRIDGE, "demo", *arguments], capture_output=True, text=True, timeout=60)
    shown = run()
    equal(shown.returncode, 0, shown.stderr)
    equal(re.findall(r"^  (\w+) ", shown.stdout, re.M), NAMES, "names")
    wrong = run("drvie")
    equal(wrong.returncode, 2, wrong.stderr)
    check("did you mean drive?" in wrong.stderr, wrong.stderr)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = run("json", "--port", str(taken.getsockname()[1]))
    equal(busy.returncode, 3, busy.stderr)
    check("--port" in busy.stderr, busy.stderr)


async def drive():
    async with demo("drive") as (_, viewer):
        latched = {topic: 1 for topic in ("/tf_static", "/scene/world", "/scene/robot", "/map", "/log")}
        await everything(viewer, {None: 10, **latched})
        last = {topic: messages[-1][1] for topic, messages in viewer.messages.items()}
        parents = {}
        for topic in ("/tf", "/tf_static"):
            for frame in last[topic].transforms:
                parents[frame.child_frame_id] = frame.parent_frame_id

        def root(frame):
            for _ in range(10):
                frame = parents.get(frame, frame)
            return frame
        frames = {last[topic].frame_id for topic in ("/lidar/points", "/lidar/scan", "/camera/image", "/map", "/gps", "/plan")}
        frames |= {e.frame_id for topic in ("/scene/world", "/scene/robot", "/scene/live") for e in last[topic].entities}
        for frame in frames:
            equal(root(frame), "map", "the root of " + frame)
        cloud, image, calibration = last["/lidar/points"], last["/camera/image"], last["/camera/calibration"]
        check(len(cloud.data) > 10_000 and len(cloud.data) % cloud.point_stride == 0, len(cloud.data))
        equal((image.format, image.data[:3], image.data[-2:]), ("jpeg", b"\xff\xd8\xff", b"\xff\xd9"), "JPEG")
        equal((calibration.width, calibration.height), (480, 270), "picture")
        grid = last["/map"]
        equal(len(grid.data) % grid.row_stride, 0, "rows of the map")
        check(41.88 < last["/gps"].latitude < 41.89, last["/gps"])
        await leading(viewer)


async def leading(viewer):
    """What a viewer can do with the robot."""
    equal((await viewer.call("/drive/honk", {}, 1))["success"], True, "honk")
    await viewer.until(lambda: any("Honk!" in m.message for _, m in viewer.messages["/log"]), "the log of the horn")
    live = viewer.messages["/scene/live"]
    await viewer.until(lambda: any(e.id == "horn" for _, m in live for e in m.entities), "the horn in the scene")
    await viewer.until(lambda: any(d.id == "horn" for _, m in live for d in m.deletions), "its end")
    equal((await viewer.call("/drive/set_goal", {"x": 0, "y": 25}, 2))["success"], True, "goal")
    equal((await viewer.call("/drive/set_goal", {"x": "far"}, 3))["success"], False, "no goal")
    await viewer.until(lambda: any(e.id == "goal" for _, m in live for e in m.entities), "the goal in the scene")
    equal(await viewer.set("drive.sky", "night"), [{"name": "drive.sky", "value": "night"}], "sky")
    equal(await viewer.set("drive.sky", "green"), [{"name": "drive.sky", "value": "night"}], "no sky")
    twist = {"linear": {"x": 1.0, "y": 0, "z": 0}, "angular": {"x": 0, "y": 0, "z": 0.1}}
    await viewer.send(op="advertise", channels=[
        {"id": 1, "topic": "/cmd_vel", "encoding": "json", "schemaName": "geometry_msgs/Twist"}])
    await viewer.socket.send(struct.pack("<BI", 1, 1) + json.dumps(twist).encode())
    modes = viewer.messages["/state"]
    await viewer.until(lambda: any(m["mode"] == "is led" for _, m in modes), "that it is led")
    await viewer.until(lambda: modes[-1][1]["mode"] == "drives", "that it drives alone again")
    equal((await viewer.call("/drive/reset", {}, 4))["success"], True, "reset")


async def plain(name, least=5, **more):
    async with demo(name) as (_, viewer):
        await everything(viewer, {None: least, **more})
        return {topic: [message for _, message in messages] for topic, messages in viewer.messages.items()}


async def sysmon():
    stats = (await plain("sysmon", 2))["system_stats"][-1]
    equal(len(stats["cpus"]), os.cpu_count(), "CPUs")
    check(0 <= stats["total_cpu_usage"] <= 1.01 and stats["totalmem"] > 0 and stats["processes"], stats)


async def json_demo():
    async with demo("json") as (_, viewer):
        await everything(viewer, {None: 3, "/echo": 0})
        counts = [message["count"] for _, message in viewer.messages["example_msg"]]
        equal(counts, list(range(counts[0], counts[0] + len(counts))), "counts")
        await viewer.send(op="advertise", channels=[
            {"id": 7, "topic": "/chatter", "encoding": "json", "schemaName": "std_msgs/String"}])
        await viewer.socket.send(struct.pack("<BI", 1, 7) + b'{"data":"hello"}')
        await viewer.until(lambda: viewer.messages.get("/echo"), "the echo")
        equal(viewer.messages["/echo"][0][1], {"data": "hello"}, "echo")


async def protobuf():
    messages = await plain("protobuf", 10, **{"/log": 0})
    frames = {frame.child_frame_id for update in messages["/tf"] for frame in update.transforms}
    equal({entity.frame_id for update in messages["/scene"] for entity in update.entities}, frames, "frames")


async def image():
    messages = await plain("image", 10)
    check(all(one.data[:3] == b"\xff\xd8\xff" for one in messages["/camera/image"]), "no JPEG")
    raw = messages["/camera/raw"][-1]
    equal(len(raw.data), raw.step * raw.height, "bytes of the raw picture")
    equal(len(messages["/camera/annotations"][-1].circles), 4, "circles")


async def params():
    async with demo("params") as (_, viewer):
        await viewer.send(op="getParameters", parameterNames=[], id="all")
        values = await viewer.until(lambda: viewer.texts("parameterValues"), "values")
        equal(values[0]["id"], "all", "id")
        names = [one["name"] for one in values[0]["parameters"]]
        await viewer.send(op="subscribeParameterUpdates", parameterNames=names)
        equal(await viewer.set("count", 7), [{"name": "count", "value": 7}], "count")
        equal(await viewer.set("count", 1000), [{"name": "count", "value": 7}], "too large a count")
        equal(await viewer.set("gain", 7), [{"name": "gain", "value": 7.0, "type": "float64"}], "gain")
        equal((await viewer.set("serial_number", "x"))[0]["value"], "FB-0001", "what can't be set")
        check(any("count" in text["message"] for text in viewer.texts("status")), viewer.texts("status"))

        def changed():
            return [one for text in viewer.texts("parameterValues") if "id" not in text
                    for one in text["parameters"] if one["name"] == "uptime_seconds"]
        await viewer.until(lambda: len(changed()) >= 2, "what changes by itself")


async def services():
    async with demo("services") as (_, viewer):
        slow = asyncio.create_task(viewer.call("/slow", {}, 1))
        await asyncio.sleep(0)
        equal(await viewer.call("/add", {"a": 2, "b": 0.5}, 2), {"sum": 2.5}, "sum")
        equal((await viewer.call("/set_bool", {"data": True}, 3))["success"], True, "set_bool")
        equal(await viewer.call("/echo", {"x": [1, None]}, 4), {"x": [1, None]}, "echo")
        equal((await viewer.call("/fails", {}, 5))["message"], "this one always fails", "failure")
        equal((await viewer.call("/refuses", {}, 6))["success"], False, "refusal")
        check(not slow.done(), "the slow one was waited for")
        equal((await slow)["success"], True, "slow")


async def playback():
    async with demo("playback", SDK) as (_, viewer):
        await everything(viewer, {None: 20})
        info = viewer.texts("serverInfo")[0]
        start = info["dataStartTime"]["sec"] * 10**9 + info["dataStartTime"]["nsec"]

        async def control(command, speed, seek, name):
            fixed = struct.pack("<BBfBQI", 3, command, speed, seek is not None, seek or 0, len(name))
            await viewer.socket.send(fixed + name.encode())
            return (await viewer.until(lambda: [s for s in viewer.states if s["id"] == name], name))[0]
        target = start + 30 * 10**9
        state = await control(1, 1.0, target, "seek")
        equal((state["status"], state["time"], state["seek"]), (1, target, 1), "after the seek")
        await viewer.until(lambda: viewer.messages["/pendulum"][-1][0] == target - 20_000_000 or
                           viewer.messages["/pendulum"][-1][0] == target, "the backfill")
        state = await control(0, 4.0, None, "faster")
        equal((state["status"], state["speed"]), (0, 4.0), "after the change")
        await viewer.until(lambda: viewer.messages["/pendulum"][-1][0] > target + 4 * 10**9, "playing")


TRIALS = dict(
    demo_list=listed, demo_drive=drive, demo_sysmon=sysmon, demo_json=json_demo, demo_protobuf=protobuf,
    demo_image=image, demo_params=params, demo_services=services, demo_playback=playback,
)
