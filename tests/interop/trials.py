"""What the trials of `tests/serve.rs` check: `trials.py TRIAL [ARGUMENT]` fails with a traceback."""

import asyncio
import contextlib
import faulthandler
import glob
import hashlib
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import tempfile
import time
import urllib.request

import websockets
from mcap.writer import Writer

from bridge import (
    DATA, MILLISECOND, OLD, PAUSE, PLAY, SDK, TABLE, TESTDATA, Client, RawClient, Recording, Server, all_at, check, check_silence,
    check_times, equal, messages_in, print_logs, serving, until, write_camera_recording,
)
import admission
import attacks
import black_box
import capabilities
import conformance as peers
import client
import client_peers
import damage
import demos
import example_clients
import examples
import files
import framing
import http_api
import library
import lichtblick
import lines
import live
import many_requests
import odd_servers
import params
import program
import publish
import recipes
import record
import record_split
import record_stdout
import recorder
import vanished

# seconds that a trial may take
LIMIT = 240
AS_FAST = ("--rate", "max", "--start-on", "client", "--at-end", "exit")


def digest(rows):
    sha = hashlib.sha256()
    for topic, log_time, publish_time, sequence, data in rows:
        sha.update(topic.encode() + b"\0" + struct.pack("<QQII", log_time, publish_time, sequence, len(data)) + data)
    return sha.hexdigest()


async def plays_exactly(path, expected=None):
    recording = Recording(path)
    if expected:
        equal(recording.damaged, not expected["complete"], "damaged")
        equal(len(recording.messages), expected["messages"], "messages in the file")
    server = Server(path, *AS_FAST)
    try:
        if await server.ready() is None or not recording.channels:
            equal(recording.channels, {}, "channels of a program that ended at once: " + server.said())
            equal(await server.code(), 0, "exit code")
            return
        client = await Client.connect(server, OLD, topics=None)
        equal(await client.closed(), 1000, "close code; " + server.said())
        equal(await server.code(), 0, "exit code; " + server.said())
        events = client.events
    finally:
        server.stop()

    equal(events[0][1]["op"], "serverInfo", "first message")
    equal(events[1][1]["op"], "advertise", "second message")
    warnings = [status["message"] for status in client.texts("status")]
    missing = {id for id, channel in recording.channels.items() if not channel.message_encoding}
    for id in missing:
        topic = recording.channels[id].topic
        check(any(topic in warning for warning in warnings), "no status names", topic, ":", warnings)
    damage = [warning for warning in warnings if "damaged" in warning]
    equal(bool(damage), recording.damaged, f"status about a damage, of {warnings}")
    # channels of one topic that are alike are one for viewers
    offered = {recording.plain(channel["topic"]) for channel in client.channels.values()}
    equal(offered, {c.topic for id, c in recording.channels.items() if id not in missing}, "topics")
    kinds = {(c.topic, c.schema_id, c.message_encoding) for id, c in recording.channels.items() if id not in missing}
    check(len(client.channels) >= len(kinds), len(client.channels), "channels for", kinds)
    equal(len({channel["topic"] for channel in client.channels.values()}), len(client.channels), "distinct topics")
    check_times(events)

    got = [(recording.plain(topic), log_time, data) for topic, log_time, data in messages_in(events)]
    wanted = [message for message in recording.messages if message.channel_id not in missing]
    for index, (one, other) in enumerate(zip(got, recording.as_sent(wanted))):
        equal(one, other, f"message {index}")
    equal(len(got), len(wanted), "messages")
    rows, received = [], iter(got)
    for message in recording.messages:
        if message.channel_id in missing:
            topic, log_time, data = recording.topic(message), message.log_time, message.data
        else:
            topic, log_time, data = next(received)
        rows.append((topic, log_time, message.publish_time, message.sequence, data))
    if expected:
        equal(digest(rows), expected["digest_log_order"], "digest")


async def recording(name):
    with open(os.path.join(DATA, "expected.json")) as file:
        expected = json.load(file)[name]
    await plays_exactly(os.path.join(DATA, name), expected)


async def conformance():
    paths = sorted(glob.glob(os.path.join(DATA, "conformance", "**", "*.mcap"), recursive=True))
    equal(len(paths), 416, "conformance recordings")
    await all_at(6, plays_exactly, paths)


def together(paths):
    """What several recordings hold as one: by time, equal times in the order of the paths."""
    parts = [Recording(path) for path in paths]
    rows = [row for part in parts for row in part.as_sent()]
    return sorted(rows, key=lambda row: row[1])


