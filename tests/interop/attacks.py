"""Trials in which many clients and writers attack a server at once, beside one of each that behaves well and must not
notice. The attackers are a process of their own: `attacks.py PORT [PORT OF WRITERS]`."""

import asyncio
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from mcap.writer import CompressionType, Writer

from bridge import OLD, SDK, Client, RawClient, check, equal, free_port, messages_in, serving
from framing import BINARY, CLOSE, FIN, RSV1, TEXT, Raw, deflated, request
from program import ended, started

MIB = 1 << 20
# MiB that a server may take at most
LARGEST = 300
# for how long handshakes and messages stay unfinished, in seconds
SECONDS = 8
HEAD = f"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: {OLD}\r\n"
KEY, VERSION = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "Sec-WebSocket-Version: 13\r\n"


def frame(first, payload):
    """A frame whose mask is zero: large ones are made at once."""
    length = len(payload)
    if length < 126:
        return struct.pack(">BB4x", first, 0x80 | length) + payload
    if length < 1 << 16:
        return struct.pack(">BBH4x", first, 0x80 | 126, length) + payload
    return struct.pack(">BBQ4x", first, 0x80 | 127, length) + payload


def refused_or_closed(one, answer):
    """A message was answered by a status, or there were too many unfinished messages at once."""
    try:
        while answer not in (text := one.until({TEXT, CLOSE})[1]):
            if text[:2] == struct.pack(">H", 1013):
                return
    except (EOFError, ConnectionError):
        pass


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def send(one, data):
    """Sends to a server that may have closed."""
    with contextlib.suppress(OSError):
        one.sendall(data)
        return True
    return False


# ---- attacks on the port of clients ----

def slow_handshakes(port):
    """500 requests whose headers come byte by byte."""
    text = request()
    slow = [connected(port) for _ in range(500)]
    end, sent = time.monotonic() + SECONDS, 0
    while time.monotonic() < end and sent < len(text) - 5:
        for one in slow:
            send(one, text[sent:sent + 1])
        sent += 1
        time.sleep(0.1)
    return slow


def never_read(port):
    """Clients that subscribe to everything and read nothing."""
    lazy = [RawClient(port, buffer=8 << 10) for _ in range(20)]
    for one in lazy:
        one.subscribe()
    time.sleep(SECONDS)
    return lazy


def large_texts(port):
    """Text of 16 MiB that would be gigabytes as values."""
    element = b'{"":0},'
    count = (16 * MIB - 40) // len(element)
    text = b'{"op":"x","a":[' + element * count + b'{"":0}]}'
    small = frame(FIN | RSV1 | TEXT, deflated(text))
    check(len(small) < 300_000, len(small))
    clients = []
    for _ in range(6):
        one = Raw(Address(port))
        send(one.socket, frame(FIN | TEXT, text))
        refused_or_closed(one, b"bytes at most")
        two = Raw(Address(port), Sec_WebSocket_Extensions="permessage-deflate")
        check("permessage-deflate" in two.headers.get("sec-websocket-extensions", ""), two.headers)
        for _ in range(3):
            send(two.socket, small)
        clients += [one, two]
    return clients


def long_ids(port):
    """Playback control requests whose ids would be repeated to every client."""
    clients = [Raw(Address(port), Sec_WebSocket_Protocol=SDK) for _ in range(5)]
    name = b"x" * 1_000_000
    for _ in range(5):
        for one in clients:
            send(one.socket, frame(FIN | BINARY, struct.pack("<BBfBQI", 3, 0, 1.0, 0, 0, len(name)) + name))
            refused_or_closed(one, b"its id has 1000000 bytes")
    return clients


def unfinished_messages(port):
    """Messages of 100 clients that never end."""
    clients = [Raw(Address(port)) for _ in range(100)]
    first, more = frame(TEXT, bytes(64 << 10)), frame(0, b" " * (256 << 10))
    for one in clients:
        send(one.socket, first)
    for _ in range(8):
        for one in clients:
            one.socket.settimeout(1)
            send(one.socket, more)
    time.sleep(SECONDS / 2)
    return clients


def malformed_requests(port):
    """Requests that HTTP or the handshake forbids, and offers of any length."""
    bad = [
        HEAD + KEY + VERSION + "Host: b\r\n", HEAD + KEY + KEY + VERSION, HEAD + KEY + VERSION + VERSION,
        HEAD + KEY + VERSION + "Content-Length: 3\r\n", HEAD + KEY + VERSION + "Transfer-Encoding: chunked\r\n",
        HEAD + KEY + VERSION + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", HEAD + VERSION, HEAD + KEY,
        HEAD.replace(OLD, "\x1b[2Jforged") + KEY + VERSION, HEAD.replace(OLD, "x," * 25_000) + KEY + VERSION,
        HEAD.replace(OLD, "y" * 300_000) + KEY + VERSION, "no header\r\n", "", "\0" * 1000,
        HEAD + KEY + VERSION + "User-Agent: \x9b31m\r\n" + "X: y\r\n" * 200,
    ]
    for _ in range(20):
        for headers in bad:
            with contextlib.suppress(OSError):
                one = connected(port)
                one.sendall(b"GET / HTTP/1.1\r\n" + headers.encode("latin-1") + b"\r\n")
                check(b" 101 " not in one.recv(4096)[:16], "accepted:", headers[:200])
                one.close()


