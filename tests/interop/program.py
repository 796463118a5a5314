"""Trials of the program on its terminal and in its surroundings: it is never dead, never frozen, never silent about it."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import urllib.request

from mcap.reader import make_reader

from bridge import BRIDGE, OLD, PATIENCE, PAUSE, PLAY, SDK, TESTDATA, Client, check, equal, serving, until
from record import check_complete, new_file, read

DRIVE = os.path.join(TESTDATA, "drive.mcap")

# whoever runs these in the background has signals ignored, which the program would respect
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)


def ready_file():
    return os.path.join(tempfile.mkdtemp(), "ready")


async def port_of(path, process):
    """The port that a ready file names."""
    def read():
        check(process.poll() is None, "the program ended with", process.returncode)
        with contextlib.suppress(FileNotFoundError):
            with open(path) as file:
                return int(re.fullmatch(r"ws://localhost:(\d+)\n", file.read())[1])
    return await until(read, "the ready file")


class Address:
    """For `Client.connect`."""

    def __init__(self, port):
        self.port = port


async def ended(process):
    await until(lambda: process.poll() is not None, "the end of the program")
    return process.returncode


@contextlib.asynccontextmanager
async def started(*arguments, **more):
    """A `serve` whose stderr is the trial's business: the process and its port."""
    path = ready_file()
    command = [BRIDGE, "serve", *map(str, arguments), "--port", "0", "--ready-file", path]
    process = subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **more})
    try:
        yield process, Address(await port_of(path, process))
        check(process.poll() is None or not os.path.exists(path), "the ready file is still there")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def stderr_closed():
    """`2>&1 | head`: nobody reads what is logged; playback and handshakes go on."""
    reader, writer = os.pipe()
    async with started(DRIVE, "--loop", "-vv", stderr=writer) as (process, address):
        os.close(writer)
        os.close(reader)
        for _ in range(3):
            client = await Client.connect(address, OLD, topics=None)
            await client.until(lambda events: sum(e[0] == "message" for e in events) > 50, "messages")
            await client.socket.close()
        # a refused handshake logs a line
        refused = await asyncio.to_thread(http, address, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n")
        check(refused.startswith(b"HTTP/1.1 400"), refused)
        equal(urllib.request.urlopen(f"http://localhost:{address.port}/healthz").read(), b"ok\n", "health")
        process.send_signal(signal.SIGTERM)
        equal(await ended(process), 0, "exit code")


async def stderr_stalled():
    """stderr that takes nothing (Ctrl-S, `| less`): nothing waits for it, and SIGTERM ends the program."""
    with new_file() as path:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        async with started(DRIVE, "--loop", "--rate", "5", "-vv", "--record", path, stderr=writer) as (process, address):
            os.close(writer)
            client = await Client.connect(address, OLD, topics=None)
            await client.until(lambda events: sum(e[0] == "message" for e in events) > 2000, "messages")
            process.send_signal(signal.SIGTERM)
            begin = time.monotonic()
            equal(await client.closed(), 1001, "close code")
            equal(await ended(process), 0, "exit code")
            check(time.monotonic() - begin < 15, "it took", time.monotonic() - begin, "s to end")
        os.close(reader)
        messages, damaged = read(path)
        check(not damaged and len(messages) > 2000, "damaged:", damaged, len(messages))
        check_complete(path, messages)


async def stderr_slow():
    """A reader that comes back gets the lines that found room, and how many did not."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    async with started("-", "-vv", stdin=subprocess.PIPE, stderr=writer) as (process, address):
        os.close(writer)
        process.stdin.write(b'{"op":"channel","topic":"/a"}\n')
        process.stdin.flush()
        client = await Client.connect(address, OLD, topics=None)
        await client.until(lambda _: client.subscribed, "the channel")
        await client.fence()
        lines = b'{"topic":"/a","data":{}}\n' * 20_000
        await asyncio.to_thread(lambda: (process.stdin.write(lines), process.stdin.flush()))
        await client.until(lambda events: len(events) > 20_000, "messages")
        await client.socket.close()
        said = b""
        while len(said) < 3 << 20 and not re.search(rb"\d+ log lines were left out here", said[-8192:]):
            said += await asyncio.to_thread(os.read, reader, 1 << 16)
        check(re.search(rb"\d+ log lines were left out here", said), "not counted:", said[-300:])
        process.send_signal(signal.SIGTERM)
        equal(await ended(process), 0, "exit code")
    os.close(reader)


async def signals():
    """SIGHUP and SIGQUIT complete the recording, as SIGTERM does."""
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
        with new_file() as path:
            async with serving(DRIVE, "--record", path) as server:
                client = await Client.connect(server, OLD, topics={"/tf"})
                await client.until(lambda events: sum(e[0] == "message" for e in events) > 20, "messages")
                server.process.send_signal(number)
                equal(await client.closed(), 1001, "close code")
                equal(await server.code(), 0, f"exit code of {number!r}; " + server.said())
            messages, damaged = read(path)
            check(not damaged, "damaged")
            check_complete(path, messages)


async def timeout():
    """GNU timeout signals the program and then its group: that is one request, and the recording is completed."""
    for attempt in range(4):
        with new_file() as path:
            command = ["timeout", "2.5", BRIDGE, "serve", DRIVE, "--port", "0", "--start-on", "launch", "--record", path]
            done = await asyncio.to_thread(
                subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            equal(done.returncode, 124, f"exit code of attempt {attempt}; {done.stderr}")
            check("recorded " in done.stderr, done.stderr)
            messages, damaged = read(path)
            check(not damaged, "damaged")
            check_complete(path, messages)


async def nohup():
    """What was ignored at the start stays ignored."""
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    async with serving(DRIVE, preexec_fn=ignore) as server:
        server.process.send_signal(signal.SIGHUP)
        server.process.send_signal(signal.SIGINT)
        await asyncio.sleep(1)
        equal(server.process.poll(), None, "exit code")
        server.process.send_signal(signal.SIGTERM)
        equal(await server.code(), 0, "exit code")


async def file_limit():
    """A recording that reaches `ulimit -f` ends as on a full disk: what is said to be readable is; serving goes on."""
    for size, rate in ((200_000, 10), (300_000, 1000)):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        with new_file() as path:
            async with serving(DRIVE, "--rate", rate, "--loop", "--record", path, preexec_fn=limit) as server:
                client = await Client.connect(server, OLD, topics=None)
                await client.until(lambda events: sum(e[0] == "message" for e in events) > 2000, "messages")
                await server.says("and serving goes on")
                server.process.send_signal(signal.SIGTERM)
                equal(await server.code(), 1, "exit code; " + server.said())
            readable = re.search(r"the (\d+) messages? recorded before can be read", server.said())
            if not readable:
                check("it has no message and is removed" in server.said(), server.said())
                equal(os.listdir(os.path.dirname(path)), [], "files")
                continue
            check(0 < os.path.getsize(path) <= size, os.path.getsize(path))
            info = await asyncio.to_thread(subprocess.run, [BRIDGE, "info", "--json", path], capture_output=True)
            equal(json.loads(info.stdout)["message_count"], int(readable[1]), server.said())


async def descriptors():
    """Handshakes that stay unfinished lock nobody out for long, and what happens is logged."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    async with serving(DRIVE, "--loop", preexec_fn=limit) as server:
        slow = []
        for _ in range(150):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.sendall(b"GET / HTTP/1.1\r\nHo")
            slow.append(one)
        begin = time.monotonic()
        await server.says("connections can't be accepted")
        client = await Client.connect(server, OLD, topics=None)
        check(time.monotonic() - begin < 25, "a client had to wait for", time.monotonic() - begin, "s")
        await client.until(lambda events: sum(e[0] == "message" for e in events) > 10, "messages")
        check(server.said().count("connections can't be accepted") <= 3, server.said())
        for one in slow:
            one.close()
    def soft():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    async with serving(DRIVE, preexec_fn=soft) as server:
        with open(f"/proc/{server.process.pid}/limits") as file:
            limits = re.search(r"Max open files +(\S+) +(\S+)", file.read())
        check(int(limits[1]) >= min(int(limits[2]), 4096), "soft limit", limits[1], "of", limits[2])


def http(address, request, seconds=15):
    with socket.create_connection(("127.0.0.1", address.port), timeout=seconds) as one:
        one.sendall(request.encode("latin-1") if isinstance(request, str) else request)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while (more := one.recv(1 << 16)):
                answer += more
                if b"\r\n\r\n" in answer:
                    break
        return answer


async def requests():
    """What HTTP/1.1 forbids is answered with 400, and what others wrote is logged cut and escaped."""
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Protocol: foxglove.websocket.v1"]
    key, version, host = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Host: localhost"
    async with serving(DRIVE) as server:
        for status, headers in [
            (101, [host, key, version, *upgrade]),
            (101, [host, key, version, "Content-Length: 0", *upgrade]),
            (400, [key, version, *upgrade]),
            (400, [host, host, key, version, *upgrade]),
            (400, [host, version, *upgrade]),
            (400, [host, key, key, version, *upgrade]),
            (400, [host, key, *upgrade]),
            (400, [host, key, version, version, *upgrade]),
            (400, [host, key, version, "Content-Length: 3", *upgrade]),
            (400, [host, key, version, "Transfer-Encoding: chunked", *upgrade]),
            (400, [host, "Content-Length: 3", "Transfer-Encoding: chunked"]),
            (400, [host, "Transfer-Encoding: chunked", "Content-Length: 3"]),
            (400, []),
            (200, [host]),
        ]:
            request = "\r\n".join(["GET / HTTP/1.1", *headers, "", ""])
            answer = await asyncio.to_thread(http, server, request)
            check(answer.startswith(f"HTTP/1.1 {status} ".encode()), status, headers, answer[:100])
        offer = "Sec-WebSocket-Protocol: " + "x" * 50_000 + "\x9b31m"
        request = "\r\n".join(["GET / HTTP/1.1", host, key, version, *upgrade[:2], offer, "", ""])
        before = len(server.said())
        answer = await asyncio.to_thread(http, server, request)
        check(answer.startswith(b"HTTP/1.1 400"), answer[:100])
        check(len(server.said()) - before < 1000, len(server.said()) - before, "bytes were logged")
        answer = await asyncio.to_thread(http, server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50))
        check(b"HTTP/2" not in answer and not answer.startswith(b"\0"), "HTTP/2:", answer[:50])
        equal(os.path.exists(f"/proc/{server.process.pid}"), True, "alive")


