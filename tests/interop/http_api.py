"""Plain HTTP on the port, as scripts, browsers and Prometheus ask it."""

import asyncio
import collections
import http.client
import json
import os
import resource
import signal
import socket
import tempfile
import time
import urllib.parse

from mcap.reader import make_reader

from admission import security_table
from bridge import OLD, PATIENCE, TESTDATA, Client, check, equal, messages_in, serving, until


DRIVE = os.path.join(TESTDATA, "drive.mcap")


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        equal(self.headers["Content-Type"], "application/json", "content type")
        return json.loads(self.body)


def ask_now(port, method, path, body=None, headers=(), timeout=PATIENCE):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = dict(headers)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


async def ask(server, method, path, body=None, headers=(), **more):
    return await asyncio.to_thread(ask_now, server.port, method, path, body, headers, **more)


async def get(server, path):
    answer = await ask(server, "GET", path)
    equal(answer.status, 200, f"{path}: {answer.body[:200]}")
    return answer.json()


async def control(server, expected=200, **wish):
    answer = await ask(server, "POST", "/api/playback", wish)
    equal(answer.status, expected, f"{wish}: {answer.body}")
    return answer.json()


def raw(port, data, wait=PATIENCE):
    """Sends bytes; what comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


async def http_api():
    """What is served, who is there, and playback, as scripts read and control it."""
    async with serving(DRIVE) as server:
        status = await get(server, "/api/status")
        equal((status["name"], status["mode"], status["read_only"]), ("drive.mcap", "recording", False), "status")
        equal(status["addresses"], [f"ws://localhost:{server.port}"], "addresses")
        equal(status["sources"], [{"name": "drive.mcap", "kind": "recording"}], "sources")
        check(status["contents"].startswith("drive.mcap (6.0 s, 12 channels"), status)
        equal(status["playback"]["state"], "waiting", "state")
        viewer = await Client.connect(server, OLD, topics=None)
        await viewer.until(messages_in, "messages")
        def topics_now():
            return {topic["topic"]: topic for topic in ask_now(server.port, "GET", "/api/topics").json()["topics"]}

        def much_of_fix():
            fix = topics_now()["/gps/fix"]
            return fix["messages"] > 10 and fix["hz"] > 5 and fix
        fix = await until(much_of_fix, "messages, and their rate")
        topics = topics_now()
        equal(list(topics), sorted(topics), "order")
        equal((fix["subscribers"], fix["encoding"]), (1, "protobuf"), "fix")
        check(fix["bytes"] > fix["messages"], fix)
        (client,) = (await get(server, "/api/clients"))["clients"]
        equal((client["subprotocol"], client["dropped"], client["slow_because"]), (OLD, 0, None), "client")
        check(set(client["subscriptions"]) == set(topics) and client["messages_sent"] > 50, client)
        check("websockets" in client["agent"] and client["address"].startswith("127.0.0.1:"), client)
        check(abs(int(client["since_ns"]) / 1e9 - time.time()) < 30, client)

        paused = await control(server, command="pause", seek="+2s", rate=2, loop=True, range=["+1s", "+5s"])
        equal((paused["state"], paused["position_s"], paused["rate"], paused["loop"]), ("paused", 2.0, 2.0, True), "state")
        equal(paused["range"], {"start_s": 1.0, "end_s": 5.0}, "A-B")
        equal(int(paused["position_ns"]) - int(paused["start_ns"]), 2 * 10**9, "position")
        equal(await get(server, "/api/playback"), paused, "state asked")
        equal((await control(server, seek_by=-0.5))["position_s"], 1.5, "position")
        equal((await control(server, range=None))["range"], None, "A-B")
        stepped = await control(server, step=1, topic="/gps/fix")
        check(stepped["position_s"] > 1.5 and stepped["state"] == "paused", stepped)
        equal((await control(server, rate="max"))["rate"], "max", "rate")
        equal((await control(server, rate=1, command="play"))["state"], "playing", "state")
        await control(server, loop=False, seek=paused["end_ns"])
        await until(lambda: ask_now(server.port, "GET", "/api/playback").json()["state"] == "ended", "the end")
        again = await control(server, command="play")
        check(again["state"] == "playing" and again["position_s"] < 1, again)

        head = await ask(server, "HEAD", "/api/status")
        equal((head.status, head.body), (200, b""), "HEAD")
        check(int(head.headers["Content-Length"]) > 100, head.headers)
        for method, path, allowed in (
            ("PUT", "/api/playback", {"GET", "HEAD", "POST"}), ("POST", "/api/status", {"GET", "HEAD"}),
            ("GET", "/api/save", {"POST"}), ("DELETE", "/", {"GET", "HEAD"}),
        ):
            answer = await ask(server, method, path)
            equal((answer.status, set(answer.headers["Allow"].split(","))), (405, allowed), f"{method} {path}")
            check("error" in answer.json(), answer.body)
        equal((await ask(server, "POST", "/api/save", {})).status, 404, "nothing is kept")
    async with serving("-", stdin="pipe") as server:
        await server.write({"topic": "/a", "data": {"x": 1}})
        await until(lambda: ask_now(server.port, "GET", "/api/topics").json()["topics"], "the topic")
        status = await get(server, "/api/status")
        equal((status["mode"], status["playback"], status["files"]), ("live", None, []), "status")
        equal((await ask(server, "GET", "/api/playback")).status, 404, "playback of live input")
        equal((await ask(server, "POST", "/api/playback", {"command": "play"})).status, 404, "its control")


async def http_not_ready():
    """An input that failed is told while clients are still sent the rest."""
    async with serving("-", "--strict", stdin="pipe") as server:
        equal((await ask(server, "GET", "/readyz")).body, b"ok\n", "before")
        # a client that does not answer the close
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as silent:
            silent.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                           f"Sec-WebSocket-Protocol: {OLD}\r\n\r\n".encode())
            check(silent.recv(100).startswith(b"HTTP/1.1 101 "), "no connection")
            await until(lambda: len(ask_now(server.port, "GET", "/api/clients").json()["clients"]) == 1, "the client")
            await server.write("this is no line")
            def not_ready():
                answers = [ask_now(server.port, "GET", path) for path in ("/readyz", "/healthz")]
                return answers[0].status == 503 and answers
            ready, healthy = await until(not_ready, "not ready")
            check(ready.body.startswith(b"the input failed: stdin"), ready.body)
            equal(healthy.status, 200, "healthz")
        equal(await server.code(), 2, "exit code; " + server.said())


async def http_save():
    """What `--keep` holds is saved over HTTP, by who may ask; it stays once the input has ended."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-", "--keep", "1s", "--save-dir", folder, "--name", "robot")
        async with serving(*arguments, stdin="pipe") as server:
            viewer = await Client.connect(server, OLD, topics=None)
            for number in range(10):
                await server.write({"topic": "/n", "data": {"n": number}})
            await viewer.until(lambda events: sum(e[0] == "message" for e in events) == 10, "messages")
            server.stdin.close()
            await server.says("the input has ended")
            await asyncio.sleep(2)
            kept = (await get(server, "/api/status"))["kept"]
            equal((kept["messages"], kept["saving"]), (10, 0), "what is kept")
            for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
                equal((await ask(server, "POST", "/api/save", {}, headers)).status, 403, f"{headers}")
            equal(os.listdir(folder), [], "files")
            answer = await ask(server, "POST", "/api/save", {})
            equal(answer.status, 200, f"{answer.body}")
            saved = answer.json()
            equal((saved["messages"], saved["lost"], saved["bytes"]), (10, 0, os.path.getsize(saved["path"])), "saved")
            equal((saved["start_ns"], saved["end_ns"]), (kept["start_ns"], kept["end_ns"]), "range")
            with open(saved["path"], "rb") as file:
                messages = list(make_reader(file, validate_crcs=True).iter_messages())
            equal([json.loads(message.data)["n"] for _, _, message in messages], list(range(10)), "messages")
            equal({channel.topic for _, channel, _ in messages}, {"/n"}, "topics")
            name = os.path.basename(saved["path"])
            listed = {"name": name, "size": saved["bytes"], "url": saved["url"]}
            equal((await get(server, "/files/"))["files"], [listed], "files that are listed")
            with open(saved["path"], "rb") as file:
                equal((await ask(server, "GET", saved["url"])).body, file.read(), "what is downloaded")
            server.process.send_signal(signal.SIGUSR1)
            await until(lambda: len(ask_now(server.port, "GET", "/files/").json()["files"]) == 2, "the file of the signal is listed")
            with open(os.path.join(folder, "other.mcap"), "wb"):
                equal((await ask(server, "GET", "/files/other.mcap")).status, 404, "another file of the folder")
            os.remove(saved["path"])
            equal((await ask(server, "GET", saved["url"])).status, 404, "a file that is gone")
    # a file waits for what comes after its request, so that more than four are asked for at once
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-", "--keep", "10s", "--save-after", "2s", "--save-dir", folder)
        async with serving(*arguments, stdin="pipe") as server:
            await server.write({"topic": "/n", "data": {}})
            await until(lambda: ask_now(server.port, "GET", "/api/topics").json()["topics"], "the topic")
            answers = await asyncio.gather(*(ask(server, "POST", "/api/save", {}) for _ in range(6)))
            equal(sorted(answer.status for answer in answers), [200] * 4 + [503] * 2, "answers")
            for answer in answers:
                if answer.status == 503:
                    check(int(answer.headers["Retry-After"]) > 0, answer.headers)
                    check("4 files are being saved already" in answer.json()["error"], answer.body)


