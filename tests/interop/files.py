"""Trials of what is offered of recordings over HTTP: the files themselves, by ranges; counts over time; last messages."""

import asyncio
import contextlib
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import struct
import tempfile
import time
import urllib.parse

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from bridge import PATIENCE, TESTDATA, check, equal, serving, until

DRIVE = os.path.join(TESTDATA, "drive.mcap")
PAGE = "http://localhost:8080"


def ask(port, path, method="GET", **headers):
    """Status, headers by lower-case name, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


async def get(server, path, method="GET", **headers):
    return await asyncio.to_thread(ask, server.port, path, method, **headers)


async def of(server, path):
    status, _, body = await get(server, path)
    equal(status, 200, path)
    return json.loads(body)


def settled(path):
    """Changed long enough ago for its tag to be strong."""
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


async def files():
    with tempfile.TemporaryDirectory() as folder, open(DRIVE, "rb") as file:
        whole = file.read()
        path = settled(shutil.copy(DRIVE, os.path.join(folder, "drive.mcap")))
        async with serving(path) as server:
            equal(await of(server, "/files/"),
                  {"files": [{"name": "drive.mcap", "size": len(whole), "url": "/files/drive.mcap"}]}, "the list")
            url = "/files/drive.mcap"

            # a page of a viewer: what it may ask, what it sees
            status, headers, _ = await get(server, url, "OPTIONS", Origin=PAGE, Access_Control_Request_Method="GET",
                                           Access_Control_Request_Headers="range",
                                           Access_Control_Request_Private_Network="true")
            equal(status, 204, "preflight")
            equal(headers["access-control-allow-origin"], PAGE, "preflight")
            check("range" in headers["access-control-allow-headers"].lower(), headers)
            equal(headers["access-control-allow-private-network"], "true", "preflight")
            status, headers, body = await get(server, url, Origin=PAGE)
            check((status, body) == (200, whole), status, len(body))
            tag, date = headers["etag"], headers["last-modified"]
            equal(date, "Tue, 14 Nov 2023 22:13:20 GMT", "date")
            check(not tag.startswith("W/"), tag)
            equal(headers["accept-ranges"], "bytes", "ranges")
            equal(headers["content-length"], str(len(whole)), "length")
            equal(headers["access-control-allow-origin"], PAGE, "origin")
            exposed = headers["access-control-expose-headers"].lower()
            check(all(name in exposed for name in ("accept-ranges", "etag", "content-length", "content-range")), exposed)
            # a page that may not gets no permission to read, and the browser withholds the answer
            status, headers, _ = await get(server, url, Origin="https://example.com")
            check(status == 200 and "access-control-allow-origin" not in headers, status, headers)

            status, headers, body = await get(server, url, "HEAD")
            equal((status, headers["content-length"], headers["etag"], body), (200, str(len(whole)), tag, b""), "HEAD")

            size = len(whole)
            for asked, (first, last) in {
                "bytes=0-0": (0, 0), "bytes=100-299": (100, 299), f"bytes={size - 8}-": (size - 8, size - 1),
                "bytes=-100": (size - 100, size - 1), f"bytes=5-{10 * size}": (5, size - 1),
            }.items():
                status, headers, body = await get(server, url, Range=asked)
                equal((status, headers["content-range"]), (206, f"bytes {first}-{last}/{size}"), asked)
                check(body == whole[first:last + 1] and headers["content-length"] == str(len(body)), asked)
            for asked in (f"bytes={size}-", "bytes=-0", f"bytes={10**30}-"):
                status, headers, body = await get(server, url, Range=asked)
                equal((status, headers["content-range"], body), (416, f"bytes */{size}", b""), asked)
            for asked in ("bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "nonsense"):
                status, _, body = await get(server, url, Range=asked)
                check((status, body) == (200, whole), asked, status)

            for known, expected in ((tag, 206), (date, 206), ('"other"', 200), ("W/" + tag, 200), ("Tue, 14 Nov 2023", 200)):
                equal((await get(server, url, Range="bytes=0-9", If_Range=known))[0], expected, f"If-Range: {known}")
            for name, value, expected in (
                ("If_None_Match", tag, 304), ("If_None_Match", f'"x", W/{tag}', 304), ("If_None_Match", '"x"', 200),
                ("If_Modified_Since", date, 304), ("If_Match", tag, 200), ("If_Match", '"x"', 412),
            ):
                status, headers, body = await get(server, url, **{name: value})
                equal((status, headers["etag"]), (expected, tag), f"{name}: {value}")
                check(expected == 200 or not body, name, len(body))

            for path_of in ("/files/other.mcap", "/files/drive", "/files/..%2Fdrive.mcap", "/files/%2e%2e/drive.mcap",
                            "/files/" + urllib.parse.quote(path, safe=""), "/files/drive.mcap/", "/files/drive.mcap%00"):
                equal((await get(server, path_of))[0], 404, path_of)
            for method in ("POST", "PUT", "DELETE"):
                status, headers, _ = await get(server, url, method)
                check(status in (403, 405, 415), method, status)

            # the file changes: a download can't be continued
            with open(path, "ab") as file:
                file.write(b"more")
            status, headers, _ = await get(server, url, Range="bytes=0-9", If_Range=tag)
            equal((status, headers["content-length"]), (200, str(size + 4)), "of a file that has changed")
            check(headers["etag"].startswith("W/"), headers["etag"], "of a file that may still be written to")
            os.remove(path)
            equal((await get(server, url))[0], 404, "a file that is gone")
            equal(await of(server, "/files/"), {"files": []}, "the list")


async def file_names():
    names = ["with space.mcap", "ümläut 日本.mcap", "100%.mcap", "a+b&c=d;e,f#g?.mcap", "no extension", "UPPER.MCAP"]
    with tempfile.TemporaryDirectory() as folder:
        paths = [shutil.copy(DRIVE, os.path.join(folder, name)) for name in names]
        os.makedirs(os.path.join(folder, "other"))
        paths.append(shutil.copy(DRIVE, os.path.join(folder, "other", names[0])))
        async with serving(*paths) as server:
            listed = (await of(server, "/files/"))["files"]
            equal([file["name"] for file in listed],
                  [*names[:4], "no extension.mcap", "UPPER.mcap", "with space-2.mcap"], "names")
            for file in listed:
                equal(file["url"], "/files/" + urllib.parse.quote(file["name"], safe=""), "URL")
                status, headers, body = await get(server, file["url"])
                equal((status, len(body)), (200, file["size"]), file["url"])
            check("remote-file&ds.url=http%3A%2F%2Flocalhost%3A" in server.said(), server.said())
        async with serving(paths[0], "--no-page") as server:
            equal((await get(server, "/files/"))[0], 404, "without a page")
            check("Page" not in server.said() and "remote-file" not in server.said(), server.said())


class Remote(io.RawIOBase):
    """A file that is read by ranges over one connection."""

    def __init__(self, port, path):
        self.connection, self.path, self.at = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE), path, 0
        self.size = int(self.request("HEAD")[1]["Content-Length"])

    def request(self, method, **headers):
        self.connection.request(method, self.path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer):
        end = min(self.size, self.at + len(buffer))
        if end <= self.at:
            return 0
        status, _, body = self.request("GET", Range=f"bytes={self.at}-{end - 1}")
        equal((status, len(body)), (206, end - self.at), "a range")
        self.at = end
        buffer[:len(body)] = body
        return len(body)


def messages(reader, **part):
    return [(channel.topic, message.log_time, message.data) for _, channel, message in reader.iter_messages(**part)]


async def file_by_ranges():
    """Whoever seeks in the file reads the recording that is played."""
    async with serving(DRIVE) as server:
        def read():
            remote = Remote(server.port, "/files/drive.mcap")
            reader = make_reader(io.BufferedReader(remote, 1 << 16))
            summary, whole = reader.get_summary(), messages(reader)
            start = summary.statistics.message_start_time + 2 * 10**9
            return whole, messages(reader, start_time=start, end_time=start + 10**9), start
        whole, part, start = await asyncio.to_thread(read)
        with open(DRIVE, "rb") as file:
            expected = messages(make_reader(file))
        check(whole == expected, len(whole), "messages of", len(expected))
        check(part == [m for m in expected if start <= m[1] < start + 10**9] and part, len(part))


def descriptors(process):
    """How many descriptors of the large file a process holds; those that it closes meanwhile don't count."""
    folder, held = f"/proc/{process.pid}/fd", 0
    for link in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            held += "large.mcap" in os.readlink(os.path.join(folder, link))
    return held


def memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) << 10


def make_large(path):
    """A recording of 64 MiB, more than the system holds for connections."""
    with open(path, "wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start()
        channel = writer.register_channel("/blob", "json", 0)
        for second in range(64):
            writer.add_message(channel, second * 10**9, json.dumps("x" * (1 << 20)).encode(), second * 10**9)
        writer.finish()


async def file_paused():
    """Who pauses for more than a minute while a file comes, as `curl --limit-rate` does, gets all of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "large.mcap")
        make_large(path)
        async with serving(path) as server:
            with socket.socket() as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
                one.settimeout(30)
                one.connect(("127.0.0.1", server.port))
                one.sendall(b"GET /files/large.mcap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                body = one.recv(1 << 20)
                await asyncio.sleep(75)

                def rest():
                    pieces = [body]
                    while piece := one.recv(1 << 20):
                        pieces.append(piece)
                    return b"".join(pieces)
                answer = await asyncio.to_thread(rest)
        with open(path, "rb") as file:
            check(answer.endswith(file.read()), "not the whole file", len(answer))


async def file_aborted():
    """Who asks for a file and reads none of it, or goes away, holds little and leaves nothing; others are served."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "large.mcap")
        make_large(path)
        async with serving(path) as server:
            before, kept = memory(server.process), descriptors(server.process)
            stalled = []
            for _ in range(60):
                one = socket.create_connection(("127.0.0.1", server.port))
                one.sendall(f"GET /files/large.mcap HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode())
                check(b" 200 " in one.recv(64), "not served")
                stalled.append(one)
            await asyncio.sleep(1)
            grown = memory(server.process) - before
            # a piece of 256 KiB each, and what the system's buffers are no part of
            check(grown < 96 << 20, grown >> 20, "MiB for 60 that read nothing")
            check(descriptors(server.process) >= kept + 60, "they are closed already")
            equal((await get(server, "/files/large.mcap", Range="bytes=0-7"))[2], b"\x89MCAP0\r\n", "another's")
            for _ in range(8):
                one = socket.create_connection(("127.0.0.1", server.port))
                one.sendall(f"GET /files/large.mcap HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode())
                status = one.recv(64)
                stalled.append(one)
            check(b" 503 " in status, status, "beyond the bound")
            for number, one in enumerate(stalled):
                if number % 2:
                    # a reset
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
            await until(lambda: descriptors(server.process) == kept, "the close of the files that nobody reads")
            status, _, body = await get(server, "/files/large.mcap")
            equal((status, hashlib.sha256(body).hexdigest()),
                  (200, hashlib.sha256(open(path, "rb").read()).hexdigest()), "the whole file")


async def timeline():
    """Counts over time are those that another reader finds; gaps and the last message too."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pause.mcap")
        times = [n * 10**8 for n in range(100)] + [20 * 10**9 + n * 10**8 for n in range(100)]
        with open(path, "wb") as file:
            writer = Writer(file, chunk_size=2000)
            writer.start()
            channels = {topic: writer.register_channel(topic, "json", 0) for topic in ("/a", "/b")}
            for number, at in enumerate(times):
                for topic in ("/a", "/b")[:1 + (number % 10 == 0)]:
                    writer.add_message(channels[topic], at, json.dumps({"n": number}).encode(), at)
            writer.finish()
        for lines in (False, True):
            source = path
            if lines:
                source = os.path.join(folder, "pause.jsonl")
                with open(source, "w") as file:
                    for number, at in enumerate(times):
                        for topic in ("/a", "/b")[:1 + (number % 10 == 0)]:
                            time_of = f"{at // 10**9}.{at % 10**9:09}"
                            file.write(f'{{"topic":"{topic}","log_time":{time_of},"data":{{"n":{number}}}}}\n')
            async with serving(source, "--remap", "/a=/c") as server:
                found = await of(server, "/api/timeline?bins=30")
                equal((found["start_ns"], found["bins"]), ("0", 30), "range")
                equal([topic["topic"] for topic in found["topics"]], ["/b", "/c"], "topics")
                for topic, step in zip(found["topics"], (10, 1)):
                    check(not topic["estimated"], topic)
                    width = times[-1] / 30
                    expected = [0] * 30
                    for at in times[::step]:
                        expected[min(int(at / width), 29)] += 1
                    check(all(abs(got - want) <= 1.5 for got, want in zip(topic["counts"], expected)),
                          topic["counts"], expected)
                    equal(round(sum(topic["counts"])), len(times[::step]), "messages")
                (gap,) = found["gaps"]
                equal((round(gap["start_s"], 3), round(gap["end_s"], 3)), (9.9, 20.0), "gap")
                equal(found["damaged"], [], "damage")
                equal(len((await of(server, "/api/timeline"))["topics"][0]["counts"]), 300, "parts")
                for bins in ("0", "4001", "x", ""):
                    equal((await get(server, f"/api/timeline?bins={bins}"))[0], 400, bins)
                equal((await of(server, "/files/"))["files"] == [], lines, "lines have no file")
                last = await of(server, "/api/topics/%2Fc/latest")
                equal(last["log_time_ns"], "0", "the last message at the start")
    async with serving("-", stdin="pipe") as server:
        equal((await get(server, "/api/timeline"))[0], 404, "live topics")
        equal((await get(server, "/files/"))[0], 404, "live topics")


async def silent_connection():
    """A connection that says nothing is hinted at once: a browser may block the viewer."""
    async with serving(DRIVE) as server:
        for _ in range(3):
            socket.create_connection(("127.0.0.1", server.port)).close()
        await server.says("ended without a request")
        await get(server, "/healthz")
        time.sleep(0.2)
        equal(server.said().count("ended without a request"), 1, "hints")
    async with serving(DRIVE) as server:
        await get(server, "/healthz")
        time.sleep(0.2)
        check("ended without a request" not in server.said(), server.said())


TRIALS = dict(
    files=files, file_names=file_names, file_by_ranges=file_by_ranges, file_aborted=file_aborted, file_paused=file_paused, timeline=timeline,
    silent_connection=silent_connection,
)
