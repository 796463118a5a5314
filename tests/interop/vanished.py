"""Trials in which the other end vanishes: the link goes down and nobody says a word. `vanished` runs in a network
namespace of its own (`unshare -Urn`); the other end is in a second one."""

import asyncio
import ctypes
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

from bridge import OLD, Client, RawClient, check, equal, messages_in, serving, until, write_camera_recording

NEAR, FAR = "10.9.0.1", "10.9.0.2"


def ip(*arguments, at=None):
    """Runs `ip`, in the namespace of a process if that is given."""
    where = ["nsenter", "--target", str(at), "--net"] if at else []
    subprocess.run([*where, "ip", *arguments], check=True)


class Link:
    """A cable to a second namespace, which a process holds."""

    def __init__(self):
        ip("link", "set", "lo", "up")
        command = ["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"]
        self.holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.holder.stdout.readline()
        self.pid = self.holder.pid
        ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.pid))
        ip("addr", "add", NEAR + "/24", "dev", "near")
        ip("addr", "add", FAR + "/24", "dev", "far", at=self.pid)
        ip("link", "set", "near", "up")
        self.up()

    def up(self):
        ip("link", "set", "far", "up", at=self.pid)

    def down(self):
        """Now each end looks to the other as if it had vanished."""
        ip("link", "set", "far", "down", at=self.pid)

    def beyond(self, function, *arguments, **named):
        """Calls a function on a thread that is in the second namespace, where the sockets that it makes stay."""
        result = []

        def run():
            with open(f"/proc/{self.pid}/ns/net") as namespace:
                equal(ctypes.CDLL(None).setns(namespace.fileno(), 0), 0, "setns")
            result.append(function(*arguments, **named))
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return result[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()


def closed(server):
    """For how long a client was silent that was closed for it, and how many bytes were queued, for each such line."""
    lines = re.findall(
        r"client (\d+) closed: it took nothing and sent nothing for ([\d.]+) s; (\d+) bytes", server.said())
    return [(int(client), float(silent), int(queued)) for client, silent, queued in lines]


async def vanished():
    with Link() as link:
        await viewer_vanishes(link)
        await viewer_of_little_vanishes(link)


async def viewer_vanishes(link):
    """A viewer that vanishes stops the others for no longer than the timeout where playback waits for it, and not at
    all where it need not; one line of the log says who was closed."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "camera.mcap")
        sent = write_camera_recording(path, 3)
        for policy, longest in ((["--rate", "max"], 2), (["--on-slow-client", "wait"], 2), ([], 0)):
            arguments = ("--host", "0.0.0.0", "--client-timeout", "2s", "--client-buffer", "64MiB", "--start-on-clients", "2")
            async with serving(path, *policy, *arguments) as server:
                lost = await asyncio.to_thread(link.beyond, RawClient, server.port, host=NEAR)
                good = await asyncio.to_thread(RawClient, server.port)
                for client in (lost, good):
                    client.start()
                    client.subscribe()
                await until(lambda: len(lost.messages) > 20, f"messages, {policy}")
                link.down()
                begin = time.monotonic()
                lines = await until(lambda: closed(server), f"the close, {policy}; {server.said()}")
                check(time.monotonic() - begin < 8, "closed after", time.monotonic() - begin, "s")
                (client, silent, queued), = lines
                equal(client, 0, "who was closed")
                check(2 <= silent < 8, "closed after", silent, "s")
                check(queued > 0, "nothing was queued")
                await until(lambda: good.messages and good.messages[-1] == sent[-1], f"the end, {policy}")
                equal(good.messages, sent, f"what the other client got, {policy}")
                times = [event[0] for event in good.events if event[1] == "message" and event[0] > begin - 0.5]
                pause = max(later - earlier for earlier, later in zip(times, times[1:]))
                check(pause < longest + 1.8, "the others stood for", pause, "s,", policy)
            link.up()


async def viewer_of_little_vanishes(link):
    """The system takes all of a thin stream, and finds that the other end is unreachable before the time is over."""
    async with serving("-", "--host", "0.0.0.0", "--client-timeout", "6s", stdin="pipe") as server:
        await server.write({"op": "channel", "topic": "/a"})
        good = await Client.connect(server, OLD, topics=None)
        await good.until(lambda _: good.subscribed, "the channel")
        lost = await asyncio.to_thread(link.beyond, RawClient, server.port, host=NEAR)
        lost.start()
        lost.subscribe()
        begin, number = None, 0
        while not closed(server):
            await server.write({"topic": "/a", "data": {"n": number}})
            number += 1
            await asyncio.sleep(0.1)
            if not begin and lost.messages:
                link.down()
                begin = time.monotonic()
            check(not begin or time.monotonic() - begin < 50, "not closed:", server.said())
        check(6 <= closed(server)[0][1] < 15, closed(server))
        def got():
            return [json.loads(data)["n"] for _, _, data in messages_in(good.events)]
        await good.until(lambda _: got()[-1] == number - 1, "all messages")
        equal(got(), list(range(got()[0], number)), "messages")


def tested_within(port):
    """In how many seconds the system will test whether the other end of each connection to a port is there."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    established = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    timers = [row[5].split(":") for row in established]
    return [int(when, 16) / os.sysconf("SC_CLK_TCK") if kind == "02" else None for kind, when in timers]


async def keepalive():
    """Connections that say nothing are tested by the system: of clients, of no client yet, and of writers."""
    if not os.path.exists("/proc/net/tcp"):
        return
    async with serving("tcp-listen://127.0.0.1:0", "--client-timeout", "0") as server:
        port = int(re.search(r"tcp-listen://127\.0\.0\.1:(\d+)", server.said())[1])
        held = [socket.create_connection(("127.0.0.1", one)) for one in (server.port, port, port)]
        held[2].sendall(b'{"op":"channel","topic":"/a"}\n')
        client = await Client.connect(server, OLD, topics=None)
        await client.until(lambda _: client.subscribed, "the channel")
        await asyncio.sleep(0.5)
        for one, count in ((server.port, 2), (port, 2)):
            seconds = tested_within(one)
            equal(len(seconds), count, "connections")
            check(all(after is not None and after <= 15 for after in seconds), "tested after", seconds, "s")


TRIALS = dict(vanished=vanished, keepalive=keepalive)