def unread_answers(port):
    """Requests one after the other whose answers nobody reads."""
    requests = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 1000
    clients = [connected(port) for _ in range(20)]
    for one in clients:
        one.settimeout(0.2)
        while send(one, requests):
            pass
    return clients


def random_bytes(port):
    """What comes after the upgrade is no frame."""
    chance = random.Random(7)
    for _ in range(200):
        one = Raw(Address(port), Sec_WebSocket_Extensions="permessage-deflate")
        send(one.socket, chance.randbytes(chance.randrange(1, 3000)))
        one.socket.close()


def subscriptions(port):
    """10,000 subscriptions and their ends, of channels that are there and of others."""
    one = RawClient(port)
    one.start()
    channel = min(one.topics)
    for number in range(10_000):
        one.send({"op": "subscribe", "subscriptions": [{"id": number, "channelId": channel + number % 2 * 1000}]})
        one.send({"op": "unsubscribe", "subscriptionIds": [number]})
    return [one]


# ---- attacks on the port of writers ----

def unfinished_lines(port):
    """Lines of 60 MB that never end."""
    writers = [connected(port) for _ in range(20)]
    piece = b'{"topic":"/long","data":"' + b"x" * (MIB - 25)
    for _ in range(60):
        for one in writers:
            send(one, piece)
    return writers


def web_pages(port):
    """HTTP requests with lines as their body."""
    for _ in range(100):
        one = connected(port)
        send(one, b'POST / HTTP/1.1\r\nHost: a\r\n\r\n{"topic":"/n","data":{"n":-1}}\n' * 10)
        one.close()


def bad_lines(port):
    """Topics that would forge lines of the log, and lines that are none."""
    lines = [
        b'{"topic":"/a\\n2026-01-01T00:00:00Z ERROR forged\\u001b[2J","data":{}}\n', b"\x1b[2Jforged\n", b"\0\xff\n",
        b'{"topic":"/n","data":[\n', b'{"topic":"/n","log_time":1e999,"data":{}}\n', b"[" * 100_000 + b"\n",
    ]
    for number in range(20):
        one = connected(port)
        for _ in range(200):
            send(one, lines[number % len(lines)])
        one.close()


class Address:
    """For `Raw`."""

    def __init__(self, port):
        self.port = port


def numbered(path, seconds):
    """A recording of 200 numbered messages a second, of 500 bytes."""
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=64 << 10, compression=CompressionType.ZSTD)
        writer.start()
        schema = writer.register_schema("N", "jsonschema", b'{"type":"object"}')
        channel = writer.register_channel("/n", "json", schema)
        for number in range(200 * seconds):
            data = json.dumps({"n": number, "text": "x" * 480}).encode()
            writer.add_message(channel, 10**12 + number * 5_000_000, data, 0, number)
        writer.finish()


def check_memory(process):
    """The most memory that it has had."""
    with open(f"/proc/{process.pid}/status") as file:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) >> 10
    print(peak, "MiB")
    check(peak < LARGEST, peak, "MiB")


def numbers(client):
    return [json.loads(data)["n"] for topic, _, data in messages_in(client.events) if topic == "/n"]


async def attackers_of(*ports):
    return await asyncio.create_subprocess_exec(
        sys.executable, __file__, *map(str, ports), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


async def attacked(process, *ports):
    """Runs all attacks; the server is still there."""
    attackers = await attackers_of(*ports)
    try:
        said = (await asyncio.wait_for(attackers.communicate(), 150))[0].decode()
    except TimeoutError:
        attackers.kill()
        raise AssertionError("the attacks are not over") from None
    equal(attackers.returncode, 0, "the attackers: " + said)
    equal(process.poll(), None, "exit code")


# what a page of the log would show; most lines of the attacks are counted
LINES = 120


def check_log(said):
    check("\x1b" not in said and "\nforged" not in said, "control characters in the log")
    lines = said.splitlines()
    check(len(lines) < LINES and len(said) < 60_000, len(lines), "lines,", len(said), "bytes:", said[:2000])
    check(all(line.startswith(("20", "Serving", " ")) and "ERROR forged" not in line[:40] for line in lines), said)


async def attacks_on_recording():
    """All attacks on a recording in a loop: a viewer beside them misses nothing, memory and log stay small."""
    seconds = 5
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "numbered.mcap")
        numbered(path, seconds)
        async with serving(path, "--loop", "--compression", "on") as server:
            good = await Client.connect(server, SDK, topics=None)
            await good.until(lambda _: numbers(good), "messages")
            await attacked(server.process, server.port)
            before = len(numbers(good))
            await good.until(lambda _: len(numbers(good)) > before + 300, "messages after the attacks")
            got = numbers(good)
            check(len(got) > 100 * SECONDS, "only", len(got), "messages")
            equal(got, [n % (200 * seconds) for n in range(len(got))], "messages of the viewer")
            check_memory(server.process)
            late = await Client.connect(server, OLD, topics=None)
            await late.until(lambda _: numbers(late), "messages of a late viewer")
            check_log(server.said())
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code")


