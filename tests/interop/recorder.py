"""Trials of the command `record`: what servers send, ours and others', PyPI `mcap` reads back."""

import asyncio
import collections
import contextlib
import fcntl
import io
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import termios

from mcap.reader import make_reader
from mcap.records import Attachment, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer

import http_api
from bridge import BRIDGE, DATA, OLD, PLAY, SDK, TESTDATA, Client, Recording, Server, all_at, check, equal, free_port, serving, until
from client import Sdk, command, example
from live import got
from program import terminal
from record import check_complete, in_log_order, info, new_file, read

DRIVE = os.path.join(TESTDATA, "drive.mcap")
YEAR = 1_700_000_000_000_000_000
ANY = ("jsonschema", b'{"type":"object"}')

# whoever runs these in the background has signals ignored, which the program would respect
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)


class Recorder(Server):
    """A `record` of a server, or of what is written to its stdin."""

    def __init__(self, source, path, *arguments, **process):
        address = source if isinstance(source, str) else f"ws://127.0.0.1:{source.port}"
        process.setdefault("stdin", subprocess.PIPE if address == "-" else subprocess.DEVNULL)
        self.start(["record", address, "-o", path, *map(str, arguments)], **process)

    async def started(self):
        await self.says("recording ")

    async def ends(self, code=0, with_signal=None, seconds=60):
        """Its last words."""
        if with_signal:
            self.process.send_signal(with_signal)
        elif self.stdin:
            self.stdin.close()
        equal(await self.code(seconds), code, "exit code of record; " + self.said())
        return self.said()


@contextlib.contextmanager
def recording(source, path, *arguments, **process):
    recorder = Recorder(source, path, *arguments, **process)
    try:
        yield recorder
    finally:
        recorder.stop()


def contents(path):
    """Of each topic the messages, in the order of the file; and all channels."""
    messages, damaged = read(path)
    check(not damaged, path, "is damaged")
    topics = collections.defaultdict(list)
    for channel, times, data in messages:
        topics[channel[0]].append((times[0], data))
    with open(path, "rb") as file:
        summary = make_reader(file).get_summary()
    schemas = {0: None, **{id: (s.name, s.encoding, s.data) for id, s in summary.schemas.items()}}
    channels = sorted(
        ((c.topic, c.message_encoding, schemas[c.schema_id], sorted(c.metadata.items())) for c in summary.channels.values()), key=repr)
    return dict(topics), channels, messages


def fast(*more):
    return ("--rate", "max", "--at-end", "exit", "--on-slow-client", "wait", *more)


async def plays_and_records(path, into):
    """False if there is nothing to play."""
    server = Server(path, *fast())
    try:
        if await server.ready() is None:
            return False
        with recording(server, into) as recorder:
            await recorder.ends()
        equal(await server.code(), 0, "exit code; " + server.said())
    finally:
        server.stop()
    return True


def schemas_of(path):
    """Schemas by their ids, up to a damage."""
    schemas = {}
    with open(path, "rb") as file, contextlib.suppress(Exception):
        for record in StreamReader(file).records:
            if isinstance(record, Schema):
                schemas[record.id] = (record.name, record.encoding, record.data)
    return schemas


def same_schema(stored, source, encoding):
    """What a viewer is told of a channel without a schema, or without the encoding of one, is what is usual."""
    if source is None or (encoding == "json" and not source[2].strip()):
        return stored is None or encoding != "json" or stored[1:] == ANY
    usual = {"json": "jsonschema", "ros1": "ros1msg", "cdr": "ros2msg"}.get(encoding, encoding)
    return stored == (source[0], source[1] or usual, source[2])


