"""The program under test, and clients of it that record what they are sent."""

import asyncio
import bisect
import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import types

import websockets
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer

BRIDGE = os.environ["BRIDGE"]
DATA = os.environ.get("BRIDGE_DATA", "")
TESTDATA = os.environ.get("BRIDGE_TESTDATA", "")

OLD, SDK, TABLE = "foxglove.websocket.v1", "foxglove.sdk.v1", "foxglove.sdk.v1.1"
MESSAGE, TIME, RESPONSE, ASSET, STATE = 1, 2, 3, 4, 5
PLAY, PAUSE = 0, 1
MILLISECOND = 1_000_000


def check(condition, *said):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in said))


async def all_at(once, work, items):
    """Does work for each item, so many at once; failures are named."""
    gate, failed = asyncio.Semaphore(once), []

    async def one(item):
        async with gate:
            try:
                await work(item)
            except (Exception, asyncio.TimeoutError) as error:
                failed.append(f"{item}: {error!r:.300}")
    await asyncio.gather(*map(one, items))
    check(not failed, f"{len(failed)} of {len(items)} failed:\n", "\n".join(failed[:20]))


def equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r:.300}, expected {expected!r:.300}")


# how long a trial waits for what must come at last: computers that are busy take their time
PATIENCE = 60


async def until(done, what, seconds=PATIENCE):
    """Waits until `done()` is true; its value."""
    end = time.monotonic() + seconds
    while not (value := done()):
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        await asyncio.sleep(0.01)
    return value


