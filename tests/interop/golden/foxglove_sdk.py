"""Records what the WebSocket server of PyPI foxglove-sdk sends, over a local socket.

    pip install -r requirements.txt && python foxglove_sdk.py > ../../../testdata/wire/foxglove-sdk-python-0.30.3.json
"""

import json
import struct

from foxglove import Channel, Schema, StatusLevel, start_server
from foxglove.websocket import (
    Capability,
    ConnectionGraph,
    MessageSchema,
    Parameter,
    PlaybackState,
    PlaybackStatus,
    ServerListener,
    Service,
    ServiceSchema,
)
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

START = 1490149580_103843113
END = 1490149600_000000001

frames = []


class Listener(ServerListener):
    def on_get_parameters(self, client, param_names, request_id=None):
        return [
            Parameter("/int", value=7),
            Parameter("/integral_float", value=7.0),
            Parameter("/float", value=0.1),
            Parameter("/floats", value=[1.0, 2.5, -3.0]),
            Parameter("/ints", value=[1, 2]),
            Parameter("/bytes", value=b"\x00\xff\x10"),
            Parameter("/text", value='a\nb "\u00b5"'),
            Parameter("/flag", value=True),
            Parameter("/nested", value={"a": [{"b": "x"}], "d": {}}),
        ]

    def on_playback_control_request(self, request):
        return PlaybackState(
            status=PlaybackStatus.Playing,
            current_time=START if request.seek_time is None else request.seek_time,
            playback_speed=request.playback_speed,
            did_seek=request.seek_time is not None,
            request_id=request.request_id,
        )


def frame_of(name, data):
    text = isinstance(data, str)
    return {
        "name": name,
        "direction": "server",
        "kind": "text" if text else "binary",
        "data": data if text else data.hex(),
    }


def asset(uri):
    return b"\x00\x01\xfe\xff" if uri == "package://robot/arm.stl" else None


def refuse(request):
    raise RuntimeError("no")


def service(name, handler=lambda request: b'{"ok":true}'):
    schema = Schema(name="Empty", encoding="jsonschema", data=b'{"type":"object"}')
    message = MessageSchema(encoding="json", schema=schema)
    return Service(name, schema=ServiceSchema(name="Set", request=message, response=message), handler=handler)


