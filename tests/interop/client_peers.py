"""Trials of the commands with the server of PyPI `foxglove-websocket`, with npm `mcap-play`, and of `bench`, `echo` and `step`
with ours."""

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import tempfile

from foxglove_websocket.server import FoxgloveServer, FoxgloveServerListener

from bridge import (
    BRIDGE, DATA, OLD, PATIENCE, TESTDATA, Client, RawClient, Recording, all_at, check, equal, messages_in, serving, until,
    write_camera_recording)
from client import command, example, line, running
from http_api import ask_now
from live import decoded
from program import Address, port_of

DRIVE = os.path.join(TESTDATA, "drive.mcap")
START = 1490149580_103843113


class Robot(FoxgloveServerListener):
    """A server of `foxglove-websocket`, which sends messages in two fragments and has no assets."""

    def __init__(self, server):
        self.server, self.parameters, self.heard = server, {"/int": 7, "/text": "x", "/list": [1.5, 2.5]}, []

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls):
        import logging
        server = FoxgloveServer(
            "127.0.0.1", 0, "older", capabilities=["clientPublish", "parameters", "parametersSubscribe", "services"],
            supported_encodings=["json"], logger=logging.getLogger("quiet"))
        robot = cls(server)
        server.set_listener(robot)
        server.start()
        opened = await server.wait_opened()
        robot.url = f"ws://127.0.0.1:{opened.sockets[0].getsockname()[1]}"
        try:
            yield robot
        finally:
            server.close()
            await server.wait_closed()

    async def on_get_parameters(self, server, names, request_id):
        return [{"name": n, "value": v} for n, v in self.parameters.items() if not names or n in names]

    async def on_set_parameters(self, server, parameters, request_id):
        self.parameters.update((p["name"], p.get("value")) for p in parameters)
        return parameters

    async def on_client_advertise(self, server, channel):
        self.heard.append((channel["topic"], channel["encoding"]))

    async def on_client_message(self, server, channel, payload):
        self.heard.append(payload)

    async def on_service_request(self, server, service, call, encoding, payload):
        return b'{"got":' + payload + b"}"


async def older_server():
    """Everything that a command can ask is answered by a server of `foxglove-websocket`."""
    async with Robot.running() as robot:
        url, server = robot.url, robot.server
        pose = dict(topic="/pose", encoding="json", schemaName="Pose", schema='{"type":"object"}', schemaEncoding="jsonschema")
        channel = await server.add_channel(pose)
        schema = dict(schemaName="Any", schemaEncoding="jsonschema", schema='{"type":"object"}', encoding="json")
        await server.add_service(dict(name="/double", type="Any", request=schema, response=schema))

        info = json.loads(await command("info", url, "--json"))
        equal((info["name"], info["subprotocol"], info["session_id"]), ("older", "foxglove.websocket.v1", None), "server")
        equal([(c["topic"], c["schema"]) for c in info["channels"]], [("/pose", "Pose")], "channels")
        equal([s["name"] for s in info["services"]], ["/double"], "services")

        equal(json.loads(await command("call", url, "/double", '{"x":1}')), {"got": {"x": 1}}, "response")
        check("no service '/none'" in await command("call", url, "/none", code=1), "the service is named")

        equal((await command("param", url, "list")).split(), ["/int", "/list", "/text"], "names")
        equal(json.loads(await command("param", url, "get", "/list")), [1.5, 2.5], "value")
        equal(await command("param", url, "set", "/int", "8"), "8\n", "value that was set")
        equal(robot.parameters["/int"], 8, "the server has it")
        async with running("param", url, "watch", "/int") as watching:
            equal((await line(watching))["value"], 8, "value at first")
            await command("param", url, "set", "/int", "9")
            equal((await line(watching))["value"], 9, "value that changed")

        await command("publish", url, stdin=b'{"topic":"/cmd","data":{"go":1}}\n{"topic":"/cmd","data":{"go":2}}\n')
        await until(lambda: len(robot.heard) == 3, "publishing")
        equal(robot.heard, [("/cmd", "json"), b'{"go":1}', b'{"go":2}'], "published")

        check("assets" in await command("fetch", url, "package://a", code=1), "what is missing is named")
        check("playbackControl" in await command("pause", url, code=1), "what is missing is named")
        check("/playback/step" in await command("step", url, code=1), "there is no such service")

        async def publishing(channel, payload):
            while True:
                await server.send_message(channel, START, payload)
                await asyncio.sleep(0.02)

        async with running("echo", url, "/p*", "/late") as echo:
            log = asyncio.create_task(publishing(channel, b'{"x":1}'))
            first = await line(echo)
            equal(first, {"topic": "/pose", "log_time": "2017-03-22T02:26:20.103843113Z", "data": {"x": 1}}, "line")
            # a channel is taken back, and another one takes its place on the topic; one comes later
            log.cancel()
            await server.remove_channel(channel)
            again = await server.add_channel(pose)
            late = await server.add_channel({**pose, "topic": "/late"})
            tasks = [asyncio.create_task(publishing(again, b'{"x":2}')), asyncio.create_task(publishing(late, b'{"y":3}'))]
            got = set()
            while got != {("/pose", '{"x": 2}'), ("/late", '{"y": 3}')}:
                said = await line(echo)
                got.add((said["topic"], json.dumps(said["data"])))
                got.discard(("/pose", '{"x": 1}'))
            for task in tasks:
                task.cancel()


