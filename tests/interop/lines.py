"""Trials of lines that go both ways: services and parameters of other programs, and events."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from bridge import OLD, SDK, TESTDATA, Client, Server, check, equal, messages_in, serving, shell, until

DRIVE = os.path.join(TESTDATA, "drive.mcap")
README = os.path.join(os.path.dirname(TESTDATA), "README.md")


class Heard(threading.Thread):
    """Lines that come from the server, read as they come, each with the time of its arrival."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines, self.ended = stream, [], False
        self.start()

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.stream:
                self.lines.append((time.monotonic(), json.loads(line)))
        self.ended = True

    def of(self, op):
        return [line for _, line in list(self.lines) if line.get("op") == op]

    async def until(self, op, number=1):
        """So many lines of this op."""
        try:
            return await until(lambda: self.of(op) if len(self.of(op)) >= number else None, f"{number} of {op}")
        except AssertionError as error:
            raise AssertionError(f"{error}; heard: {str(self.lines[-5:]):.600}") from None


@contextlib.asynccontextmanager
async def talking(*arguments, **more):
    """A server whose stdout is heard."""
    async with serving(*arguments, stdin="pipe", stdout=subprocess.PIPE, **more) as server:
        server.heard = Heard(server.process.stdout)
        yield server


class Writer:
    """A program on a socket, which writes and reads lines."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.heard = Heard(self.socket.makefile("rb"))

    def write(self, *lines):
        self.socket.sendall(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


async def service(client, name):
    """The id of a service, once it is advertised; its newest one."""
    def find(_):
        gone = {id for text in client.texts("unadvertiseServices") for id in text["serviceIds"]}
        found = [one for text in client.texts("advertiseServices") for one in text["services"]]
        return [one["id"] for one in found if one["name"] == name and one["id"] not in gone]
    return (await client.until(find, f"the service {name}"))[-1]


async def call(client, service, call_id, data=b"{}", encoding=b"json"):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    await client.socket.send(struct.pack("<BIII", 2, service, call_id, len(encoding)) + encoding + data)


async def response(client, call_id):
    """The JSON of the response to a call."""
    def find(events):
        return [event for event in events if event[0] == "response" and event[1] == call_id]
    found = (await client.until(find, f"the response to {call_id}"))[0]
    equal(found[2], "json", "encoding")
    return json.loads(found[3])


async def failure(client, call_id):
    """The message of the failure of a call."""
    def find(_):
        return [text for text in client.texts("serviceCallFailure") if text["callId"] == call_id]
    return (await client.until(find, f"the failure of {call_id}"))[0]["message"]


async def values(client, name, value):
    """Waits until a parameter has a value, as the client is told."""
    def find(_):
        told = [one for text in client.texts("parameterValues") for one in text["parameters"] if one["name"] == name]
        return told and told[-1].get("value") == value
    await client.until(find, f"parameter {name} = {value}")


async def services():
    """A script on stdin provides a service: answers, errors, refusals, bad commands, a thousand calls at once."""
    async with talking("-", "--call-timeout", "1m") as server:
        client = await Client.connect(server, OLD)
        await client.until(lambda _: client.texts("serverInfo"), "the server's info")
        info, = client.texts("serverInfo")
        check("services" in info["capabilities"] and "json" in info["supportedEncodings"], info)
        await server.write({"op": "service", "name": "/set", "type": "Set", "request": {}})
        id = await service(client, "/set")
        advertised, = client.texts("advertiseServices")[-1]["services"]
        for part, name, schema in (("request", "SetRequest", "{}"), ("response", "SetResponse", '{"type":"object"}')):
            equal(advertised[part], {"encoding": "json", "schemaName": name, "schemaEncoding": "jsonschema",
                                     "schema": schema}, part)
        await call(client, id, 1, b'{"a":\n 1.50}')
        line, = await server.heard.until("call")
        equal(line, {"op": "call", "id": 1, "service": "/set", "client": 0, "data": {"a": 1.5}}, "call")
        await server.write({"op": "response", "id": 1, "data": {"ok": True}})
        equal(await response(client, 1), {"ok": True}, "response")
        await call(client, id, 2)
        await server.heard.until("call", 2)
        await server.write({"op": "response", "id": 2, "error": "not now"})
        equal(await failure(client, 2), "not now", "failure")
        await call(client, id, 3, encoding=b"cdr")
        equal(await failure(client, 3), "/set takes requests as json, not as 'cdr'", "failure")
        # what a line lacks is named
        await server.write({"op": "service"}, {"op": "response", "data": {}}, {"op": "response", "id": 1},
                           {"op": "parameter", "name": "x"}, {"op": "response", "id": 999, "data": {}})
        for reason in ("op service needs a name", "op response needs the id", "op response needs data or error",
                       "op parameter needs a value", "line 8: there is no call 999"):
            await server.says(reason)
        # as many as one client may have
        calls = range(1000, 2000)
        for number in calls:
            await call(client, id, number, {"n": number})
        lines = (await server.heard.until("call", 2 + 1000))[2:]
        equal(len({line["id"] for line in lines}), 1000, "ids")
        await server.write(*({"op": "response", "id": line["id"], "data": {"n": line["data"]["n"] + 1}}
                             for line in reversed(lines)))
        for number in calls:
            equal(await response(client, number), {"n": number + 1}, "response")
        equal(len([event for event in client.events if event[0] == "response"]), 1001, "responses")
        # the service goes with its script, at once
        await call(client, id, 5)
        await server.heard.until("call", 1003)
        server.stdin.close()
        equal(await failure(client, 5), "the program that provides /set has gone", "failure")
        await client.until(lambda _: client.texts("unadvertiseServices"), "the end of the service")
        await call(client, id, 6)
        check("there is no service" in await failure(client, 6), "a service that is gone")
    equal([line for _, line in server.heard.lines if line.get("op") != "call"], [], "nothing else on stdout")
    async with talking("-", "--call-timeout", "1s") as server:
        client = await Client.connect(server, OLD)
        await server.write({"op": "service", "name": "/set"})
        id = await service(client, "/set")
        # no answer in time; a late one is nobody's
        begin = time.monotonic()
        await call(client, id, 1)
        equal(await failure(client, 1), "/set gave no answer within 1s", "failure")
        check(time.monotonic() - begin > 0.9, "after", time.monotonic() - begin)
        await server.write({"op": "response", "id": server.heard.of("call")[-1]["id"], "data": {}})
        await call(client, id, 2)
        line = (await server.heard.until("call", 2))[1]
        await server.write({"op": "response", "id": line["id"], "data": {"ok": True}})
        equal(await response(client, 2), {"ok": True}, "response")
        equal(len([event for event in client.events if event[0] == "response"]), 1, "responses")


async def sockets_services():
    """Writers on sockets provide services; one that leaves, or does not read, hurts no other."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "robot")
        async with serving(f"unix-listen://{path}", "tcp-listen://127.0.0.1:0", "--call-timeout", "1m") as server:
            client, other = [await Client.connect(server, SDK) for _ in range(2)]
            arm, leg = Writer(path), Writer(path)
            arm.write({"op": "service", "name": "/arm"}, {"op": "parameter", "name": "arm.speed", "value": 1})
            leg.write({"op": "service", "name": "/leg"})
            arm_id, leg_id = await service(client, "/arm"), await service(client, "/leg")
            # names are taken
            leg.write({"op": "service", "name": "/arm"})
            error, = await leg.heard.until("error")
            check(error["line"] == 2 and "there is a service /arm already" in error["message"], error)
            # each gets its own calls, and may answer no others
            await call(client, arm_id, 1, {"a": 1})
            await call(other, leg_id, 1, {"b": 1})
            (to_arm,), (to_leg,) = await arm.heard.until("call"), await leg.heard.until("call")
            equal((to_arm["data"], to_arm["client"], to_leg["data"], to_leg["client"]), ({"a": 1}, 0, {"b": 1}, 1), "calls")
            leg.write({"op": "response", "id": to_arm["id"], "data": {}})
            check("not of a service" in (await leg.heard.until("error", 2))[1]["message"], leg.heard.lines)
            leg.write({"op": "response", "id": to_leg["id"], "data": {"leg": 1}})
            arm.write({"op": "response", "id": to_arm["id"], "data": {"arm": 1}})
            equal((await response(client, 1), await response(other, 1)), ({"arm": 1}, {"leg": 1}), "responses")
            # what a client sets goes to who set it before
            await client.socket.send(json.dumps({"op": "setParameters", "parameters": [{"name": "arm.speed", "value": 3}]}))
            line, = await arm.heard.until("set_parameter")
            equal(line, {"op": "set_parameter", "name": "arm.speed", "value": 3, "client": 0}, "change")
            # a client that leaves while it waits
            await call(other, leg_id, 2)
            to_leg = (await leg.heard.until("call", 2))[1]
            await other.socket.close()
            leg.write({"op": "response", "id": to_leg["id"], "data": {}})
            # a provider that leaves: its calls fail at once
            await call(client, arm_id, 2)
            await arm.heard.until("call", 2)
            arm.close()
            equal(await failure(client, 2), "the program that provides /arm has gone", "failure")
            await client.until(lambda _: client.texts("unadvertiseServices"), "the end of the service")
            # its name is free again, here for one that never reads
            deaf = socket.socket(socket.AF_UNIX)
            deaf.connect(path)
            deaf.sendall(b'{"op":"service","name":"/arm"}\n{"op":"channel","topic":"/a"}\n')
            deaf_id = await service(client, "/arm")
            check(deaf_id != arm_id, "an id is given again")
            large = {"x": "y" * (1 << 20)}
            for number in range(100, 104):
                await call(client, deaf_id, number, large)
            equal(await failure(client, 103), "the program that provides /arm does not read what it is sent", "failure")
            # the others go on: its own lines, and other services
            await client.until(lambda _: client.channels, "the channel")
            await client.subscribe(client.channels.values())
            await client.fence()
            deaf.sendall(b'{"topic":"/a","data":{"n":1}}\n')
            await client.until(messages_in, "a message of who does not read")
            await call(client, leg_id, 3)
            to_leg = (await leg.heard.until("call", 3))[2]
            leg.write({"op": "response", "id": to_leg["id"], "data": {"leg": 3}})
            equal(await response(client, 3), {"leg": 3}, "response")
            deaf.close()
            equal(await failure(client, 100), "the program that provides /arm has gone", "failure")
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())


