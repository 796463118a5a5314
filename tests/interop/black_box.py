"""Trials of `serve --keep`: what live input has sent last is saved, and PyPI `mcap` reads it back."""

import asyncio
import contextlib
import glob
import json
import os
import resource
import signal
import struct
import tempfile
import threading
import time

from mcap.reader import make_reader
from mcap.writer import Writer

import program
from bridge import BRIDGE, OLD, TESTDATA, Client, Server, check, equal, serving, until
from params import Viewer
from record import check_complete, in_log_order, info, read

DRIVE = os.path.join(TESTDATA, "drive.mcap")
SECOND = 10**9


class Source(threading.Thread):
    """Writes an MCAP stream: a map once, then pictures and states until it is stopped. Payloads begin with a number that
    counts up in each topic, log times are those of the clock."""

    def __init__(self, pipe, pictures=100, picture=200_000, states=500):
        super().__init__(daemon=True)
        # pictures that do not shrink
        self.noise, self.rates = os.urandom(40 * picture), {"/picture": (pictures, picture), "/state": (states, 40)}
        self.pipe = pipe
        self.sent = {topic: [] for topic in self.rates}
        self.stopped = threading.Event()

    def run(self):
        writer = Writer(self.pipe, use_chunking=False, enable_crcs=False, enable_data_crcs=False)
        writer.start()
        channels = {topic: writer.register_channel(topic, "bytes", 0) for topic in ("/map", *self.rates)}
        with contextlib.suppress(OSError, ValueError):
            writer.add_message(channels["/map"], time.time_ns(), b"map", time.time_ns(), 0)
            began = time.monotonic()
            while not self.stopped.wait(0.004):
                for topic, (rate, size) in self.rates.items():
                    times = self.sent[topic]
                    while len(times) < (time.monotonic() - began) * rate and not self.stopped.is_set():
                        now, number = time.time_ns(), len(times)
                        times.append(now)
                        at = number * size % len(self.noise)
                        data = struct.pack("<I", number) + self.noise[at:at + size]
                        writer.add_message(channels[topic], now, data, now, number)
                self.pipe.flush()

    def stop(self):
        self.stopped.set()
        self.join(30)


def numbers(messages, topic):
    return [struct.unpack_from("<I", data)[0] for name, _, data in messages if name == topic]


def saved_messages(path):
    """A file that must be whole, by a reader that goes by the index."""
    messages, damaged = read(path)
    check(not damaged, path, "is damaged")
    with open(path, "rb") as file:
        statistics = make_reader(file, validate_crcs=True).get_summary().statistics
        indexed = sum(1 for _ in make_reader(file).iter_messages())
    equal((statistics.message_count, indexed), (len(messages), len(messages)), "messages by statistics and index")
    equal(info(path)["complete"], True, "what info says of " + path)
    return [(channel[0], times[0], data) for channel, times, data in messages]


def files(folder):
    return sorted(os.listdir(folder))


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


async def peak(server, seconds, during=None):
    """The most memory that it has in this time."""
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end or during and not during.done():
        most = max(most, resident(server))
        await asyncio.sleep(0.05)
    return most


def check_contiguous(got, what):
    check(got, "no", what)
    equal(got, list(range(got[0], got[0] + len(got))), what)


async def ten_viewers(server):
    first = await Viewer.connect(server, OLD, topics={"/state", "/map"})
    others = [await Client.connect(server, OLD, topics={"/state", "/map"}) for _ in range(8)]
    return [first, *others, await Client.connect(server, OLD, topics=None)]


