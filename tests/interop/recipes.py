"""Trials of `docs/recipes.md`: its commands, as they are printed.

Programs that need hardware or a server of their own are those of `stand_ins`, each with the origin of what it prints."""

import asyncio
import contextlib
import json
import os
import pty
import re
import shutil
import struct
import sys
import tempfile
import termios
import time

from mcap.records import Schema
from mcap_ros2.decoder import DecoderFactory as RosDecoderFactory
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import StoragePlugin, Writer as Bag2
from rosbags.typesys import Stores, get_typestore

from bridge import BRIDGE, OLD, PATIENCE, SDK, TESTDATA, Client, Recording, check, equal, free_port, messages_in, serving, shell
from lines import whole_server
from live import SECOND, decoded, offered, payloads

HERE = os.path.dirname(os.path.abspath(__file__))
STAND_INS = os.path.join(HERE, "stand_ins")
PAGE = os.path.join(os.path.dirname(TESTDATA), "docs", "recipes.md")


def page():
    """The commands and scripts of each recipe, by its heading."""
    recipes, heading = {}, None
    with open(PAGE) as file:
        for block, title in re.findall(r"^```\w+\n(.*?)^```|^#+ ([^\n]*)", file.read(), re.S | re.M):
            if title:
                heading = title
            else:
                recipes.setdefault(heading, []).append(block)
    return recipes


@contextlib.asynccontextmanager
async def running(command, folder):
    """A command with stand-ins; a server, and a client of it that subscribes to everything."""
    path, modules = [STAND_INS, os.path.dirname(sys.executable)], os.path.join(STAND_INS, "ros")
    async with shell(command, folder, path, PYTHONPATH=modules, PYTHONUNBUFFERED="") as server:
        yield server, await Client.connect(server, OLD, topics=None)


def save(script, folder):
    """Saves a script under the name in its first line; the name."""
    name = re.match(r"# (\S+\.py): ", script)[1]
    with open(os.path.join(folder, name), "w") as file:
        file.write(script)
    return name


async def gets(server, client, topics, number=3):
    """Waits for so many messages of each of these topics, in a log without a bad line."""
    await client.until(
        lambda _: all(len(payloads(client, topic)) >= number for topic in topics),
        f"{number} messages of each of {topics}; log: {server.said()}")
    check("line is skipped" not in server.said() and "bad line" not in server.said(), server.said())
    equal({channel["topic"] for channel in client.channels.values()}, set(topics), "topics")


def values(client, topic):
    """JSON messages of a topic."""
    channel, = offered(client, topic)
    equal((channel["encoding"], channel["schemaName"]), ("json", ""), "encoding and schema")
    return [json.loads(payload) for payload in payloads(client, topic)]


def known(client, topic, schema):
    """Messages of a topic whose schema is built in."""
    channel, = offered(client, topic)
    equal(channel["schemaName"], schema, "schema of " + topic)
    return [decoded(channel, payload) for payload in payloads(client, topic)]


def as_dict(message):
    """What mcap-ros2-support decoded, as dicts and lists."""
    if hasattr(message, "__slots__"):
        return {name: as_dict(getattr(message, name)) for name in message.__slots__}
    return [as_dict(one) for one in message] if isinstance(message, list) else message


def ros_message(channel, payload):
    equal((channel["encoding"], channel["schemaEncoding"]), ("cdr", "ros2msg"), "encodings")
    schema = Schema(1, channel["schema"].encode(), "ros2msg", channel["schemaName"])
    return as_dict(RosDecoderFactory().decoder_for("cdr", schema)(payload))


# ---- ROS 2 ----

