"""Who is let in: pages by their origin, and how many clients."""

import asyncio
import collections
import json
import os
import re
import socket
import struct

from bridge import OLD, PATIENCE, PAUSE, TABLE, TESTDATA, Client, check, equal, messages_in, serving, until

DEMO = os.path.join(TESTDATA, "ros1_demo_zstd.mcap")


def upgrade(port, host, origin=None):
    """Status and body of the answer to an upgrade with these headers."""
    lines = [
        "GET / HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Sec-WebSocket-Protocol: {OLD}",
    ]
    if origin is not None:
        lines.append(f"Origin: {origin}")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        head, body = answer.split(b"\r\n\r\n", 1)
        length = int((re.search(rb"content-length: (\d+)", head) or [0, 0])[1])
        while len(body) < length:
            body += connection.recv(4096)
    return int(head.split()[1]), body[:length].decode()


def security_table(columns):
    """The rows of the tables in docs/security.md that have so many columns, with this computer's name for `robot`."""
    page = os.path.join(os.path.dirname(__file__), "../../docs/security.md")
    name = os.uname().nodename.split(".")[0]
    with open(page) as file:
        for line in file:
            cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
            if len(cells) == columns:
                yield [re.sub(r"\brobot\b", name, cell) for cell in cells]


def rows():
    """Those of the table of handshakes."""
    for *cells, status in security_table(5):
        if status in ("101", "403"):
            yield cells + [int(status)]


async def origins():
    """Each row of the table, with real headers; who is refused is told the option."""
    servers = collections.defaultdict(list)
    for host, allowed, *row in rows():
        servers[host, allowed].append(row)
    tried = 0
    for (address, allowed), cases in servers.items():
        more = ["--allow-origin", allowed] if allowed else []
        async with serving(DEMO, "--host", address, *more) as server:
            for host, origin, expected in cases:
                status, body = await asyncio.to_thread(upgrade, server.port, host, origin or None)
                equal(status, expected, f"{address} with {more}: {origin or 'no Origin'} at {host}")
                check(status == 101 or "--allow-origin" in body, body)
                tried += 1
    check(tried > 30, "only", tried, "rows")
    async with serving(DEMO) as server:
        for number in range(100):
            origin = f"https://evil{number}.example"
            status, body = await asyncio.to_thread(upgrade, server.port, "localhost", origin)
            equal(status, 403, "status")
            check(f"--allow-origin {origin}" in body, body)
        await server.says("pages of https://evil0.example may not connect")
        logged = server.said().count("may not connect")
        check(logged <= 20, logged, "lines for 100 refusals")


async def read_only():
    """A viewer sees everything and changes nothing."""
    async with serving(DEMO, "--read-only", "--start-on", "launch") as server:
        client = await Client.connect(server, TABLE, topics=None)
        await client.until(messages_in, "messages")
        info = client.texts("serverInfo")[0]
        expected = ["time", "parameters", "parametersSubscribe", "connectionGraph"]
        equal(info["capabilities"], expected, "capabilities")
        check("dataStartTime" not in info, info)
        name = await client.control(PAUSE)
        await client.socket.send(json.dumps({
            "op": "advertise", "channels": [{"id": 4, "topic": "/t", "encoding": "json", "schemaName": ""}],
        }))
        await client.socket.send(struct.pack("<BIII4s2s", 2, 1, 5, 4, b"json", b"{}"))
        await client.until(lambda events: client.texts("serviceCallFailure"), "the answer of a service")
        texts = [status["message"] for status in client.texts("status")]
        equal(texts[0], f'playback control request "{name}": this server is read-only', "answer")
        equal(texts[1], "advertise: channel 4 (/t): this server is read-only", "answer")
        seen = len(messages_in(client.events))
        await client.until(lambda events: len(messages_in(events)) > seen + 20, "messages after the request")
        equal([event for event in client.events if event[0] == "state"], [], "playback states")


async def limits():
    """Clients, subscriptions and messages beyond the limits are refused, and others go on."""
    options = ["--max-clients", 3, "--max-clients-per-address", 2, "--client-subscriptions", 1, "--client-message", "64KiB"]
    async with serving(DEMO, "--start-on", "launch", "--loop", *options) as server:
        first, second = [await Client.connect(server, OLD, topics=None) for _ in range(2)]
        status, body = await asyncio.to_thread(upgrade, server.port, "localhost")
        equal((status, body), (503, "this server has 2 clients of this address, and takes no more\n"), "answer")
        await first.until(messages_in, "messages")
        refused = first.texts("status")
        equal(len(refused), 1, "statuses of one message")
        check(refused[0]["message"].endswith("a client may have 1 subscriptions at once"), refused)
        equal(len({topic for topic, *_ in messages_in(first.events)}), 1, "topics")
        await second.socket.send(b"\1" + bytes(70_000))
        equal(await second.closed(), 1009, "close code")
        await until(lambda: upgrade(server.port, "localhost")[0] == 101, "a place that is free")
    async with serving(DEMO, "--max-clients", 1) as server:
        only = await Client.connect(server, OLD)
        status, body = await asyncio.to_thread(upgrade, server.port, "localhost")
        equal((status, body), (503, "this server has 1 clients, and takes no more\n"), "answer")
        await only.socket.close()
        await until(lambda: upgrade(server.port, "localhost")[0] == 101, "a place that is free")


TRIALS = dict(origins=origins, read_only=read_only, limits=limits)
