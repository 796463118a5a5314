"""Trials of the commands with servers that end, or are never quiet, at the wrong moment."""

import asyncio
import contextlib
import json

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from bridge import check
from client import command

INFO = {"op": "serverInfo", "name": "odd", "capabilities": ["clientPublish"], "supportedEncodings": ["json"]}


@contextlib.asynccontextmanager
async def odd(behave):
    """The address of a server that says what it is, and then does as it likes."""
    async def handle(socket):
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps(INFO))
            await behave(socket)

    async with serve(handle, "127.0.0.1", 0, subprotocols=["foxglove.sdk.v1"]) as server:
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


TRIALS = dict(client_odd_publish=publish, client_odd_info=info)
