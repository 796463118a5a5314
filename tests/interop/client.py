"""Trials of the commands that are clients (`echo`, `call`, `param`, …) with servers that other people wrote, and with ours."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
import subprocess
import tempfile
import time

import websockets

from bridge import BRIDGE, PATIENCE, check, equal, free_port, serving, until

NODE_MODULES = os.environ.get("NODE_PATH", "")


async def command(*arguments, stdin=None, code=0, seconds=60):
    """What a command prints on stdout; its exit code is checked."""
    process = await asyncio.create_subprocess_exec(
        BRIDGE, *map(str, arguments), stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, log = await asyncio.wait_for(process.communicate(stdin), seconds)
    except asyncio.TimeoutError:
        process.kill()
        raise AssertionError(f"{arguments} is still there after {seconds} s")
    equal(process.returncode, code, f"exit code of {arguments}: {log.decode()}")
    return out.decode() if code == 0 else log.decode()


@contextlib.asynccontextmanager
async def running(*arguments, **more):
    """A command whose stdout is read line by line."""
    process = await asyncio.create_subprocess_exec(
        BRIDGE, *map(str, arguments), stdout=subprocess.PIPE, limit=64 << 20, **more)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process, seconds=PATIENCE):
    return json.loads(await asyncio.wait_for(process.stdout.readline(), seconds))


class Sdk:
    """A server of the PyPI package `foxglove-sdk` that has everything."""

    START, END = 1490149580_103843113, 1490149600_000000001

    def __init__(self, **more):
        import foxglove
        from foxglove import websocket as ws

        robot = self
        self.parameters = {"/int": 7, "/float": 0.1, "/bytes": b"\x00\xff", "/nested": {"a": [1, "x"]}}
        self.published, self.subscribed, self.seeks = [], [], []

        class Listener(ws.ServerListener):
            def on_get_parameters(self, client, names, request_id=None):
                return [ws.Parameter(n, value=v) for n, v in robot.parameters.items() if not names or n in names]

            def on_set_parameters(self, client, parameters, request_id=None):
                for parameter in parameters:
                    robot.parameters[parameter.name] = parameter.get_value()
                return parameters

            def on_subscribe(self, client, channel):
                robot.subscribed.append(channel.topic)

            def on_client_advertise(self, client, channel):
                robot.published.append((channel.topic, channel.encoding))

            def on_message_data(self, client, channel_id, data):
                robot.published.append(data)

            def on_playback_control_request(self, request):
                robot.seeks.append(request.seek_time)
                playing = request.playback_command == ws.PlaybackCommand.Play
                return ws.PlaybackState(
                    ws.PlaybackStatus.Playing if playing else ws.PlaybackStatus.Paused,
                    request.seek_time or Sdk.START, request.playback_speed, request.seek_time is not None,
                    request.request_id)

        def refuse(request):
            raise RuntimeError("no way")

        def service(name, handler):
            schema = foxglove.Schema(name="Any", encoding="jsonschema", data=b'{"type":"object"}')
            message = ws.MessageSchema(encoding="json", schema=schema)
            return ws.Service(name, schema=ws.ServiceSchema(name="Any", request=message, response=message), handler=handler)

        schema = foxglove.Schema(name="Pose", encoding="jsonschema", data=b'{"type":"object"}')
        self.channel = lambda topic: foxglove.Channel(topic, schema=schema, message_encoding="json")
        self.pose = self.channel("/pose")
        self.server = foxglove.start_server(
            name="sdk", port=0, server_listener=Listener(), supported_encodings=["json"],
            capabilities=[ws.Capability.ClientPublish, ws.Capability.Parameters, ws.Capability.Services,
                          ws.Capability.ConnectionGraph, ws.Capability.Time],
            services=[service("/double", lambda request: b'{"got":' + request.payload + b"}"), service("/refuse", refuse)],
            asset_handler=lambda uri: b"\x00\x01\xfe" * 50_000 if uri == "package://robot/arm.stl" else None,
            playback_time_range=(Sdk.START, Sdk.END), **more)
        self.url = f"ws://127.0.0.1:{self.server.port}"


async def sdk():
    """Everything that a command can ask is answered by a server of the SDK."""
    robot = Sdk()
    url = robot.url
    info = json.loads(await command("info", url, "--json"))
    equal((info["name"], info["subprotocol"]), ("sdk", "foxglove.sdk.v1.1"), "server")
    equal([(c["topic"], c["schema"]) for c in info["channels"]], [("/pose", "Pose")], "channels")
    equal([s["name"] for s in info["services"]], ["/double", "/refuse"], "services")

    equal(json.loads(await command("call", url, "/double", '{"x":1}')), {"got": {"x": 1}}, "response")
    check("no way" in await command("call", url, "/refuse", code=1), "the failure is shown")
    check("no service '/none'" in await command("call", url, "/none", code=1), "the service is named")
    await command("call", url, "/double", "no json", code=2)

    names = (await command("param", url, "list")).split()
    equal(names, ["/bytes", "/float", "/int", "/nested"], "names")
    equal(await command("param", url, "get", "/int"), "7\n", "value")
    equal(json.loads(await command("param", url, "get", "/int", "/nested")), {"/int": 7, "/nested": {"a": [1, "x"]}}, "values")
    check("/none" in await command("param", url, "get", "/none", code=1), "the parameter is named")
    equal(await command("param", url, "set", "/float", "2.0"), "2.0\n", "value that was set")
    equal(robot.parameters["/float"], 2.0, "the server has it")
    check(isinstance(robot.parameters["/float"], float), "a float stays one")
    dumped = await command("param", url, "dump")
    robot.parameters.update({"/int": 0, "/bytes": b"", "/nested": {}})
    await command("param", url, "load", "-", stdin=dumped.encode())
    equal(robot.parameters, {"/int": 7, "/float": 2.0, "/bytes": b"\x00\xff", "/nested": {"a": [1, "x"]}}, "loaded")

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "arm.stl")
        await command("fetch", url, "package://robot/arm.stl", "-o", path)
        with open(path, "rb") as file:
            equal(file.read(), b"\x00\x01\xfe" * 50_000, "asset")
        await command("fetch", url, "package://robot/arm.stl", "-o", path, code=2)
    await command("fetch", url, "package://none", code=1)

    lines = b'{"topic":"/cmd","data":{"go":1}}\n{"topic":"/cmd","data":{"go":2}}\n'
    await command("publish", url, stdin=lines)
    await until(lambda: len(robot.published) == 3, "publishing")
    equal(robot.published, [("/cmd", "json"), b'{"go":1}', b'{"go":2}'], "published")

    state = json.loads(await command("seek", url, "+5s"))
    equal((robot.seeks[-1], state["did_seek"]), (Sdk.START + 5_000_000_000, True), "seek")
    equal(json.loads(await command("pause", url))["status"], "paused", "state")
    equal(json.loads(await command("rate", url, "2.5"))["speed"], 2.5, "speed")
    equal(json.loads(await command("play", url))["status"], "playing", "state")
    check("/playback/step" in await command("step", url, code=1), "there is no such service")

    async with running("param", url, "watch", "/int") as watching:
        equal((await line(watching))["value"], 7, "value at first")
        await command("param", url, "set", "/int", "8")
        equal((await line(watching))["value"], 8, "value that changed")

    async with running("echo", url, "/p*", "/late") as echo:
        log = asyncio.create_task(publish_until(lambda: robot.pose.log({"x": 1}, log_time=Sdk.START)))
        first = await line(echo)
        log.cancel()
        equal(first, {"topic": "/pose", "log_time": "2017-03-22T02:26:20.103843113Z", "data": {"x": 1}}, "line")
        late = robot.channel("/late")
        log = asyncio.create_task(publish_until(lambda: late.log({"y": 2})))
        while (await line(echo))["topic"] != "/late":
            pass
        log.cancel()
    robot.server.stop()


async def tls():
    """An encrypted server is believed if its authority is named, or if that is not asked."""
    with tempfile.TemporaryDirectory() as folder:
        def openssl(arguments):
            subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)

        for name in ("ca", "leaf"):
            openssl(f"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key")
        openssl("req -x509 -key ca.key -subj /CN=authority -days 2 -out ca.pem -addext basicConstraints=critical,CA:TRUE")
        openssl("req -new -key leaf.key -subj /CN=robot -out leaf.csr")
        with open(os.path.join(folder, "names"), "w") as names:
            names.write("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out leaf.pem")
        certificate, key = (open(os.path.join(folder, name), "rb").read() for name in ("leaf.pem", "leaf.key"))
        robot = Sdk(tls_cert=certificate, tls_key=key)
        authority = os.path.join(folder, "ca.pem")
        for host in ("127.0.0.1", "localhost"):
            url = f"wss://{host}:{robot.server.port}"
            info = json.loads(await command("info", url, "--json", "--ca-file", authority))
            equal(info["name"], "sdk", "server")
        said = await command("info", url, code=1)
        check("--ca-file" in said and "UnknownIssuer" in said, said)
        said = await command("call", url, "/none", "--insecure", code=1)
        check("NOT checked" in said and "no service" in said, said)
        await command("info", url, "--ca-file", os.path.join(folder, "leaf.key"), code=2)
        await command("info", robot.url, "--insecure", code=2)
        # one that speaks TLS is no server of ws://
        await command("info", robot.url, "--timeout", "2s", code=1)
        robot.server.stop()


async def token():
    """A token is sent as the server asks for it, from a flag or from the environment, and is never shown."""
    seen = []

    def admit(connection, request):
        seen.append(request.headers.get("Authorization"))
        return connection.respond(401, "the token is wrong\n")

    async def none(connection):
        await connection.wait_closed()

    async with websockets.serve(none, "127.0.0.1", 0, process_request=admit) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        said = await command("info", url, "--token", "s3cret", code=1)
        check("HTTP 401: the token is wrong" in said and "--token" in said and "s3cret" not in said, said)
        await command("info", url, code=1)
        equal(seen, ["Bearer s3cret", None], "headers")


async def publish_until(publish):
    while True:
        publish()
        await asyncio.sleep(0.05)


async def restart():
    """A server that is killed and comes back, under another session and other ids, is followed."""
    port = free_port()

    @contextlib.asynccontextmanager
    async def lines(*topics):
        async with serving("-", port=port, stdin="pipe") as server:
            async def write():
                while True:
                    await server.write(*({"topic": topic, "data": {"t": topic}} for topic in topics))
                    await asyncio.sleep(0.05)
            writing = asyncio.create_task(write())
            try:
                yield server
            finally:
                writing.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await writing

    async with running("echo", f"ws://127.0.0.1:{port}", "/b", stderr=subprocess.PIPE) as echo:
        # there is no server yet, which is an error at once
        equal(await asyncio.wait_for(echo.wait(), PATIENCE), 1, "exit code")
    async with contextlib.AsyncExitStack() as servers:
        first = await servers.enter_async_context(lines("/a", "/b"))
        echo = await servers.enter_async_context(
            running("echo", f"ws://127.0.0.1:{port}", "/b", stderr=subprocess.PIPE))
        equal((await line(echo))["topic"], "/b", "topic")
        first.process.kill()
        first.process.wait()
        # whatever came before the kill; then nothing
        with contextlib.suppress(asyncio.TimeoutError):
            while True:
                await line(echo, 0.3)
        second = await servers.enter_async_context(lines("/c", "/b"))
        check(second.port == port, "the port")
        equal((await line(echo))["topic"], "/b", "topic after the restart")


async def silent():
    """A server that never answers costs the time that was given, and one that is none is told apart."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        said = await command("echo", url, "--timeout", "500ms", code=1)
        check("within 0.5 s" in said and time.monotonic() - began < 40, said)

    async def other(connection):
        await connection.wait_closed()

    async with websockets.serve(other, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        check("none of our subprotocols" in await command("info", url, code=1), "another protocol")

    async def mute(connection):
        await connection.wait_closed()

    async with websockets.serve(mute, "127.0.0.1", 0, subprotocols=["foxglove.sdk.v1"]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        said = await command("info", url, "--timeout", "10s", code=1)
        check("no serverInfo within" in said, said)


async def nonsense():
    """A server of nonsense does no harm: what makes sense arrives."""
    async def serve(connection):
        channel = {"id": 1, "topic": "/a", "encoding": "json", "schemaName": "", "schema": ""}
        for text in ("", "x", "[]", '{"op":7}', '{"op":"dance"}', '{"op":"advertise","channels":[{}]}', "{" * 10_000):
            await connection.send(text)
        for frame in (b"", b"\xff" * 1000, b"\x01", struct.pack("<BIQ", 1, 99, 1) + b"{}"):
            await connection.send(frame)
        await connection.send(json.dumps({"op": "serverInfo", "name": "n", "capabilities": []}))
        await connection.send(json.dumps({"op": "advertise", "channels": [channel]}))
        await connection.send(json.dumps({"op": "advertise", "channels": [{**channel, "topic": "/b"}]}))
        id = json.loads(await connection.recv())["subscriptions"][0]["id"]
        await connection.send(struct.pack("<BIQ", 1, id, 5_000_000_000) + b'{"ok":1}')
        await connection.wait_closed()

    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["foxglove.websocket.v1"]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        said = await command("echo", url, "--once")
        equal(json.loads(said), {"topic": "/a", "log_time": "5.000000000", "data": {"ok": 1}}, "line")


def example(name, *arguments):
    """A server of npm `@foxglove/ws-protocol-examples`: the process and its URL."""
    preload = os.path.join(os.path.dirname(__file__), "port.cjs")
    entry = os.path.join(NODE_MODULES, "@foxglove/ws-protocol-examples/dist/cjs/ws-protocol-examples/src/index.js")
    process = subprocess.Popen(
        ["node", "--require", preload, entry, name, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, f"ws://127.0.0.1:{process.stdout.readline().split()[1]}"


async def examples():
    """The example servers of the older protocol answer, too."""
    for name, trial in (
        ("sysmon", example_messages), ("image-server", example_images), ("param-server", example_parameters),
        ("service-server", example_services),
    ):
        process, url = await asyncio.to_thread(example, name)
        try:
            await trial(url)
        finally:
            process.kill()
            process.wait()


async def example_messages(url):
    info = json.loads(await command("info", url, "--json"))
    equal(info["subprotocol"], "foxglove.websocket.v1", "subprotocol")
    said = [json.loads(text) for text in (await command("echo", url, "--count", 3)).splitlines()]
    check({message["topic"] for message in said} <= {c["topic"] for c in info["channels"]}, said)
    check(all(isinstance(message["data"], dict) for message in said), said)


async def example_images(url):
    image = json.loads(await command("echo", url, "--once", "--field", "encoding"))
    equal(image, "jpeg", "encoding")


async def example_parameters(url):
    equal(await command("param", url, "get", "/foo/int_param"), "123\n", "value")
    equal(await command("param", url, "set", "/foo/int_param", "5"), "5\n", "value that was set")
    equal(json.loads(await command("param", url, "get"))["/foo/int_list_param"], [1, 2, 3], "list")


async def example_services(url):
    answer = json.loads(await command("call", url, "/set_bool_json", '{"data":true}'))
    equal(answer["success"], True, "response")
    answer = json.loads(await command("call", url, "/set_bool_ros", "-", "--encoding", "ros1", stdin=b"\x01"))
    check(base64.b64decode(answer["data_base64"])[0] == 1 and answer["encoding"] == "ros1", answer)


TRIALS = dict(
    client_sdk=sdk, client_tls=tls, client_token=token, client_restart=restart, client_silent=silent, client_nonsense=nonsense,
    client_examples=examples,
)