async def several():
    """A split bag by its folder, and recordings of different programs that overlap in time."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(DATA, f"real/rosbag2_split_{number}.mcap") for number in range(3)]
        for number, path in enumerate(paths):
            os.symlink(path, os.path.join(folder, f"bag_{number * 9}.mcap"))
        demo_path = os.path.join(TESTDATA, "ros1_demo_zstd.mcap")
        overlapping = [overlay(os.path.join(folder, ".overlay.mcap"), demo_path), demo_path]
        for arguments, wanted, name in (
            ([folder], together(paths), os.path.basename(folder)),
            (overlapping, together(overlapping), ".overlay.mcap and 1 more"),
        ):
            async with serving(*arguments, *AS_FAST) as server:
                client = await Client.connect(server, OLD, topics=None)
                equal(await client.closed(), 1000, "close code; " + server.said())
                equal(await server.code(), 0, "exit code; " + server.said())
                check(f"Serving {name} (" in server.said(), server.said())
                equal(client.events[0][1]["name"], name, "name")
                equal(len({channel["topic"] for channel in client.channels.values()}), len(client.channels), "topics")
                equal(messages_in(client.events), wanted, "messages of " + name)
                check_times(client.events)


def overlay(path, other):
    """A recording of a topic of its own, and of times that another has."""
    times = Recording(other).times
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=2000)
        writer.start()
        channel = writer.register_channel("/overlay", "json", 0)
        for number, now in enumerate(times[::3]):
            writer.add_message(channel, now, b'{"number":%d}' % number, now, number)
        writer.finish()
    return path


async def parts_seek():
    """Seeks over the borders of files find the first message at or after the target, and the state before it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(TESTDATA, "ros1_demo_zstd.mcap")
        recording = Recording(path)
        parts, each = 12, len(recording.messages) // 12 + 1
        for part in range(parts):
            with open(os.path.join(folder, f"part_{part}.mcap"), "wb") as file:
                writer = Writer(file, chunk_size=10_000)
                writer.start()
                channels = {
                    id: writer.register_channel(channel.topic, channel.message_encoding, 0)
                    for id, channel in recording.channels.items()
                }
                for m in recording.messages[part * each:(part + 1) * each]:
                    writer.add_message(channels[m.channel_id], m.log_time, m.data, m.publish_time, m.sequence)
                writer.finish()
        async with serving(folder, "--start-paused") as server:
            client = await Client.connect(server, SDK, topics=None)
            await client.until(lambda events: any(e[0] == "state" for e in events), "a state when joining")
            chance = random.Random(5)
            for _ in range(30):
                target = chance.randint(recording.times[0], recording.times[-1])
                at = await client.answer(await client.control(PAUSE, 1.0, seek=target))
                before = recording.messages[:recording.since(target)]
                state = {recording.topic(m): m for m in before}
                # messages of exactly the target are shown as well
                shown = [m for m in recording.messages[len(before):] if m.log_time == target]
                wanted = set(recording.as_sent(list(state.values()) + shown))
                await client.until(lambda events: len(messages_in(events[at:])) >= len(wanted), "the state")
                equal(set(messages_in(client.events[at:])), wanted, f"state at {target}")
            here = len(client.events)
            await client.answer(await client.control(PLAY, 100.0))
            rest = recording.as_sent(recording.messages[recording.since(target):])[len(shown):]
            await client.until(lambda events: len(messages_in(events[here:])) >= len(rest), "the rest")
            equal(messages_in(client.events[here:]), rest, "the rest")


async def unreadable():
    server = Server(os.path.join(DATA, "fixtures/chunk_not_closed.mcap"), *AS_FAST)
    try:
        equal(await server.code(), 2, "exit code; " + server.said())
        equal(len(server.said().strip().splitlines()), 1, "lines; " + server.said())
    finally:
        server.stop()


