"""Trials of the commands with servers that end, or are never quiet, at the wrong moment."""

import asyncio
import contextlib
import json
import os
import struct
import tempfile

from mcap.reader import make_reader
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from bridge import check
from client import command
from client_peers import log_of

CHANNEL = {"id": 1, "topic": "/a", "encoding": "json", "schemaName": "", "schema": ""}
INFO = {"op": "serverInfo", "name": "odd", "capabilities": ["clientPublish"], "supportedEncodings": ["json"]}


@contextlib.asynccontextmanager
async def odd(behave):
    """The address of a server that says what it is, and then does as it likes."""
    async def handle(socket):
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps(INFO))
            await behave(socket)

    async with serve(handle, "127.0.0.1", 0, subprotocols=["foxglove.sdk.v1"], compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def publish():
    """What a server that has gone did not take is no success."""
    async def leave(socket):
        await socket.recv()
        await socket.recv()
        await socket.close(1000)

    lines = "".join(f'{{"topic":"/a","data":{{"n":{n}}}}}\n' for n in range(2000)).encode()
    async with odd(leave) as url:
        said = await command("publish", url, stdin=lines, code=1)
    check("not everything may have been sent" in said or "no connection" in said, said)


async def info():
    """A server that ends at once has not shown what it offers, and one that is never quiet is shown as it is."""
    async def leave(socket):
        await socket.close(1000)

    async with odd(leave) as url:
        said = await command("info", url, code=1)
    check("ended" in said, said)

    async def chatter(socket):
        for number in range(10_000):
            channel = {"id": number, "topic": f"/{number}", "encoding": "json", "schemaName": "", "schema": ""}
            await socket.send(json.dumps({"op": "advertise", "channels": [channel]}))
            await asyncio.sleep(0.05)

    async with odd(chatter) as url:
        shown = json.loads(await command("info", url, "--json", "--timeout", "2s", seconds=60))
    check(3 < len(shown["channels"]) < 1000, len(shown["channels"]))


async def subscribed(socket, content):
    """A message for a client that subscribes to a topic."""
    await socket.send(json.dumps({"op": "advertise", "channels": [CHANNEL]}))
    subscription = json.loads(await socket.recv())["subscriptions"][0]["id"]
    return b"\1" + struct.pack("<IQ", subscription, 1) + json.dumps(content).encode()


async def brief():
    """Topics that are not there are warned of, also where the server ends before they have been waited for."""
    async def leave(socket):
        await socket.send(await subscribed(socket, "x"))
        await socket.close(1000)

    async with odd(leave) as url:
        for command_of in (["echo", url, "/a", "/nosuch"], ["bench", url, "-t", "/a", "-t", "/nosuch"]):
            logs = await asyncio.gather(*(log_of(*command_of) for _ in range(20)))
            check(all("no topic matches /nosuch; the server has /a" in log for log in logs), logs)


async def record():
    """A server that sends large messages without a pause is recorded for as long as was asked for."""
    async def flood(socket):
        message = await subscribed(socket, "x" * (8 << 20))
        while True:
            await socket.send(message)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.mcap")
        async with odd(flood) as url:
            await command("record", url, "-o", path, "--duration", "1s", seconds=100)
        with open(path, "rb") as file:
            messages = make_reader(file).get_summary().statistics.message_count
    check(0 < messages < 900, messages)


TRIALS = dict(client_odd_publish=publish, client_odd_info=info, client_odd_brief=brief, client_odd_record=record)