async def http_bodies():
    """Bodies that are too large, slow, cut off, no JSON; requests one after the other on a connection."""
    async with serving(DRIVE) as server:
        for body, kind, status in (
            ("{", "application/json", 400), ("[]", "application/json", 400), ("null", "application/json", 400), ('{"rate":"fast"}', "application/json", 400),
            ("\xff".encode("latin-1"), "application/json", 400), ('{"command":"play"}', "text/plain", 415),
            ('{"command":"play"}', "application/x-www-form-urlencoded", 415), (b" " * 70_000, "application/json", 413),
        ):
            answer = await ask(server, "POST", "/api/playback", body, {"Content-Type": kind})
            equal(answer.status, status, f"{body[:20]!r} as {kind}")
            check(answer.json()["error"] and "struct" not in answer.json()["error"], answer.body)

        def head(length, more=""):
            return (f"POST /api/playback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {length}\r\n{more}\r\n").encode()
        wish = b'{"command":"pause"}'
        # a body that stops in its middle is waited for 10 s
        begin = time.monotonic()
        slow = await asyncio.to_thread(raw, server.port, head(len(wish)) + wish[:5], 60)
        check(b" 408 " in slow and 8 < time.monotonic() - begin < 40, slow, time.monotonic() - begin)
        # one that is promised to be huge is refused before it comes
        huge = await asyncio.to_thread(raw, server.port, head(10**12))
        check(b" 413 " in huge and b"connection: close" in huge, huge)
        chunked = b"POST /api/playback HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        answer = await asyncio.to_thread(raw, server.port, chunked)
        check(b" 411 " in answer and answer.count(b"HTTP/1.1") == 1, answer)
        # headers have a bound; the connection may be reset before the 431 was read
        long = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: %s\r\n\r\n"
        check(b" 200 " in await asyncio.to_thread(raw, server.port, long % (b"x" * 60_000)), "60 kB of headers")
        try:
            answer = await asyncio.to_thread(raw, server.port, long % (b"x" * 200_000))
            check(b" 431 " in answer[:20], answer[:100])
        except ConnectionError:
            pass
        # requests in a row, also sent before the answers are there
        row = (head(len(wish)) + wish) * 20 + b"GET /api/playback HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await asyncio.to_thread(raw, server.port, row)
        equal(answer.count(b"HTTP/1.1 200 OK"), 21, "answers")
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(20):
            connection.request("GET", "/api/status")
            first = connection.sock
            equal(connection.getresponse().read()[:1], b"{", "answer")
            check(connection.sock is first, "the connection was closed")
        connection.close()


