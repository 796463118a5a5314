"""What the peers' own tests ask of a server, asked of the program: see docs/conformance.md."""

import asyncio
import json
import os
import struct

import websockets
from bridge import OLD, SDK, TABLE, TESTDATA, equal, serving

DEMO = os.path.join(TESTDATA, "ros1_demo_zstd.mcap")


def status(level, *words):
    def is_it(answer):
        text = json.loads(answer) if isinstance(answer, str) else {}
        return (text.get("op"), text.get("level")) == ("status", level) and all(word in text["message"] for word in words)
    return is_it


def text(**fields):
    return lambda answer: isinstance(answer, str) and fields.items() <= json.loads(answer).items()


def asset_error(request_id):
    return lambda answer: isinstance(answer, bytes) and answer[:6] == struct.pack("<BIB", 4, request_id, 1)


def cases(channel):
    """What a client says to a server of a recording, and the answers to it: so many, in this order."""
    subscribe = {"op": "subscribe", "subscriptions": [{"id": 1, "channelId": channel}]}
    return [
        ("nonsense", [status(2, "JSON")]),
        ("[]", [status(2)]),
        ({"op": "dance"}, [status(2, "dance")]),
        ({"op": "subscribe"}, [status(2, "subscriptions")]),
        (b"\xff", [status(2, "255")]),
        (b"", [status(2)]),
        (b"\x03\x00", [status(2)]),
        ({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 555}]}, [status(2, "555")]),
        ({"op": "unsubscribe", "subscriptionIds": [9]}, [status(1, "9")]),
        (subscribe, []),
        (subscribe, [status(2, "1")]),
        ({"op": "subscribe", "subscriptions": [{"id": 2, "channelId": channel}]}, [status(1, "ignored")]),
        ({"op": "unsubscribe", "subscriptionIds": [1]}, []),
        ({"op": "unsubscribe", "subscriptionIds": [1]}, [status(1, "1")]),
        ({"op": "advertise", "channels": [{"id": 1, "topic": "/t", "encoding": "json", "schemaName": ""}]}, []),
        ({"op": "advertise", "channels": [{"id": 1, "topic": "/u", "encoding": "json", "schemaName": ""}]},
         [status(2, "1")]),
        (struct.pack("<BI", 1, 1) + b"{}", []),
        (struct.pack("<BI", 1, 2) + b"{}", [status(2, "2")]),
        ({"op": "unadvertise", "channelIds": [1]}, []),
        ({"op": "unadvertise", "channelIds": [1]}, [status(1, "1")]),
        ({"op": "getParameters", "parameterNames": ["playback.loop"], "id": "a"},
         [text(op="parameterValues", id="a", parameters=[{"name": "playback.loop", "value": False}])]),
        ({"op": "setParameters", "parameters": [], "id": "a"}, [text(op="parameterValues", id="a", parameters=[])]),
        ({"op": "setParameters", "parameters": [{"name": "nobody", "value": 1}]}, [status(2, "nobody")]),
        ({"op": "subscribeParameterUpdates", "parameterNames": ["playback.loop"]}, []),
        ({"op": "unsubscribeParameterUpdates", "parameterNames": []}, []),
        ({"op": "subscribeConnectionGraph"}, [text(op="connectionGraphUpdate")]),
        ({"op": "unsubscribeConnectionGraph"}, []),
        ({"op": "fetchAsset", "uri": "package://a.stl", "requestId": 7}, [asset_error(7)]),
        (struct.pack("<BIII", 2, 99, 123, 0), [text(op="serviceCallFailure", serviceId=99, callId=123)]),
        (struct.pack("<BIII4s", 2, 99, 124, 400, b"json"), [status(2, "encoding")]),
    ]


def absent():
    """The same to a server of a file that grows, which has neither parameters, services nor playback control."""
    absent = "does not have the capability"
    return [
        ({"op": "getParameters", "parameterNames": [], "id": "a"}, [status(2, absent, "parameters")]),
        ({"op": "setParameters", "parameters": [], "id": "a"}, [status(2, absent, "parameters")]),
        ({"op": "subscribeParameterUpdates", "parameterNames": []}, [status(2, absent, "parametersSubscribe")]),
        ({"op": "fetchAsset", "uri": "package://a.stl", "requestId": 7}, [asset_error(7)]),
        (struct.pack("<BIII", 2, 99, 123, 0), [text(op="serviceCallFailure", serviceId=99, callId=123)]),
        (struct.pack("<BBfBQI", 3, 0, 1.0, 0, 0, 1) + b"r", [status(2, absent, "playbackControl")]),
    ]


def is_answer(frame):
    # not what all clients are told
    if isinstance(frame, str):
        return json.loads(frame)["op"] not in ("advertise", "unadvertise")
    return frame[0] == 4


async def answers():
    """Each thing that is asked is answered as often as it should be, in every subprotocol, and the connection goes on."""
    # nothing is played, so that there are only answers
    async with serving(DEMO, "--start-paused") as server:
        await asked(server, cases)
    async with serving("--follow", DEMO) as server:
        await asked(server, lambda _channel: absent())


async def asked(server, cases):
    for protocol in (OLD, SDK, TABLE):
        address = f"ws://127.0.0.1:{server.port}"
        async with websockets.connect(address, subprotocols=[protocol], compression=None) as socket:
            heard = []
            equal(json.loads(await socket.recv())["op"], "serverInfo", "first message")
            advertise = json.loads(await socket.recv())
            equal(advertise["op"], "advertise", "second message")

            async def hear():
                async for frame in socket:
                    heard.append(frame)
            hearing = asyncio.create_task(hear())

            async def fence():
                # answered after all before it
                await (await socket.ping())
            await fence()
            for said, expected in cases(advertise["channels"][0]["id"] if advertise["channels"] else None):
                heard.clear()
                await socket.send(json.dumps(said) if isinstance(said, dict) else said)
                await fence()
                got = [frame for frame in heard if is_answer(frame)]
                fits = len(got) == len(expected) and all(is_it(frame) for is_it, frame in zip(expected, got))
                equal(fits, True, f"{protocol}: the answer to {said!r:.100}: {got!r:.200}")
            hearing.cancel()


TRIALS = dict(answers=answers)