async def one_recording(name):
    """What is served of a recording is stored, in its order, and so is what is served of that."""
    path = os.path.join(DATA, name)
    source = Recording(path)
    if not source.messages:
        # the server ends before anybody can connect
        return
    with tempfile.TemporaryDirectory() as folder:
        first, second = (os.path.join(folder, name) for name in ("first.mcap", "second.mcap"))
        if not await plays_and_records(path, first):
            equal(source.channels, {}, "channels of a recording that can't be played")
            return
        topics, channels, messages = contents(first)
        sent = {id for id, channel in source.channels.items() if channel.message_encoding}
        wanted = [message for message in source.messages if message.channel_id in sent]
        plain = {topic: source.plain(topic) for topic, *_ in channels}
        stored = [(plain[channel[0]], times[0], data) for channel, times, data in messages]
        for index, (one, other) in enumerate(zip(stored, source.as_sent(wanted))):
            equal(one, other, f"message {index} of {name}")
        equal(len(stored), len(wanted), f"messages of {name}")
        schemas, found = schemas_of(path), collections.defaultdict(list)
        for topic, encoding, schema, _ in channels:
            found[plain[topic], encoding].append(schema)
        for channel in (channel for id, channel in source.channels.items() if id in sent):
            encoding, schema = channel.message_encoding, schemas.get(channel.schema_id)
            stored = found[channel.topic, encoding]
            check(any(same_schema(one, schema, encoding) for one in stored), name, channel.topic, schema, stored)
        if messages:
            check_complete(first, messages)
            check(await plays_and_records(first, second), "a recording of", name, "is not served")
            again_topics, again_channels, _ = contents(second)
            equal(again_topics, topics, f"messages of {name}, recorded once more")
            equal(again_channels, channels, f"channels of {name}, recorded once more")


async def sent(server, number):
    """So many messages were sent to the clients of a server, and a moment has passed in which they arrived."""
    def count():
        clients = http_api.ask_now(server.port, "GET", "/api/clients").json()["clients"]
        return sum(client["messages_sent"] for client in clients)
    await until(lambda: count() >= number, f"{number} messages that were sent")
    await asyncio.sleep(1)


async def recordings():
    with open(os.path.join(DATA, "expected.json")) as file:
        names = [name for name in json.load(file) if not name.endswith("chunk_not_closed.mcap")]
    check(len(names) > 40, names)
    await all_at(6, one_recording, names)


class Cut:
    """A way to a server that can be cut: connections end, and others come through again."""

    def __init__(self, server):
        self.server, self.writers, self.is_open = server, [], True

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        self.port = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.cut()
        self.listener.close()

    async def connect(self, reader, writer):
        if not self.is_open:
            return writer.transport.abort()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers += [writer, far_writer]

        async def pass_on(reader, writer):
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    def cut(self):
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


def doubles(messages):
    keys = [(channel[0], times[0], data) for channel, times, data in messages]
    return [key for key, count in collections.Counter(keys).items() if count > 1]


async def reconnect():
    """A server that is killed and comes back: nothing is stored twice, the gap is named, the exit code is 4."""
    port = free_port()
    static = [
        {"op": "channel", "topic": "/map", "latch": True},
        {"topic": "/map", "log_time": 5_000_000_000, "data": {"map": 1}},
    ]
    with new_file() as path:
        async with serving("-", port=port, stdin="pipe") as first:
            with recording(first, path) as recorder:
                await recorder.started()
                await first.write(*static, *({"topic": "/n", "log_time": 6 + n, "data": {"n": n}} for n in range(5)))
                await sent(first, 6)
                first.process.kill()
                await recorder.says("connecting again")
                async with serving("-", port=port, stdin="pipe") as second:
                    await second.write(*static)
                    await recorder.says("connected again")
                    await sent(second, 1)
                    await second.write(*({"topic": "/n", "log_time": 6 + n, "data": {"n": n}} for n in range(5, 9)))
                    await sent(second, 5)
                    said = await recorder.ends(4, signal.SIGINT)
        check(re.search(r"what was sent from \S+ to \S+ \(\d+\.\d s\) is not in the recording", said), said)
        check("there was no connection once" in said.splitlines()[-1], said)
        topics, channels, messages = contents(path)
        equal([json.loads(data) for _, data in topics["/map"]], [{"map": 1}], "the latched message")
        equal([json.loads(data)["n"] for _, data in topics["/n"]], list(range(9)), "messages before and after")
        equal(len(channels), 2, "channels")
        check_complete(path, messages)


