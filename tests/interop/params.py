"""Parameters and services: of playback, of options, and commands."""

import asyncio
import json
import os
import signal
import struct
import tempfile
import time

from bridge import OLD, SDK, TESTDATA, Client, Server, check, equal, serving, until

DRIVE = os.path.join(TESTDATA, "drive.mcap")


class Viewer(Client):
    """A client that asks for parameters and calls services."""

    calls = 0

    async def say(self, **text):
        await self.socket.send(json.dumps(text))

    def values(self, since=0):
        """`parameterValues`, in their order: (id, {name: (value, type)})."""
        texts = [e[1] for e in self.events[since:] if e[0] == "text" and e[1]["op"] == "parameterValues"]
        return [(text.get("id"), {p["name"]: (p.get("value"), p.get("type")) for p in text["parameters"]})
                for text in texts]

    async def answered(self, id, since):
        found = await self.until(lambda _: [values for i, values in self.values(since) if i == id], f"answer {id}")
        return found[0]

    async def get(self, *names):
        since = len(self.events)
        await self.say(op="getParameters", parameterNames=names, id="get-all-params")
        return await self.answered("get-all-params", since)

    async def set(self, name, value, type=None):
        """Sets one parameter as Lichtblick does; what the answer says of it, and the texts of status before that."""
        since = len(self.events)
        parameter = {"name": name, "value": value} | ({"type": type} if type else {})
        await self.say(op="setParameters", parameters=[parameter], id=f"uuid-{since}")
        values = await self.answered(f"uuid-{since}", since)
        said = [e[1]["message"] for e in self.events[since:] if e[0] == "text" and e[1]["op"] == "status"]
        return values.get(name), said

    async def service(self, name):
        def find(_):
            offered = [service for text in self.texts("advertiseServices") for service in text["services"]]
            return next((service for service in offered if service["name"] == name), None)
        return await self.until(find, f"service {name}")

    async def start_call(self, name, request):
        service = (await self.service(name))["id"]
        self.calls += 1
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        await self.socket.send(struct.pack("<BIII", 2, service, self.calls, 4) + b"json" + payload)
        return self.calls

    async def outcome(self, call):
        """The response, or the text of the failure."""
        def find(events):
            for event in events:
                if event[0] == "response" and event[1] == call:
                    equal(event[2], "json", "encoding of a response")
                    return [json.loads(event[3])]
                if event[0] == "text" and event[1]["op"] == "serviceCallFailure" and event[1]["callId"] == call:
                    return [event[1]["message"]]
            return None
        return (await self.until(find, f"the outcome of call {call}"))[0]

    async def call(self, name, request):
        return await self.outcome(await self.start_call(name, request))


async def declared():
    """Parameters of flags, of the file and of the environment; what fits is taken, and what does not is corrected."""
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "bridge.toml")
        with open(config, "w") as file:
            file.write("""
                [[param]]
                name = "gain"
                value = 2
                type = "float64"
                min = 0
                max = 10
                [[param]]
                name = "mode"
                value = "auto"
                choices = ["auto", "manual"]
                [[param]]
                name = "serial"
                value = 4711
                read-only = true
                [[param]]
                name = "limits"
                value = { speed = 1.5, zones = ["a", "b"] }
            """)
        environment = {**os.environ, "FOXGLOVE_BRIDGE_PARAM": "n=7,list=[1,2]"}
        options = ["tcp-listen://127.0.0.1:0", "--config", config, "--param", "key:byte_array=AQL/", "--param", "n=8"]
        async with serving(*options, env=environment) as server:
            viewer, other = [await Viewer.connect(server, OLD, SDK) for _ in range(2)]
            info = (await viewer.until(lambda _: viewer.texts("serverInfo"), "serverInfo"))[0]
            check({"parameters", "parametersSubscribe"} <= set(info["capabilities"]), info)
            equal(await viewer.get(), {
                "gain": (2.0, "float64"), "mode": ("auto", None), "serial": (4711, None), "n": (8, None),
                "limits": ({"speed": 1.5, "zones": ["a", "b"]}, None), "list": ([1, 2], None),
                "key": ("AQL/", "byte_array"),
            }, "all parameters")
            await other.say(op="subscribeParameterUpdates", parameterNames=["gain"])
            # answered once it follows
            await other.get("mode")
            changes = lambda: [values for id, values in other.values() if id is None]
            await viewer.say(op="subscribeParameterUpdates", parameterNames=[])
            equal(await viewer.set("gain", 7, "float64"), ((7.0, "float64"), []), "a whole number for a float")
            text = json.dumps([e[1] for e in viewer.events if e[0] == "text"])
            check('"value": 7.0' in text, "7.0 was not written as a float:", text[-500:])
            await other.until(lambda _: changes() == [{"gain": (7.0, "float64")}], "the change")
            for name, value, kind, holds, why in [
                ("gain", 11, "float64", (7.0, "float64"), "parameter gain can't be 11: the most that it can be is 10"),
                ("mode", "off", None, ("auto", None), "it must be one of \"auto\", \"manual\""),
                ("serial", 1, None, (4711, None), "clients may only read it"),
                ("n", 1.5, None, (8, None), "parameter n can't be 1.5: it must be an integer"),
                ("none", 1, None, None, "there is no parameter none"),
            ]:
                now, said = await viewer.set(name, value, kind)
                equal(now, holds, name)
                check(len(said) == 1 and why in said[0], name, said)
            equal(await viewer.set("n", 9.0), ((9, None), []), "an integer that is written as a float")
            equal(await viewer.set("key", "////", "byte_array"), (("////", "byte_array"), []), "bytes")
            equal(len(changes()), 1, "changes of gain")
    server = Server(DRIVE, "--param", "playback.rate=2")
    try:
        equal(await server.code(), 2, "exit code; " + server.said())
        check("--param: 'playback.rate': names that begin with playback. are those of the program" in server.said(),
              server.said())
    finally:
        server.stop()