async def ros_topics(script, command):
    with tempfile.TemporaryDirectory() as folder:
        name = save(script, folder)
        sys.path.insert(0, os.path.join(STAND_INS, "ros"))
        from messages import MESSAGES, TYPES
        async with running(command, folder) as (server, client):
            await gets(server, client, TYPES, 1)
            late = await Client.connect(server, SDK, topics={"/tf_static"})
            await late.until(messages_in, "the latched transforms")
            for topic, kind in TYPES.items():
                channel, = offered(client, topic)
                equal(channel["schemaName"], kind, "type")
                equal(ros_message(channel, payloads(client, topic)[0]), MESSAGES[topic], topic)
        named = command.replace(name, f"{name} /chatter /nobody_sends")
        check(named != command, command)
        async with running(named, folder) as (server, client):
            await gets(server, client, {"/chatter"})


async def ros_topic(command):
    async with running(command, HERE) as (server, client):
        await gets(server, client, {"/acceleration"})
        equal(values(client, "/acceleration")[0], {"x": 0.5, "y": -0.25, "z": 9.81}, "acceleration")


def write_bag(writer, store):
    with writer as bag:
        connection = bag.add_connection("/chatter", "std_msgs/msg/String", typestore=store)
        serialize = store.serialize_ros1 if isinstance(bag, Bag1) else store.serialize_cdr
        for n in range(3):
            data = store.types["std_msgs/msg/String"](data=f"hello {n}")
            bag.write(connection, 1_700_000_000 * SECOND + n * SECOND // 5, serialize(data, "std_msgs/msg/String"))


async def bags(command):
    """Bags of ROS 1 and of SQLite are converted and played."""
    ros1, ros2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_HUMBLE)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        write_bag(Bag1(os.path.join(one, "old.bag")), ros1)
        write_bag(Bag2(os.path.join(two, "old"), version=8, storage_plugin=StoragePlugin.SQLITE3), ros2)
        for folder, name in ((one, "old.bag"), (two, "old")):
            async with running(command.replace("old.bag", name), folder) as (server, client):
                await gets(server, client, {"/chatter"})
                channel, = offered(client, "/chatter")
                said = [ros_message(channel, payload)["data"] for payload in payloads(client, "/chatter")]
                equal(said, ["hello 0", "hello 1", "hello 2"], "messages")


# ---- sensors ----

async def gps(command):
    async with running(command, HERE) as (server, client):
        await gets(server, client, {"/gps"})
        fix = known(client, "/gps", "foxglove.LocationFix")[-1]
        equal((fix.latitude, fix.longitude, fix.altitude), (48.1173, 11.516666667, 545.4), "position")
        equal((fix.timestamp.ToNanoseconds(), fix.frame_id), (1_767_323_046_500_000_000, "gps"), "time and frame")


async def camera(script, command):
    with tempfile.TemporaryDirectory() as folder:
        save(script, folder)
        async with running(command, folder) as (server, client):
            await gets(server, client, {"/camera"})
            for image in known(client, "/camera", "foxglove.CompressedImage"):
                check(image.data.startswith(b"\xff\xd8") and image.data.endswith(b"\xff\xd9"), image.data)
                equal((len(image.data), image.format), (165, "jpeg"), "length and format")
                check(abs(image.timestamp.ToNanoseconds() - time.time_ns()) < 100 * SECOND, image.timestamp)


async def point_cloud(script, command):
    with tempfile.TemporaryDirectory() as folder:
        save(script, folder)
        async with running(command, folder) as (server, client):
            await gets(server, client, {"/points"})
            cloud = known(client, "/points", "foxglove.PointCloud")[0]
    equal([(field.name, field.offset, field.type) for field in cloud.fields],
          [("x", 0, 7), ("y", 4, 7), ("z", 8, 7)], "fields")
    points = list(struct.iter_unpack("<3f", cloud.data))
    equal((cloud.point_stride, len(points), cloud.frame_id), (12, 314, "lidar"), "stride, points, frame")
    check(all(abs(point[2] - n / 300) < 1e-6 for n, point in enumerate(points)), points)


