"""Trials of the WebSocket itself (RFC 6455, RFC 7692), on bare sockets and with the package `websockets`."""

import asyncio
import json
import os
import socket
import struct
import zlib

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from bridge import MESSAGE, OLD, PATIENCE, TESTDATA, Client, Recording, check, equal, read_frame, serving

FIN, RSV1 = 0x80, 0x40
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x9a\x01\xff\x37"
ACCEPT = "ICX+Yqv66kxgM0FcWaLWlFLwTAI="


def demo():
    return os.path.join(TESTDATA, "ros1_demo_zstd.mcap")


def masked(payload):
    return bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def head(first, length):
    if length < 126:
        return struct.pack(">BB", first, 0x80 | length) + MASK
    if length < 65536:
        return struct.pack(">BBH", first, 0x80 | 126, length) + MASK
    return struct.pack(">BBQ", first, 0x80 | 127, length) + MASK


def frame(first, payload=b""):
    return head(first, len(payload)) + masked(payload)


def deflated(payload, bits=15):
    stream = zlib.compressobj(wbits=-bits)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def request(**changed):
    """The opening handshake, with headers changed or (None) left out; `line` is the request line."""
    headers = {
        "Host": "localhost", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": OLD,
    }
    line = changed.pop("line", "GET / HTTP/1.1")
    headers.update((name.replace("_", "-"), value) for name, value in changed.items())
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([line, *lines, "", ""]).encode()


class Raw:
    """A bare connection."""

    def __init__(self, server, **changed):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.socket.sendall(request(**changed))
        self.buffered, self.taken = b"", 0
        while b"\r\n\r\n" not in self.buffered:
            self.receive()
        self.head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
        self.status = int(self.head.split()[1])
        self.headers = dict(
            (part.strip() for part in line.split(":", 1)) for line in self.head.decode().lower().splitlines()[1:])

    def receive(self):
        got = self.socket.recv(1 << 16)
        if not got:
            raise EOFError(self.buffered)
        self.buffered += got

    def exactly(self, length):
        while len(self.buffered) < length:
            self.receive()
        out, self.buffered = self.buffered[:length], self.buffered[length:]
        self.taken += length
        return out

    def frame(self):
        return read_frame(self.exactly)

    def until(self, wanted):
        while True:
            first, payload = self.frame()
            if first & 15 in wanted:
                return first, payload

    def close_code(self):
        """The code that the server closes with; then the connection ends."""
        _, payload = self.until({CLOSE})
        try:
            self.socket.sendall(frame(FIN | CLOSE, payload[:2]))
            while True:
                self.receive()
        except (EOFError, ConnectionError):
            pass
        return struct.unpack(">H", payload[:2])[0] if payload else None


def long(form, length):
    return bytes([FIN | BINARY, 0x80 | form]) + length + MASK


VIOLATIONS = {
    "a frame that is not masked": (1002, bytes([FIN | TEXT, 2]) + b"hi"),
    "the second reserved bit": (1002, frame(FIN | 0x20 | TEXT)),
    "the third reserved bit": (1002, frame(FIN | 0x10 | TEXT)),
    "compression that was not agreed on": (1002, frame(FIN | RSV1 | TEXT, deflated(b"{}"))),
    **{f"reserved opcode {code}": (1002, frame(FIN | code)) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping in fragments": (1002, frame(PING)),
    "a close in fragments": (1002, frame(CLOSE)),
    "a ping of 126 bytes": (1002, frame(FIN | PING, bytes(126))),
    "a length of 5 in the medium form": (1002, long(126, b"\0\5")),
    "a length of 5 in the long form": (1002, long(127, struct.pack(">Q", 5))),
    "a length of 65535 in the long form": (1002, long(127, struct.pack(">Q", 65535))),
    "a length with its highest bit": (1002, long(127, struct.pack(">Q", 1 << 63 | 5))),
    "a continuation of nothing": (1002, frame(FIN, b"x")),
    "a message within another": (1002, frame(TEXT, b"{") + frame(FIN | TEXT, b"}")),
    "half a close code": (1002, frame(FIN | CLOSE, b"\3")),
    **{f"close code {code}": (1002, frame(FIN | CLOSE, struct.pack(">H", code)))
       for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)},
    "a close reason that is not UTF-8": (1007, frame(FIN | CLOSE, b"\x03\xe8\xff")),
    "text that is not UTF-8": (1007, frame(FIN | TEXT, b"{\xc3\x28}")),
    "text that ends within a character": (1007, frame(TEXT, b"{\xe2") + frame(FIN, b"\x82")),
    "a message of more than 16 MiB": (1009, head(FIN | BINARY, (16 << 20) + 1)),
    "a message of 2^62 bytes": (1009, head(FIN | BINARY, 1 << 62)),
    "fragments of more than 16 MiB": (1009, (frame(BINARY, bytes(1)) + head(FIN, 16 << 20))),
}