async def playback():
    """Playback is controlled by parameters; who knows playback states gets those too."""
    async with serving(DRIVE, "--start-paused") as server:
        viewer, player = await Viewer.connect(server, OLD, SDK), await Client.connect(server, SDK)
        equal(await viewer.get(), {
            "playback.rate": (1.0, "float64"), "playback.paused": (True, None), "playback.loop": (False, None),
            "playback.position": (0.0, "float64"),
        }, "parameters of playback")
        await viewer.say(op="subscribeParameterUpdates", parameterNames=[])
        equal(await viewer.set("playback.rate", 2, "float64"), ((2.0, "float64"), []), "rate")
        await player.until(lambda events: any(e[0] == "state" and e[1]["speed"] == 2 for e in events), "a state")
        now, said = await viewer.set("playback.rate", 0, "float64")
        equal(now, (2.0, "float64"), "a rate that is none")
        check("can't be 0: the least that it can be is 0.01" in said[0], said)
        equal(await viewer.set("playback.position", 1, "float64"), ((1.0, "float64"), []), "position")
        equal((await viewer.set("playback.position", 1e6, "float64"))[0], (1.0, "float64"), "a position out of range")
        since, began = len(viewer.events), time.monotonic()
        equal(await viewer.set("playback.paused", False), ((False, None), []), "paused")
        def followed():
            return [v["playback.position"][0] for i, v in viewer.values(since) if i is None and "playback.position" in v]
        await viewer.until(lambda _: len(followed()) >= 3, "positions")
        positions = followed()
        check(len(positions) <= 2 * (time.monotonic() - began) + 2, "positions", positions)
        equal(positions, sorted(positions), "positions")
        # a client that follows nothing is sent none
        quiet = await Viewer.connect(server, OLD, SDK)
        await asyncio.sleep(1.2)
        equal(quiet.values(), [], "values that nobody asked for")
        await player.until(lambda events: any(e[0] == "state" and e[1]["status"] == 3 for e in events), "the end")
        await viewer.until(lambda _: any("playback.paused" in v for i, v in viewer.values()[-3:]), "the end")
        equal(await viewer.set("playback.paused", False), ((False, None), []), "from the start again")
        check((await viewer.get("playback.position"))["playback.position"][0] < 4, "the position after the end")