async def serial(command, begin, line, wanted):
    """A pseudo-terminal in the place of the device; it begins with what is no whole line."""
    board, device = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        try:
            here = command.replace("/dev/ttyUSB0", os.ttyname(device))
            equal(here.count(os.ttyname(device)), 2, "mentions of the device")
            async with running(here, folder) as (server, client):
                os.write(board, begin)

                async def speak():
                    while True:
                        os.write(board, line)
                        await asyncio.sleep(0.05)
                speaking = asyncio.create_task(speak())
                await gets(server, client, {"/arduino"})
                speaking.cancel()
                equal(values(client, "/arduino")[0], wanted, "first message")
                _, output, _, local, _, speed, _ = termios.tcgetattr(device)
                equal((speed, output & termios.OPOST, local & (termios.ECHO | termios.ICANON)),
                      (termios.B115200, 0, 0), "state of the device")
        finally:
            os.close(board)
            os.close(device)


def serial_json(command):
    return serial(command, b"ature\":2}\r\nboot: ok\r\n", b'{"temperature":21.5}\r\n', {"temperature": 21.5})


def serial_csv(command):
    return serial(command, b"5\r\n", b"21.5,40\r\n", {"temperature": 21.5, "humidity": 40})


# ---- logs and measurements ----

async def log_file(command):
    lines = ["2026-01-02 03:04:05 DEBUG a", "Traceback \"x\"", "[WARN] grüß", "ERROR: INFO", "CRITICAL b"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.log")

        def log(*lines):
            with open(path, "a") as file:
                file.writelines(line + "\n" for line in lines)
        log("from before")
        async with running(command, folder) as (server, client):
            await client.until(lambda _: client.subscribed, "the channel")
            await client.fence()
            log(*lines[:2])
            await gets(server, client, {"/log"}, 2)
            # it is rotated
            os.rename(path, path + ".1")
            log(*lines[2:])
            await gets(server, client, {"/log"}, len(lines))
            logged = known(client, "/log", "foxglove.Log")[-len(lines):]
    equal([entry.message for entry in logged], lines, "messages")
    equal([entry.level for entry in logged], [1, 2, 3, 4, 5], "levels")
    check(all(abs(entry.timestamp.ToNanoseconds() - time.time_ns()) < 100 * SECOND for entry in logged), "times")


async def journal(command):
    async with running(command, HERE) as (server, client):
        await gets(server, client, {"/journal"})
        logged = known(client, "/journal", "foxglove.Log")
        got = {(entry.name, entry.message, entry.level, entry.timestamp.ToNanoseconds()) for entry in logged}
    now = 1_767_323_045_123_456_000
    equal(got, {("systemd", 'Started "robot".', 2, now), ("", "[27,91,109]", 2, now),
                ("kernel", "usb 1-1: device not accepting address 5", 4, now)}, "entries")


async def gpu(command):
    async with running(command, HERE) as (server, client):
        await gets(server, client, {"/gpu"}, 4)
        got = {one["index"]: one for one in values(client, "/gpu")}
    equal(got, {0: dict(index=0, load=85, memory=3847, temperature=61, power=172.31),
                1: dict(index=1, load=0, memory=4, temperature=31, power="[N/A]")}, "GPUs")


async def mqtt_json(command):
    async with running(command, HERE) as (server, client):
        await client.until(lambda _: len(payloads(client, "/home/kitchen")) > 2, "messages; " + server.said())
        equal(values(client, "/home/kitchen")[0], {"temperature": 21.5}, "payload")
        late = max(time.time_ns() - log_time for _, log_time, _ in messages_in(client.events))
        check(0 < late < 100 * SECOND, "times", late)
        # words and numbers are skipped, with what to do
        said = server.said()
        check("expected value; the line is skipped" in said and 'write {"value":…}' in said, said)
        equal([channel["topic"] for channel in client.channels.values()], ["/home/kitchen"], "topics")
    numbers = command.replace('"data":%p', '"data":{"value":%p}')
    check(numbers != command, command)
    async with running(numbers, HERE) as (server, client):
        await client.until(lambda _: payloads(client, "/home/load"), "messages")
        equal(values(client, "/home/load")[0], {"value": 0.75}, "payload")


async def mqtt_any(command):
    async with running(command, HERE) as (server, client):
        await gets(server, client, {"/home/kitchen", "/home/door", "/home/load"})
        got = [values(client, topic)[0] for topic in ("/home/kitchen", "/home/door", "/home/load")]
    equal(got, [{"temperature": 21.5}, {"value": "open"}, {"value": 0.75}], "payloads")


async def csv_file(command):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "flight.csv"), "w") as file:
            file.write("time,altitude,mode\r\n" + "".join(f"{100 + n / 10},{n},hover\r\n" for n in range(11)))
        async with running(command, folder) as (server, _):
            viewer = await Client.connect(server, SDK, topics=None)
            await viewer.until(lambda _: len(payloads(viewer, "/flight")) >= 11, "all rows; " + server.said())
            equal(values(viewer, "/flight")[3], {"time": 100.3, "altitude": 3, "mode": "hover"}, "a row")
            info = viewer.texts("serverInfo")[0]
            check("playbackControl" in info["capabilities"], info)
            equal((info["dataStartTime"]["sec"], info["dataEndTime"]["sec"]), (100, 101), "range")