async def long_texts():
    """Text over the limit is not parsed, and the connection stays; what unfinished messages take is bounded."""
    def memory(server):
        with open(f"/proc/{server.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) // 1024
    def status(client):
        return [s for s in client.texts("status") if "bytes at most" in s["message"]]
    async with serving(DRIVE, "--start-paused", "--compression", "on") as server:
        client = await Client.connect(server, OLD)
        await client.until(lambda _: client.channels, "channels")
        bomb = '{"op":"x","a":[' + '{"":0},' * (2 * 1024 * 1024) + '{"":0}]}'
        for _ in range(3):
            await client.socket.send(bomb)
        await client.until(lambda _: len(status(client)) == 3, "a status for each")
        first = status(client)[0]
        equal(first["level"], 2, "level")
        check(str(len(bomb)) in first["message"] and str(1 << 20) in first["message"], first)
        await client.socket.send(json.dumps({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 999}]}))
        await client.until(lambda _: any("999" in s["message"] for s in client.texts("status")), "another status")
        check(memory(server) < 150, memory(server), "MB")
    async with serving(DRIVE, "--start-paused", "--client-text", "4KiB") as server:
        client = await Client.connect(server, OLD)
        await client.socket.send('{"op":"' + "x" * 5000 + '"}')
        await client.until(lambda _: status(client), "a status")