async def parameters():
    """A parameter that a script sets is there for clients; what they set comes out, and holds."""
    async with talking("-") as server:
        client = await Client.connect(server, OLD)
        await client.until(lambda _: client.texts("serverInfo"), "the server's info")
        check("parametersSubscribe" in client.texts("serverInfo")[0]["capabilities"], client.events)
        await client.socket.send(json.dumps({"op": "subscribeParameterUpdates", "parameterNames": []}))
        await server.write({"op": "parameter", "name": "gain", "value": 2, "type": "float64"},
                           {"op": "parameter", "name": "mode", "value": "auto"})
        await values(client, "mode", "auto")
        await values(client, "gain", 2.0)
        await client.socket.send(json.dumps({"op": "setParameters", "id": "one", "parameters": [
            {"name": "gain", "value": 7, "type": "float64"}]}))
        line, = await server.heard.until("set_parameter")
        equal(line, {"op": "set_parameter", "name": "gain", "value": 7.0, "type": "float64", "client": 0}, "change")
        await values(client, "gain", 7.0)
        await server.write({"op": "parameter", "name": "gain", "value": 5})
        await values(client, "gain", 5.0)
        await server.write({"op": "parameter", "name": "gain", "value": "high"})
        await server.says("parameter gain can't be")
        await server.write({"op": "parameter", "name": "gain", "remove": True})
        await values(client, "gain", None)
        server.stdin.close()
        await server.says("the input has ended")
        await client.socket.send(json.dumps({"op": "getParameters", "id": "all", "parameterNames": []}))
        await client.until(lambda _: [text for text in client.texts("parameterValues") if text.get("id") == "all"], "all")
        equal(client.texts("parameterValues")[-1]["parameters"], [{"name": "mode", "value": "auto"}], "what is left")