class Listener:
    """Reads server-sent events on a connection of its own."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        self.rest = b""

    def event(self):
        """Kind and data of the next event."""
        while True:
            while b"\n\n" not in self.rest:
                size = int(self.file.readline(), 16)
                self.rest += self.file.read(size)
                equal(self.file.readline(), b"\r\n", "the end of a chunk")
                if size == 0:
                    return None
            event, self.rest = self.rest.split(b"\n\n", 1)
            if not event.startswith(b":"):
                kind, data = event.decode().split("\n")
                return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def until(self, kind, is_wanted=lambda data: True):
        for _ in range(1000):
            found, data = self.event()
            if found == kind and is_wanted(data):
                return data
        raise AssertionError(f"no {kind}")

    def close(self):
        self.file.close()
        self.socket.close()


async def http_events():
    """Listeners get the whole state and what changes; many are refused, and one that does not read costs nobody anything."""
    async with serving(DRIVE, "--loop") as server:
        listener = await asyncio.to_thread(Listener, server.port)
        equal(listener.headers["content-type"], "text/event-stream; charset=utf-8", "content type")
        first = [await asyncio.to_thread(listener.event) for _ in range(4)]
        equal([kind for kind, _ in first], ["status", "playback", "topics", "clients"], "first events")
        equal(first[0][1]["playback"], first[1][1], "playback")
        viewer = await Client.connect(server, OLD, topics=None)
        await asyncio.to_thread(listener.until, "clients", lambda data: len(data["clients"]) == 1)
        await asyncio.to_thread(listener.until, "topics", lambda data: any(t["hz"] > 1 for t in data["topics"]))
        await control(server, seek="+3s", command="pause")
        paused = await asyncio.to_thread(listener.until, "playback", lambda data: data["state"] == "paused")
        equal(paused["position_s"], 3.0, "position")
        await control(server, command="play")

        def count():
            kinds, end = collections.Counter(), time.monotonic() + 3
            while time.monotonic() < end:
                kinds[listener.event()[0]] += 1
            return kinds
        kinds = await asyncio.to_thread(count)
        # ten and one a second; the drive has 150 messages a second
        check(5 <= kinds["playback"] <= 60, kinds)
        check(1 <= kinds["topics"] <= 9 and kinds["clients"] <= 9 and kinds["status"] <= 9, kinds)

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        others = await asyncio.to_thread(lambda: [Listener(server.port) for _ in range(1000)])
        equal(collections.Counter(other.status for other in others), {200: 99, 503: 901}, "answers")
        for other in others:
            other.close()
        await until(lambda: b"foxglove_bridge_event_listeners 1\n" in ask_now(server.port, "GET", "/metrics").body,
                    "listeners that are gone")
        # one that does not read
        stalled = await asyncio.to_thread(Listener, server.port)
        await asyncio.to_thread(count)
        seen = len(messages_in(viewer.events))
        await viewer.until(lambda events: len(messages_in(events)) > seen + 20, "messages at the viewer")
        stalled.close()
        listener.close()
    async with serving("-", stdin="pipe") as server:
        listener = await asyncio.to_thread(Listener, server.port)
        await server.write("this is no line")
        server.stdin.close()
        equal([(await asyncio.to_thread(listener.event))[0] for _ in range(3)], ["status", "topics", "clients"], "events")
        server.process.terminate()
        await server.code()

        def rest():
            try:
                while listener.event():
                    pass
            except (OSError, ValueError):
                pass
        await asyncio.wait_for(asyncio.to_thread(rest), PATIENCE)


def jpeg(data):
    return data[:3] == b"\xff\xd8\xff"


async def http_latest():
    """The last message of a topic: decoded, short, raw, as a picture; topics are watched meanwhile."""
    def path(topic, query=""):
        return f"/api/topics/{urllib.parse.quote(topic, safe='')}/latest{query}"
    async with serving(DRIVE, "--start-on", "launch", "--loop") as server:
        for topic in ("/gps/fix", "/camera/front/image"):
            await until(lambda: ask_now(server.port, "GET", path(topic)).status == 200, f"a message of {topic}")
        fix = await get(server, path("/gps/fix"))
        equal((fix["topic"], fix["encoding"]), ("/gps/fix", "protobuf"), "message")
        check(isinstance(fix["json"], dict) and fix["size"] > 10 and int(fix["log_time_ns"]) > 10**18, fix)
        image = await get(server, path("/camera/front/image", "?short"))
        check("bytes" in image["json"]["data"] and len(image["json"]["data"]) < 200, image)
        picture = await ask(server, "GET", path("/camera/front/image", "?image"))
        equal((picture.status, picture.headers["Content-Type"]), (200, "image/jpeg"), "picture")
        check(jpeg(picture.body), picture.body[:10])
        equal(picture.headers["X-Content-Type-Options"], "nosniff", "header")
        payload = await ask(server, "GET", path("/camera/front/image", "?raw"))
        equal(payload.headers["Content-Type"], "application/octet-stream", "payload")
        check(picture.body[:100] in payload.body, "the payload holds a picture")
        equal((await ask(server, "GET", path("/gps/fix", "?image"))).status, 415, "no picture")
        equal((await ask(server, "GET", path("/none"))).json(), {"error": "there is no topic /none"}, "no topic")
    async with serving("-", "--latch", "/map", stdin="pipe") as server:
        await server.write({"topic": "/a", "data": {"x": 1}}, {"topic": "/map", "data": {"m": [0] * 1000}})
        await until(lambda: len(ask_now(server.port, "GET", "/api/topics").json()["topics"]) == 2, "the topics")
        equal((await get(server, path("/map")))["json"], {"m": [0] * 1000}, "a latched message")
        short = (await get(server, path("/map", "?short")))["json"]["m"]
        check(len(short) < 20 and "more" in short[-1], short)
        none = await ask(server, "GET", path("/a"))
        equal((none.status, none.json()), (404, {"error": "no message yet"}), "nothing since it is watched")
        await server.write({"topic": "/a", "data": {"x": 2}})
        await until(lambda: ask_now(server.port, "GET", path("/a")).status == 200, "a message")
        equal((await get(server, path("/a")))["json"], {"x": 2}, "the message")


PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# what Prometheus 3 sends
ASKS_FOR_OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                                  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"}


async def http_metrics():
    """Figures as the parsers of Prometheus' own client read them, in both texts."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
    from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

    def values_of(families):
        return {(s.name, *s.labels.values()): s.value for f in families.values() for s in f.samples}

    async def figures(server):
        """By either text; what goes on meanwhile makes them differ in values alone."""
        answer = await ask(server, "GET", "/metrics")
        equal(answer.headers["Content-Type"], PROMETHEUS, "content type")
        plain = {family.name: family for family in parse_prometheus(answer.body.decode())}
        answer = await ask(server, "GET", "/metrics", headers=ASKS_FOR_OPENMETRICS)
        equal(answer.headers["Content-Type"], OPENMETRICS, "content type")
        check(answer.body.endswith(b"\n# EOF\n"), answer.body[-100:])
        families = {family.name: family for family in parse_openmetrics(answer.body.decode())}
        # OpenMetrics writes whole bounds of buckets as 1.0
        equal({tuple("1.0" if label == "1" else label for label in series) for series in values_of(plain)},
              set(values_of(families)), "series")
        for name, family in families.items():
            as_plain = plain[name + "_info" if family.type == "info" else name]
            equal((as_plain.documentation, as_plain.type), (family.documentation, family.type.replace("info", "gauge")), name)
        return families, values_of(families)
    async with serving(DRIVE, "--loop") as server:
        viewer = await Client.connect(server, OLD, topics=None)
        await viewer.until(lambda events: len(messages_in(events)) > 100, "messages")
        families, values = await figures(server)
        check(all(family.documentation for family in families.values()), families)
        equal(families["foxglove_bridge_playback_lag_seconds"].type, "histogram", "type")
        equal(families["foxglove_bridge_messages_sent"].type, "counter", "type")
        equal(families["foxglove_bridge_build"].samples[0].labels,
              {"version": (await get(server, "/api/status"))["version"]}, "version")
        equal(values["foxglove_bridge_clients",], 1, "clients")
        check(values["foxglove_bridge_messages_sent_total",] >= 100, values)
        check(values["foxglove_bridge_topic_messages_total", "/gps/fix"] > 5, values)
        lag = "foxglove_bridge_playback_lag_seconds"
        check(0 < values[lag + "_bucket", "0.1"] <= values[lag + "_count",] == values[lag + "_bucket", "+Inf"], values)
        equal(values["foxglove_bridge_ready",], 1, "ready")
    async with serving("-", stdin="pipe") as server:
        topics = [{"topic": f'/{number}"\\', "data": {"x": number}} for number in range(9000)]
        await server.write(*topics, "this is no line", {"topic": "/last", "data": {}})
        await until(lambda: b"foxglove_bridge_topics 9001\n" in ask_now(server.port, "GET", "/metrics").body, "topics")
        families, values = await figures(server)
        equal(values["foxglove_bridge_input_lines_total",], 9002, "lines")
        equal(values["foxglove_bridge_input_bad_lines_total",], 1, "bad lines")
        equal(len(families["foxglove_bridge_topic_messages"].samples), 201, "series of topics")
        equal(values["foxglove_bridge_topic_messages_total", '/7"\\'], 1, "of one")
        equal(values["foxglove_bridge_topic_messages_total", ""], 8801, "of the others")