async def violations():
    async with serving(demo(), "--start-paused") as server:
        witness = await Client.connect(server, OLD, topics=None)
        for what, (code, sent) in VIOLATIONS.items():
            def trial():
                raw = Raw(server)
                raw.socket.sendall(sent)
                return raw.close_code()
            equal(await asyncio.to_thread(trial), code, what)
        await witness.socket.ping()
        check(witness.events[-1][0] != "close", "another client was closed")
    async with serving(demo(), "--start-paused", "--compression", "on") as server:
        bomb = deflated(bytes((16 << 20) + 1))
        for what, code, sent in [
            ("a bomb", 1009, frame(FIN | RSV1 | BINARY, bomb)),
            ("a bomb in fragments", 1009, frame(RSV1 | BINARY, bomb[:99]) + frame(FIN, bomb[99:])),
            ("damaged data", 1007, frame(FIN | RSV1 | TEXT, b"\xff" * 20)),
            ("data that is cut short", 1007, frame(FIN | RSV1 | TEXT, deflated(b'{"op": "x"}' * 9)[:-3])),
            ("a compressed continuation", 1002, frame(RSV1 | TEXT, b"\0") + frame(FIN | RSV1, b"\0")),
            ("a compressed ping", 1002, frame(FIN | RSV1 | PING)),
        ]:
            def trial():
                raw = Raw(server, Sec_WebSocket_Extensions="permessage-deflate")
                raw.socket.sendall(sent)
                return raw.close_code()
            equal(await asyncio.to_thread(trial), code, what)


async def rules_kept():
    """What is allowed, if unusual."""
    async with serving(demo(), "--start-paused") as server:
        raw = Raw(server)
        equal((raw.status, raw.headers["sec-websocket-accept"]), (101, ACCEPT.lower()), "handshake")
        check("sec-websocket-extensions" not in raw.headers, raw.headers)
        # a request in fragments that arrives byte by byte, with pings between
        text = json.dumps({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 999}], "note": "\u00e4"})
        text = text.replace("\\u00e4", "\u00e4").encode()
        sent = b"".join(
            frame(TEXT if index == 0 else 0, text[index:index + 1]) + frame(FIN | PING, b"%d" % index)
            for index in range(len(text))) + frame(FIN)
        for index in range(0, len(sent), 3):
            raw.socket.sendall(sent[index:index + 3])
        for index in range(len(text)):
            equal(raw.until({PONG}), (FIN | PONG, b"%d" % index), "pong")
        while b'"status"' not in (answer := raw.until({TEXT})[1]):
            pass
        check(b"999" in answer, answer)
        raw.socket.sendall(frame(FIN | PONG, b"unasked") + frame(FIN | CLOSE, struct.pack(">H", 4321) + b"bye"))
        equal(raw.until({CLOSE})[1], struct.pack(">H", 4321), "answer to a close")
        raw = Raw(server)
        raw.socket.sendall(frame(FIN | CLOSE) + b"\xff" * 100)
        equal(raw.until({CLOSE})[1], b"", "answer to a close without a code")


