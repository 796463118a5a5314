"""Trials of recordings that are damaged all over, or while they play: what the log and viewers are told."""

import json
import os
import tempfile

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from bridge import OLD, PAUSE, SDK, Client, check, equal, messages_in, serving


def write(path, messages, chunk, payload=0):
    """Numbered messages, 200 a second, in chunks of so many."""
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=1 << 30, compression=CompressionType.ZSTD)
        writer.start()
        schema = writer.register_schema("N", "jsonschema", b'{"type":"object"}')
        channel = writer.register_channel("/n", "json", schema)
        for number in range(messages):
            data = json.dumps({"n": number, "noise": os.urandom(payload).hex()}).encode()
            writer.add_message(channel, 10**12 + number * 5_000_000, data, 0, number)
            if number % chunk == chunk - 1:
                writer.flush()
        writer.finish()


def chunks(path):
    with open(path, "rb") as file:
        return make_reader(file).get_summary().chunk_indexes


def lines(server):
    """What was logged after the first lines."""
    return [line for line in server.said().splitlines() if line.startswith("20")]


async def much_damage():
    """Of 12,000 damaged chunks the first are named and the others counted, each on one line; viewers are told once."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "damaged.mcap")
        write(path, 12_001, 1)
        with open(path, "r+b") as file:
            for chunk in chunks(path)[1:]:
                file.seek(chunk.chunk_start_offset + chunk.chunk_length - 3)
                byte = file.read(1)[0]
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte ^ 0xFF]))
        for source, stdin in (([path], None), (["-"], path)):
            with open(stdin or os.devnull, "rb") as pipe:
                async with serving(*source, "--rate", "20", "--at-end", "exit", stdin=pipe) as server:
                    client = await Client.connect(server, OLD, topics=None)
                    equal(await client.closed(), 1000, "close code; " + server.said())
                    equal(await server.code(), 0, "exit code")
                    equal(len(messages_in(client.events)), 1, "messages")
                    said = lines(server)
                    equal(len(said), 4, f"lines: {said}")
                    check(all("zstd data is damaged" in line for line in said), said)
                    check("and 11996 more damaged parts before it" in said[3], said)
                    told = {status["message"] for status in client.texts("status")}
                    check(len(told) == 1 and "damaged part" in told.pop(), client.texts("status"))
        async with serving(path, "--rate", "1000", "--loop") as server:
            client = await Client.connect(server, OLD, topics=None)
            await client.until(lambda events: len(messages_in(events)) >= 3, "three laps")
            equal(len(lines(server)), 4, f"lines of three laps: {server.said()}")


async def truncated():
    """What a file lacks that is truncated while it plays is left out, with one line; the program ends as it would."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "truncated.mcap")
        for more in (["--at-end", "exit"], ["--loop"]):
            write(path, 24_000, 50, 1500)
            async with serving(path, "--rate", "20", *more) as server:
                client = await Client.connect(server, OLD, topics=None)
                await client.until(lambda events: len(messages_in(events)) > 2000, "messages")
                os.truncate(path, chunks(path)[200].chunk_start_offset + 100)
                if more == ["--loop"]:
                    await client.until(lambda events: len(messages_in(events)) > 31_000, "laps; " + server.said())
                    viewer = await Client.connect(server, SDK, topics=None)
                    await viewer.until(messages_in, "messages")
                    for second in (100, 110):
                        answer = await viewer.answer(await viewer.control(PAUSE, seek=10**12 + second * 10**9))
                        # the last message that is left goes before what was sought
                        last = await viewer.until(
                            lambda events: messages_in(events[answer:]), "the backfill; " + server.said())
                        equal(json.loads(last[0][2])["n"], 9999, "the backfill")
                else:
                    equal(await client.closed(), 1000, "close code; " + server.said())
                    equal(await server.code(), 0, "exit code; " + server.said())
                    got = [json.loads(data)["n"] for _, _, data in messages_in(client.events)]
                    equal(got[:10_000], list(range(10_000)), "messages before")
                said = lines(server)
                equal(len([line for line in said if "become shorter" in line]), 1, f"lines: {said}")
                check(len(said) == 1, "other lines:", said)


TRIALS = dict(much_damage=much_damage, truncated=truncated)