async def events():
    """What happens is a line each, and messages between them can be read again."""
    async with talking(DRIVE, "--events", "--start-on", "launch", "--loop") as server:
        listening, = await server.heard.until("listening")
        equal(listening, {"op": "listening", "url": f"ws://localhost:{server.port}"}, "listening")
        client = await Client.connect(server, SDK, topics={"/vehicle/state"})
        connect, = await server.heard.until("connect")
        check(connect["address"].startswith("127.0.0.1:"), connect)
        equal((connect["client"], connect["subprotocol"]), (0, SDK), "connect")
        check("websockets" in connect["agent"], connect)
        equal(await server.heard.until("subscribe"), [{"op": "subscribe", "topic": "/vehicle/state", "client": 0}], "subscribe")
        await client.until(messages_in, "a message")
        await client.answer(await client.control(1))
        await until(lambda: server.heard.of("playback")[-1:] and server.heard.of("playback")[-1]["status"] == "paused", "paused")
        before = len(server.heard.of("playback"))
        await client.answer(await client.control(1))
        await client.answer(await client.control(0, speed=2.0))
        await until(lambda: server.heard.of("playback")[-1]["status"] == "playing", "playing")
        news = server.heard.of("playback")[before:]
        equal([one["speed"] for one in news], [2.0], "an answer that changes nothing is no event")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", news[0]["time"]), news)
        await client.socket.send(json.dumps({"op": "unsubscribe", "subscriptionIds": list(client.subscribed)}))
        await server.heard.until("unsubscribe")
        late = await Client.connect(server, OLD, topics=None)
        await server.heard.until("subscribe", 13)
        await client.socket.close()
        gone, = await server.heard.until("disconnect")
        equal((gone["client"], gone["reason"], gone["dropped"]), (0, "it closed the connection", 0), "disconnect")
        check(gone["messages"] > 0 and gone["bytes"] > 0, gone)
        server.process.send_signal(signal.SIGTERM)
        equal(await server.code(), 0, "exit code")
        await until(lambda: server.heard.ended, "the end of stdout")
        check("code 1001" in server.heard.of("disconnect")[-1]["reason"], server.heard.of("disconnect"))
        equal(len(server.heard.of("disconnect")), 2, "disconnects")
        equal(len(server.heard.of("subscribe")), len(server.heard.of("unsubscribe")), "each subscription has an end")
        await late.closed()


