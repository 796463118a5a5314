"""Trials of `serve --record` into several files: PyPI `mcap` reads each by itself."""

import asyncio
import contextlib
import os
import random
import tempfile

from mcap.reader import make_reader
from mcap.writer import Writer

from bridge import OLD, PAUSE, SDK, Client, Server, check, equal, messages_in, serving
from record import as_sent, got, info, read

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TRANSIENT_LOCAL = "- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n"


@contextlib.contextmanager
def folder_with(write):
    """A folder for parts, and a recording that `write` has made."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as parts:
        source = os.path.join(folder, "source.mcap")
        with open(source, "wb") as file:
            writer = Writer(file)
            writer.start("ros2")
            write(writer)
            writer.finish()
        yield source, parts


def an_hour(writer):
    """Ten messages a second, and a latched one at the beginning and after half an hour."""
    schema = writer.register_schema("Sample", "jsonschema", b'{"type":"object"}')
    samples = writer.register_channel("/samples", "json", schema)
    world = writer.register_channel("/map", "json", schema, {"offered_qos_profiles": TRANSIENT_LOCAL})
    for number in range(36_000):
        time = START + number * SECOND // 10
        if number % 18_000 == 0:
            writer.add_message(world, time, b'{"map":%d}' % number, time, number)
        writer.add_message(samples, time, b'{"n":%d}' % number, time, number)


def parts_in(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def own_messages(path, number, latched):
    """What a part has without what it repeats; `latched` is what the parts before it had on /map."""
    with open(path, "rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        indexed = sum(1 for _ in reader.iter_messages())
    messages, damaged = read(path)
    check(not damaged, path, "is damaged")
    equal(indexed, len(messages), f"messages of {path} by its index")
    equal(summary.statistics.message_count, indexed, f"messages of {path} by its statistics")
    equal(len(summary.channels), 2, f"channels of {path}")
    if number == 0:
        return messages
    equal(messages[0], repeated(latched[-1], messages[1]), f"what {path} begins with")
    return messages[1:]


def repeated(latched, first):
    """A latched message as it is repeated before this one: logged with it, published when it was."""
    channel, times, data = latched
    return channel, (first[1][0], *times[1:]), data


def of_map(messages):
    return [message for message in messages if message[0][0] == "/map"]


async def by_time():
    with folder_with(an_hour) as (source, folder):
        path = os.path.join(folder, "run.mcap")
        arguments = ("--rate", "max", "--on-slow-client", "wait", "--start-on", "launch", "--at-end", "exit")
        server = Server(source, *arguments, "--record", path, "--split-duration", "60s")
        try:
            equal(await server.code(), 0, "exit code; " + server.said())
            check("run-0001.mcap to " in server.said(), server.said())
        finally:
            server.stop()
        files = parts_in(folder)
        equal([os.path.basename(file) for file in files], [f"run-{n:04}.mcap" for n in range(1, 61)], "files")
        served = []
        for number, file in enumerate(files):
            own = own_messages(file, number, of_map(served))
            equal((own[0][1][0] - START, len(of_map(own)) + 600), (number * 60 * SECOND, len(own)), f"part {number}")
            served += own
        equal(served, read(source)[0], "all parts one after the other")
        for file in (files[0], files[31]):
            about = info(file)
            equal((about["complete"], about["warnings"]), (True, []), "what info says")
            equal(about["duration_seconds"], 59.9, "seconds of a part of a minute")
        await together(files)
        # what is there is not touched
        server = Server(source, *arguments, "--record", path, "--split-duration", "60s")
        try:
            equal(await server.code(), 2, "exit code; " + server.said())
            check("run-0001.mcap: exists already" in server.said(), server.said())
        finally:
            server.stop()


async def together(files):
    """All parts are served as one recording: what is latched comes once more at the beginning of each part."""
    messages = sorted((message for file in files for message in read(file)[0]), key=lambda message: message[1][0])
    async with serving(*files, "--rate", "max", "--on-slow-client", "wait", "--at-end", "exit") as server:
        client = await Client.connect(server, OLD, topics=None)
        equal(await client.closed(), 1000, "close code; " + server.said())
        equal(got(client), as_sent(messages), "what a client gets of all parts")
    async with serving(*files, "--start-paused") as server:
        client = await Client.connect(server, SDK, topics=None)
        for minute, number in ((10, 0), (45, 18_000), (20, 0)):
            target = START + minute * 60 * SECOND + SECOND // 20
            begin = await client.answer(await client.control(PAUSE, 1.0, seek=target))
            shown = lambda: [data for topic, _, data in messages_in(client.events[begin:]) if topic == "/map"]
            await client.until(lambda _: b'{"map":%d}' % number in shown()[-1:], f"the map of minute {minute}")


async def killed():
    with folder_with(an_hour) as (source, folder):
        source_messages = read(source)[0]
        for _ in range(3):
            for file in parts_in(folder):
                os.remove(file)
            path = os.path.join(folder, "run.mcap")
            async with serving(source, "--rate", "400", "--record", path, "--split-duration", "60s") as server:
                client = await Client.connect(server, OLD, topics=None)
                await client.until(lambda _: len(got(client)) > 3000, "messages")
                await asyncio.sleep(random.uniform(0, 2))
                before = len(got(client))
                # it writes every second, but computers are busy
                await asyncio.sleep(4)
                server.process.kill()
                await server.code()
            *finished, last = parts_in(folder)
            check(len(finished) > 10, finished)
            served = []
            for number, file in enumerate(finished):
                served += own_messages(file, number, of_map(served))
            messages, damaged = read(last)
            check(damaged, "a killed recorder completed its file")
            if len(messages) > 1:
                equal(messages[0], repeated(of_map(served)[-1], messages[1]), "what the last part begins with")
            served += messages[1:]
            equal(served, source_messages[:len(served)], "messages")
            check(before <= len(served), len(served), "messages, but", before, "were sent 4 s before the end")
            summary = info(last, code=4)
            equal((summary["complete"], summary["message_count"]), (False, len(messages)), "what info says")


def noise(writer):
    """48 MB that can't be compressed, in eight seconds."""
    channel = writer.register_channel("/noise", "raw", 0)
    chance = random.Random(7)
    for number in range(480):
        time = START + number * SECOND // 60
        writer.add_message(channel, time, chance.randbytes(100_000), time, number)


