"""The clients of npm `@foxglove/ws-protocol-examples` against the demos: each is run as its users do, and its output read."""

import asyncio
import contextlib
import os
import re
import signal
import tempfile

from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

import example_clients
from bridge import OLD, check
from demos import Demo, Viewer
from example_clients import pause_after_handshake


@contextlib.asynccontextmanager
async def example(demo, name, *arguments, way=contextlib.nullcontext):
    """An example that is connected to a demo; `way(port)`: to the port that it makes instead."""
    async with contextlib.AsyncExitStack() as stack:
        server = Demo(demo)
        stack.callback(server.stop)
        check(await server.ready() is not None, server.said())
        port = await stack.enter_async_context(way(server.port))
        yield server, await stack.enter_async_context(example_clients.example(port, name, *arguments))
        check(not re.search("ERROR|panicked", server.said()), server.said())


async def simple():
    async with example("json", "simple-client") as (_, client):
        await client.says(r"data: \{ msg: 'Hello!', count: \d+ \}")
        await client.says(r"sine: ")
    async with example("protobuf", "simple-client") as (_, client):
        await client.says(r"data: SceneUpdate \{")
        await client.says(r"data: FrameTransforms \{")


async def params():
    async with example("params", "param-client") as (_, client):
        await client.says(r"name: 'flag', value: true")
        await client.says(r"Subscribing to \d+ parameters")
        # it toggles what is true or false, and sees that
        await client.says(r"Received 1 parameter updates\n\[ \{ name: 'flag', value: false \} \]")
        await client.says(r"name: 'uptime_seconds'")


async def service():
    async with example("services", "service-client") as (_, client):
        await client.says(r"message: 'it is true now'")
        await client.ends()


async def publish():
    async with example("json", "publish-client") as (server, client):
        viewer = await Viewer.connect(server.port, OLD)
        await viewer.until(lambda: viewer.messages.get("/echo"), "the echo of what the example publishes")
        check(viewer.messages["/echo"][0][1]["data"].startswith("hello world "), viewer.messages["/echo"])
        await viewer.socket.close()
        await client.ends(signal.SIGINT)


async def record():
    with tempfile.TemporaryDirectory() as folder:
        path, often = os.path.join(folder, "drive.mcap"), ("/tf", "/lidar/points", "/camera/image", "/gps")
        async with example("drive", "mcap-record", "-o", path, way=pause_after_handshake) as (server, client):
            await client.says("subscribing to /log ")
            viewer = await Viewer.connect(server.port, OLD)
            # the slowest ones are sent twice a second
            await viewer.until(lambda: all(len(viewer.messages.get(topic, [])) > 12 for topic in often), "messages")
            await viewer.socket.close()
            await asyncio.sleep(2)
            await client.ends(signal.SIGINT)
        counts = {}
        with open(path, "rb") as file:
            for _, channel, _, message in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages(
                    topics=["/tf", "/tf_static", "/lidar/points", "/camera/image", "/gps", "/map", "/log"]):
                counts[channel.topic] = counts.get(channel.topic, 0) + 1
                check(message.ByteSize() > 0, channel.topic)
        check(all(counts[topic] > 2 for topic in often), counts)
        check(counts["/tf_static"] == 1 and counts["/map"] == 1 and counts["/log"] >= 1, counts)


async def perf():
    async with example("drive", "perf-test-client") as (server, client):
        viewer = await Viewer.connect(server.port, OLD)
        await viewer.until(lambda: len(viewer.messages.get("/tf", [])) > 60, "messages")
        await viewer.socket.close()
        await client.ends(signal.SIGINT)
        rows = dict((topic, int(count)) for topic, count in re.findall(r"^\| (/\S+) +\| (\d+) ", client.text, re.M))
        check(rows["/tf"] > 10 and rows["/camera/image"] > 2 and rows["/map"] == 1, client.text)
        check(float(re.search(r"Total kB received: ([\d.]+)", client.text)[1]) > 500, client.text)


TRIALS = dict(
    example_simple=simple, example_params=params, example_service=service, example_publish=publish,
    example_record=record, example_perf=perf,
)