async def events_with_script():
    """With events a change of a parameter is printed once, whoever has set it before."""
    async with talking("-", "--events") as server:
        client = await Client.connect(server, OLD)
        await server.write({"op": "parameter", "name": "a", "value": 1}, {"op": "service", "name": "/s"})
        id = await service(client, "/s")
        await client.socket.send(json.dumps({"op": "setParameters", "parameters": [{"name": "a", "value": 2}]}))
        await server.heard.until("set_parameter")
        await call(client, id, 1)
        await server.heard.until("call")
        await server.write({"op": "response", "id": 1, "data": {}})
        await response(client, 1)
        equal([line["op"] for _, line in server.heard.lines], ["listening", "connect", "set_parameter", "call"], "lines")
        # what one server prints another one reads
        lines = [line for _, line in server.heard.lines] + [{"topic": "/a", "data": {}, "client": 3}]
    async with talking("-", "--strict") as again:
        client = await Client.connect(again, OLD, topics=None)
        await again.write({"op": "channel", "topic": "/a"})
        await client.until(lambda _: client.subscribed, "the channel")
        await client.fence()
        await again.write(*lines)
        await client.until(messages_in, "the message")
        equal(again.heard.lines, [], "what comes of events")


async def churn(client, rounds):
    """Subscribes to a channel and unsubscribes, so many times."""
    channel, = client.channels
    for number in range(rounds):
        await client.socket.send(json.dumps({"op": "subscribe", "subscriptions": [{"id": number, "channelId": channel}]}))
        await client.socket.send(json.dumps({"op": "unsubscribe", "subscriptionIds": [number]}))