async def laps():
    """A lap does not declare `parameters` once more, and what is followed is sent again."""
    async with serving(DRIVE, "--playback-duration", "300ms", "--loop", "--start-on", "launch") as server:
        viewer, player = await Viewer.connect(server, OLD, SDK), await Viewer.connect(server, SDK)
        await viewer.get()
        await viewer.say(op="subscribeParameterUpdates", parameterNames=["playback.rate", "playback.loop"])
        infos = await viewer.until(
            lambda _: len(viewer.texts("serverInfo")) >= 3 and viewer.texts("serverInfo"), "two laps")
        equal(["parameters" in info["capabilities"] for info in infos], [True] + [False] * (len(infos) - 1), "declared")
        check(all("parametersSubscribe" in info["capabilities"] for info in infos), infos)
        begin = [i for i, e in enumerate(viewer.events) if e[0] == "text" and e[1]["op"] == "serverInfo"]
        for since in begin[1:2]:
            await viewer.until(lambda _: viewer.values(since), "values after the lap")
            id, values = viewer.values(since)[0]
            equal((id, sorted(values)), (None, ["playback.loop", "playback.rate"]), "what is followed")
        equal(await viewer.set("playback.rate", 3, "float64"), ((3.0, "float64"), []), "rate after laps")
        equal(await viewer.set("playback.loop", False), ((False, None), []), "loop")
        equal(len(player.texts("serverInfo")), 1, "sessions of a client that knows playback states")


async def services():
    """Playback is controlled by services, which answer in what holds after them."""
    async with serving(DRIVE, "--start-paused") as server:
        viewer = await Viewer.connect(server, OLD, SDK, topics=None)
        info = (await viewer.until(lambda _: viewer.texts("serverInfo"), "serverInfo"))[0]
        check("services" in info["capabilities"] and info["supportedEncodings"][0] == "json", info)
        for name in ("play", "pause", "toggle", "set_rate", "seek", "step", "burst"):
            service = await viewer.service("/playback/" + name)
            for part in (service["request"], service["response"]):
                equal((part["encoding"], part["schemaEncoding"]), ("json", "jsonschema"), name)
                check(part["schemaName"] and json.loads(part["schema"])["type"] == "object", part)
        now = await viewer.call("/playback/seek", {"offset": 2.5})
        equal({**now, "time": ""}, dict(success=True, message="", status="paused", time="", position=2.5, rate=1.0,
                                        loop=False), "after a seek")
        equal((await viewer.call("/playback/seek", {"time": now["time"]}))["position"], 2.5, "to where it is")
        equal((await viewer.call("/playback/seek", {"by": -1.5}))["position"], 1.0, "back")
        equal((await viewer.call("/playback/set_rate", {"rate": 4}))["rate"], 4.0, "rate")
        step = await viewer.call("/playback/step", {"count": 2})
        check(step["status"] == "paused" and 1.0 < step["position"] < 1.5, step)
        burst = await viewer.call("/playback/burst", {"num_messages": 50})
        check(burst["success"] and burst["position"] > step["position"], burst)
        # slow enough for it not to be at the end already
        equal((await viewer.call("/playback/set_rate", {"rate": 0.1}))["rate"], 0.1, "rate")
        equal((await viewer.call("/playback/play", {}))["status"], "playing", "play")
        equal((await viewer.call("/playback/toggle", b""))["status"], "paused", "toggle")
        for name, request, why in [
            ("set_rate", {"rate": "fast"}, "rate: 'fast' is not a rate"),
            ("seek", {}, "give one of time, offset"),
            ("step", {"topic": "/none"}, "topic: /none is not offered"),
            ("play", b"play!", "the request can't be read"),
        ]:
            response = await viewer.call("/playback/" + name, request)
            check(response["success"] is False and why in response["message"], name, response)
        end = await viewer.call("/playback/burst", {"num_messages": 0})
        equal(end["position"], (await viewer.get("playback.position"))["playback.position"][0], "position at the end")


COMMANDS = """
    [[service]]
    name = "/echo"
    type = "test/Echo"
    exec = ["cat"]
    request-schema = {{ type = "object", properties = {{ x = {{ type = "number" }} }} }}
    response-schema = "response.json"
    [[service]]
    name = "/own"
    exec = ["./own.sh", "an argument; $HOME"]
    [[service]]
    name = "/fails"
    exec = ["sh", "-c", "echo first >&2; echo 'no map yet' >&2; exit 3"]
    [[service]]
    name = "/silent"
    exec = ["true"]
    [[service]]
    name = "/words"
    exec = ["echo", "hello"]
    [[service]]
    name = "/flood"
    exec = ["yes"]
    [[service]]
    name = "/none"
    exec = ["/no/such/program"]
    [[service]]
    name = "/hangs"
    exec = ["sh", "-c", "sleep 60 & echo $! > {pids}; wait"]
    timeout = "700ms"
    [[service]]
    name = "/slow"
    exec = ["sh", "-c", "sleep 0.5"]
    concurrency = 4
    timeout = 60
    [[service]]
    name = "/waits"
    exec = ["sh", "-c", "sleep 60 & echo $! > {waits}; wait"]
    timeout = 60
    [[service]]
    name = "/touches"
    exec = ["sh", "-c", "touch {begun}; sleep 1; touch {done}"]
"""


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def read_pid(path):
    def read():
        if os.path.exists(path):
            with open(path) as file:
                return file.read().strip()
        return None
    return await until(read, path)