async def attacks_on_few_descriptors():
    """All attacks on a server that can't open as many files as there are connections: a viewer that was there before
    misses nothing, and others are let in once the attackers have left."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "numbered.mcap")
        numbered(path, 5)
        async with serving(path, "--loop", "--compression", "on", preexec_fn=limit) as server:
            good = await Client.connect(server, SDK, topics=None)
            await good.until(lambda _: numbers(good), "messages")
            attackers = await attackers_of(server.port)
            await server.says("connections can't be accepted")
            await asyncio.sleep(SECONDS)
            attackers.kill()
            await attackers.wait()
            late = await Client.connect(server, OLD, topics=None)
            await late.until(lambda _: numbers(late), "messages of a late viewer")
            got = numbers(good)
            check(len(got) > 100 * (SECONDS - 1), "only", len(got), "messages")
            equal(got, [n % 1000 for n in range(len(got))], "messages of the viewer")
            check_memory(server.process)
            check_log(server.said())


async def attacks_on_live_input():
    """All attacks on live input at once, while nobody reads the log: a viewer and a writer that were there before miss
    nothing, and others are let in afterwards."""
    port = free_port()
    log, stderr = os.pipe()
    async with started(f"tcp-listen://127.0.0.1:{port}", "--compression", "on", stderr=stderr) as (process, server):
        os.close(stderr)
        good = await Client.connect(server, OLD, topics={"/n"})
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b'{"op":"channel","topic":"/n"}\n')
        await good.until(lambda _: good.subscribed, "the channel")
        written = 0

        async def write():
            nonlocal written
            while True:
                writer.write(b'{"topic":"/n","data":{"n":%d}}\n' % written)
                written += 1
                await writer.drain()
                await asyncio.sleep(0.005)
        writing = asyncio.create_task(write())
        await attacked(process, server.port, port)
        await asyncio.sleep(1)
        writing.cancel()
        await good.until(lambda _: numbers(good)[-1] == written - 1, "all messages")
        got = numbers(good)
        check(len(got) > 20 * SECONDS, "only", len(got), "messages")
        # what was written before the server knew of the subscription is not sent
        equal(got, list(range(got[0], written)), "messages of the viewer")
        late = await Client.connect(server, OLD, topics={"/n"})
        with socket.create_connection(("127.0.0.1", port)) as another:
            await late.until(lambda _: late.subscribed, "the channel")
            # the server answers a ping after the subscription before it
            await (await late.socket.ping())
            another.sendall(b'{"topic":"/n","data":{"n":-1}}\n')
            await late.until(lambda _: numbers(late) == [-1], "a message of a late writer")
        check_memory(process)
        process.send_signal(signal.SIGTERM)
        equal(await ended(process), 0, "exit code")
    with open(log, errors="replace") as said:
        check_log(said.read())


ON_CLIENTS = [
    slow_handshakes, never_read, large_texts, long_ids, unfinished_messages, malformed_requests, unread_answers,
    random_bytes, subscriptions,
]
ON_WRITERS = [unfinished_lines, web_pages, bad_lines]


def attack(port, writers=None):
    """All attacks at once, each on a thread; exits with 1 if one was not possible."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    faults, held = [], []

    def run(one, at):
        begin = time.monotonic()
        try:
            held.append(one(at))
        except Exception as error:
            faults.append(f"{one.__name__}: {error!r}")
        print(f"{one.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
    threads = [threading.Thread(target=run, args=(one, port)) for one in ON_CLIENTS]
    threads += [threading.Thread(target=run, args=(one, writers)) for one in ON_WRITERS if writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*faults, sep="\n", flush=True)
    sys.exit(bool(faults))


TRIALS = dict(
    attacks_on_recording=attacks_on_recording, attacks_on_few_descriptors=attacks_on_few_descriptors,
    attacks_on_live_input=attacks_on_live_input)

if __name__ == "__main__":
    attack(*map(int, sys.argv[1:]))