async def mcap_play():
    """What npm `mcap-play` plays is decoded."""
    process, url = await asyncio.to_thread(example, "mcap-play", DRIVE)
    try:
        said = [json.loads(text) for text in (await command("echo", url, "--count", 30)).splitlines()]
    finally:
        process.kill()
        process.wait()
    recording = Recording(DRIVE)
    topics = {recording.topic(message) for message in recording.messages}
    equal(len(said), 30, "messages")
    check({message["topic"] for message in said} <= topics, said)
    check(all("data" in message for message in said), "all are decoded")


async def bench():
    """A server is measured by several clients, of which none misses anything; one that is killed is exit code 1."""
    async with serving(DRIVE, "--loop", "--shift", "now") as server:
        url = f"ws://127.0.0.1:{server.port}"
        report = json.loads(await command(
            "bench", url, "--clients", 3, "--duration", "4s", "--exclude", "/camera/**", "--topics", "--json"))
        equal(report["clients"], {"asked": 3, "connected": 3, "lost": 0}, "clients")
        equal((report["missed"], report["closed_by_server"]), (0, False), "missed")
        check(0.5 < report["seconds"] <= 4.5, report["seconds"])
        check(report["latency"] and report["jitter"] is None, "log times are of this computer's clock")
        check(0 < report["latency"]["p50"] <= report["latency"]["p99"] <= report["latency"]["max"] < 10, report["latency"])
        topics = {topic["topic"]: topic for topic in report["topics"]}
        check("/tf" in topics and not any(topic.startswith("/camera") for topic in topics), topics.keys())
        equal(sum(topic["messages"] for topic in topics.values()), report["messages"], "messages of all topics")
        check(report["messages"] > 100, report["messages"])
        process = await asyncio.create_subprocess_exec(
            BRIDGE, "bench", url, "--clients", "2", "--duration", "30s", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        await until(lambda: len(ask_now(server.port, "GET", "/api/clients").json()["clients"]) == 2, "the clients")
        await asyncio.sleep(0.5)
        server.process.kill()
        out, log = await asyncio.wait_for(process.communicate(), PATIENCE)
        equal(process.returncode, 1, "exit code: " + log.decode())
        check(b"2 of 2 connections ended" in log and b"2 of 2, 2 lost" in out, (out, log))
    recording = Recording(DRIVE)
    async with serving(DRIVE, "--rate", "2", "--start-on-clients", "2", "--at-end", "exit") as server:
        report = json.loads(await command(
            "bench", f"ws://127.0.0.1:{server.port}", "--clients", 2, "--duration", "60s", "--json"))
        equal(report["closed_by_server"], True, "the server has closed")
        equal(report["messages"], 2 * len(recording.messages), "messages")
        equal(report["bytes"], 2 * sum(len(message.data) for message in recording.messages), "bytes")
        check(report["latency"] is None and report["jitter"]["p50"] < 0.5, report["jitter"])
        equal(report["missed"], 0, "missed")
    await command("bench", "ws://127.0.0.1:1", code=1)
    await command("bench", "http://127.0.0.1:1", code=2)


async def rates():
    """Reports of rates are objects, if that is asked for."""
    async with serving(DRIVE, "--loop") as server:
        url = f"ws://127.0.0.1:{server.port}"
        for flag, key in (("--hz", "hz"), ("--bw", "bytes_per_second"), ("--delay", "delay")):
            said = (await command("echo", url, "/tf", flag, "--json", "--count", 2)).splitlines()
            equal(len(said), 2, "reports")
            topics = json.loads(said[1])["topics"]
            equal([topic["topic"] for topic in topics], ["/tf"], "topics")
            check(key in topics[0], topics)
        await command("echo", url, "--json", code=2)


async def step():
    """Our own server steps, and says where it is then."""
    async with serving(DRIVE, "--start-paused") as server:
        url = f"ws://127.0.0.1:{server.port}"
        async with running("echo", url, "--csv", "--field", "x") as echo:
            before = json.loads(await command("pause", url))
            answer = json.loads(await command("step", url, "3"))
            check(answer["success"], answer)
            after = json.loads(await command("pause", url))
            check(before["status"] == after["status"] == "paused" and before["time"] < after["time"], (before, after))
            check("/none is not offered" in await command("step", url, "--topic", "/none", code=1), "the reason")
            echo.kill()


async def stalled_stdout():
    """An stdout that is not read for longer than the server waits for a sign of life costs the oldest messages, and no
    connection; their number is logged."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        sent = [message for message in write_camera_recording(path, 5) if message[0] == "/camera"]
        async with serving(path, "--client-timeout", "2s", "--on-slow-client", "wait", "--start-on", "client", "--at-end", "exit") as server:
            echo = subprocess.Popen(
                [BRIDGE, "echo", "--raw", f"ws://127.0.0.1:{server.port}", "/camera"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
            try:
                # all has been sent by then, although nothing was read for five seconds
                equal(await server.code(), 0, "exit code of the server: " + server.said())
                out, log = await asyncio.to_thread(echo.communicate, None, 60)
            finally:
                echo.kill()
                echo.wait()
        equal(echo.returncode, 0, "exit code of echo: " + log.decode())
        messages = [text for text in out.splitlines() if text.startswith(b'{"topic"')]
        left_out = len(sent) - len(messages)
        check(left_out > 100, "only", left_out, "were left out of 250 MB")
        check(f"{left_out} messages were left out".encode() in log, log)
        last = base64.b64decode(json.loads(messages[-1])["data_base64"])
        equal(int.from_bytes(last[:4], "little"), sent[-1][2], "the last one is printed")


async def stalled_pipe():
    """A pipe into `serve -` stands still while a viewer takes nothing, until that has been closed; then all goes on."""
    count = 300
    lines = b"".join(
        json.dumps({"topic": "/a", "data": {"n": n, "text": "x" * 100_000}}).encode() + b"\n" for n in range(count))
    async with serving("-", "--on-slow-client", "wait", "--client-buffer", "1MiB", "--client-timeout", "3s", stdin="pipe") as server:
        await server.write({"op": "channel", "topic": "/a", "encoding": "json"})
        viewer = await Client.connect(server, OLD, topics=None)
        stalled = await asyncio.to_thread(RawClient, server.port, 4096)
        stalled.subscribe()

        def subscribers():
            return [topic["subscribers"] for topic in ask_now(server.port, "GET", "/api/topics").json()["topics"]]
        await until(lambda: subscribers() == [2], "both subscriptions")
        writing = asyncio.create_task(server.write(lines))
        done, _ = await asyncio.wait([writing], timeout=1.5)
        check(not done, "the pipe is not read")
        await asyncio.wait_for(writing, PATIENCE)
        await viewer.until(lambda events: len(messages_in(events)) == count, "all messages")
        await server.says("it took nothing and sent nothing")


def channels_of(path):
    """Channels and schemas up to a damage, by the ids of the channels."""
    from mcap.records import Channel as ChannelRecord, Schema
    from mcap.stream_reader import StreamReader
    schemas, channels = {}, {}
    with contextlib.suppress(Exception), open(path, "rb") as file:
        for record in StreamReader(file).records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, ChannelRecord):
                channels[record.id] = (record, schemas.get(record.schema_id))
    return channels


@contextlib.asynccontextmanager
async def relayed(path, *form, rate=("--rate", "max"), part=()):
    """A client that has got all of a recording through `echo | serve -`."""
    recording = Recording(path)
    channels = channels_of(path)
    # a channel without an encoding is not offered
    recording.messages = [m for m in recording.messages if channels[m.channel_id][0].message_encoding]
    async with serving(path, "--rate", "max", "--start-on", "client", "--at-end", "exit", *part) as first:
        with tempfile.TemporaryDirectory() as folder:
            ready = os.path.join(folder, "ready")
            serve = subprocess.Popen(
                [BRIDGE, "serve", "-", *rate, "--port", "0", "--ready-file", ready, "--no-progress"],
                stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            echo = None
            try:
                port = await port_of(ready, serve)
                client = await Client.connect(Address(port), OLD, topics=None)
                echo = subprocess.Popen(
                    [BRIDGE, "echo", *form, f"ws://127.0.0.1:{first.port}"], stdout=serve.stdin)
                serve.stdin.close()
                equal(await asyncio.to_thread(echo.wait, 60), 0, "exit code of echo")
                count = len(recording.messages)
                await client.until(lambda events: len(messages_in(events)) >= count, f"{count} messages")
                yield recording, channels, client
            finally:
                for process in filter(None, (echo, serve)):
                    process.kill()
                    process.wait()


# times too far apart for a stream that is played; channels of which each would be waited for
LIVE = {"time_extremes.mcap", "many_channels_1200.mcap"}


def relayable():
    """Recordings with messages, the largest one not among them."""
    with open(os.path.join(DATA, "expected.json")) as file:
        expected = json.load(file)
    expected = expected.get("files", expected)
    for name, facts in sorted(expected.items()):
        path = os.path.join(DATA, name)
        if not name.startswith("conformance") and facts.get("messages") and facts["bytes"] < 10_000_000 and os.path.exists(path):
            yield path


async def relay_all():
    """`echo --raw | serve -` passes on every recording: topics, schemas, log times and payloads are the same."""
    async def one(path):
        rate = () if os.path.basename(path) in LIVE else ("--rate", "max")
        async with relayed(path, "--raw", rate=rate) as (recording, channels, client):
            got = sorted((recording.plain(topic), time, bytes(data)) for topic, time, data in messages_in(client.events))
            wanted = sorted((topic, time, bytes(data)) for topic, time, data in recording.as_sent())
            equal(len(got), len(wanted), "messages")
            for one, other in zip(got, wanted):
                equal(one, other, "message")
            schemas = {(c["topic"], c["schemaName"], c["encoding"]) for c in client.channels.values()}
            schemas = {(recording.plain(topic), *rest) for topic, *rest in schemas}
            for record, schema in channels.values():
                if schema and any(m.channel_id == record.id for m in recording.messages):
                    check((record.topic, schema.name, record.message_encoding) in schemas, record.topic, schemas)
    paths = list(relayable())
    check(len(paths) > 30, "only", len(paths), "recordings")
    await all_at(2, lambda path: asyncio.wait_for(one(path), 100), paths)


async def relay_decoded():
    """Without `--raw` JSON is the same JSON, and protobuf of known types has the same fields."""
    compared = []

    async def one(path):
        async with relayed(path) as (recording, channels, client):
            got = {}
            for topic, time, data in messages_in(client.events):
                got.setdefault(recording.plain(topic), []).append((time, bytes(data)))
            offered = {recording.plain(c["topic"]): c for c in client.channels.values()}
            wanted = {}
            for message in recording.messages:
                wanted.setdefault(message.channel_id, []).append((message.log_time, message.data))
            for id, messages in wanted.items():
                record, schema = channels[id]
                known = schema and schema.name.startswith("foxglove.") and record.message_encoding == "protobuf"
                if record.message_encoding != "json" and not known:
                    continue
                after = offered[record.topic]
                equal(after["encoding"], record.message_encoding, "encoding")
                if known:
                    before = dict(encoding="protobuf", schemaEncoding="protobuf", schemaName=schema.name,
                                  schema=base64.b64encode(schema.data).decode())
                    read = lambda channel: lambda data: str(decoded(channel, data))
                    as_before, as_after = read(before), read(after)
                else:
                    as_before = as_after = json.loads
                equal([(time, as_after(data)) for time, data in sorted(got[record.topic])],
                      [(time, as_before(data)) for time, data in sorted(messages)], "messages of " + record.topic)
                compared.append(record.message_encoding)
    await all_at(3, lambda path: asyncio.wait_for(one(path), 100), [DRIVE, *(os.path.join(DATA, "real", name) for name in ("mouse_json_zstd.mcap", "camera_model_json.mcap"))])
    check({"json", "protobuf"} <= set(compared), compared)


async def told():
    """What our own server refuses or does otherwise is told, with an exit code."""
    async with serving(DRIVE, "--start-paused") as server:
        url = f"ws://127.0.0.1:{server.port}"
        said = await command("param", url, "set", "playback.rate", "abc", code=1)
        check("did not set 'playback.rate'" in said and "must be a number" in said, said)
        said = await command("param", url, "set", "nope", "-5", code=1)
        check("there is no parameter nope" in said, said)
        equal(await command("param", url, "set", "playback.rate", "2"), "2.0\n", "the same number")

        equal(json.loads(await command("rate", url, "max"))["success"], True, "rate max")
        check("outside of the data" in await log_of("seek", url, "3"), "a time before the data")
        check("outside" not in await log_of("seek", url, "+1s"), "a time within the data")
        check("plays at 1000" in await log_of("rate", url, "5000"), "a rate that is held")
        await command("seek", url, "+99s")
        await command("play", url)
        while json.loads((await command("call", url, "/playback/set_rate", '{"rate":1000}')))["status"] != "ended":
            await asyncio.sleep(0.05)
        check("at the end" in await command("play", url, code=1), "play at the end")

        topics = "no topic matches /vehicle/stat;", "did you mean /vehicle/state?"
        said = await command("echo", url, "/vehicle/stat", "--timeout", "2s", code=1)
        check(all(part in said for part in topics), said)
        said = await log_of("bench", url, "-t", "/vehicle/stat", "--duration", "2s")
        check(all(part in said for part in topics), said)
        with tempfile.TemporaryDirectory() as folder:
            said = await log_of("record", url, "-t", "/vehicle/stat", "--duration", "2s", "-o", os.path.join(folder, "a.mcap"))
            check(all(part in said for part in topics), said)

        await command("rate", url, "1")
        await command("call", url, "/playback/play")
        said = await command("echo", url, "/vehicle/state", "--field", "nope", "--timeout", "4s", code=1)
        check("its message has no nope" in said and "no message with nope" in said, said)
        said = await command("publish", url, stdin=b'no line\n{"topic":"/a","data":{}}\n', code=4)
        check("1 line can't be used" in said, said)
        wss = url.replace("ws:", "wss:")
        check("speaks no TLS" in await command("info", wss, code=1), "an address of the other kind")
        info = (await command("info", url)).splitlines()
        capabilities = next(line for line in info if "capabilities" in line)
        check(capabilities.endswith("playbackControl"), capabilities)
    async with serving("-", stdin="pipe") as server:
        url = f"ws://127.0.0.1:{server.port}"
        check("does not offer playbackControl" in await command("seek", url, "+1s", code=1), "live input")


async def log_of(*arguments):
    """What a command that succeeds prints on stderr."""
    process = await asyncio.create_subprocess_exec(
        BRIDGE, *map(str, arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, log = await asyncio.wait_for(process.communicate(), 60)
    equal(process.returncode, 0, f"exit code of {arguments}: {log.decode()}")
    return log.decode()


TRIALS = dict(
    client_older_server=older_server, client_mcap_play=mcap_play, client_bench=bench, client_rates=rates,
    client_step=step, client_told=told, client_stalled_stdout=stalled_stdout, client_stalled_pipe=stalled_pipe,
    client_relay_all=relay_all, client_relay_decoded=relay_decoded,
)