async def commands():
    """Services of the settings file run a command: its stdout is the response, and whatever goes wrong a failure."""
    with tempfile.TemporaryDirectory() as folder:
        pids, waits, begun, done = (os.path.join(folder, name) for name in ("pids", "waits", "begun", "done"))
        config, own = os.path.join(folder, "bridge.toml"), os.path.join(folder, "own.sh")
        with open(config, "w") as file:
            file.write(COMMANDS.format(pids=pids, waits=waits, begun=begun, done=done))
        with open(own, "w") as file:
            file.write("#!/bin/sh\nprintf '{\"said\":\"%s\"}' \"$1\"\n")
        os.chmod(own, 0o755)
        with open(os.path.join(folder, "response.json"), "w") as file:
            file.write('{"type":"object","title":"of a file"}')
        options = ["tcp-listen://127.0.0.1:0", "--config", config, "--service", "/flag=echo 7"]
        async with serving(*options) as server:
            viewer = await Viewer.connect(server, OLD, SDK)
            echo = await viewer.service("/echo")
            equal((echo["type"], echo["request"]["schemaName"]), ("test/Echo", "test/EchoRequest"), "type")
            check("properties" in echo["request"]["schema"] and "of a file" in echo["response"]["schema"], echo)
            equal(await viewer.call("/echo", {"x": 1.5}), {"x": 1.5}, "response")
            equal(await viewer.call("/own", {}), {"said": "an argument; $HOME"}, "no shell; beside the settings file")
            equal(await viewer.call("/flag", {}), 7, "a service of a flag")
            equal(await viewer.call("/silent", b""), {}, "no output")
            failure = await viewer.call("/fails", {})
            check("no map yet" in failure and "3" in failure, failure)
            await server.says("service /fails: first")
            await server.says("service /fails: a call failed: no map yet")
            await server.says("service /none: there is no program '/no/such/program'")
            equal(server.said().count("there is no program"), 1, server.said())
            for name, request, why in [
                ("/words", {}, "the output of the command is not JSON"),
                ("/flood", {}, "the command wrote more than 1 MiB"),
                ("/none", {}, "/no/such/program: "),
                ("/echo", b"{", "the request is not JSON"),
            ]:
                failure = await viewer.call(name, request)
                check(isinstance(failure, str) and why in failure, name, failure)
            equal(await viewer.call("/hangs", {}), "no answer within 0.7 s", "time-out")
            pid = await read_pid(pids)
            await until(lambda: not is_running(pid), "the end of what the command started")

            # slow commands hold up each other, and nothing else
            began = time.monotonic()
            slow = [await viewer.start_call("/slow", {}) for _ in range(8)]
            equal(await viewer.call("/echo", {"x": 2}), {"x": 2}, "meanwhile")
            over = [event[1] for event in viewer.events if event[0] == "response" and event[1] in slow]
            check(len(over) < len(slow), "another service waited")
            for call in slow:
                equal(await viewer.outcome(call), {}, "a slow call")
            check(time.monotonic() - began >= 1, "more than four ran at once", time.monotonic() - began)
            too_many = [await viewer.start_call("/slow", {}) for _ in range(120)]
            outcomes = [await viewer.outcome(call) for call in too_many]
            refused = [o for o in outcomes if o != {}]
            equal(set(refused), {"too many calls of this service wait; try again later"}, "refused")
            check(1 <= len(refused) <= 16, len(refused), "of 120 were refused")

            # the command of a client that leaves goes on
            leaves = await Viewer.connect(server, OLD, SDK)
            await leaves.start_call("/touches", {})
            await until(lambda: os.path.exists(begun), "the begin of the command")
            await leaves.socket.close()
            await until(lambda: os.path.exists(done), "what the command was to do")

            # and it ends with the program
            await viewer.start_call("/waits", {})
            pid = await read_pid(waits)
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())
            await until(lambda: not is_running(pid), "the end of the command")


TRIALS = dict(
    params_declared=declared, params_playback=playback, params_laps=laps, playback_services=services,
    command_services=commands,
)