# ---- other computers, other times ----

PROGRAM = """\
import json, time
while True:
    print(json.dumps({"topic": "%s", "data": {"x": 1.5}}))
    time.sleep(0.2)
"""


def programs(folder):
    """The user's own: `my_program.py`, which flushes nothing, and `my_sensor`."""
    with open(os.path.join(folder, "my_program.py"), "w") as file:
        file.write(PROGRAM % "/program")
    with open(os.path.join(folder, "my_sensor"), "w") as file:
        file.write(f"#!{sys.executable} -u\n" + PROGRAM % "/sensor")
    os.chmod(file.name, 0o755)


async def over_ssh(command):
    with tempfile.TemporaryDirectory() as folder:
        programs(folder)
        async with running(command, folder) as (server, client):
            await gets(server, client, {"/program"})


async def several(serve, *writers):
    with tempfile.TemporaryDirectory() as folder:
        programs(folder)
        port = free_port()

        def here(command):
            changed = re.sub(r"(127\.0\.0\.1[: /])9000", rf"\g<1>{port}", command)
            check(changed != command, command)
            return changed
        path = os.pathsep.join([folder, STAND_INS, os.environ["PATH"]])
        async with running(here(serve), folder) as (server, client):
            started = [await asyncio.create_subprocess_exec(
                "bash", "-c", here(writer), cwd=folder, env={**os.environ, "PATH": path}, start_new_session=True)
                for writer in writers]
            try:
                await gets(server, client, {"/sensor", "/program"})
            finally:
                for one in started:
                    os.killpg(one.pid, 9)
                    await one.wait()


async def cron(table, folder, path):
    """Runs the one entry of a crontab as cron does: by sh, in the home folder, with hardly an environment (crontab(5))."""
    *settings, entry = table.strip().splitlines()
    check(re.match(r"(\S+ ){5}", entry), entry)
    command = entry.split(maxsplit=5)[5]
    check(not re.search(r"(?<!\\)%", command), "a percent sign ends the command:", command)
    own = dict(PATH="/usr/bin:/bin", HOME=folder, SHELL="/bin/sh", LOGNAME="me")
    own.update(line.split("=", 1) for line in settings)
    own["PATH"] = os.pathsep.join([*path, own["PATH"]])
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command.replace("\\%", "%"), cwd=folder, env=own, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 60)
    equal(process.returncode, 0, "exit code: " + said.decode())