async def limits():
    with folder_with(noise) as (source, folder):
        messages = read(source)[0]
        path = os.path.join(folder, "run.mcap")
        for options, most_files, most_bytes in (
            (("--split-size", "3MiB", "--max-files", "4"), 4, 12 << 20),
            (("--disk-budget", "16MiB"), 100, 16 << 20),
        ):
            for file in parts_in(folder):
                os.remove(file)
            arguments = ("--rate", "4", "--start-on", "launch", "--at-end", "exit", "--record", path)
            server = Server(source, *arguments, *options)
            largest = 0
            try:
                while server.process.poll() is None:
                    with contextlib.suppress(FileNotFoundError):
                        files = parts_in(folder)
                        sizes = [os.path.getsize(file) for file in files]
                        # those that were there all the time
                        if parts_in(folder)[:len(files)] == files:
                            # a file is there for a moment before the oldest one goes
                            check(len(sizes) <= most_files + 1, sizes)
                            check(sum(sizes) <= most_bytes + 1000, sum(sizes))
                            largest = max(largest, sum(sizes))
                    await asyncio.sleep(0.01)
                equal(server.process.returncode, 0, "exit code; " + server.said())
                check("removed " in server.said(), server.said())
            finally:
                server.stop()
            files = parts_in(folder)
            check(len(files) <= most_files, files)
            check(largest > most_bytes * 2 // 3, "the files are small:", largest)
            kept = [message for file in files for message in read(file)[0]]
            equal([m[1] for m in kept], [m[1] for m in messages[-len(kept):]], "the newest messages")
            equal(kept, messages[-len(kept):], "the newest messages")


TRIALS = dict(record_split=by_time, record_split_killed=killed, record_split_limits=limits)
