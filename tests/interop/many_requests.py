"""Ten clients ask ten thousand things at once, twice over, of a program some of whose providers never answer, while
others leave in the middle: each request is answered once, and nothing is left of them."""

import asyncio
import collections
import contextlib
import json
import os
import struct
import subprocess
import tempfile
import threading

import websockets

from bridge import ASSET, OLD, RESPONSE, SDK, TABLE, check, equal, serving, until

CLIENTS, REQUESTS, ROUNDS = 10, 1000, 2
# What a request is by its number, of each hundred; where it says so a program, or a command, never answers.
KINDS = ["get"] * 25 + ["set"] * 10 + ["asset"] * 20 + ["no asset"] * 5 + ["program"] * 25 + ["refused"] * 5
KINDS += ["silent"] * 5 + ["unknown"] * 3 + ["command", "hangs"]


class Program(threading.Thread):
    """What is on stdin: it answers a call, refuses it or says nothing, as it was asked to."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.late = server, []
        self.start()

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.server.process.stdout:
                line = json.loads(line)
                if line["op"] != "call":
                    continue
                answer = {"op": "response", "id": line["id"]}
                if line["data"]["do"] == "silent":
                    self.late.append(answer | {"data": {}})
                elif line["data"]["do"] == "refused":
                    self.say(answer | {"error": "no"})
                else:
                    self.say(answer | {"data": line["data"]})

    def say(self, *lines):
        self.server.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self.server.stdin.flush()


class Asker:
    """A client that asks a thousand things and counts the answers to each."""

    def __init__(self, socket):
        self.socket, self.services, self.answers, self.statuses = socket, {}, collections.defaultdict(list), []
        self.task = asyncio.create_task(self.read())

    @classmethod
    async def connect(cls, server, protocol):
        address = f"ws://127.0.0.1:{server.port}"
        asker = cls(await websockets.connect(address, subprotocols=[protocol], max_size=None, compression=None))
        await until(lambda: {"/program", "/echo", "/hangs"} <= asker.services.keys(), "services")
        return asker

    async def read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for frame in self.socket:
                if isinstance(frame, str):
                    text = json.loads(frame)
                    if text["op"] == "advertiseServices":
                        self.services.update((service["name"], service["id"]) for service in text["services"])
                    elif text["op"] == "parameterValues":
                        self.answers[int(text["id"])].append({p["name"]: p["value"] for p in text["parameters"]})
                    elif text["op"] == "serviceCallFailure":
                        self.answers[text["callId"]].append(text["message"])
                    elif text["op"] == "status":
                        self.statuses.append(text)
                elif frame[0] == RESPONSE:
                    _, number, length = struct.unpack_from("<III", frame, 1)
                    self.answers[number].append(json.loads(frame[13 + length:]))
                elif frame[0] == ASSET:
                    number, failed, length = struct.unpack_from("<IBI", frame, 1)
                    self.answers[number].append(frame[10:10 + length].decode() if failed else frame[10 + length:])

    async def ask(self, numbers):
        for number in numbers:
            kind = KINDS[number % 100]
            if kind in ("get", "set", "asset", "no asset"):
                await self.socket.send(json.dumps({
                    "get": {"op": "getParameters", "parameterNames": ["fixed"], "id": str(number)},
                    "set": {"op": "setParameters", "parameters": [{"name": "n", "value": number}], "id": str(number)},
                    "asset": {"op": "fetchAsset", "uri": "package://data/file", "requestId": number},
                    "no asset": {"op": "fetchAsset", "uri": "package://data/none", "requestId": number},
                }[kind]))
            else:
                name = {"command": "/echo", "hangs": "/hangs"}.get(kind, "/program")
                service = 4_000_000_000 if kind == "unknown" else self.services[name]
                request = json.dumps({"do": kind, "n": number}).encode()
                await self.socket.send(struct.pack("<BIII", 2, service, number, 4) + b"json" + request)

    def check(self, file):
        """Each was answered, once, and with what belongs to it."""
        for number in range(REQUESTS):
            kind, answers = KINDS[number % 100], self.answers[number]
            equal(len(answers), 1, f"answers to {number}, {kind}: {answers}")
            answer, = answers
            fits = {
                "get": lambda: answer == {"fixed": 7},
                # another client may have set it in between
                "set": lambda: answer.keys() == {"n"},
                "asset": lambda: answer == file,
                "no asset": lambda: "no such file" in answer,
                "refused": lambda: answer == "no",
                "silent": lambda: answer == "/program gave no answer within 8s",
                "unknown": lambda: "there is no service" in answer,
                # those that waited too long for a place are failures as well
                "hangs": lambda: isinstance(answer, str),
            }.get(kind, lambda: answer == {"do": kind, "n": number})
            check(fits(), f"the answer to {number}, {kind}: {answer!r:.200}")
        equal(len(self.answers), REQUESTS, "answered requests")
        equal(self.statuses, [], "statuses")


def held(process):
    """Memory in kB, open descriptors, threads and children of a process. Its handlers, threads of a pool that are started as
    they are needed, are counted apart."""
    proc = f"/proc/{process.pid}"
    with open(f"{proc}/status") as file:
        memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    children, names = 0, []
    for thread in os.listdir(f"{proc}/task"):
        with contextlib.suppress(FileNotFoundError):
            with open(f"{proc}/task/{thread}/children") as file:
                children += len(file.read().split())
            with open(f"{proc}/task/{thread}/comm") as file:
                names.append(file.read().strip())
    handlers = names.count("handler")
    return dict(memory=memory, descriptors=len(os.listdir(f"{proc}/fd")), threads=len(names) - handlers, handlers=handlers,
                children=children)


async def round_of_requests(server, program, file):
    askers = [await Asker.connect(server, (OLD, SDK, TABLE)[number % 3]) for number in range(CLIENTS)]
    leavers = [await Asker.connect(server, SDK) for _ in range(3)]

    async def leaves(asker):
        await asker.ask(range(300))
        asker.socket.transport.abort()
        await asker.task
    await asyncio.gather(*(asker.ask(range(REQUESTS)) for asker in askers), *map(leaves, leavers))
    await until(lambda: all(len(asker.answers) == REQUESTS for asker in askers), "answers to all", 120)
    # too late: these are nobody's
    late, program.late = program.late, []
    check(len(late) >= CLIENTS * 50, len(late), "calls that were left unanswered")
    await asyncio.to_thread(program.say, *late)
    for asker in askers:
        await (await asker.socket.ping())
    for asker in askers:
        asker.check(file)
        await asker.socket.close()
        await asker.task


async def many_requests():
    with tempfile.TemporaryDirectory() as folder:
        file = bytes(range(256)) * 8
        with open(os.path.join(folder, "file"), "wb") as asset:
            asset.write(file)
        config = os.path.join(folder, "bridge.toml")
        with open(config, "w") as settings:
            settings.write("""
                [[service]]
                name = "/echo"
                exec = ["cat"]
                concurrency = 2
                [[service]]
                name = "/hangs"
                exec = ["sleep", "60"]
                timeout = "1s"
                concurrency = 2
            """)
        options = ["--config", config, "--param", "fixed=7", "--param", "n=0", "--assets", f"package://data={folder}",
                   "--call-timeout", "8s"]
        async with serving("-", *options, stdin="pipe", stdout=subprocess.PIPE) as server:
            program = Program(server)
            await server.write({"op": "service", "name": "/program"})
            after = []
            for _ in range(ROUNDS):
                await round_of_requests(server, program, file)
                await until(lambda: held(server.process)["children"] == 0, "the end of the commands")

                def as_before():
                    now = held(server.process)
                    return not after or (now["descriptors"] <= after[0]["descriptors"] and now["threads"] <= after[0]["threads"])
                await asyncio.sleep(1)
                await until(as_before, f"what is held is what was held before, {after}")
                after.append(held(server.process))
            first, last = after[0], after[-1]
            check(last["handlers"] <= 16, after)
            check(last["memory"] < first["memory"] + 4000, "memory:", after)
            check("panicked" not in server.said() and "ERROR" not in server.said(), server.said())


TRIALS = dict(many_requests=many_requests)