async def every_night(table, serve):
    with tempfile.TemporaryDirectory() as folder:
        programs(folder)
        os.symlink(BRIDGE, os.path.join(folder, "foxglove-bridge"))
        nights = os.path.join(folder, "nights")
        os.mkdir(nights)
        here = table.replace("/home/me/nights", nights).replace("8h", "4s")
        for _ in range(2):
            await cron(here, folder, [folder])
        names = os.listdir(nights)
        check(len(names) == 2 and all(name.startswith("night-2") for name in names), names)
        recordings = [Recording(os.path.join(nights, name)) for name in names]
        check(all(one.messages and not one.damaged for one in recordings), "a recording is not complete")
        async with running(serve.replace("/home/me/nights", nights), folder) as (server, client):
            number = sum(len(one.messages) for one in recordings)
            await client.until(lambda _: len(payloads(client, "/sensor")) >= number, "both nights; " + server.said())


async def every_hour(table, serve):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "disk.jsonl")
        await cron(table, folder, [])
        with open(path) as file:
            line = json.loads(file.read())
        check(0 <= line["data"]["percent"] <= 100 and abs(line["log_time"] - time.time()) < 100, line)
        with open(path, "w") as file:
            for hour in range(2):
                later = {**line, "log_time": line["log_time"] + 3600 * hour}
                file.write(json.dumps(later) + "\n")
        async with running(serve, folder) as (server, client):
            await client.until(messages_in, "the first line")
            begin = time.monotonic()
            await gets(server, client, {"/disk"}, 2)
            check(2 < time.monotonic() - begin < 40, "an hour took", time.monotonic() - begin)
            first, second = (log_time for _, log_time, _ in messages_in(client.events))
            equal(second - first, 3600 * SECOND, "between the times")


async def python_server(script, command):
    with tempfile.TemporaryDirectory() as folder:
        save(script, folder)
        await whole_server(command, folder)