async def refused_control():
    """A request that can't be carried out is answered; ids of up to 1 KiB go to every client whole."""
    async with serving(DRIVE, "--start-paused") as server:
        one, other = [await Client.connect(server, SDK) for _ in range(2)]
        for speed in (0.0, -1.0):
            name = await one.control(PLAY, speed)
            await one.answer(name)
            check(any("not a positive number" in s["message"] for s in one.texts("status")), one.events)
        long = "x" * 1025
        await one.control(PLAY, 1.0, name=long)
        await one.until(lambda _: any("1025 bytes" in s["message"] for s in one.texts("status")), "a status")
        name = "y" * 1024
        await one.control(PAUSE, 1.0, name=name)
        await one.answer(name)
        await other.answer(name)
        check(all(e[1]["id"] != long for e in one.events + other.events if e[0] == "state"), "carried out")


async def many_channels():
    """The first frames of a session are as large as they are."""
    from mcap.writer import Writer
    with tempfile.NamedTemporaryFile(suffix=".mcap") as file:
        writer = Writer(file)
        writer.start()
        for number in range(1200):
            schema = json.dumps({"type": "object", "title": f"s{number}", "description": "d" * 15_000}).encode()
            id = writer.register_channel(
                f"/t{number}", "json", writer.register_schema(f"s{number}", "jsonschema", schema))
            writer.add_message(id, number, b"{}", number)
        writer.finish()
        file.flush()
        async with serving(file.name, "--rate", "max", "--at-end", "exit") as server:
            client = await Client.connect(server, SDK, topics=None)
            equal(await client.closed(), 1000, "close code; " + server.said())
            equal(len(client.channels), 1200, "channels")
            equal(sum(event[0] == "message" for event in client.events), 1200, "messages")