async def events_stalled():
    """An stdout that takes nothing holds nobody, what is not printed is counted, and the program ends when asked."""
    async with serving("-", "--events", stdin="pipe", stdout=subprocess.PIPE) as server:
        # long lines fill the queue with few
        topic = "/" + "a" * 1000
        viewer = await Client.connect(server, OLD, topics={topic})
        busy = await Client.connect(server, OLD)
        await server.write({"op": "channel", "topic": topic}, {"op": "service", "name": "/s"})
        await viewer.until(lambda _: viewer.subscribed, "the channel")
        await busy.until(lambda _: busy.channels, "the channel")
        rounds = 6_000
        await churn(busy, rounds)
        await (await busy.socket.ping())
        await server.write({"topic": topic, "data": {"n": 1}})
        await viewer.until(messages_in, "a message")
        # a script that does not read its calls can't be called
        id = await service(viewer, "/s")
        await call(viewer, id, 1, {"x": "y" * 10_000})
        equal(await failure(viewer, 1), "the program that provides /s does not read what it is sent", "failure")
        heard = Heard(server.process.stdout)
        await until(lambda: len(heard.lines) > 7_000, "what was kept")
        # all of it
        while time.monotonic() - heard.lines[-1][0] < 1:
            await asyncio.sleep(0.1)
        last = await Client.connect(server, OLD)
        dropped = await heard.until("dropped")
        equal(len(dropped), 1, "one count")
        await until(lambda: heard.of("connect")[-1]["client"] == 2, "the connection after it")
        kept = len(heard.of("subscribe")) + len(heard.of("unsubscribe"))
        equal(kept + dropped[0]["count"], 2 * rounds + 1, "what was printed and what was not")
        await last.socket.close()
    async with serving("-", "--events", stdin="pipe", stdout=subprocess.PIPE) as server:
        busy = await Client.connect(server, OLD)
        await server.write({"op": "channel", "topic": "/a"})
        await busy.until(lambda _: busy.channels, "the channel")
        await churn(busy, 2_000)
        server.process.send_signal(signal.SIGTERM)
        equal(await server.code(), 0, "exit code while stdout takes nothing")


async def events_closed():
    """An stdout that is closed ends the events, not the server."""
    async with serving("-", "--events", stdin="pipe", stdout=subprocess.PIPE) as server:
        server.process.stdout.close()
        await server.write({"op": "service", "name": "/s"})
        client = await Client.connect(server, OLD)
        await server.says("stdout was closed")
        await call(client, await service(client, "/s"), 1)
        equal(await failure(client, 1), "the program that provides /s has gone", "failure")
        await (await Client.connect(server, OLD)).socket.close()
        equal(server.said().count("stdout"), 1, "one line of the log")
        server.process.send_signal(signal.SIGTERM)
        equal(await server.code(), 0, "exit code; " + server.said())


async def beside_recording():
    """Beside a recording stdin gives commands: a script adds a service to it."""
    async with talking("-", DRIVE) as server:
        client = await Client.connect(server, SDK, topics={"/vehicle/state"})
        await client.until(lambda _: client.texts("serverInfo"), "the server's info")
        check("playbackControl" in client.texts("serverInfo")[0]["capabilities"], "the recording can be controlled")
        check("commands from stdin" in server.said(), server.said())
        await server.write({"op": "service", "name": "/mark"}, {"topic": "/a", "data": {}})
        await server.says("--shift now")
        id = await service(client, "/mark")
        await call(client, id, 1, {"text": "here"})
        line, = await server.heard.until("call")
        await server.write({"op": "response", "id": line["id"], "data": {"marked": line["data"]["text"]}})
        equal(await response(client, 1), {"marked": "here"}, "response")
        equal({channel["topic"] for channel in client.channels.values()} & {"/a"}, set(), "topics of stdin")
        await client.until(lambda events: len(messages_in(events)) > 10, "the recording")
        server.stdin.close()
        await server.says("stdin has ended; the recording goes on")
        await client.until(lambda _: client.texts("unadvertiseServices"), "the end of the service")
        await client.answer(await client.control(0, seek=messages_in(client.events)[0][1]))
        await client.until(lambda events: len(messages_in(events)) > 20, "the recording goes on")
    async with serving("-", DRIVE, "--rate", "max", "--start-on", "launch", "--at-end", "exit", stdin="pipe") as server:
        equal(await server.code(), 0, "stdin that stays open does not hold the end: " + server.said())
    for arguments, data, hints in (
            (("-", DRIVE), open(DRIVE, "rb").read(4096), ["stdin: is MCAP", "--shift now"]),
            (("-", DRIVE, "--strict"), b'{"topic":"/a","data":{}}\n', ["line 1", "--shift now"]),
            (("-", DRIVE, "--on-eof", "exit"), b"", ["--on-eof"]),
            (("-", "tcp-listen://127.0.0.1:0", DRIVE), b"", ["--shift now"])):
        server = Server(*arguments, stdin="pipe")
        try:
            with contextlib.suppress(BrokenPipeError):
                await server.write(data)
            equal(await server.code(), 2, f"exit code of {arguments}; " + server.said())
            for hint in hints:
                check(hint in server.said(), hint, "is not in", server.said())
        finally:
            server.stop()