def free_port():
    """A port for a server that others must know before it listens, or that listens on it again: none that the system gives
    to connections, or to who asks for any."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        lowest = int(file.read().split()[0])
    for _ in range(100):
        with socket.socket() as free, contextlib.suppress(OSError):
            port = random.randrange(lowest // 2, lowest)
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def read_frame(exactly):
    """First byte and payload of an unmasked frame; `exactly` reads so many bytes."""
    first, length = exactly(2)
    if length == 126:
        length, = struct.unpack(">H", exactly(2))
    elif length == 127:
        length, = struct.unpack(">Q", exactly(8))
    return first, exactly(length)


class Server:
    """A `serve` that listens on a free port; with `stdin="pipe"` it reads what is written to `server.stdin`."""

    # of this trial, the oldest first
    started = []

    def __init__(self, *arguments, port=0, stdin=subprocess.DEVNULL, **process):
        stdin = subprocess.PIPE if stdin == "pipe" else stdin
        process.setdefault("stdout", subprocess.DEVNULL)
        self.start(["serve", *map(str, arguments), "--no-progress", "--port", str(port)], stdin=stdin, **process)

    def start(self, arguments, **process):
        self.log, self.arguments, self.port = tempfile.TemporaryFile(), arguments, None
        self.process = subprocess.Popen([BRIDGE, *arguments], stderr=self.log, **process)
        self.stdin = self.process.stdin
        Server.started.append(self)

    async def write(self, *lines):
        """Lines to stdin: text, or what becomes JSON. Bytes go as they are."""
        def text(line):
            if isinstance(line, bytes):
                return line
            return (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
        data = b"".join(map(text, lines))
        await asyncio.to_thread(lambda: (self.stdin.write(data), self.stdin.flush()))

    def said(self):
        if self.log.closed:
            return self.last_words
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode()

    async def says(self, text, count=1):
        """Waits until it has logged a text so often: lines are written a moment after what they are about. What it said."""
        await until(lambda: self.said().count(text) >= count, f"{text!r} in the log")
        return self.said()

    async def ready(self):
        """The port, once it is there; None if the program ended instead."""
        def found():
            ended = self.process.poll() is not None
            return re.search(r"WebSocket +ws://localhost:(\d+)", self.said()) or ended
        line = await until(found, "the start-up line")
        self.port = None if line is True else int(line[1])
        return self.port

    async def code(self, seconds=PATIENCE):
        await until(lambda: self.process.poll() is not None, "the end of the program", seconds)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        if self.stdin:
            with contextlib.suppress(OSError):
                self.stdin.close()
        self.process.wait()
        self.last_words = self.said()
        self.log.close()


def print_logs():
    """For who looks for the cause of a failure: the last lines of each server of the trial."""
    for server in Server.started:
        print(f"---- {' '.join(server.arguments)}: exit code {server.process.poll()}, its log:")
        print(*server.said().splitlines()[-40:], sep="\n")


@contextlib.asynccontextmanager
async def serving(*arguments, **more):
    server = Server(*arguments, **more)
    try:
        check(await server.ready() is not None, "the program ended:", server.said())
        yield server
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def shell(command, folder, path=(), **environment):
    """Runs a command of a page as it is printed, in a folder, with these folders before PATH; a server with `port` and
    `said()`. Its `foxglove-bridge` listens on a free port."""
    with tempfile.TemporaryDirectory() as own:
        log = os.path.join(own, "log")
        program = os.path.join(own, "foxglove-bridge")
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\nexec "{BRIDGE}" "$@" --port 0 --no-progress 2>"{log}"\n')
        os.chmod(program, 0o755)
        path = os.pathsep.join([own, *path, os.environ["PATH"]])
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=folder, start_new_session=True, env={**os.environ, **environment, "PATH": path},
            stdin=asyncio.subprocess.DEVNULL)

        def said():
            if not os.path.exists(log):
                return ""
            with open(log) as file:
                return file.read()
        try:
            found = await until(lambda: re.search(r"ws://localhost:(\d+)", said()), "the start of the server")
            yield types.SimpleNamespace(port=int(found[1]), said=said)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class Client:
    """Records events in their order of arrival: ("message", topic, log time, payload), ("time", t),
    ("state", {...}), ("response", call id, encoding, payload), ("asset", request id, bytes or the text of an error),
    ("text", {...}), ("close", code)."""

    # Whether every client offers the newest subprotocol: instead of the older one of the SDK, and beside the others.
    offers_newest = False

    def __init__(self, socket):
        self.socket = socket
        self.channels = {}
        self.schemas = {}
        self.subscribed = {}
        self.events = []
        self.changed = asyncio.Event()
        self.topics = None
        self.task = asyncio.create_task(self.read())
        self.requests = 0

    @classmethod
    async def connect(cls, server, *protocols, topics=()):
        """`topics`: what is subscribed to, in one message, as soon as it is advertised; None: everything."""
        if cls.offers_newest and protocols:
            protocols = [*(protocol for protocol in protocols if protocol != SDK), TABLE]
        socket = await websockets.connect(
            f"ws://127.0.0.1:{server.port}", subprotocols=protocols, max_size=None, compression=None,
            max_queue=64, open_timeout=PATIENCE,
        )
        check(not cls.offers_newest or socket.subprotocol == TABLE, socket.subprotocol)
        client = cls(socket)
        client.topics = topics
        # those that connect later have higher numbers
        await until(lambda: client.events, "the first frame")
        return client

    async def read(self):
        try:
            async for frame in self.socket:
                if isinstance(frame, str):
                    text = json.loads(frame)
                    self.events.append(("text", text))
                    if text["op"] == "serverInfo":
                        self.schemas.clear()
                    elif text["op"] == "advertise":
                        self.schemas.update((schema["id"], schema) for schema in text.get("schemas", ()))
                        text["channels"] = [self.with_schema(channel) for channel in text["channels"]]
                        await self.on_advertise(text["channels"])
                elif frame[0] == MESSAGE:
                    subscription, log_time = struct.unpack_from("<IQ", frame, 1)
                    topic = self.channels[self.subscribed[subscription]]["topic"]
                    self.events.append(("message", topic, log_time, frame[13:]))
                elif frame[0] == TIME:
                    equal(len(frame), 9, "length of a time frame")
                    self.events.append(("time", struct.unpack_from("<Q", frame, 1)[0]))
                elif frame[0] == RESPONSE:
                    _, call, length = struct.unpack_from("<III", frame, 1)
                    encoding, payload = frame[13:13 + length].decode(), frame[13 + length:]
                    self.events.append(("response", call, encoding, payload))
                elif frame[0] == ASSET:
                    request, failed, length = struct.unpack_from("<IBI", frame, 1)
                    error, asset = frame[10:10 + length].decode(), frame[10 + length:]
                    self.events.append(("asset", request, error if failed else asset))
                elif frame[0] == STATE:
                    status, now, speed, seek, length = struct.unpack_from("<BQfBI", frame, 1)
                    equal(len(frame), 19 + length, "length of a playback state")
                    state = dict(status=status, time=now, speed=speed, seek=seek, id=frame[19:].decode())
                    self.events.append(("state", state))
                else:
                    raise AssertionError(f"opcode {frame[0]}")
                self.changed.set()
        except websockets.ConnectionClosed:
            pass
        except BaseException as error:  # the trial that waits must see it
            self.events.append(("error", repr(error)))
        self.events.append(("close", self.socket.close_code))
        self.changed.set()

    def with_schema(self, channel):
        """A channel with its schema in it, as the older subprotocols have it."""
        if self.socket.subprotocol != TABLE:
            return channel
        check(not {"schemaName", "schema", "schemaEncoding"} & channel.keys(), "a schema in", channel)
        schema = self.schemas[channel.pop("schemaId")] if "schemaId" in channel else dict(name="", data="", encoding="")
        encoding = {"schemaEncoding": schema["encoding"]} if schema["encoding"] else {}
        return {**channel, "schemaName": schema["name"], "schema": schema["data"], **encoding}

    async def on_advertise(self, channels):
        new = [channel for channel in channels if channel["id"] not in self.channels]
        self.channels.update((channel["id"], channel) for channel in channels)
        await self.subscribe([c for c in new if self.topics is None or c["topic"] in self.topics])

    async def subscribe(self, channels):
        wanted = [{"id": channel["id"] + 1000, "channelId": channel["id"]} for channel in channels]
        if wanted:
            self.subscribed.update((one["id"], one["channelId"]) for one in wanted)
            await self.socket.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))

    async def control(self, command, speed=1.0, seek=None, name=None):
        """Asks for playback control; the id of the request."""
        self.requests += 1
        name = name or f"request {self.requests}"
        request = name.encode()
        fixed = struct.pack("<BBfBQI", 3, command, speed, seek is not None, seek or 0, len(request))
        await self.socket.send(fixed + request)
        return name

    async def fence(self):
        """The server has read all that this client has sent, a subscription among it: it answers in that order."""
        await (await self.socket.ping())

    async def until(self, done, what, seconds=PATIENCE):
        """Waits until `done(events)` is true; its value."""
        async def wait():
            while not (value := done(self.events)):
                check(not self.events or self.events[-1][0] not in ("close", "error"), what, ":", self.events[-2:])
                self.changed.clear()
                await self.changed.wait()
            return value
        try:
            return await asyncio.wait_for(wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what}: not within {seconds} s; last: {str(self.events[-5:]):.800}") from None

    async def closed(self, seconds=2 * PATIENCE):
        await asyncio.wait_for(self.task, seconds)
        errors = [event for event in self.events if event[0] == "error"]
        check(not errors, errors)
        return self.events[-1][1]

    async def answer(self, name, seconds=PATIENCE):
        """The index of the state that answers a request."""
        def find(events):
            return [i for i, e in enumerate(events) if e[0] == "state" and e[1]["id"] == name]
        return (await self.until(find, f"the answer to {name}", seconds))[0]

    def texts(self, op):
        return [event[1] for event in self.events if event[0] == "text" and event[1]["op"] == op]


class RawClient(threading.Thread):
    """A client on a bare socket, that reads only when it is told to, and then as fast as it can."""

    def __init__(self, port, buffer=None, host="127.0.0.1"):
        super().__init__(daemon=True)
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(60)
        self.socket.connect((host, port))
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Sec-WebSocket-Protocol: {OLD}\r\n\r\n".encode())
        self.buffered = b""
        while b"\r\n\r\n" not in self.buffered:
            self.buffered += self.socket.recv(4096)
        head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
        check(b" 101 " in head, head)
        self.topics, self.messages, self.texts, self.pongs, self.error = {}, [], [], 0, None
        # (arrival on this clock, "message", topic, log time), (…, "time", t), (…, op, text)
        self.events = []
        while not self.topics:
            self.handle(*self.frame())

    def exactly(self, length):
        if len(self.buffered) >= length:
            out, self.buffered = self.buffered[:length], self.buffered[length:]
            return out
        out = bytearray(length)
        have = len(self.buffered)
        out[:have], self.buffered = self.buffered, b""
        view = memoryview(out)
        while have < length:
            got = self.socket.recv_into(view[have:])
            if got == 0:
                raise EOFError
            have += got
        return bytes(out)

    def frame(self):
        first, payload = read_frame(self.exactly)
        return first & 15, payload

    def handle(self, opcode, payload):
        if opcode == 1:
            text = json.loads(payload)
            self.texts.append(text)
            self.events.append((time.monotonic(), text["op"], text))
            if text["op"] == "advertise":
                self.topics = {channel["id"]: channel["topic"] for channel in text["channels"]}
        elif opcode == 2 and payload[0] == 1:
            subscription, log_time = struct.unpack_from("<IQ", payload, 1)
            number = int.from_bytes(payload[13:17], "little")
            self.messages.append((self.topics[subscription], log_time, number, len(payload) - 13))
            self.events.append((time.monotonic(), "message", self.topics[subscription], log_time))
        elif opcode == 2 and payload[0] == 2:
            self.events.append((time.monotonic(), "time", struct.unpack_from("<Q", payload, 1)[0]))
        elif opcode == 9:
            self.socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        elif opcode == 10:
            self.pongs += 1

    def subscribe(self, topics=None):
        """To these topics; None: to all."""
        wanted = [{"id": channel, "channelId": channel} for channel, topic in self.topics.items()
                  if topics is None or topic in topics]
        self.send({"op": "subscribe", "subscriptions": wanted})

    def send(self, text):
        text = json.dumps(text).encode()
        length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(text))
        self.socket.sendall(bytes([0x81]) + length + bytes(4) + text)

    async def fence(self):
        """The server has read all that this client has sent. The client must be reading."""
        before = self.pongs
        self.socket.sendall(bytes([0x89, 0x80]) + bytes(4))
        await until(lambda: self.pongs > before, "the answer to a ping")

    def run(self):
        try:
            while True:
                self.handle(*self.frame())
        except (OSError, EOFError) as error:
            self.error = error


def check_silence(events):
    """Before each session but the first: the `time` of what comes, and nothing but answers for a while; then the
    channels, the same `time`, messages. The arrivals of the sessions."""
    sessions = [index for index, event in enumerate(events) if event[1] == "serverInfo"]
    for index in sessions[1:]:
        data = [event for event in events[:index] if event[1] in ("message", "time")]
        equal(data[-1][1], "time", "the last frame of a session")
        for kind in ("message", "time"):
            last = next(event for event in reversed(data) if event[1] == kind)
            quiet = events[index][0] - last[0]
            # half a second as the server counts, less what a reader that is late takes off it
            check(quiet >= 0.25, f"only {quiet:.3f} s between a {kind} and the new session")
        equal(events[index + 1][1], "advertise", "after a new session")
        first = next(event for event in events[index:] if event[1] in ("message", "time"))
        equal(first[1:], ("time", data[-1][2]), "the first time of a session")
    ids = [events[index][2]["sessionId"] for index in sessions]
    equal(len(set(ids)), len(ids), f"distinct sessions of {ids}")
    return [events[index][0] for index in sessions]


def write_camera_recording(path, seconds):
    """A camera of 1 MB at 50 Hz, a transform at 100 Hz, a state at 1 Hz, and a map sent once."""
    latched = "- history: keep_last\n  depth: 1\n  reliability: reliable\n  durability: transient_local\n"
    picture = bytes(range(256)) * 4096
    start, messages = 1_700_000_000 * 10**9, []
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=4 << 20, compression=CompressionType.NONE, enable_crcs=False)
        writer.start("ros2")
        schema = writer.register_schema("std_msgs/msg/UInt32", "ros2msg", b"uint32 data\n")
        channels = {
            topic: writer.register_channel(topic, "cdr", schema, {"offered_qos_profiles": qos} if qos else {})
            for topic, qos in (("/map", latched), ("/camera", ""), ("/tf", ""), ("/state", ""))
        }
        due = [(start, "/map", 0)]
        for topic, rate in (("/camera", 50), ("/tf", 100), ("/state", 1)):
            due += [(start + 1 + n * 10**9 // rate, topic, n) for n in range(seconds * rate)]
        for log_time, topic, number in sorted(due):
            data = struct.pack("<I", number) + (picture if topic == "/camera" else bytes(60))
            writer.add_message(channels[topic], log_time, data, log_time, number)
            messages.append((topic, log_time, number, len(data)))
        writer.finish()
    return messages


class Recording:
    """What PyPI `mcap` reads, up to a damage."""

    def __init__(self, path):
        self.path = path
        self.channels, self.messages, self.damaged = {}, [], False
        try:
            with open(path, "rb") as file:
                for record in StreamReader(file).records:
                    if isinstance(record, Channel):
                        self.channels[record.id] = record
                    elif isinstance(record, Message):
                        self.messages.append(record)
        except Exception:
            self.damaged = True
        self.messages.sort(key=lambda message: message.log_time)
        self.times = [message.log_time for message in self.messages]

    def topic(self, message):
        channel = self.channels.get(message.channel_id)
        return channel.topic if channel else f"#{message.channel_id}"

    def plain(self, advertised):
        """The topic in the file of an advertised one: `/t#2` is the second channel of `/t`."""
        own = {channel.topic for channel in self.channels.values()}
        base = re.sub(r"#\d+$", "", advertised)
        return advertised if advertised in own or base not in own else base

    def as_sent(self, messages=None):
        messages = self.messages if messages is None else messages
        return [(self.topic(message), message.log_time, message.data) for message in messages]

    def since(self, time):
        return bisect.bisect_left(self.times, time)


def messages_in(events):
    return [event[1:] for event in events if event[0] == "message"]


def check_times(events):
    """`time` frames: before the first message, never backward, and none more than 1 ms behind a message."""
    now = None
    for event in events:
        if event[0] == "time":
            check(now is None or event[1] >= now, "time goes back from", now, "to", event[1])
            now = event[1]
        elif event[0] == "message":
            check(now is not None, "a message before the first time")
            check(now <= event[2] <= now + MILLISECOND, "time is", now, "at a message of", event[2])
