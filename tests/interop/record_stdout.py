"""Trials of `record … -o -`: MCAP on stdout, read by PyPI `mcap` and by `serve -`."""

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import tempfile

from mcap.reader import NonSeekingReader, make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader

from bridge import BRIDGE, OLD, TESTDATA, Client, check, equal, serving
from record import as_sent, got, in_log_order, read
from recorder import Recorder, fast

DRIVE = os.path.join(TESTDATA, "drive.mcap")


@contextlib.contextmanager
def printing(source, *arguments, **process):
    process.setdefault("stdout", subprocess.PIPE)
    recorder = Recorder(source, "-", *arguments, **process)
    try:
        yield recorder
    finally:
        recorder.stop()
        if recorder.process.stdout:
            recorder.process.stdout.close()


async def readers():
    """What comes out is the recording, for a reader of streams and, kept, for one that goes by the index."""
    source = in_log_order(DRIVE)
    async with serving(DRIVE, *fast()) as server:
        with printing(server) as recorder:
            data = await asyncio.to_thread(recorder.process.stdout.read)
            check("867 messages" in await recorder.ends() and "in stdout" in recorder.said(), recorder.said())
    equal(len(list(NonSeekingReader(io.BytesIO(data), validate_crcs=True).iter_messages())), 867, "messages of a stream")
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        messages, damaged = read(file.name)
        check(not damaged, "damaged")
        equal(sorted(as_sent(messages)), sorted(as_sent(source)), "messages")
        file.seek(0)
        reader = make_reader(file, validate_crcs=True)
        equal(reader.get_summary().statistics.message_count, 867, "messages by the statistics")
        equal(sum(1 for _ in reader.iter_messages()), 867, "messages by the index")
    # from stdin, and nothing at all
    for stdin, count in ((DRIVE, 867), (os.devnull, 0)):
        with open(stdin, "rb") as file, printing("-", stdin=file) as recorder:
            data = await asyncio.to_thread(recorder.process.stdout.read)
            equal(await recorder.code(), 0, recorder.said())
        equal(sum(1 for _ in make_reader(io.BytesIO(data), validate_crcs=True).iter_messages()), count, "messages of stdin")


async def as_it_comes():
    """A message can be read two seconds after it came, with nothing else to follow; a signal completes the stream."""
    with printing("-") as recorder:
        first, second = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def reading():
            records = StreamReader(recorder.process.stdout, validate_crcs=True).records
            messages = 0
            for record in records:
                if isinstance(record, Message):
                    messages += 1
                    loop.call_soon_threadsafe((first if messages == 1 else second).set)
            return messages
        task = asyncio.create_task(asyncio.to_thread(reading))
        for event in (first, second):
            await recorder.write({"topic": "/a", "data": {}})
            await asyncio.wait_for(event.wait(), 5)
        await recorder.ends(0, signal.SIGTERM)
        equal(await task, 2, "messages up to the end")


async def into_serve():
    """`record - -o - | serve -` and `record URL -o - | serve -` are relays."""
    source = as_sent(in_log_order(DRIVE))
    async with serving(DRIVE, *fast(), "--start-on-clients", 1) as robot:
        for recorded, stdin in (("-", DRIVE), (robot, os.devnull)):
            with open(stdin, "rb") as file, printing(recorded, stdin=file) as recorder:
                async with serving("-", "--on-eof", "exit", stdin=recorder.process.stdout) as server:
                    client = await Client.connect(server, OLD, topics=None)
                    await client.closed()
                equal(await recorder.code(), 0, recorder.said())
            equal(sorted(got(client)), sorted(source), "what a client of the second server got")


async def ends():
    """A reader that has had enough is no failure; a full disk is one; what does not fit is refused."""
    for limit in (0, 100, 1_000_000):
        with open(DRIVE, "rb") as file, printing("-", stdin=file) as recorder:
            await asyncio.to_thread(recorder.process.stdout.read, limit)
            recorder.process.stdout.close()
            equal(await recorder.code(), 0, "exit code; " + recorder.said())
            check(" WARN " not in recorder.said() and " ERROR " not in recorder.said(), recorder.said())
    with open(DRIVE, "rb") as file, open("/dev/full", "wb") as full, printing("-", stdin=file, stdout=full) as recorder:
        equal(await recorder.code(), 1, recorder.said())
        check("stdout: recording failed: No space left" in recorder.said(), recorder.said())
    for option in (("--split-size", "1MiB"), ("--split-duration", "1s"), ("--disk-budget", "64MiB")):
        with printing("-", *option, "--max-files", 2) as recorder:
            equal(await recorder.code(), 2, recorder.said())
            check("are for files" in recorder.said(), recorder.said())
            equal(recorder.process.stdout.read(), b"", "on stdout")
    leader, follower = os.openpty()
    with printing("-", stdout=follower) as recorder:
        equal(await recorder.code(), 2, recorder.said())
        check("-o - > run.mcap" in recorder.said(), recorder.said())
    os.close(leader)
    os.close(follower)


async def stalled():
    """While nobody reads, the first signal waits and says so, and the second one ends it."""
    with open(DRIVE, "rb") as file, printing("-", stdin=file) as recorder:
        await recorder.started()
        await asyncio.sleep(0.5)
        recorder.process.send_signal(signal.SIGINT)
        await recorder.says("another signal ends that at once")
        equal(recorder.process.poll(), None, "exit code after one signal")
        await recorder.ends(130, signal.SIGINT)
    # a reader that is slow and comes back gets everything
    with open(DRIVE, "rb") as file, printing("-", stdin=file) as recorder:
        await asyncio.sleep(3)
        data = await asyncio.to_thread(recorder.process.stdout.read)
        equal(await recorder.code(), 0, recorder.said())
        equal(sum(1 for _ in make_reader(io.BytesIO(data)).iter_messages()), 867, "messages")
    # a server that waits so long only gives up, which is a gap
    big = ("--loop", "--rate", "50", "--client-timeout", "2s", "--on-slow-client", "drop")
    async with serving(DRIVE, *big) as server:
        with printing(server) as recorder:
            await server.says("client 0 closed")
            await asyncio.sleep(8)
            reading = asyncio.create_task(asyncio.to_thread(recorder.process.stdout.read))
            await asyncio.sleep(1)
            said = await recorder.ends(4, signal.SIGINT)
            data = await reading
        check("there was no connection" in said or "left messages out" in said, said)
        check(sum(1 for _ in make_reader(io.BytesIO(data)).iter_messages()) > 867, "few messages")


TRIALS = dict(
    recorder_stdout=readers, recorder_stdout_live=as_it_comes, recorder_stdout_serve=into_serve, recorder_stdout_ends=ends,
    recorder_stdout_stalled=stalled,
)