async def commands_in_files():
    """A log of what happened makes nothing happen again."""
    lines = [{"op": "service", "name": "/s"}, {"topic": "/a", "log_time": 5, "data": {"n": 1}},
             {"op": "parameter", "name": "x", "value": 1}, {"op": "connect", "client": 1}]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log.jsonl")
        with open(path, "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        for arguments in ((path, "--start-on", "launch"), ("--follow", "--from-start", path)):
            async with serving(*arguments) as server:
                client = await Client.connect(server, OLD, topics=None)
                await client.until(messages_in, "the message") if "--follow" not in arguments else await server.says("skipped")
                await server.says("commands (op service")
                await asyncio.sleep(0.3)
                offered = [service["name"] for message in client.texts("advertiseServices") for service in message["services"]]
                check("/s" not in offered, offered)
                equal(server.said().count("commands (op service"), 1, server.said())
                check("line is skipped" not in server.said(), server.said())


async def script():
    """The script of the README is a server, as it is printed; it has twenty lines at most."""
    with open(README) as file:
        found = re.findall(r"```bash\n(#!/bin/bash\n.*?)```", file.read(), re.S)
    equal(len(found), 1, "scripts")
    check(len(found[0].splitlines()) <= 20, "lines:", len(found[0].splitlines()))
    with tempfile.TemporaryDirectory() as folder:
        await whole_server(found[0], folder)


async def whole_server(command, folder):
    """A command that counts on `/count` by the parameter `step`, which the service `/reset` sets to the `to` of a request."""
    async with shell(command, folder) as server:
        client = await Client.connect(server, OLD, topics={"/count"})
        await client.socket.send(json.dumps({"op": "subscribeParameterUpdates", "parameterNames": []}))
        id = await service(client, "/reset")

        def counts():
            return [json.loads(event[3])["n"] for event in client.events if event[0] == "message"]

        def steps(step):
            last = counts()[-4:]
            return len(last) == 4 and all(b - a == step for a, b in zip(last, last[1:]))
        await client.until(lambda _: steps(1), "steps of 1")
        await client.socket.send(json.dumps({"op": "setParameters", "parameters": [{"name": "step", "value": 100}]}))
        await client.until(lambda _: steps(100), "steps of 100")
        await call(client, id, 1, {"to": -5000})
        equal(await response(client, 1), {"success": True}, "response")
        await client.until(lambda _: counts()[-1] < 0, "the count after the reset")
        await call(client, id, 2, {"to": "far"})
        seen = len(counts())
        await client.until(lambda _: len(counts()) > seen + 10, "counts after a request that does not fit")
        await client.socket.send(json.dumps({"op": "getParameters", "id": "all", "parameterNames": []}))
        await values(client, "step", 100)
        check("WARN" not in server.said(), server.said())


TRIALS = dict(
    services=services, sockets_services=sockets_services, script_parameters=parameters, events=events,
    events_with_script=events_with_script, events_stalled=events_stalled, events_closed=events_closed,
    beside_recording=beside_recording, commands_in_files=commands_in_files, readme_script=script,
)