# by heading: the name of the trial, and what it does with the blocks of the recipe
async def in_a_test(script, command):
    """It ends well, and fails where the value is another one, the topic is missing or the server does not start; no server stays."""
    for old, new, code, said in (
        ("", "", 0, "no damage found"),
        ("> 3)", "> 300)", 1, "not above 3"),
        ("/vehicle/state", "/vehicle/stat", 1, "did you mean /vehicle/state?"),
        ("--once --field speed", "--once --field sped", 1, "did you mean speed?"),
        ("drive.mcap", "nosuch.mcap", 1, "there is no such file"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(os.path.join(TESTDATA, "drive.mcap"), folder)
            os.symlink(BRIDGE, os.path.join(folder, "foxglove-bridge"))
            with open(os.path.join(folder, "drive_test.sh"), "w") as file:
                file.write(script.replace(old, new).replace("--timeout 5s", "--timeout 2s") if old else script)
            process = await asyncio.create_subprocess_exec(
                "bash", "-c", command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PATH": folder + os.pathsep + os.environ["PATH"], "TMPDIR": folder})
            # its end: a server that stays holds the pipe
            output = (await asyncio.wait_for(process.communicate(), PATIENCE))[0].decode()
            equal(process.returncode, code, f"exit code with {new!r}; {output}")
            check(said in output, output)
            if not old:
                recording = Recording(os.path.join(folder, "run.mcap"))
                check(recording.messages and not recording.damaged, "the recording is not complete")
            left = {"drive.mcap", "foxglove-bridge", "drive_test.sh", *(() if old else ("run.mcap",))}
            equal(set(os.listdir(folder)), left, "files")


async def last_minute(serve, download):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as data, \
            tempfile.TemporaryDirectory() as elsewhere:
        programs(folder)
        async with running("./" + serve.replace("/data", data), folder) as (server, client):
            await gets(server, client, {"/sensor"})
            process = await asyncio.create_subprocess_exec(
                "bash", "-ec", download.replace("robot:8765", f"127.0.0.1:{server.port}"), cwd=elsewhere)
            equal(await asyncio.wait_for(process.wait(), PATIENCE), 0, "exit code; " + server.said())
            equal(os.listdir(elsewhere), os.listdir(data), "files")
            name, = os.listdir(elsewhere)
            check(name.startswith("robot-") and len(Recording(os.path.join(elsewhere, name)).messages) >= 3, name)


RECIPES = {
    "ROS 2 topics": ("ros_topics", ros_topics), "One ROS 2 topic": ("ros_topic", ros_topic),
    "ROS bags": ("bags", bags), "GPS": ("gps", gps), "Camera": ("camera", camera),
    "Point cloud": ("point_cloud", point_cloud),
    "Serial port with JSON": ("serial_json", serial_json), "Serial port with CSV": ("serial_csv", serial_csv),
    "Log file": ("log_file", log_file), "Journal": ("journal", journal), "GPU": ("gpu", gpu),
    "MQTT with JSON": ("mqtt_json", mqtt_json), "MQTT with any payloads": ("mqtt_any", mqtt_any),
    "CSV file": ("csv_file", csv_file), "Over SSH": ("over_ssh", over_ssh),
    "Several programs": ("several", several), "Every night": ("every_night", every_night),
    "Every hour": ("every_hour", every_hour), "A server in Python": ("python_server", python_server),
    "In a test": ("in_a_test", in_a_test), "The last minute": ("last_minute", last_minute),
}


async def contents():
    """Each recipe has a trial, and each link of the page leads to a recipe."""
    equal(set(page()), set(RECIPES), "recipes with commands")
    # what keeps lines back is seldom seen here, where they come fast
    serving = [block for blocks in page().values() for block in blocks if "foxglove-bridge serve -" in block]
    late = [block for block in serving if re.search(r"\bjq (?!\S+ --unbuffered)", block)]
    equal(late, [], "commands with a jq that keeps lines back")
    with open(PAGE) as file:
        text = file.read()
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", text, re.M)}
    links = re.findall(r"\]\(#(.*?)\)", text)
    check(len(links) > len(RECIPES) and set(links) <= headings, set(links) - headings)
    equal({heading.lower().replace(" ", "-") for heading in RECIPES} - set(links), set(), "recipes without a link")


async def nothing_arrives():
    """A pipe from which nothing comes is told of once, with the usual cause; it is read all the same."""
    async with serving("-", stdin="pipe") as server:
        await server.says("--unbuffered")
        client = await Client.connect(server, OLD, topics=None)
        await server.write({"op": "channel", "topic": "/a"})
        await client.until(lambda _: client.subscribed, "the channel; " + server.said())
        equal(server.said().count("nothing has come so far"), 1, server.said())
    with tempfile.TemporaryDirectory() as folder:
        programs(folder)
        # what is flushed never, and what the page says of it
        kept_back = "python3 my_program.py | foxglove-bridge serve -"
        async with running(kept_back, folder) as (server, client):
            await asyncio.sleep(1)
            equal(client.channels, {}, "channels")
        for more in ("python3 -u my_program.py", "PYTHONUNBUFFERED=1 python3 my_program.py",
                     "script -qefc 'python3 my_program.py' /dev/null"):
            async with running(more + " | foxglove-bridge serve -", folder) as (server, client):
                await gets(server, client, {"/program"})
        flushes = ("jq -c --unbuffered .", "sed -u s/1.5/2.5/", "grep --line-buffered topic",
                   "mawk -W interactive '{ print }'", "stdbuf -oL tr x x")
        for one in filter(lambda command: shutil.which(command.split()[0]), flushes):
            async with running(f"python3 -u my_program.py | {one} | foxglove-bridge serve -", folder) as (server, client):
                await gets(server, client, {"/program"})


def trial(heading, check_recipe):
    async def run():
        blocks = page()[heading]
        missing = [tool for tool in ("jq", "stty") if re.search(rf"\b{tool}\b", blocks[-1]) and not shutil.which(tool)]
        if missing:
            print("not tried, not installed:", *missing)
        else:
            await check_recipe(*blocks)
    return run


TRIALS = {f"recipe_{name}": trial(heading, run) for heading, (name, run) in RECIPES.items()}
TRIALS.update(recipes=contents, nothing_arrives=nothing_arrives)