async def json_log():
    """With --log-format json every line on stderr is an object, also the first ones and the last error."""
    async with serving_json(DRIVE) as (process, said):
        while not said():
            await asyncio.sleep(0.01)
        first = said()[0]
        check(first["message"].startswith("Serving drive.mcap (6.0 s, 12 channels"), first)
        check(first["websocket"].startswith("ws://localhost:"), first)
        process.send_signal(signal.SIGTERM)
        equal(await ended(process), 0, "exit code")
    for arguments in (["serve", "none.mcap"], ["serve"], ["serve", "--lop"], ["serve", DRIVE, "--rate", "\x1b[31m"]):
        done = await asyncio.to_thread(
            subprocess.run, [BRIDGE, *arguments, "--log-format", "json"], capture_output=True, text=True)
        equal(done.returncode, 2, "exit code")
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        equal([line["level"] for line in lines], ["ERROR"], done.stderr)
        check("error:" not in lines[0]["message"], lines)


@contextlib.asynccontextmanager
async def serving_json(*arguments):
    with tempfile.TemporaryFile() as log:
        def said():
            return [json.loads(line) for line in os.pread(log.fileno(), 1 << 20, 0).splitlines()]
        async with started(*arguments, "--log-format", "json", stderr=log) as (process, _):
            yield process, said
        said()


async def verbose():
    """-v: what each client does, -vv: each message."""
    for flag, requests, messages in ((None, False, False), ("-v", True, False), ("-vv", True, True)):
        async with serving(DRIVE, *([flag] if flag else [])) as server:
            client = await Client.connect(server, SDK, topics={"/tf"})
            await client.until(lambda events: sum(e[0] == "message" for e in events) > 5, "messages")
            await client.control(PAUSE, 1.0)
            await client.answer("request 1")
            await client.socket.close()
            if requests:
                await server.says("request 1")
            if messages:
                await server.says(" of /tf at ", 6)
            await asyncio.sleep(0.2)
            said = server.said()
            equal("subscribes to /tf" in said, requests, f"{flag}: {said:.500}")
            equal("request 1" in said, requests, f"{flag}: {said[-500:]}")
            equal(said.count(" of /tf at ") > 5, messages, f"{flag}: {said[-500:]}")