async def http_folders():
    """Layouts and a viewer are given out of their folders, and nothing beside those."""
    with tempfile.TemporaryDirectory() as folder:
        layouts, viewer = os.path.join(folder, "layouts"), os.path.join(folder, "viewer")
        os.makedirs(layouts), os.makedirs(os.path.join(viewer, "static"))
        for path, text in (("layouts/drive.json", "{}"), ("secret.json", "secret"), ("viewer/index.html", "<html>"),
                           ("viewer/static/main.js", "x" * 1_000_000)):
            with open(os.path.join(folder, path), "w") as file:
                file.write(text)
        os.symlink(os.path.join(folder, "secret.json"), os.path.join(layouts, "link.json"))
        os.symlink(folder, os.path.join(viewer, "up"))
        os.symlink("drive.json", os.path.join(layouts, "alias.json"))
        async with serving(DRIVE, "--layouts", layouts, "--ui", viewer) as server:
            for name in ("drive", "alias"):
                layout = await ask(server, "GET", f"/layouts/{name}.json", headers={"Origin": "https://app.foxglove.dev"})
                equal((layout.status, layout.json()), (200, {}), "layout")
                equal(layout.headers["Access-Control-Allow-Origin"], "https://app.foxglove.dev", "header")
            for path in ("/layouts/link.json", "/layouts/../secret.json", "/layouts/%2e%2e/secret.json", "/layouts/..%2fsecret.json",
                         "/layouts/", "/viewer/up/secret.json", "/viewer/%2e%2e/secret.json", "/viewer/static", "/viewer/static/"):
                answer = await asyncio.to_thread(
                    raw, server.port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                check(b" 404 " in answer.split(b"\r\n")[0] and b"secret\n" not in answer, path, answer)
            equal((await ask(server, "GET", "/viewer/")).body, b"<html>", "the viewer")
            script = await ask(server, "GET", "/viewer/static/main.js")
            equal((len(script.body), script.headers["Content-Type"]), (1_000_000, "text/javascript; charset=utf-8"), "script")
            tag = {"If-None-Match": script.headers["ETag"]}
            equal((await ask(server, "GET", "/viewer/static/main.js", headers=tag)).status, 304, "unchanged")
            lead = await ask(server, "GET", "/viewer")
            equal(lead.status, 302, "status")
            check(lead.headers["Location"].endswith(f"ds.url=ws%3A%2F%2F127.0.0.1%3A{server.port}"), lead.headers["Location"])
            equal((await get(server, "/api/status"))["viewer"], "/viewer", "viewer")
    async with serving(DRIVE, "--no-page") as server:
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/api/status", 404), ("/viewer", 404)):
            equal((await ask(server, "GET", path)).status, status, path)


def rows():
    """Those of the table of requests."""
    for *cells, status, answer in security_table(7):
        if status.isdigit():
            yield cells + [int(status), answer]


async def http_origins():
    """Each row of the table, with real headers."""
    servers = collections.defaultdict(list)
    for host, allowed, *row in rows():
        servers[host, allowed].append(row)
    tried = 0
    with tempfile.TemporaryDirectory() as layouts:
        with open(os.path.join(layouts, "a.json"), "w") as file:
            file.write("{}")
        for (address, allowed), cases in servers.items():
            more = ["--allow-origin", allowed] if allowed else []
            async with serving(DRIVE, "--host", address, "--layouts", layouts, *more) as server:
                for request, host, origin, status, reads in cases:
                    method, path = request.split()
                    headers = {"Host": host, **({"Origin": origin} if origin else {})}
                    if method == "OPTIONS":
                        headers["Access-Control-Request-Method"] = "POST"
                    body = {"command": "pause"} if method == "POST" else None
                    answer = await ask(server, method, path, body, headers)
                    what = f"{address} with {more}: {request} of {origin or 'no Origin'} at {host}"
                    equal(answer.status, status, what)
                    equal(answer.headers["Access-Control-Allow-Origin"], origin if reads == "yes" else None, what)
                    check(status != 403 or "--allow-origin" in answer.json()["error"], answer.body)
                    tried += 1
    check(tried > 30, "only", tried, "rows")


TRIALS = dict(
    http_api=http_api, http_bodies=http_bodies, http_events=http_events, http_latest=http_latest,
    http_not_ready=http_not_ready, http_save=http_save,
    http_metrics=http_metrics, http_folders=http_folders, http_origins=http_origins,
)