async def control():
    path = os.path.join(TESTDATA, "ros1_demo_zstd.mcap")
    recording = Recording(path)
    first, last = recording.times[0], recording.times[-1]

    def instant(nanos):
        return {"sec": nanos // 10**9, "nsec": nanos % 10**9}
    async with serving(path, "--rate", "1", "--start-paused") as server:
        client = await Client.connect(server, SDK, topics=None)
        await client.until(lambda events: any(e[0] == "state" for e in events), "a state when joining")
        info = client.events[0][1]
        equal(info["op"], "serverInfo", "first message")
        check("playbackControl" in info["capabilities"], info)
        equal((info.get("dataStartTime"), info.get("dataEndTime")), (instant(first), instant(last)), "data times")
        joined = next(e[1] for e in client.events if e[0] == "state")
        equal((joined["status"], joined["seek"], joined["id"]), (1, 0, ""), "state when joining")
        for name in ("ä request", "x" * 300):
            state = client.events[await client.answer(await client.control(PAUSE, 2.5, name=name))][1]
            equal((state["status"], state["seek"], state["speed"]), (1, 0, 2.5), "answer to a pause")
        equal(messages_in(client.events), [], "messages before play")

        target = (first + last) // 2
        while target in recording.times:
            target += 1
        at = await client.answer(await client.control(PAUSE, 1.0, seek=target))
        state = client.events[at][1]
        equal((state["status"], state["seek"], state["time"]), (1, 1, target), "answer to a seek")
        before = {recording.topic(m): m for m in recording.messages[:recording.since(target)]}
        await client.until(lambda events: len(messages_in(events[at:])) >= len(before), "the state before the target")
        await asyncio.sleep(0.5)
        after = client.events[at + 1:]
        equal(after[0], ("time", target), "after the state")
        equal({event[1:] for event in after if event[0] == "message"}, set(recording.as_sent(before.values())), "state")
        others = [event for event in after if event[0] not in ("message", "time")]
        equal(others, [], "other frames while paused")
        equal(len(messages_in(after)), len(before), "messages while paused")
        equal({event[1] for event in after if event[0] == "time"}, {target}, "times while paused")

        here = len(client.events)
        await client.answer(await client.control(PLAY, 100.0))
        rest = recording.as_sent(recording.messages[recording.since(target):])
        await client.until(lambda events: len(messages_in(events[here:])) >= len(rest), "the rest")
        equal(messages_in(client.events[here:]), rest, "the rest")
        check_times([("time", target)] + client.events[here:])
        ended = await client.until(
            lambda events: [e[1] for e in events[here:] if e[0] == "state" and e[1]["status"] == 3], "the end")
        equal((ended[0]["time"], ended[0]["seek"], ended[0]["id"]), (last, 0, ""), "state at the end")


async def loop(protocol):
    """Every lap holds the whole recording, once, and nothing else."""
    path = os.path.join(DATA, "fixtures/vehicle_zstd.mcap")
    recording = Recording(path)
    first, laps = recording.times[0], 4

    def starts(events):
        if protocol == OLD:
            return [i for i, e in enumerate(events) if e[0] == "text" and e[1]["op"] == "serverInfo"]
        return [0] + [i for i, e in enumerate(events) if e[0] == "state" and e[1]["seek"]]
    async with serving(path, "--loop", "--rate", "2") as server:
        client = await Client.connect(server, protocol, topics=None)
        await client.until(lambda events: len(starts(events)) > laps, f"{laps} laps")
        bounds, events = starts(client.events), client.events
    infos = client.texts("serverInfo")
    if protocol == OLD:
        sessions = [info["sessionId"] for info in infos]
        equal(len(set(sessions)), len(sessions), f"distinct sessions of {sessions}")
        equal([e for e in events if e[0] == "state"], [], "states for a viewer that does not know them")
    else:
        equal(len(infos), 1, "sessions")
    for number, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        lap = events[begin:end]
        equal(messages_in(lap), recording.as_sent(), f"lap {number}")
        if protocol == OLD:
            equal(lap.pop(), ("time", first), f"the last frame of lap {number}: the time of the next")
        times = [event[1] for event in lap if event[0] == "time"]
        equal(times[0], first, f"first time of lap {number}")
        check_times(lap)
        if protocol == OLD:
            equal([e[1]["op"] for e in lap[:2]], ["serverInfo", "advertise"], f"start of lap {number}")
        elif number:
            equal((lap[0][1]["time"], lap[0][1]["id"]), (first, ""), f"state of lap {number}")


def write_ticks(path, seconds, topics):
    """Topics with so many messages a second, each the number of its message."""
    start = 1_700_000_000 * 10**9
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=2000)
        writer.start()
        channels = {topic: writer.register_channel(topic, "json", 0) for topic in topics}
        due = [(start + int(number * 10**9 / rate), topic, number)
               for topic, rate in topics.items() for number in range(int(seconds * rate) + 1)]
        for log_time, topic, number in sorted(due):
            writer.add_message(channels[topic], log_time, b"%09d" % number, log_time, number)
        writer.finish()
    return path


async def raw_client(server, topics=None):
    """A client that reads on a thread of its own, subscribed to these topics; None: to all."""
    client = await asyncio.to_thread(RawClient, server.port)
    client.subscribe(topics)
    client.start()
    return client


async def laps():
    """A lap comes after a silence of half a second, and every two seconds at most, if there is a client that needs it."""
    with tempfile.TemporaryDirectory() as folder:
        for seconds, rate in ((3, 1), (0.1, 1), (0.1, "max")):
            path = write_ticks(os.path.join(folder, "ticks.mcap"), seconds, {"/a": 50, "/b": 7})
            recording = Recording(path)
            async with serving(path, "--loop", "--rate", rate) as server:
                old = await raw_client(server)
                await until(lambda: sum(text["op"] == "serverInfo" for text in old.texts) > 3, "laps")
                await until(lambda: old.events[-1][1] == "message", "a message of the last lap")
                begun = check_silence(list(old.events))
                check(min(b - a for a, b in zip(begun[1:], begun[2:])) > 1.5, "sessions at", begun)
                bounds = [i for i, event in enumerate(old.events) if event[1] == "serverInfo"]
                for begin, end in zip(bounds, bounds[1:]):
                    lap = [event[2:] for event in old.events[begin:end] if event[1] == "message"]
                    equal(lap, [message[:2] for message in recording.as_sent()], f"a lap, {seconds} {rate}")
                # time stands for everybody while the old client is there
                new = await Client.connect(server, SDK, topics=None)
                begin = time.monotonic()
                await asyncio.sleep(1.9)
                check(seeks_in(new.events) <= 1 + (time.monotonic() - begin) / 1.9, "laps are short")
                old.socket.shutdown(socket.SHUT_RDWR)
                if seconds < 1:
                    before = seeks_in(new.events)
                    # of two seconds each these would take a minute
                    await new.until(lambda events: seeks_in(events) > before + 30, "laps without such a client", 30)