async def ready():
    """--ready-file names the address once it listens, and is gone at the end."""
    path = ready_file()
    process = subprocess.Popen(
        [BRIDGE, "serve", DRIVE, "--port", "0", "--ready-file", path, "-q"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    port = await port_of(path, process)
    equal(urllib.request.urlopen(f"http://localhost:{port}/healthz").read(), b"ok\n", "health")
    process.send_signal(signal.SIGTERM)
    equal(await ended(process), 0, "exit code")
    check(not os.path.exists(path), "the file is still there")
    equal(process.stderr.read(), "", "said")


async def addresses():
    """What the first lines offer can be reached, by bare IP addresses and not by a bare host name."""
    async with serving(DRIVE, "--host", "0.0.0.0") as server:
        said = server.said()
        others = re.findall(r"ws://(\S+):\d+ from other computers", said)
        container = os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")
        equal("publishes this port" in said, container, said)
        check(all(re.fullmatch(r"[0-9.]+|\S+\.local", name) for name in others), others)
        for name in others:
            if not name.endswith(".local"):
                equal(urllib.request.urlopen(f"http://{name}:{server.port}/healthz").read(), b"ok\n", name)
        await server.says("WARN --host 0.0.0.0: whoever reaches this port may control what is served, without a password")
    for quiet in (("--host", "0.0.0.0", "--read-only"), ()):
        async with serving(DRIVE, *quiet) as server:
            # logged before what follows it
            server.process.send_signal(signal.SIGUSR1)
            await server.says("nothing is kept")
            check("WARN" not in server.said(), server.said())
    with tempfile.TemporaryFile() as log:
        path = ready_file()
        command = [BRIDGE, "serve", DRIVE, "--host", "[::1]", "--port", "0", "--ready-file", path]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            await until(lambda: os.path.exists(path) or process.poll() is not None, "the ready file")
            # otherwise there is no IPv6 here
            if process.poll() is None:
                said = lambda: os.pread(log.fileno(), 10_000, 0).decode()
                await until(lambda: re.search(r"WebSocket   ws://\[::1\]:\d+\n", said()), "the address")
        finally:
            process.kill()
            process.wait()


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, columns):
        self.pid, self.tty = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.environ["PS1"] = "prompt> "
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.shown = b""

    def type(self, text):
        self.read(0.2)
        self.shown = b""
        os.write(self.tty, text.encode())

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.tty], [], [], left)[0]:
            try:
                self.shown += os.read(self.tty, 1 << 16)
            except OSError:
                return

    def until(self, wanted, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not re.search(wanted, self.shown.decode(errors="replace")):
            check(time.monotonic() < end, "no", wanted, "in", self.shown[-1500:])
            self.read(0.05)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.tty)
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def terminal(columns=100):
    one = Terminal(columns)
    try:
        one.until("prompt> ")
        yield one
    finally:
        one.close()


def modes(one):
    """The modes that the shell gives to the programs that it runs."""
    one.type("stty -a; echo do''ne\n")
    one.until("done")
    return re.search(r"speed .*?done", one.shown.decode(), re.S)[0]


def keys_beside_a_pipe():
    serve = f"{BRIDGE} serve - --port 0"
    with terminal() as one:
        one.type(f"while sleep 0.1 && echo; do :; done 2>/dev/null | {serve}\n")
        one.until("waiting for a viewer|live")
        one.type("?")
        one.until("these keys")
        check("pause, play" not in one.shown.decode(), one.shown)
        one.type(" ")
        one.until("live input is sent as it comes")
        one.type("q")
        one.until(r"prompt> \Z")
        check("Keys" not in one.shown.decode(), one.shown)
        before = modes(one)
        # Ctrl-C reaches the whole pipeline
        one.type(f"sleep 1000 | {serve}\n")
        one.until("live")
        one.type("\x03")
        one.until(r"prompt> \Z")
        equal(modes(one), before, "modes of the terminal")


async def pipe_keys():
    """`producer | foxglove-bridge serve -` takes its keys from the terminal."""
    await asyncio.to_thread(keys_beside_a_pipe)


def job():
    with terminal() as one:
        before = modes(one)
        check(" echo " in before and " icanon " in before, before)
        path = ready_file()
        one.type(f"{BRIDGE} serve {DRIVE} --port 0 --ready-file {path} &\n")
        one.until("Lichtblick")
        one.read(1)
        check("waiting for a viewer" not in one.shown.decode(), "a bar in the background:", one.shown)
        one.type("echo st''ill here\n")
        one.until("still here")
        one.type("fg\n")
        one.until("waiting for a viewer")
        one.type("?")
        one.until("space  pause, play")
        one.type("\x1a")
        one.until(r"Stopped.*[\s\S]*prompt> \Z")
        equal(modes(one), before, "modes while it is stopped")
        one.type("bg\n")
        one.read(1)
        check("waiting for a viewer" not in one.shown.decode(), "a bar in the background:", one.shown)
        equal(modes(one), before, "modes while it is in the background")
        one.type("fg\n")
        one.until("waiting for a viewer")
        one.type("?")
        one.until("space  pause, play")
        one.type("q")
        one.until(r"prompt> \Z")
        equal(modes(one), before, "modes at the end")
        check(not os.path.exists(path), "the ready file is still there")


async def job_control():
    """`&`, `fg`, Ctrl-Z and `bg` work, the bar is drawn in the foreground alone."""
    await asyncio.to_thread(job)


