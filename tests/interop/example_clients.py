"""The clients of npm `@foxglove/ws-protocol-examples` against `serve`: each is run as its users do, and its output read."""

import asyncio
import contextlib
import os
import re
import signal
import tempfile

from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

from bridge import PATIENCE, TESTDATA, Recording, check, equal, serving, until
from lines import talking

PROGRAM = os.path.join(os.environ.get("NODE_PATH", ""), ".bin", "ws-protocol-examples")
DRIVE = os.path.join(TESTDATA, "drive.mcap")


class Example:
    """A running example; what it has said so far."""

    def __init__(self, process):
        self.process, self.text = process, ""
        self.task = asyncio.create_task(self.read())

    async def read(self):
        while data := await self.process.stdout.read(65536):
            self.text += data.decode(errors="replace")

    async def says(self, pattern):
        try:
            return await until(lambda: re.search(pattern, self.text), f"{pattern!r} of the example")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {self.text[-2000:]}") from None

    async def ends(self, with_signal=None):
        if with_signal:
            self.process.send_signal(with_signal)
        await asyncio.wait_for(self.task, PATIENCE)
        equal(await self.process.wait(), 0, "exit code of the example; " + self.text[-2000:])


async def pass_on(reader, writer, pause=0.0):
    """Bytes from one connection to another; the first ones, then after a pause the others."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await asyncio.sleep(pause)
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@contextlib.asynccontextmanager
async def pause_after_handshake(port):
    """A port that leads to another, with a pause after the answer to the handshake. mcap-record begins to listen only a
    moment after its connection is open: what arrives together with the handshake's answer is lost to it."""
    async def connect(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer, 1.5))
        writer.close()
        far_writer.close()
    async with await asyncio.start_server(connect, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def example(port, name, *arguments):
    """An example that is connected to a port."""
    process = await asyncio.create_subprocess_exec(
        "node", PROGRAM, name, f"ws://127.0.0.1:{port}", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        yield Example(process)
    finally:
        if process.returncode is None:
            process.kill()


async def simple():
    """It decodes JSON, and protobuf by the schema that it is sent."""
    async with serving(DRIVE) as server, example(server.port, "simple-client") as client:
        await client.says(r"data: FrameTransforms \{")
        await client.says(r"data: PointCloud \{")
        # JSON, of which this is /vehicle/state
        await client.says(r"data: \{[^{}]*speed")
        check("Unsupported encoding" not in client.text and "Error" not in client.text, client.text[-2000:])


async def parameters():
    """It reads, follows and sets: of a recording it toggles what is true or false, playback among it."""
    async with talking(DRIVE, "-", "--param", "on=true", "--loop") as server:
        await server.write({"op": "parameter", "name": "count", "value": 1})
        async with example(server.port, "param-client") as client:
            await client.says(r"name: 'on', value: true")
            await client.says(r"name: 'playback.rate', type: 'float64', value: 1")
            await client.says(r"Subscribing to [67] parameters")
            await client.says(r"Received \d+ parameter updates\n\[[^\]]*\{ name: 'on', value: false \}")
            await server.write({"op": "parameter", "name": "count", "value": 2})
            await client.says(r"\{ name: 'count', value: 2 \}")
            check("Assertion failed" not in client.text, client.text)


async def services():
    """It calls the first service whose type is SetBool: one of a program, and a command; and one that fails."""
    set_bool = '[[service]]\nname = "/set"\ntype = "std_srvs/srv/SetBool"\nexec = ["%s"]\n'
    offer = {"op": "service", "name": "/set", "type": "std_srvs/SetBool"}
    async with talking("-") as server:
        await server.write(offer)
        async with example(server.port, "service-client") as client:
            line, = await server.heard.until("call")
            equal(line["data"], {"data": True}, "request")
            await server.write({"op": "response", "id": line["id"], "data": {"success": True, "message": "it is on"}})
            await client.says(r"\{ success: true, message: 'it is on' \}")
            await client.ends()
    for command, answer in (("cat", r"\{ data: true \}"), ("false", r"Failed to call service \d+: the command failed")):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(set_bool % command)
            config.flush()
            async with serving(DRIVE, "--config", config.name) as server, example(server.port, "service-client") as client:
                await client.says(answer)
                await client.ends()


async def publish():
    """What it publishes comes out, in each encoding."""
    for encoding in ("json", "ros1", "cdr"):
        async with talking("-", "--events") as server:
            async with example(server.port, "publish-client", "--encoding", encoding) as client:
                said = lambda: [line for _, line in list(server.heard.lines) if line.get("topic") == "/chatter" and "op" not in line]
                line = (await until(said, "what it publishes"))[0]
                if encoding == "json":
                    check(line["data"]["data"].startswith("hello world "), line)
                else:
                    equal(line["encoding"], encoding, "encoding")
                await client.ends(signal.SIGINT)


async def record():
    """It makes a recording of what is played, which others decode, with every message."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "drive.mcap")
        async with serving(DRIVE, "--at-end", "exit") as server, pause_after_handshake(server.port) as port:
            async with example(port, "mcap-record", "-o", path) as client:
                await client.says("subscribing to /tf ")
                await client.says("server disconnected, code=1000")
                await client.ends()
        played = Recording(DRIVE)
        expected = sorted((played.topic(message), message.data) for message in played.messages)
        with open(path, "rb") as file:
            reader = make_reader(file, decoder_factories=[DecoderFactory()])
            recorded = sorted((channel.topic, message.data) for _, channel, message in reader.iter_messages())
            decoded = sum(1 for _ in reader.iter_decoded_messages(topics=["/tf", "/lidar/points"]))
        equal(len(recorded), len(expected), "messages")
        check(recorded == expected, "other messages than in the recording")
        check(decoded > 300, decoded, "decoded messages")


async def perf():
    """It counts what arrives on each topic."""
    async with serving(DRIVE, "--rate", "3", "--at-end", "exit") as server:
        async with example(server.port, "perf-test-client") as client:
            await client.says("Total kB received")
            await client.ends()
        counts = {topic: int(count) for topic, count in re.findall(r"^\| (/\S+) +\| (\d+) ", client.text, re.M)}
        played = Recording(DRIVE)
        expected = {}
        for message in played.messages:
            expected[played.topic(message)] = expected.get(played.topic(message), 0) + 1
        equal(counts, expected, "messages of each topic")


TRIALS = dict(
    serve_simple=simple, serve_params=parameters, serve_service=services, serve_publish=publish, serve_record=record,
    serve_perf=perf,
)