async def handshakes():
    async with serving(demo(), "--start-paused") as server:
        for status, changed in [
            (400, dict(Sec_WebSocket_Key=None)),
            (400, dict(Sec_WebSocket_Key="AAAA")),
            (400, dict(Sec_WebSocket_Key="not base64 at all!!!!!!!")),
            (400, dict(Connection="keep-alive")),
            (400, dict(line="GET / HTTP/1.0")),
            (405, dict(line="POST / HTTP/1.1")),
            (426, dict(Sec_WebSocket_Version="8")),
            (400, dict(Sec_WebSocket_Version=None)),
            (400, dict(Sec_WebSocket_Protocol=None)),
            (200, dict(Upgrade=None)),
            (101, dict(Connection="keep-alive, Upgrade", Upgrade="WebSocket")),
        ]:
            raw = Raw(server, **changed)
            equal(raw.status, status, f"answer to {changed}")
            if status == 426:
                equal(raw.headers.get("sec-websocket-version"), "13", "version")
    offers = {
        "permessage-deflate": "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits": "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=8": None,
        "permessage-deflate; nonsense, permessage-deflate; server_no_context_takeover":
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        "x-webkit-deflate-frame": None,
        "permessage-deflate; server_max_window_bits=10":
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=10",
    }
    for on in (True, False):
        async with serving(demo(), "--start-paused", "--compression", "on" if on else "off") as server:
            for offer, answer in offers.items():
                raw = Raw(server, Sec_WebSocket_Extensions=offer)
                equal(raw.headers.get("sec-websocket-extensions"), answer if on else None, f"answer to {offer}")


async def compressed():
    """Every window and both kinds of context arrive as recorded, and take less."""
    recording = Recording(demo())
    arguments = ("--rate", "max", "--compression", "on", "--start-on-clients", "1", "--at-end", "exit")
    for bits, alone in [(None, False), (None, True), (9, False), (12, True), (15, False)]:
        async with serving(demo(), *arguments) as server:
            offer = ClientPerMessageDeflateFactory(
                server_max_window_bits=bits, server_no_context_takeover=alone, client_max_window_bits=True)
            connection = await websockets.connect(
                f"ws://127.0.0.1:{server.port}", subprotocols=[OLD], max_size=None, compression=None,
                extensions=[offer])
            equal(len(connection.protocol.extensions), 1, "extensions")
            client = Client(connection)
            client.topics = None
            equal(await client.closed(), 1000, "close code")
            got = [event[1:] for event in client.events if event[0] == "message"]
            equal(got, recording.as_sent(), f"messages with a window of {bits}, alone: {alone}")

    def take(extensions):
        raw = Raw(server, Sec_WebSocket_Extensions=extensions)
        stream, texts, messages = zlib.decompressobj(-15), [], []
        while True:
            first, payload = raw.frame()
            if first & RSV1:
                payload = stream.decompress(payload + b"\0\0\xff\xff")
            if first & 15 == TEXT:
                texts.append(json.loads(payload))
                if texts[-1]["op"] == "advertise":
                    wanted = [{"id": c["id"], "channelId": c["id"]} for c in texts[-1]["channels"]]
                    text = json.dumps({"op": "subscribe", "subscriptions": wanted}).encode()
                    raw.socket.sendall(frame(FIN | RSV1 | TEXT, deflated(text, 9)) if extensions else frame(FIN | TEXT, text))
            elif first & 15 == BINARY and payload[0] == MESSAGE:
                messages.append(payload)
            elif first & 15 == CLOSE:
                return raw.taken, messages
    sizes = []
    for extensions in (None, "permessage-deflate"):
        async with serving(demo(), *arguments) as server:
            size, messages = await asyncio.to_thread(take, extensions)
            sizes.append(size)
            equal([m[13:] for m in messages], [m.data for m in recording.messages], "payloads")
    check(sizes[1] < sizes[0] / 2, "compressed", sizes[1], "of", sizes[0])


TRIALS = dict(violations=violations, rules_kept=rules_kept, handshakes=handshakes, compressed=compressed)