def seeks_in(events):
    return sum(event[0] == "state" and event[1]["seek"] for event in events)


async def seeks_back():
    """Many seeks back are one new session for who knows no playback states; who asks for them waits for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Recording(write_ticks(os.path.join(folder, "ticks.mcap"), 60, {"/a": 50, "/b": 1}))
        first, second = recording.times[0], 10**9
        async with serving(recording.path, "--rate", "1") as server:
            old = await raw_client(server)
            new = await Client.connect(server, SDK, topics=None)
            await until(lambda: old.messages, "a message")
            await new.answer(await new.control(PLAY, 1.0, seek=first + 50 * second))
            await until(lambda: old.messages[-1][1] > first + 50 * second, "the seek forward")
            equal(len(check_silence(old.events)), 1, "a seek forward is no new session")

            def sessions():
                return sum(text["op"] == "serverInfo" for text in old.texts)

            async def back_and_back():
                """Twelve seeks back and a question; whether each came within the silence that the one before began."""
                before, answers, asked = sessions(), sum(text["op"] == "status" for text in old.texts), []
                for back in range(12):
                    target = first + (40 - back) * second + 5 * MILLISECOND
                    asked.append(time.monotonic())
                    at = await new.answer(await new.control(PLAY, 1.0, seek=target))
                    await new.until(lambda events: any(m[1] > target for m in messages_in(events[at:])), "what follows")
                    took.append(time.monotonic() - asked[-1])
                    await asyncio.sleep(0.1)
                old.send({"op": "unsubscribe", "subscriptionIds": [123456]})
                await until(lambda: sum(text["op"] == "status" for text in old.texts) > answers, "an answer")
                asked.append(time.monotonic())
                await until(lambda: sessions() > before, "the new session")
                if max(later - earlier for earlier, later in zip(asked, asked[1:])) > 0.4:
                    # a busy computer; for the next series all is quiet
                    await asyncio.sleep(3)
                    return False
                equal(sessions(), before + 1, "sessions of a series")
                ops = [event[1] for event in old.events]
                last_answer = max(i for i, op in enumerate(ops) if op == "status")
                check(ops[last_answer:].count("serverInfo") == 1, "it is not answered in the silence")
                return True
            took = []
            for _ in range(10):
                if await back_and_back():
                    break
            else:
                raise AssertionError(f"no series was fast enough: {took}")
            check(sorted(took)[len(took) // 2] < 0.4, "who seeks waits", took)
            target = first + (40 - 11) * second + 5 * MILLISECOND

            def last_session():
                start = max(i for i, event in enumerate(old.events) if event[1] == "serverInfo")
                return old.events[start:]
            await until(lambda: sum(event[1] == "message" for event in last_session()) > 42, "messages after it")
            check_silence(old.events)
            start = max(i for i, event in enumerate(old.events) if event[1] == "serverInfo")
            events = [event for event in old.events[start:] if event[1] != "advertiseServices"]
            equal(events[2][1:], ("time", target), "the position reached")
            got, since = [event[2:] for event in events if event[1] == "message"], recording.since(target)
            backfill = {recording.topic(m): m.log_time for m in recording.messages[:since]}
            equal(sorted(got[:2]), sorted(backfill.items()), "the last messages before it")
            played = [message[:2] for message in recording.as_sent(recording.messages[since:])]
            equal(got[2:], played[:len(got) - 2], "the messages after it, those of the silence included")
            # the next session is two seconds after the last
            before = sessions()
            await new.answer(await new.control(PLAY, 1.0, seek=first))
            await until(lambda: sessions() > before, "a session")
            await until(lambda: any(event[1] == "message" for event in last_session()), "a message of it")
            begun = check_silence(old.events)
            check(begun[-1] - begun[-2] >= 1.5, "sessions are", begun[-1] - begun[-2], "s apart")


async def groups():
    """What panels that load late subscribe to is there from its first message on."""
    with tempfile.TemporaryDirectory() as folder:
        topics = {f"/{number}": 20 for number in range(5)}
        recording = Recording(write_ticks(os.path.join(folder, "ticks.mcap"), 1, topics))
        async with serving(recording.path) as server:
            client = await raw_client(server, ["/0"])
            for topic in list(topics)[1:]:
                # each subscription begins the wait of a second again
                await asyncio.sleep(0.4)
                client.subscribe([topic])
            subscribed = time.monotonic()
            await until(lambda: len(client.messages) == len(recording.messages), "every message")
            begun = next(event[0] for event in client.events if event[1] == "message") - subscribed
            check(0.95 < begun < 4, "it starts", begun, "s after the last subscription")


async def late_topic():
    """A topic that is subscribed to while playing: its last message before that, then each one after it, once."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Recording(write_ticks(os.path.join(folder, "ticks.mcap"), 60, {"/fast": 200, "/rare": 0.05}))
        async with serving(recording.path, "--rate", "5", "--start-on", "launch") as server:
            # once a subscription there is one rare message, at most
            client = await Client.connect(server, OLD)
            await client.until(lambda _: client.channels, "the channels")
            ids = {channel["topic"]: id for id, channel in client.channels.items()}
            last, took = -1, []
            for number in range(60):
                asked = time.monotonic()
                for topic, subscription in (("/fast", 2 * number), ("/rare", 2 * number + 1)):
                    client.subscribed[subscription] = ids[topic]
                subscriptions = [{"id": 2 * number, "channelId": ids["/fast"]},
                                 {"id": 2 * number + 1, "channelId": ids["/rare"]}]
                here = len(client.events)
                await client.socket.send(json.dumps({"op": "subscribe", "subscriptions": subscriptions}))
                await client.until(
                    lambda events: len({m[0] for m in messages_in(events[here:])}) == 2, "both topics")
                took.append(time.monotonic() - asked)
                await asyncio.sleep(0.03)
                await client.socket.send(json.dumps(
                    {"op": "unsubscribe", "subscriptionIds": [2 * number, 2 * number + 1]}))
                await client.fence()
                await asyncio.sleep(0.05)
                got = messages_in(client.events[here:])
                numbers = [int(payload) for topic, _, payload in got if topic == "/fast"]
                equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "fast messages")
                check(numbers[0] > last, "a fast message came twice:", numbers[0])
                last = numbers[-1]
                rare = [int(payload) for topic, _, payload in got if topic == "/rare"]
                # 20 s of the recording between two
                check(rare[0] in (numbers[0] // 4000, numbers[0] // 4000 + 1), "not the last:", rare, numbers[0])
                equal(rare, list(range(rare[0], rare[0] + len(rare))), "rare messages")
            # the next one would come after up to four seconds
            check(sorted(took)[30] < 0.5, "the last message comes after", took)


async def long_wait():
    """Viewers are shown that the next message is days away, until it is not."""
    path = os.path.join(DATA, "made/long_gap.mcap")
    last, shown_before = Recording(path).times[-1], {}

    def shown(client):
        texts = [event[1] for event in client.events if event[0] == "text"]
        return [text for text in texts if text["op"] == "removeStatus" or text.get("id") == "long-wait"]
    async with serving(path, "--skip-gaps", "off") as server:
        early = await Client.connect(server, SDK, topics=None)
        await early.until(lambda _: shown(early), "a status")
        late = await Client.connect(server, OLD)
        await late.until(lambda _: shown(late), "a status for who joins meanwhile")
        for client in (early, late):
            equal([(text["op"], text["level"]) for text in shown(client)], [("status", 0)], "what is shown")
        await server.says("--skip-gaps")
        for _ in range(50):
            await early.control(PAUSE)
            await early.answer(await early.control(PLAY))
        lines = server.said().count("the next message is at")
        check(1 < lines <= 10, lines, "lines of the log for 50 pauses")
        for client in (early, late):
            await client.until(lambda _: shown(client) and shown(client)[-1]["op"] == "status", "the wait")
            shown_before[client] = len(shown(client))
        await early.control(PLAY, seek=last)
        for client in (early, late):
            await client.until(lambda _: len(shown(client)) > shown_before[client], "the end of the wait")
            equal(shown(client)[shown_before[client]:], [{"op": "removeStatus", "statusIds": ["long-wait"]}], "what is taken back")
        later = await Client.connect(server, OLD)
        await later.until(lambda events: any(event[0] == "time" for event in events), "the time")
        equal(shown(later), [], "what is shown afterwards")


async def shift():
    """Messages are of now, and neither a lap nor a seek back is a new session."""
    recording, rate, begin = Recording(demo()), 4, time.time_ns()
    first, last, count = recording.times[0], recording.times[-1], len(recording.times)
    async with serving(demo(), "--shift", "now", "--loop", "--rate", rate) as server:
        viewer = await Client.connect(server, OLD, topics=None)
        await viewer.until(lambda events: len(messages_in(events)) >= count + 10, "the second lap", seconds=60)
        control = await Client.connect(server, SDK, topics=())
        state = control.events[await control.answer(await control.control(PLAY, rate, seek=first))][1]
        here = len(messages_in(viewer.events))
        await viewer.until(lambda events: len(messages_in(events)) > here + 10, "messages after the seek")
    info = next(event[1] for event in control.events if event[0] == "text")
    equal(info["dataStartTime"], {"sec": first // 10**9, "nsec": first % 10**9}, "start of the bar")
    equal((state["time"], state["seek"]), (first, 1), "state after the seek, in the recording's time")
    equal(len(viewer.texts("serverInfo")), 1, "sessions")
    equal([m[::2] for m in messages_in(viewer.events)[:count]], [m[::2] for m in recording.as_sent()], "the first lap")
    times = [event[2] if event[0] == "message" else event[1]
             for event in viewer.events if event[0] in ("message", "time")]
    sent = [message[1] for message in messages_in(viewer.events)]
    equal(sent, sorted(sent), "times of messages")
    check(begin <= times[0] and max(times) <= time.time_ns(), "times of now", begin, times[0], max(times))
    check_times(viewer.events)
    length = sent[count - 1] - sent[0] - (last - first) // rate
    check(abs(length) < 2000 * MILLISECOND, "the first lap is", length, "ns longer than it should be")


STATIC_FRAMES = ["laser_a", "laser_b", "laser_c"]


def static_frames(events):
    """The child frames of messages on `/tf_static`, as they come: each of this recording places one."""
    payloads = [data for topic, _, data in messages_in(events) if topic == "/tf_static"]
    return [frame for data in payloads for frame in STATIC_FRAMES if frame.encode() in data]


async def static_late(path):
    """Three publishers placed a sensor each within the first 2 ms; who comes later has all three."""
    for arguments in (("--rate", "20"), ("--rate", "20", "--start", "+10s"), ("--start-paused", "--start", "+10s")):
        async with serving(path, *arguments, "--start-on", "client") as server:
            viewer = await Client.connect(server, OLD, topics=None)
            await viewer.until(lambda events: len(static_frames(events)) >= 3, f"static frames with {arguments}")
            await asyncio.sleep(0.5)
            equal(static_frames(viewer.events), STATIC_FRAMES, f"static frames with {arguments}")
            late = await Client.connect(server, OLD, topics={"/tf_static"})
            await late.until(lambda events: len(static_frames(events)) >= 3, f"static frames with {arguments}, late")
            await asyncio.sleep(0.3)
            equal(static_frames(late.events), STATIC_FRAMES, f"static frames with {arguments}, late")


async def static_seek(path):
    """A seek back has the frames of before the target again, whoever knows playback control or not."""
    recording = Recording(path)
    async with serving(path, "--start-paused") as server:
        control = await Client.connect(server, SDK, topics=None)
        viewer = await Client.connect(server, OLD, topics=None)
        for seconds, wanted in ((15, 3), (5, 3), (0.0015, 2), (0.0005, 1), (19, 3)):
            target, here = recording.times[0] + int(seconds * 10**9), len(viewer.events)
            at = await control.answer(await control.control(PAUSE, 1.0, seek=target))
            for client, since in ((control, at), (viewer, here)):
                await client.until(lambda events: len(static_frames(events[since:])) >= wanted, f"frames at {seconds} s")
            await asyncio.sleep(0.3)
            for client, since in ((control, at), (viewer, here)):
                equal(static_frames(client.events[since:]), STATIC_FRAMES[:wanted], f"static frames at {seconds} s")


def demo():
    return os.path.join(TESTDATA, "ros1_demo_zstd.mcap")


async def http_get(port, path):
    def get():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    return await asyncio.to_thread(get)


async def subprotocol():
    """The newest of what both know is spoken, whatever the client's order."""
    async with serving(os.path.join(TESTDATA, "drive.mcap")) as server:
        for offered, spoken in [
            ([OLD], OLD), ([SDK], SDK), ([TABLE], TABLE), ([OLD, SDK], SDK), ([SDK, OLD], SDK), ([SDK, TABLE], TABLE),
            ([TABLE, SDK], TABLE), ([OLD, TABLE], TABLE), ([TABLE, SDK, OLD], TABLE), (["foxglove.sdk.v2", SDK], SDK),
        ]:
            client = await Client.connect(server, *offered)
            equal(client.socket.subprotocol, spoken, f"of {offered}")
            advertise = (await client.until(lambda events: client.texts("advertise"), "the channels"))[0]
            equal("schemas" in advertise, spoken == TABLE, f"a table of schemas with {spoken}")
            if spoken == TABLE:
                schemas = advertise["schemas"]
                equal([schema["id"] for schema in schemas], list(range(1, len(schemas) + 1)), "schema ids")
        for offered in (["foxglove.websocket.v2"], None):
            try:
                await Client.connect(server, *(offered or []))
            except websockets.InvalidStatus as refused:
                equal(refused.response.status_code, 400, "status")
                body = refused.response.body.decode()
                check(all(name in re.split(r"[ ,]+", body) for name in (OLD, SDK, TABLE)), body)
            else:
                raise AssertionError(f"accepted with {offered}")


async def http():
    async with serving(demo()) as server:
        status, kind, body = await http_get(server.port, "/")
        equal((status, kind.split(";")[0]), (200, "text/plain"), "answer")
        check("foxglove-bridge" in body, body)
        status, _, body = await http_get(server.port, "/healthz")
        equal((status, body.strip()), (200, "ok"), "health")


async def port_in_use():
    async with serving(demo()) as server:
        other = Server(demo(), port=server.port)
        try:
            equal(await other.code(), 3, "exit code; " + other.said())
            check("--port" in other.said(), other.said())
        finally:
            other.stop()


async def sigterm():
    async with serving(demo()) as server:
        clients = [await Client.connect(server, protocol, topics=None) for protocol in (OLD, SDK)]
        for client in clients:
            await client.until(messages_in, "a message")
        asked = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        equal([await client.closed() for client in clients], [1001, 1001], "close codes")
        equal(await server.code(), 0, "exit code; " + server.said())
        took = time.monotonic() - asked
        check(took < 10, "took", took, "s")


async def at_end_exit():
    async with serving(demo(), "--rate", "100", "--at-end", "exit") as server:
        clients = [await Client.connect(server, protocol, topics=None) for protocol in (OLD, SDK)]
        equal([await client.closed() for client in clients], [1000, 1000], "close codes")
        equal(await server.code(), 0, "exit code")
        equal(len(messages_in(clients[0].events)), 826, "messages")


async def stalled():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        sent = write_camera_recording(path, 4)
        # what the good client may be late by is a second of the camera
        more = ("--rate", "1", "--client-buffer", "56MiB", "--start-on-clients", "2")
        async with serving(path, *more) as server:
            lazy = await asyncio.to_thread(RawClient, server.port, 64 << 10)
            good = await asyncio.to_thread(RawClient, server.port)
            lazy.subscribe()
            good.start()
            good.subscribe()

            await until(lambda: good.messages and good.messages[-1] == sent[-1], "the end for the good client")
            await asyncio.sleep(0.5)
            lost = [message for message in sent if message not in set(good.messages)]
            check(good.messages == sent, "the good client lost", lost[:5], len(lost), "of", len(sent))
            check(not any(text["op"] == "status" for text in good.texts), "the good client was told off")

            lazy.start()
            newest = {message[0]: message for message in sent}
            await until(lambda: lazy.error or set(newest.values()) <= set(lazy.messages), "the newest of each topic")
            await lazy.fence()
            got = lazy.messages
            check(lazy.error is None, "the stalled client:", lazy.error)
            check(len(got) < len(sent), "the stalled client lost nothing; the recording is too short")
            check(any(text["op"] == "status" and text["level"] >= 1 for text in lazy.texts), "no status about slowness")
            states = [message for message in sent if message[0] == "/state"]
            equal([message for message in got if message[0] == "/state"], states, "states")
            equal(len(set(got)), len(got), "distinct messages")
            for topic in {message[0] for message in sent}:
                times = [message[1] for message in got if message[0] == topic]
                equal(times, sorted(times), f"order of {topic}")

            late = await Client.connect(server, OLD, topics={"/map"})
            await late.until(messages_in, "the latched message")
            await asyncio.sleep(0.3)
            equal([event[:2] for event in messages_in(late.events)], [("/map", sent[0][1])], "the latched message")


def timed_out(server, client=0):
    """For how long a client was silent that was closed for it, and how many bytes were queued; None: it was not."""
    found = re.search(
        rf"client {client} closed: it took nothing and sent nothing for ([\d.]+) s; (\d+) bytes", server.said())
    return found and (float(found[1]), int(found[2]))


async def stops_reading():
    """Whatever happens to slow clients, one that stops reading is closed, and another one goes on."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        sent = write_camera_recording(path, 3)
        for more in (["--rate", "max"], ["--on-slow-client", "wait"], ["--on-slow-client", "drop"]):
            arguments = ("--client-timeout", "2s", "--client-buffer", "64MiB", "--start-on-clients", "2")
            async with serving(path, *more, *arguments) as server:
                lazy = await asyncio.to_thread(RawClient, server.port, 64 << 10)
                good = await asyncio.to_thread(RawClient, server.port)
                lazy.subscribe()
                good.start()
                good.subscribe()
                silent, queued = await until(lambda: timed_out(server), f"the close, {more}")
                check(2 <= silent < 8, "closed after", silent, "s")
                check(queued > 100_000, "only", queued, "bytes queued")
                await until(lambda: good.messages and good.messages[-1] == sent[-1], f"the end, {more}")
                check(good.messages == sent, "the other client lost", len(sent) - len(good.messages), more)
                await asyncio.sleep(2.5)
                equal((timed_out(server, 1), good.error), (None, None), "the other client, now idle")


async def reads_slowly():
    """A client that takes a little again and again is not closed, until it takes nothing any more."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        write_camera_recording(path, 2)
        for more in (["--rate", "max"], ["--on-slow-client", "drop"]):
            async with serving(path, *more, "--client-timeout", "2s") as server:
                slow = await asyncio.to_thread(RawClient, server.port, 8 << 10)
                slow.subscribe()
                for _ in range(12):
                    await asyncio.sleep(0.5)
                    slow.exactly(6000)
                equal(timed_out(server), None, f"the close, {more}; {server.said()}")
                silent, _ = await until(lambda: timed_out(server), f"the close, {more}")
                check(2 <= silent < 8, "closed after", silent, "s")


async def idle():
    """Who answers pings stays; who does not is closed."""
    async with serving(demo(), "--start-paused", "--client-timeout", "2s") as server:
        silent = await asyncio.to_thread(RawClient, server.port)
        answers = await Client.connect(server, OLD)
        seconds, queued = await until(lambda: timed_out(server), "the close")
        check(2 <= seconds < 8 and queued == 0, "closed after", seconds, "s with", queued, "bytes queued")
        with contextlib.suppress(EOFError):
            while silent.exactly(1):
                pass
        await asyncio.sleep(3)
        check(answers.events[-1][0] != "close", "a client that answers was closed")
    async with serving(demo(), "--start-paused", "--client-timeout", "0") as server:
        await asyncio.to_thread(RawClient, server.port)
        await asyncio.sleep(2)
        check("closed" not in server.said(), server.said())


async def backlog():
    """What the system holds of a stream that nobody reads stays small: the rest waits where it can be dropped."""
    table = "/proc/net/tcp"
    if not os.path.exists(table):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        write_camera_recording(path, 4)
        async with serving(path, "--rate", "5") as server:
            lazy = await asyncio.to_thread(RawClient, server.port, 64 << 10)
            lazy.subscribe()
            ports = f":{server.port:04X}", f":{lazy.socket.getsockname()[1]:04X}"

            def held():
                with open(table) as file:
                    rows = [line.split() for line in file.readlines()[1:]]
                queue, = [int(row[4].split(":")[0], 16) for row in rows if (row[1][8:], row[2][8:]) == ports]
                return queue
            await until(held, "a stream that is not read")
            await asyncio.sleep(2)
            check(held() < 600_000, "the system holds", held(), "bytes")


async def seeks():
    path = os.path.join(DATA, "real/nissan_demo.mcap")
    if not os.path.exists(path):
        path = demo()
    recording = Recording(path)
    first, last = recording.times[0], recording.times[-1]
    chance = random.Random(7)
    async with serving(path, "--rate", "10") as server:
        clients = [await Client.connect(server, SDK, topics=None) for _ in range(2)]
        for client in clients:
            await client.until(messages_in, "a message")
        names = []
        for number in range(100):
            asks = clients[number % 2]
            names.append(await asks.control(PLAY, 10.0, chance.randrange(first, last), f"seek {number}"))
            if number % 3:
                await asyncio.sleep(chance.random() * 0.05)
        for client in clients:
            for name in names:
                await client.answer(name)
        await asyncio.sleep(0.5)
        played = [list(client.events) for client in clients]
    for events in played:
        bounds = [i for i, e in enumerate(events) if e[0] == "state" and e[1]["seek"]]
        equal(len(bounds), 100, "seeks")
        timed_in_all = 0
        for begin, end in zip(bounds, bounds[1:] + [len(events)]):
            target, part = events[begin][1]["time"], events[begin + 1:end]
            times = [event[1] for event in part if event[0] == "time"]
            if end < len(events) and not times:
                # the next seek came first and made its time obsolete
                equal(part, [], "frames of a seek that was overtaken")
                continue
            equal(times[:1], [target], "first time after the state")
            equal(times, sorted(times), "times")
            got = messages_in(part)
            timed = next((i for i, message in enumerate(got) if message[1] >= target), len(got))
            backfill, timed = got[:timed], got[timed:]
            before = {recording.topic(m): m for m in recording.messages[:recording.since(target)]}
            check(set(backfill) <= set(recording.as_sent(before.values())), "not the state before", target, backfill)
            equal(len({message[0] for message in backfill}), len(backfill), "one message for each channel")
            if timed:
                equal(len(backfill), len(before), "state before timed messages")
            at = recording.since(target)
            equal(timed, recording.as_sent(recording.messages[at:at + len(timed)]), f"messages after {target}")
            timed_in_all += len(timed)
        check(timed_in_all > 1000, "only", timed_in_all, "messages between seeks")


TRIALS = dict(
    recording=recording, conformance=conformance, unreadable=unreadable, control=control, subprotocol=subprotocol,
    loop_v1=lambda: loop(OLD), loop_sdk=lambda: loop(SDK), http=http, port_in_use=port_in_use, sigterm=sigterm,
    at_end_exit=at_end_exit, stalled=stalled, stops_reading=stops_reading, reads_slowly=reads_slowly, idle=idle,
    seeks=seeks, laps=laps, seeks_back=seeks_back, groups=groups, late_topic=late_topic, long_wait=long_wait, shift=shift, static_late=static_late, static_seek=static_seek, several=several, parts_seek=parts_seek, backlog=backlog,
    **admission.TRIALS, **peers.TRIALS, **framing.TRIALS, **http_api.TRIALS, **live.TRIALS, **lines.TRIALS, **record.TRIALS, **record_split.TRIALS, **black_box.TRIALS, **program.TRIALS, **recipes.TRIALS, **vanished.TRIALS, **attacks.TRIALS, **capabilities.TRIALS, **client.TRIALS, **client_peers.TRIALS, **damage.TRIALS, **example_clients.TRIALS, **library.TRIALS, **lichtblick.TRIALS, **many_requests.TRIALS, **odd_servers.TRIALS, **params.TRIALS, **publish.TRIALS,
    **demos.TRIALS, **files.TRIALS, **examples.TRIALS, **recorder.TRIALS, **record_stdout.TRIALS,
)

if __name__ == "__main__":
    # as in `control@v1.1`
    trial, _, version = sys.argv[1].partition("@")
    Client.offers_newest = version == "v1.1"
    # where it hangs is shown, also if that is on a thread that nothing can cancel
    faulthandler.dump_traceback_later(LIMIT + 20, exit=True)
    try:
        asyncio.run(asyncio.wait_for(TRIALS[trial](*sys.argv[2:]), LIMIT))
    except BaseException:
        print_logs()
        raise