def narrow():
    for columns in (40, 60):
        with terminal(columns) as one:
            one.type(f"{BRIDGE} serve {DRIVE} --port 0 --loop --start-on launch\n")
            one.until("(?s)(playing.*?){6}")
            # without the last one, of which a part may be missing
            bars = [line for line in re.split(r"\r|\n", one.shown.decode()) if "playing" in line][:-1]
            bars = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", bar) for bar in bars]
            check(len(bars) > 3, one.shown)
            for bar in bars:
                check(len(bar) < columns, len(bar), bar)
                check("of 6.0 s" in bar, bar)
            one.type("q")
            one.until(r"prompt> \Z")


async def narrow_bar():
    """At 40 and 60 columns the bar is one line with what matters."""
    await asyncio.to_thread(narrow)


async def stopped_terminal():
    """Ctrl-S: the terminal takes nothing; the program ends all the same."""
    def trial():
        with terminal() as one:
            path = ready_file()
            one.type(f"{BRIDGE} serve {DRIVE} --port 0 --loop --start-on launch --ready-file {path} -vv\n")
            one.until("playing")
            pid = int(subprocess.run(["pgrep", "-P", str(one.pid)], capture_output=True, check=True).stdout)
            os.write(one.tty, b"\x13")
            time.sleep(1)
            with open(path) as file:
                port = int(file.read().strip().split(":")[-1])
            equal(urllib.request.urlopen(f"http://localhost:{port}/healthz").read(), b"ok\n", "health")
            begin = time.monotonic()
            os.kill(pid, signal.SIGTERM)
            while os.path.exists(path):
                check(time.monotonic() - begin < 30, "it does not end")
                time.sleep(0.01)
    await asyncio.to_thread(trial)


async def hangup():
    """A terminal that is closed ends the program in good order."""
    with new_file() as recorded:
        path = ready_file()
        pid, tty = pty.fork()
        if pid == 0:
            os.execv(BRIDGE, [BRIDGE, "serve", DRIVE, "--port", "0", "--ready-file", path, "--record", recorded])
        try:
            await until(lambda: os.path.exists(path), "the ready file")
            with open(path) as file:
                client = await Client.connect(Address(int(file.read().strip().split(":")[-1])), OLD, topics={"/tf"})
            await client.until(lambda events: sum(e[0] == "message" for e in events) > 20, "messages")
            os.close(tty)
            equal(await client.closed(), 1001, "close code")
            ended = lambda: [status for ended, status in [os.waitpid(pid, os.WNOHANG)] if ended]
            status, = await until(ended, "the end")
            equal(os.waitstatus_to_exitcode(status), 0, "exit code")
        finally:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
        messages, damaged = read(recorded)
        check(not damaged, "damaged")
        check_complete(recorded, messages)


async def kept():
    """A recording of what is played keeps profile, attachments and metadata."""
    def beside(path):
        with open(path, "rb") as file:
            reader = make_reader(file, validate_crcs=True)
            attachments = [(a.name, a.media_type, a.log_time, a.create_time, a.data) for a in reader.iter_attachments()]
            metadata = [(m.name, m.metadata) for m in reader.iter_metadata()]
            return attachments, metadata, reader.get_header().profile
    attachments, metadata, _ = beside(DRIVE)
    check(len(attachments) == 2 and len(metadata) == 1, "what is in the recording")
    with new_file() as path:
        async with serving(DRIVE, "--rate", "max", "--at-end", "exit", "--record", path) as server:
            client = await Client.connect(server, OLD, topics=None)
            equal(await client.closed(), 1000, "close code")
            equal(await server.code(), 0, "exit code; " + server.said())
        equal(beside(path), beside(DRIVE), "what was kept")
        messages, damaged = read(path)
        check(not damaged, "damaged")
        check_complete(path, messages)


TRIALS = dict(
    stderr_closed=stderr_closed, stderr_stalled=stderr_stalled, stderr_slow=stderr_slow, signals=signals,
    timeout=timeout, nohup=nohup, file_limit=file_limit, descriptors=descriptors, requests=requests, long_texts=long_texts,
    refused_control=refused_control, many_channels=many_channels, json_log=json_log, verbose=verbose, ready=ready,
    addresses=addresses, pipe_keys=pipe_keys, job_control=job_control, narrow_bar=narrow_bar,
    stopped_terminal=stopped_terminal, hangup=hangup, kept=kept,
)
