"""Trials of `serve --record`: what clients got, PyPI `mcap` reads back."""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile

from mcap.reader import make_reader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader

from bridge import BRIDGE, OLD, TESTDATA, Client, Server, check, equal, serving

DRIVE = os.path.join(TESTDATA, "drive.mcap")


def read(path):
    """Everything about each message, in the order of the file, up to a damage; and whether there is one."""
    schemas, channels, messages = {0: None}, {}, []
    try:
        with open(path, "rb") as file:
            for record in StreamReader(file, validate_crcs=True).records:
                if isinstance(record, Schema):
                    schemas[record.id] = (record.name, record.encoding, record.data)
                elif isinstance(record, Channel):
                    about = (record.topic, record.message_encoding, tuple(sorted(record.metadata.items())))
                    channels[record.id] = (*about, schemas[record.schema_id])
                elif isinstance(record, Message):
                    times = (record.log_time, record.publish_time, record.sequence)
                    messages.append((channels[record.channel_id], times, record.data))
    except Exception:
        return messages, True
    return messages, False


def in_log_order(path):
    return sorted(read(path)[0], key=lambda message: message[1][0])


def as_sent(messages):
    return [(channel[0], times[0], data) for channel, times, data in messages]


def got(client):
    return [event[1:] for event in client.events if event[0] == "message"]


def check_complete(path, messages):
    """The summary of a recording that was finished, by a reader that goes by the index."""
    with open(path, "rb") as file:
        summary = make_reader(file, validate_crcs=True).get_summary()
        indexed = sum(1 for _ in make_reader(file).iter_messages())
    check(summary is not None, "no summary")
    statistics, times = summary.statistics, [message[1][0] for message in messages]
    equal(statistics.message_count, len(messages), "messages by the statistics")
    equal(indexed, len(messages), "messages by the index")
    equal((statistics.message_start_time, statistics.message_end_time), (min(times), max(times)), "times")
    equal(statistics.chunk_count, len(summary.chunk_indexes), "chunks")
    check({chunk.compression for chunk in summary.chunk_indexes} <= {"zstd", ""}, "compression")
    check(all(chunk.message_index_offsets for chunk in summary.chunk_indexes), "a chunk without index")
    return summary


def info(path, code=0):
    said = subprocess.run([BRIDGE, "info", path, "--json"], capture_output=True)
    equal(said.returncode, code, f"exit code of info; {said.stderr}")
    return json.loads(said.stdout)


@contextlib.contextmanager
def new_file():
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, "recorded.mcap")


async def exact():
    for name in ("drive.mcap", "ros1_demo_zstd.mcap"):
        source = os.path.join(TESTDATA, name)
        with new_file() as path:
            async with serving(source, "--rate", "max", "--at-end", "exit", "--record", path) as server:
                client = await Client.connect(server, OLD, topics=None)
                equal(await client.closed(), 1000, "close code")
                equal(await server.code(), 0, "exit code; " + server.said())
                check(path in server.said(), "the log does not name the recording:", server.said())
            messages, damaged = read(path)
            check(not damaged, "damaged")
            equal(as_sent(messages), got(client), "what the client got")
            for index, (one, other) in enumerate(zip(messages, in_log_order(source))):
                equal(one, other, f"message {index} of {name}")
            summary = check_complete(path, messages)
            advertised = [channel["topic"] for channel in client.channels.values()]
            equal(sorted(c.topic for c in summary.channels.values()), sorted(advertised), "channels")
            equal(len({(s.name, s.encoding, s.data) for s in summary.schemas.values()}), len(summary.schemas), "schemas")
            equal((info(path)["complete"], info(path)["warnings"]), (True, []), "what info says")


async def sigterm():
    with new_file() as path:
        async with serving(DRIVE, "--rate", "1", "--record", path) as server:
            client = await Client.connect(server, OLD, topics={"/tf"})
            await client.until(lambda _: len(got(client)) > 100, "messages")
            server.process.send_signal(signal.SIGTERM)
            equal(await client.closed(), 1001, "close code")
            equal(await server.code(), 0, "exit code; " + server.said())
        messages, damaged = read(path)
        check(not damaged, "damaged")
        check_complete(path, messages)
        equal(messages, in_log_order(DRIVE)[:len(messages)], "messages")
        of_topic = [message for message in as_sent(messages) if message[0] == "/tf"]
        equal(of_topic[:len(got(client))], got(client), "what the client got")
        check(len({channel for channel, _, _ in messages}) > 5, "only what a client wanted")


async def killed():
    with new_file() as path:
        async with serving(DRIVE, "--rate", "0.5", "--record", path) as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.until(lambda _: len(got(client)) > 150, "messages")
            before = len(got(client))
            # it writes every second, but computers are busy
            await asyncio.sleep(4)
            server.process.kill()
            await server.code()
        messages, damaged = read(path)
        check(damaged, "a killed recorder completed its file")
        check(before <= len(messages), len(messages), "messages, but", before, "were sent 4 s before the end")
        equal(messages, in_log_order(DRIVE)[:len(messages)], "messages")
        # it is cut off
        summary = info(path, code=4)
        equal((summary["complete"], summary["message_count"]), (False, len(messages)), "what info says")


async def disk_full():
    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    with new_file() as path:
        arguments = (DRIVE, "--rate", "3", "--at-end", "exit", "--record", path)
        # SIGXFSZ is ignored in Python, and in the child too if it is not restored: writing then fails with EFBIG
        async with serving(*arguments, preexec_fn=limit_files, restore_signals=False) as server:
            client = await Client.connect(server, OLD, topics=None)
            equal(await client.closed(), 1000, "close code")
            equal(await server.code(), 1, "exit code; " + server.said())
            said = server.said()
        errors = [line for line in said.splitlines() if " ERROR " in line]
        equal(len(errors), 1, "errors in the log; " + said)
        check(path in errors[0] and "File too large" in errors[0], errors)
        check("recorded.mcap" in said.splitlines()[-1], "the last line:", said)
        told = [status for status in client.texts("status") if "recording" in status["message"]]
        equal([status["level"] for status in told], [0], "statuses about the recording")
        equal(got(client), as_sent(in_log_order(DRIVE)), "what the client got")
        messages, damaged = read(path)
        check(damaged and messages, "nothing is left of the recording")
        equal(messages, in_log_order(DRIVE)[:len(messages)], "messages")


async def exists():
    with new_file() as path:
        shutil.copy(DRIVE, path)
        for source in (DRIVE, path):
            server = Server(source, "--record", path)
            try:
                equal(await server.code(), 2, "exit code; " + server.said())
                check("--record" in server.said() and path in server.said(), server.said())
                check("WebSocket" not in server.said(), "it began to serve:", server.said())
            finally:
                server.stop()
            equal(len(read(path)[0]), 867, "messages in the file that was there")


TRIALS = dict(
    record=exact, record_sigterm=sigterm, record_killed=killed, record_disk_full=disk_full, record_exists=exists,
)