def main():
    any_json = Schema(name="Pose", encoding="jsonschema", data=b'{"type":"object"}')
    pose = Channel("/pose", schema=any_json, message_encoding="json")
    protobuf = Schema(name="P", encoding="protobuf", data=b"\x0a\x00")
    Channel("/p", schema=protobuf, message_encoding="protobuf", metadata={"latching": "true"})
    Channel("/bare", message_encoding="json")

    server = start_server(
        name="golden",
        port=0,
        capabilities=[
            Capability.ClientPublish,
            Capability.ConnectionGraph,
            Capability.Parameters,
            Capability.Services,
            Capability.Time,
        ],
        server_listener=Listener(),
        supported_encodings=["json"],
        services=[service("/set"), service("/refuse", refuse)],
        asset_handler=asset,
        session_id="session-1",
        playback_time_range=(START, END),
    )
    url = f"ws://127.0.0.1:{server.port}"

    try:
        connect(url, subprotocols=["foxglove.websocket.v1"])
    except InvalidStatus as error:
        assert error.response.status_code == 400
    else:
        raise AssertionError("the SDK accepts foxglove.websocket.v1: update protocol.md")

    with connect(url, subprotocols=["foxglove.websocket.v1", "foxglove.sdk.v1"]) as socket:
        assert socket.subprotocol == "foxglove.sdk.v1"

        def hear(name):
            data = socket.recv(timeout=5)
            frames.append(frame_of(name, data))
            return json.loads(data) if isinstance(data, str) else data

        def say(op, **fields):
            socket.send(json.dumps({"op": op, **fields}))

        hear("server_info")
        channels = hear("advertise")["channels"]
        services = {s["name"]: s["id"] for s in hear("advertise_services")["services"]}

        pose_id = next(c["id"] for c in channels if c["topic"] == "/pose")
        say("subscribe", subscriptions=[{"id": 12, "channelId": pose_id}])
        say("subscribe", subscriptions=[{"id": 13, "channelId": 4000000}])
        hear("status_unknown_channel")
        pose.log({"x": 1}, log_time=START)
        hear("message_data")
        say("bogus")
        hear("status_unknown_op")

        server.broadcast_time(START)
        hear("time")
        server.publish_status('hello "\u00b5"', StatusLevel.Info)
        hear("status_info")
        server.publish_status("slow", StatusLevel.Warning, "s-1")
        hear("status_with_id")
        server.remove_status(["s-1", "s-2"])
        hear("remove_status")

        say("getParameters", parameterNames=[], id="req-1")
        hear("parameter_values")
        say("setParameters", parameters=[{"name": "/int", "value": 8}], id="req-2")
        hear("parameter_values_set")

        server.add_services([service("/late")])
        hear("advertise_services_late")
        server.remove_services(["/late"])
        hear("unadvertise_services")
        for name, call in (("/set", 1), ("/refuse", 2)):
            request = b'{"on":true}'
            head = struct.pack("<BIII", 2, services[name], call, len(b"json"))
            socket.send(head + b"json" + request)
            hear("service_call_response" if name == "/set" else "service_call_failure")

        say("fetchAsset", uri="package://robot/arm.stl", requestId=5)
        hear("fetch_asset_response")
        say("fetchAsset", uri="package://robot/none.stl", requestId=6)
        hear("fetch_asset_response_error")

        say("subscribeConnectionGraph")
        hear("connection_graph_update_empty")
        graph = ConnectionGraph()
        graph.set_published_topic("/pose", ["camera"])
        graph.set_subscribed_topic("/cmd", ["base"])
        graph.set_advertised_service("/set", ["base"])
        server.publish_connection_graph(graph)
        hear("connection_graph_update")
        server.publish_connection_graph(ConnectionGraph())
        hear("connection_graph_update_removed")

        def state(status, speed, did_seek, request_id):
            server.broadcast_playback_state(PlaybackState(status, START, speed, did_seek, request_id))

        state(PlaybackStatus.Playing, 1.0, False, None)
        hear("playback_state_playing")
        state(PlaybackStatus.Paused, 0.5, True, "req-3")
        hear("playback_state_paused_after_seek")
        state(PlaybackStatus.Buffering, 2.5, False, None)
        hear("playback_state_buffering")
        state(PlaybackStatus.Ended, 1.0, False, "")
        hear("playback_state_ended")
        request_id = b"req-4"
        socket.send(struct.pack("<BBfBQI", 3, 0, 2.0, 1, START, len(request_id)) + request_id)
        hear("playback_state_answer")

        Channel("/late", schema=any_json, message_encoding="json").close()
        hear("advertise_late")
        hear("unadvertise")
        server.clear_session("session-2")
        hear("server_info_new_session")

    with connect(url, subprotocols=["foxglove.sdk.v1", "foxglove.sdk.v1.1"]) as socket:
        assert socket.subprotocol == "foxglove.sdk.v1.1"
        for _ in ("serverInfo", "advertise"):
            frame = socket.recv(timeout=5)
        frames.append(frame_of("advertise_table", frame))
        assert json.loads(socket.recv(timeout=5))["op"] == "advertiseServices"
        again = Channel("/again", schema=any_json, message_encoding="json")
        frames.append(frame_of("advertise_table_known_schema", socket.recv(timeout=5)))
        again.close()
        assert json.loads(socket.recv(timeout=5))["op"] == "unadvertise"
        other = Schema(name="Pose", encoding="jsonschema", data=b"{}")
        Channel("/other", schema=other, message_encoding="json")
        frames.append(frame_of("advertise_table_new_schema", socket.recv(timeout=5)))
    server.stop()

    lines = ",\n".join("    " + json.dumps(frame, ensure_ascii=False) for frame in frames)
    print('{\n  "writer": "PyPI foxglove-sdk 0.30.3",\n  "frames": [\n' + lines + "\n  ]\n}")


main()