async def window():
    """A live source of 10 MB/s is saved five times while ten viewers watch."""
    bound, keep, after, buffered = 75_000_000, 5, 2, 32 << 20
    async def run(folder, *options):
        arguments = ("-", "--live", "--latch", "/map", "--client-buffer", f"{buffered}B", *options)
        async with serving(*arguments, stdin="pipe", cwd=folder) as server:
            source = Source(server.stdin, pictures=50)
            source.start()
            await until(lambda: len(source.sent["/picture"]) > 10, "a source")
            viewers = await ten_viewers(server)
            await asyncio.sleep(keep + 1)
            async def save():
                answers = []
                for _ in range(5 if options else 0):
                    asked = time.time_ns()
                    answer = await viewers[0].call("/recording/save", {})
                    answers.append((asked, time.time_ns(), answer))
                return answers
            saving = asyncio.create_task(save())
            memory = await peak(server, 11, saving)
            source.stop()
            last = source.sent["/state"][-1]
            for viewer in viewers:
                await viewer.until(lambda events: any(e[0] == "message" and e[2] == last for e in events), "all")
                got = [event[1:] for event in viewer.events if event[0] == "message"]
                for topic in {"/state"} | ({"/picture"} if viewer is viewers[-1] else set()):
                    check_contiguous(numbers(got, topic), f"what a viewer got of {topic}")
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())
            return memory, saving.result(), source.sent, server.said()

    with tempfile.TemporaryDirectory() as folder:
        base = (await run(folder))[0]
        equal(files(folder), [], "without --keep")
        options = ("--keep", f"{keep}s,{bound}B", "--save-after", f"{after}s")
        memory, answers, sent, said = await run(folder, *options)
        for asked, answered, answer in answers:
            equal((answer["success"], answer["message"]), (True, ""), "answer; " + said)
            check(answered >= asked + after * SECOND, "answered before the time was over")
            messages = saved_messages(answer["path"])
            equal((len(messages), os.path.getsize(answer["path"])), (answer["messages"], answer["bytes"]), "contents")
            equal([data for topic, _, data in messages if topic == "/map"], [b"map"], "what is latched")
            equal(messages[0][0], "/map", "the first message")
            equal(messages[0][1], messages[1][1], "its log time, hours after it was sent as well")
            for topic, times in sent.items():
                got = numbers(messages, topic)
                check_contiguous(got, f"saved of {topic}")
                equal([t for name, t, _ in messages if name == topic], times[got[0]:got[-1] + 1], "log times")
                # what is on its way takes a moment, a longer one on a busy computer
                slack, first, end = SECOND * 3 // 2, times[got[0]], times[got[-1]]
                begin = asked - keep * SECOND
                check(begin - slack < first < begin + slack, topic, "begins", (first - begin) / SECOND, "s too late")
                check(abs(end - asked - after * SECOND) < slack, topic, "ends after", (end - asked) / SECOND, "s")
        equal(files(folder), sorted(os.path.basename(answer["path"]) for _, _, answer in answers), "files")
        # a file in the making has 8 MiB besides, and a viewer that is late its buffer
        check(memory - base < 1.1 * bound + (8 << 20) + buffered, "memory:", memory - base, "B more than without --keep")


async def bound():
    """Without a window as much is kept as has room, also while it is saved."""
    limit = 40_000_000
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-", "--live", "--keep", f"{limit}B", "--save-dir", folder, "--name", "a robot/1")
        async with serving(*arguments, stdin="pipe") as server:
            base = resident(server)
            source = Source(server.stdin, pictures=300)
            source.start()
            viewer = await Viewer.connect(server, OLD, topics=set())
            await until(lambda: len(source.sent["/picture"]) > 600, "three times the bound")
            saving = asyncio.create_task(viewer.call("/recording/save", {}))
            memory = await peak(server, 2, saving)
            source.stop()
            answer = await saving
            path = answer["path"]
            check(os.path.basename(path).startswith("a_robot_1-2"), path)
            messages = saved_messages(path)
            size = sum(len(data) + 40 for _, _, data in messages)
            check(0.9 * limit < size <= limit, size, "B are kept")
            for topic in source.sent:
                check_contiguous(numbers(messages, topic), f"saved of {topic}")
            check(memory - base < 1.1 * limit + 40_000_000, "memory:", memory - base)


async def killed():
    """`kill -9` in the middle of a save leaves no half file under a name that looks whole."""
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for number in range(2):
            arguments = ("-", "--live", "--keep", "60s", "--save-after", "1h", "--save-dir", folder)
            async with serving(*arguments, stdin="pipe") as server:
                source = Source(server.stdin)
                source.start()
                await until(lambda: len(source.sent["/picture"]) > 100, "a source")
                server.process.send_signal(signal.SIGUSR1)
                part = await until(lambda: [one.path for one in os.scandir(folder) if one.path not in parts], "a file")
                await until(lambda: os.path.getsize(part[0]) > 30_000_000, "the begin of a save")
                parts += part
                server.process.kill()
                await server.code()
                source.stop()
            left = files(folder)
            equal((len(left), {name[-9:] for name in left}), (number + 1, {"mcap.part"}), "files")
        for name in left:
            part = info(os.path.join(folder, name), code=4)
            check(not part["complete"] and part["message_count"] > 100, part)