async def reconnect_latched():
    """What two publishers have latched comes again with a new connection, and is stored once; what is new is stored."""
    def line(writer, number):
        return json.dumps({"topic": "/static", "log_time": number, "data": {"from": writer, "n": number}}).encode() + b"\n"

    declared = b'{"op":"channel","topic":"/static","latch":true}\n'
    with new_file() as path:
        async with serving("tcp-listen://127.0.0.1:0") as server:
            port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", server.said())[1])
            one, other = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
            witness = await Client.connect(server, OLD, topics=None)
            one.sendall(declared + line("one", 1))
            await got(witness, 1)
            other.sendall(declared + line("other", 2))
            await got(witness, 2)
            await asyncio.sleep(2)
            async with Cut(server) as way:
                with recording(way, path) as recorder:
                    await recorder.started()
                    await sent(server, 2 + 2)
                    way.is_open = False
                    way.cut()
                    await recorder.says("connecting again")
                    other.sendall(line("other", 3))
                    await got(witness, 3)
                    way.is_open = True
                    await recorder.says("connected again")
                    # what is latched comes again
                    await sent(server, 3 + 2)
                    one.sendall(line("one", 4))
                    await sent(server, 4 + 3)
                    await recorder.ends(4, signal.SIGTERM)
            one.close()
            other.close()
        topics, _, _ = contents(path)
        equal([json.loads(data)["n"] for _, data in topics["/static"]], [1, 2, 3, 4], "messages")


async def reconnect_playing():
    """Of a recording that goes on meanwhile each topic goes on with a message that is not stored twice."""
    with new_file() as path:
        async with serving(DRIVE, "--at-end", "exit") as server, Cut(server) as way:
            with recording(way, path) as recorder:
                for _ in range(2):
                    await asyncio.sleep(2)
                    before = recorder.said().count("connected again")
                    way.cut()
                    await until(lambda: recorder.said().count("connected again") > before, "a connection")
                said = await recorder.ends(4)
        check("no connection 2 times" in said.splitlines()[-1], said)
        _, channels, messages = contents(path)
        equal(doubles(messages), [], "messages that are stored twice")
        stored = [(channel[0], times[0], data) for channel, times, data in messages]
        played = {(channel[0], times[0], data) for channel, times, data in in_log_order(DRIVE)}
        check(set(stored) <= played and len(stored) > 300, len(stored), "messages")
        equal(len(channels), 12, "channels")


async def changing():
    """A topic that changes its schema, and changes back, is two channels."""
    def lines(kind, numbers):
        schema = {"op": "schema", "name": kind, "encoding": "jsonschema", "schema": '{"type":"object","title":"%s"}' % kind}
        yield schema
        yield {"op": "channel", "topic": "/a", "encoding": "json", "schema": kind}
        for n in numbers:
            yield {"topic": "/a", "log_time": n, "data": {"n": n}}
    with new_file() as path:
        async with serving("-", "--on-eof", "exit", stdin="pipe") as server:
            with recording(server, path, "--topic", "/a", "--topic", "/nosuch*") as recorder:
                await recorder.started()
                for number, (kind, first) in enumerate((("A", 0), ("B", 10), ("A", 20), ("B", 30)), 1):
                    await server.write(*lines(kind, range(first, first + 3)), {"topic": "/b", "data": {}})
                    await sent(server, 3 * number)
                server.stdin.close()
                said = await recorder.ends()
        equal(said.count("no topic matches /nosuch*"), 1, said)
        topics, channels, messages = contents(path)
        equal([json.loads(data)["n"] for _, data in topics["/a"]], [n + k for n in (0, 10, 20, 30) for k in range(3)], "messages")
        equal([(topic, schema[0]) for topic, _, schema, _ in channels], [("/a", "A"), ("/a", "B")], "channels")
        of = {json.loads(data)["n"]: channel[3][0] for channel, _, data in messages}
        equal([of[n] for n in (0, 10, 20, 30)], list("ABAB"), "schemas of messages")


async def signals():
    """Each signal that asks for the end leaves a complete file."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with new_file() as path:
            async with serving(DRIVE, "--loop") as server:
                with recording(server, path) as recorder:
                    await sent(server, 250)
                    await recorder.ends(0, number)
            topics, _, messages = contents(path)
            check(len(topics) > 8 and len(messages) > 100, len(messages), "messages of", len(topics))
            check_complete(path, messages)


async def disk_full():
    """A full disk is an error at once; what was written before is readable."""
    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    with new_file() as path:
        async with serving(DRIVE, "--loop", "--rate", "3") as server:
            with recording(server, path, preexec_fn=limit_files, restore_signals=False) as recorder:
                said = await recorder.ends(1)
        check(path in said and "File too large" in said and "messages" in said.splitlines()[-1], said)
        messages, damaged = read(path)
        check(damaged and messages, "nothing is left of the recording")
        equal(info(path, code=4)["message_count"], len(messages), "messages of info")


def limited(size):
    """Arguments of a process whose files have at most so many bytes."""
    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return dict(preexec_fn=limit_files, restore_signals=False)


def stream_of(*records):
    """An MCAP stream of attachments (their content), and of messages (topic, second, payload); /map is latched."""
    made = io.BytesIO()
    writer = Writer(made)
    writer.start()
    latched = {"offered_qos_profiles": "- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n"}
    channels = {topic: writer.register_channel(topic, "raw", 0, about) for topic, about in (("/map", latched), ("/a", {}))}
    for record in records:
        if isinstance(record, bytes):
            writer.add_attachment(0, 0, "file", "", record)
        else:
            topic, second, payload = record
            writer.add_message(channels[topic], second * 1_000_000_000, payload, second * 1_000_000_000)
    writer.finish()
    return made.getvalue()


async def disk_full_early():
    """A file without a message of its own does not stay after a write error, unless it has an attachment."""
    noise = random.Random(1).randbytes
    with new_file() as path:
        with recording("-", path, **limited(20_000)) as recorder:
            await recorder.write(stream_of(("/a", 1, noise(60_000))))
            said = await recorder.ends(1)
        check("File too large" in said, said)
        check(not os.path.exists(path), "a file without a message is left")
        # nothing is in the way when there is room again
        with recording("-", path) as recorder:
            await recorder.write(stream_of(("/a", 1, noise(60_000))))
            await recorder.ends()
        equal(len(read(path)[0]), 1, "messages")
    with new_file() as path:
        attachment = noise(1000)
        with recording("-", path, **limited(20_000)) as recorder:
            await recorder.write(stream_of(attachment, ("/a", 1, noise(60_000))))
            await recorder.ends(1)
        with open(path, "rb") as file:
            check(attachment in file.read(), "the attachment is lost")
    # a second part in which there is room for what is latched alone
    with tempfile.TemporaryDirectory() as folder:
        with recording("-", os.path.join(folder, "run.mcap"), "--split-duration", "5s", **limited(100_000)) as recorder:
            await recorder.write(stream_of(("/map", 0, noise(60_000)), ("/a", 1, b"small"), ("/a", 9, noise(60_000))))
            said = await recorder.ends(1)
        check("run-0002.mcap: recording failed: File too large" in said, said)
        equal(os.listdir(folder), ["run-0001.mcap"], "files")
        messages, damaged = read(os.path.join(folder, "run-0001.mcap"))
        equal((len(messages), damaged), (2, False), "messages of the first part")


async def ends():
    """It ends after a count, a time, and never replaces a file."""
    async with serving(DRIVE, "--loop") as server:
        with new_file() as path:
            with recording(server, path, "--count", 50, "-x", "/tf", "-x", "/camera/**") as recorder:
                await recorder.ends()
            topics, _, messages = contents(path)
            equal(len(messages), 50, "messages")
            check(not [topic for topic in topics if topic.startswith(("/tf", "/camera"))], topics.keys())
            with recording(server, path) as recorder:
                check("exists already" in await recorder.ends(2), recorder.said())
            equal(len(read(path)[0]), 50, "messages in the file that was there")
        with new_file() as path:
            with recording(server, path, "--duration", "1s", "-t", "/vehicle/*") as recorder:
                await recorder.ends()
            topics, channels, messages = contents(path)
            equal([topic for topic, *_ in channels], ["/vehicle/state"], "channels")
            check(5 <= len(messages) <= 45, len(messages), "messages in a second")


async def held_back():
    """A server that waits for slow clients loses nothing; one that does not says so, and the exit code is 4."""
    for policy, code in (("wait", 0), ("drop", 4)):
        with new_file() as path:
            arguments = ("--rate", "20", "--on-slow-client", policy, "--client-buffer", "64KiB", "--at-end", "exit", "--start-paused")
            async with serving(DRIVE, *arguments) as server:
                with recording(server, path) as recorder:
                    await recorder.started()
                    recorder.process.send_signal(signal.SIGSTOP)
                    await http_api.control(server, command="play")
                    await asyncio.sleep(3)
                    recorder.process.send_signal(signal.SIGCONT)
                    said = await recorder.ends(code)
            _, _, messages = contents(path)
            equal(doubles(messages), [], "messages that are stored twice")
            if policy == "wait":
                equal(len(messages), 867, "messages")
            else:
                check("leaves messages out" in said and "left messages out" in said.splitlines()[-1], said)
                check(len(messages) < 867, len(messages), "messages")


async def paused():
    """A server that sends nothing for longer than it waits for clients is not lost."""
    with new_file() as path:
        async with serving(DRIVE, "--start-paused", "--client-timeout", "2s", *fast()) as server:
            with recording(server, path) as recorder:
                await asyncio.sleep(6)
                control = await Client.connect(server, SDK)
                await control.control(PLAY, 1000.0)
                await recorder.ends()
        equal(len(read(path)[0]), 867, "messages")


async def split():
    """A recording of several files has every message, and as many files as are kept."""
    source = [(channel[0], times[0], data) for channel, times, data in in_log_order(DRIVE)]
    for limits, kept in (((), None), (("--max-files", 2), 2)):
        with tempfile.TemporaryDirectory() as folder:
            async with serving(DRIVE, *fast()) as server:
                with recording(server, os.path.join(folder, "run.mcap"), "--split-duration", "2s", *limits) as recorder:
                    check("files)" in await recorder.ends(), recorder.said())
            parts = [read(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]
            check(len(parts) == kept if kept else len(parts) > 2, len(parts), "files of", kept)
            check(not any(damaged for _, damaged in parts), "damaged")
            stored = [(channel[0], times[0], data) for messages, _ in parts for channel, times, data in messages]
            equal(stored, source[-len(stored):] if kept else source, "messages")
            with recording("-", os.path.join(folder, "run.mcap"), "--split-size", "1MiB") as recorder:
                check("exists already" in await recorder.ends(2), recorder.said())


async def bar():
    """The bar tells what has come; there is none if that is asked for."""
    def trial(port):
        with tempfile.TemporaryDirectory() as folder, terminal(80) as one:
            for name, option in (("a.mcap", ""), ("b.mcap", "--no-progress")):
                path = os.path.join(folder, name)
                one.type(f"{BRIDGE} record ws://127.0.0.1:{port} -o {path} --count 300 {option}; echo co''de $?\n")
                if not option:
                    one.until(r"recording  \d+\.\d s  \d+ messages  [\d.]+ [kM]?B  [\d.]+ MB/s")
                one.until("code 0")
                check(bool(option) != ("MB/s" in one.shown.decode(errors="replace")), one.shown)
    async with serving(DRIVE, "--loop") as server:
        await asyncio.to_thread(trial, server.port)


async def stdin_mcap():
    """An MCAP stream is stored with its times and sequences, and a part of it with its topics."""
    source = in_log_order(DRIVE)
    for arguments, wanted in (((), source), (("-x", "/camera/**"), [m for m in source if not m[0][0].startswith("/camera/")])):
        with new_file() as path, open(DRIVE, "rb") as file:
            with recording("-", path, *arguments, stdin=file) as recorder:
                await recorder.ends()
            _, _, messages = contents(path)
            equal(sorted(messages, key=lambda message: message[1][0]), wanted, "messages")
            check_complete(path, messages)
    # one that is cut off
    with new_file() as path, open(DRIVE, "rb") as file:
        with recording("-", path) as recorder:
            recorder.stdin.write(file.read(1_000_000))
            check("can't be read" in (await recorder.ends(4)).splitlines()[-1], recorder.said())
        messages, damaged = read(path)
        check(messages and not damaged, "what could be read is not stored")


def extras_of(file):
    """Attachments as they are stored, with their CRCs, and metadata."""
    records = list(StreamReader(file, emit_chunks=True).records)
    return [record for record in records if isinstance(record, Attachment)], [record for record in records if isinstance(record, Metadata)]


async def stdin_extras():
    """Attachments and metadata of an MCAP stream are stored as they are, also where their CRC says that they are damaged."""
    large = random.Random(3).randbytes(40_000_000)
    for chunking in (True, False):
        made = io.BytesIO()
        writer = Writer(made, use_chunking=chunking)
        writer.start("ros2")
        writer.add_metadata("rosbag2", {"a": "b"})
        writer.add_attachment(1, 2, "large.bin", "", large)
        channel = writer.register_channel("/a", "json", 0)
        for second in range(10):
            writer.add_message(channel, second * 1_000_000_000, b"{}", 0)
            if second == 5:
                writer.add_attachment(7, 8, "calibration.yaml", "text/yaml", b"k: 1")
                writer.add_metadata("run", {"who": "me"})
        writer.finish()
        for data, damaged in ((made.getvalue(), False), (made.getvalue().replace(b"k: 1", b"k: 2"), True)):
            wanted = extras_of(io.BytesIO(data))
            equal([attachment.name for attachment in wanted[0]], ["large.bin", "calibration.yaml"], "attachments that were made")
            with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "in"), "w+b") as file:
                file.write(data)
                for name, options in (("one.mcap", ()), ("run.mcap", ("--split-duration", "4s"))):
                    file.seek(0)
                    with recording("-", os.path.join(folder, name), *options, stdin=file) as recorder:
                        await recorder.ends()
                path = os.path.join(folder, "one.mcap")
                with open(path, "rb") as one:
                    equal(extras_of(one), wanted, "attachments and metadata")
                    one.seek(0)
                    statistics = make_reader(one).get_summary().statistics
                    equal((statistics.attachment_count, statistics.metadata_count), (2, 2), "statistics")
                    one.seek(0)
                    equal(make_reader(one).get_header().profile, "ros2", "profile")
                    one.seek(0)
                    equal([a.name for a in make_reader(one).iter_attachments()], ["large.bin", "calibration.yaml"], "by the index")
                equal(len(read(path)[0]), 10, "messages")
                equal(read(path)[1], False, "damaged")
                # the reader does not look at the CRC: content and CRC are as they were
                at = data.index(b"k: 2" if damaged else b"k: 1")
                with open(path, "rb") as one:
                    check(data[at:at + 8] in one.read(), "another CRC than in the stream")
                parts = []
                for name in ("run-0001.mcap", "run-0002.mcap", "run-0003.mcap"):
                    with open(os.path.join(folder, name), "rb") as part:
                        parts.append(extras_of(part))
                        part.seek(0)
                        equal(make_reader(part).get_header().profile, "ros2", "profile of " + name)
                equal([attachment for part in parts for attachment in part[0]], wanted[0], "attachments of all parts")
                # the chunk of the messages comes after what was added meanwhile
                equal([len(part[1]) for part in parts], [2 if chunking else 1, 2, 2], "metadata of the parts")
                if not damaged:
                    file.seek(0)
                    with recording("-", "-", stdin=file, stdout=subprocess.PIPE) as recorder:
                        streamed = io.BytesIO(await asyncio.to_thread(recorder.process.stdout.read))
                        await recorder.ends()
                    equal(extras_of(streamed), wanted, "attachments and metadata on stdout")
                    streamed.seek(0)
                    equal(make_reader(streamed).get_header().profile, "ros2", "profile on stdout")
                # cut off within an attachment
                path = os.path.join(folder, "cut.mcap")
                with recording("-", path) as recorder:
                    await recorder.write(data[:1_000_000])
                    await recorder.ends(2)
                check(not os.path.exists(path), "a file without anything")
                # after it, before there is a message
                with recording("-", path) as recorder:
                    await recorder.write(data[:data.index(large) + len(large) + 8])
                    await recorder.ends(2)
                with open(path, "rb") as cut:
                    equal([attachment.name for attachment in extras_of(cut)[0]], ["large.bin"], "attachments before a cut")


async def stdin_lines():
    """Lines are stored as `serve` sends them, paced by nothing; bad ones are exit code 4."""
    lines = [
        {"op": "channel", "topic": "/a", "encoding": "json"},
        {"topic": "/a", "log_time": YEAR + 9, "publish_time": YEAR + 8, "sequence": 7, "data": {"n": 1}},
        {"topic": "/log", "schema": "foxglove.Log", "log_time": YEAR + 50, "data": {"message": "hi"}},
        {"topic": "/a", "log_time": YEAR + 3, "data": {"n": 2}},
    ]
    with new_file() as path:
        with recording("-", path) as recorder:
            await recorder.write(*lines)
            await recorder.ends()
        _, channels, messages = contents(path)
        equal([(c[0], times) for c, times, _ in messages][0], ("/a", (YEAR + 9, YEAR + 8, 7)), "times")
        equal([times[0] for _, times, _ in messages], [YEAR + 9, YEAR + 50, YEAR + 3], "order")
        equal([(topic, encoding) for topic, encoding, *_ in channels], [("/a", "json"), ("/log", "protobuf")], "channels")
    for text, arguments, code, count in (
        ('{"topic":"/a","data":{}}\nbad\n{"topic":"/a","data":{}}\n', (), 4, 2),
        ('{"topic":"/a","data":{}}\nbad\n{"topic":"/a","data":{}}\n', ("--strict",), 2, 1),
        ("t,x\n1,2\n2,3\n", ("--csv", "--default-topic", "/t", "--time-field", "t"), 0, 2),
        ("nothing\n", (), 2, None),
        ("", (), 0, 0),
    ):
        with new_file() as path:
            with recording("-", path, *arguments) as recorder:
                await recorder.write(text.encode())
                await recorder.ends(code)
            equal(len(read(path)[0]) if os.path.exists(path) else None, count, f"messages of {text!r} {arguments}")


def unread(pipe):
    """How many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