async def faults():
    """A folder that is not there, that goes, that is full: who asks is told, and serving goes on."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "saved")
        with open(os.path.join(folder, "file"), "w"):
            pass
        for wrong in (path, os.path.join(folder, "file"), "/proc"):
            server = Server("-", "--keep", "60s", "--save-dir", wrong)
            try:
                equal(await server.code(), 2, "exit code; " + server.said())
                check("--save-dir" in server.said() and wrong in server.said(), server.said())
            finally:
                server.stop()
        os.mkdir(path)
        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        arguments = ("-", "--live", "--keep", "60s", "--save-dir", path)
        async with serving(*arguments, stdin="pipe", preexec_fn=limit_files, restore_signals=False) as server:
            source = Source(server.stdin)
            source.start()
            viewer = await Viewer.connect(server, OLD, topics={"/state"})
            await until(lambda: len(source.sent["/picture"]) > 20, "a source")
            answer = await viewer.call("/recording/save", {})
            check(not answer["success"] and "File too large" in answer["message"], answer)
            equal(files(path), [], "files after a full disk")
            await server.says("File too large")
            os.rmdir(path)
            answer = await viewer.call("/recording/save", {})
            check(not answer["success"] and path in answer["message"], answer)
            await asyncio.sleep(0.5)
            source.stop()
            last = source.sent["/state"][-1]
            await viewer.until(lambda events: any(e[0] == "message" and e[2] == last for e in events), "all")
            got = [event[1:] for event in viewer.events if event[0] == "message"]
            check_contiguous(numbers(got, "/state"), "what the viewer got")
            os.mkdir(path)
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())
        equal(files(path), [], "files at the end")


async def asked():
    """Who can ask, and what fits to what is served."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving("-", "--keep", "60s", "--save-dir", folder, "--name", "robot", stdin="pipe") as server:
            viewer = await Viewer.connect(server, OLD, topics=None)
            for number in range(10):
                await server.write({"topic": "/n", "data": {"n": number}})
            await viewer.until(lambda events: sum(e[0] == "message" for e in events) == 10, "messages")
            answer = await viewer.call("/recording/save", {})
            equal([json.loads(data)["n"] for _, _, data in saved_messages(answer["path"])], list(range(10)), "saved")
            check("unknown field" in (await viewer.call("/recording/save", {"a": 1}))["message"], "a wrong request")
            server.process.send_signal(signal.SIGUSR1)
            await until(lambda: len(files(folder)) == 2 and not glob.glob(folder + "/*.part"), "a file of the signal")
            for name in files(folder):
                check(name.startswith("robot-") and name.endswith(".mcap"), name)
                equal(len(saved_messages(os.path.join(folder, name))), 10, "messages in " + name)
            await server.says("saved 10 messages")

    # where nothing is kept the signal is answered, and does not end the program
    async with serving("-", stdin="pipe") as server:
        server.process.send_signal(signal.SIGUSR1)
        await server.says("--keep 60s keeps the last minute")
        await Client.connect(server, OLD, topics=None)

    # the end completes a file that waits
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("-", "--keep", "60s", "--save-after", "1h", "--save-dir", folder)
        async with serving(*arguments, stdin="pipe") as server:
            viewer = await Client.connect(server, OLD, topics=None)
            await server.write({"topic": "/n", "data": {"n": 1}})
            await viewer.until(lambda events: any(e[0] == "message" for e in events), "a message")
            server.process.send_signal(signal.SIGUSR1)
            await until(lambda: files(folder), "a file")
            await server.write({"topic": "/n", "data": {"n": 2}})
            await viewer.until(lambda events: sum(e[0] == "message" for e in events) == 2, "another one")
            server.process.send_signal(signal.SIGTERM)
            equal(await server.code(), 0, "exit code; " + server.said())
        [name] = files(folder)
        saved = [json.loads(data)["n"] for _, _, data in saved_messages(os.path.join(folder, name))]
        equal(saved, [1, 2], "saved at the end")

    # a stream that is played by log time is gone once it was sent, too
    with tempfile.TemporaryDirectory() as folder, open(DRIVE, "rb") as stream:
        arguments = ("-", "--keep", "60s", "--save-dir", folder, "--rate", "max")
        async with serving(*arguments, stdin=stream) as server:
            viewer = await Viewer.connect(server, OLD, topics=None)
            await viewer.until(lambda events: sum(e[0] == "message" for e in events) >= 867, "messages")
            answer = await viewer.call("/recording/save", {})
            saved = sorted(read(answer["path"])[0], key=lambda message: message[1][0])
            check_complete(answer["path"], saved)
            equal(sorted(saved), sorted(in_log_order(DRIVE)), "what is saved of a stream")

    for arguments, why in (
        ((DRIVE, "--keep", "60s"), "--keep: it is for live input"),
        (("-", "--save-after", "5s"), "--save-after: it is for what is kept"),
        (("-", "--keep", "60"), "neither a length of time nor a size"),
    ):
        server = Server(*arguments)
        try:
            equal(await server.code(), 2, "exit code; " + server.said())
            check(why in server.said(), server.said())
        finally:
            server.stop()


def key():
    with tempfile.TemporaryDirectory() as folder, program.terminal() as one:
        serve = f"{BRIDGE} serve - --port 0 --keep 60s --save-dir {folder}"
        one.type("while sleep 0.1 && echo '{\"topic\":\"/a\",\"data\":{}}'; do :; done 2>/dev/null | " + serve + "\n")
        one.until("keeping the last")
        one.until("1 topic|live")
        one.read(3)
        one.type("s")
        one.until(r"saved \d+ messages")
        one.type("q")
        one.until(r"prompt> \Z")
        [name] = files(folder)
        check(len(saved_messages(os.path.join(folder, name))) > 3, "nothing is saved")


async def by_key():
    await asyncio.to_thread(key)


TRIALS = dict(
    black_box=window, black_box_bound=bound, black_box_killed=killed, black_box_faults=faults, black_box_asked=asked,
    black_box_key=by_key,
)