async def stdin_signal():
    """A signal completes the recording of a pipe that goes on."""
    with new_file() as path:
        with recording("-", path) as recorder:
            await recorder.write(*({"topic": "/a", "data": {"n": n}} for n in range(100)))
            await until(lambda: unread(recorder.stdin) == 0, "that the pipe is read")
            await asyncio.sleep(1)
            await recorder.ends(0, signal.SIGTERM)
        _, _, messages = contents(path)
        equal(len(messages), 100, "messages")
        check_complete(path, messages)


async def sdk():
    """A server of the SDK is recorded, with a channel that comes later."""
    robot = Sdk()
    with new_file() as path:
        with recording(robot.url, path) as recorder:
            await until(lambda: "/pose" in robot.subscribed, "the subscription")
            for n in range(200):
                robot.pose.log({"n": n}, log_time=1_000_000_000 + n)
                await asyncio.sleep(0.001)
            late = robot.channel("/late")
            await until(lambda: "/late" in robot.subscribed, "the subscription of the later topic")
            late.log({"late": True}, log_time=7)
            await asyncio.sleep(1.5)
            await recorder.ends(0, signal.SIGINT)
        topics, channels, _ = contents(path)
        equal([(time, json.loads(data)["n"]) for time, data in topics["/pose"]], [(1_000_000_000 + n, n) for n in range(200)], "messages")
        equal([time for time, _ in topics["/late"]], [7], "times of the later topic")
        equal([schema for _, _, schema, _ in channels], [("Pose", *ANY)] * 2, "schemas")
    robot.server.stop()


async def examples():
    """The example servers of npm are recorded."""
    for name in ("sysmon", "image-server"):
        process, url = await asyncio.to_thread(example, name)
        try:
            with new_file() as path:
                said = await command("record", url, "-o", path, "--count", 3)
                equal(said, "", "on stdout")
                topics, channels, messages = contents(path)
                equal(len(messages), 3, "messages")
                check(all(schema and json.loads(schema[2]) for _, _, schema, _ in channels), channels)
                check_complete(path, messages)
        finally:
            process.kill()
            process.wait()


TRIALS = dict(
    recorder_recordings=recordings, recorder_reconnect=reconnect, recorder_latched=reconnect_latched, recorder_playing=reconnect_playing,
    recorder_changing=changing, recorder_signals=signals, recorder_disk_full=disk_full, recorder_disk_full_early=disk_full_early, recorder_ends=ends,
    recorder_held_back=held_back, recorder_bar=bar, recorder_split=split, recorder_paused=paused, recorder_stdin_mcap=stdin_mcap, recorder_stdin_extras=stdin_extras, recorder_stdin_lines=stdin_lines,
    recorder_stdin_signal=stdin_signal, recorder_sdk=sdk, recorder_examples=examples,
)
