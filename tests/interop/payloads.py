"""Decodes payloads with the packages of others, and compares field for field with the JSON that the bridge makes of them.

`payloads.py FILE`: a line for each channel, with its encoding and schema, then one for each message, with the payload and
the JSON. What JSON does not have is a string in it ("NaN").
"""

import base64
import contextlib
import dataclasses
import importlib
import json
import math
import struct
import sys

import google.protobuf.descriptor_pb2
from google.protobuf import descriptor_pool, json_format, message_factory
from mcap.records import Schema
from mcap_ros1.decoder import DecoderFactory as Ros1
from mcap_ros2.decoder import DecoderFactory as Ros2
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore


class Generated:
    """A table or struct of FlatBuffers, read by the code that their compiler made for its type."""

    def __init__(self, table):
        self.table = table

    def compare(self, path, ours):
        for name, value in ours.items():
            method = name.title().replace("_", "")
            read = getattr(self.table, method)
            if isinstance(value, list):
                assert getattr(self.table, f"{method}Length")() == len(value), f"{path}.{name}"
                for place, element in enumerate(value):
                    same(f"{path}.{name}[{place}]", element, self.part(method, read(place)))
            else:
                same(f"{path}.{name}", value, self.part(method, read()))

    def part(self, method, value):
        if hasattr(value, "_tab"):
            return Generated(value)
        for enum in (f"{type(self.table).__name__}{method}", method):
            with contextlib.suppress(ImportError):
                names = vars(generated(enum))
                return next(name for name, number in names.items() if number == value)
        return value.decode() if isinstance(value, bytes) else value


def generated(name):
    return getattr(importlib.import_module(f"foxglove_schemas_flatbuffer.{name}"), name)


def plain(value):
    """Messages of any package as dicts and lists; bytes stay bytes."""
    if hasattr(value, "tolist") and getattr(value, "dtype", None) == "uint8":
        return bytes(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if dataclasses.is_dataclass(value):
        # constants are among them
        fields = [field for field in dataclasses.fields(value) if "ClassVar" not in str(field.type)]
        names = [field.name for field in fields if field.name != "__msgtype__"]
        return {name: plain(getattr(value, name)) for name in names}
    if hasattr(value, "__slots__"):
        return {name: plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def ros(value):
    """The names that the bridge gives to the parts of a time, and none for the byte of an empty message."""
    if isinstance(value, dict):
        value = {name: ros(part) for name, part in value.items()}
        value.pop("structure_needs_at_least_one_member", None)
        if set(value) == {"sec", "nanosec"}:
            return {"sec": value["sec"], "nsec": value["nanosec"]}
        if set(value) == {"secs", "nsecs"}:
            return {"sec": value["secs"], "nsec": value["nsecs"]}
        return value
    return [ros(part) for part in value] if isinstance(value, list) else value


def same(path, ours, theirs):
    """Fails where two messages differ."""
    if isinstance(theirs, Generated):
        theirs.compare(path, ours)
    elif isinstance(theirs, dict):
        assert isinstance(ours, dict) and list(ours) == list(theirs), f"{path}: {list(ours)}, {list(theirs)}"
        for name in theirs:
            same(f"{path}.{name}", ours[name], theirs[name])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), f"{path}: {len(ours)} elements, {len(theirs)}"
        for place, (one, other) in enumerate(zip(ours, theirs)):
            same(f"{path}[{place}]", one, other)
    elif isinstance(ours, str) and isinstance(theirs, (bytes, list)):
        assert base64.b64decode(ours) == bytes(number % 256 for number in theirs), path
    elif isinstance(theirs, float):
        if ours == "NaN":
            assert math.isnan(theirs), f"{path}: {ours}, {theirs}"
        elif isinstance(ours, str):
            assert float(ours) == theirs, f"{path}: {ours}, {theirs}"
        else:
            # a number of 32 bits has only the digits that it needs
            is_short = struct.unpack("f", struct.pack("f", theirs))[0] == theirs if abs(theirs) < 3.4e38 else False
            short = struct.unpack("f", struct.pack("f", ours))[0] if is_short else ours
            assert isinstance(ours, (int, float)) and theirs in (ours, short), f"{path}: {ours}, {theirs}"
            assert math.copysign(1, ours) == math.copysign(1, theirs), f"{path}: {ours}, {theirs}"
    else:
        assert type(ours) is type(theirs) and ours == theirs, f"{path}: {ours!r}, {theirs!r}"


def idl_types(schema):
    """A store with the types of a schema in IDL."""
    store = get_typestore(Stores.EMPTY)
    parts = schema["text"].split("=" * 80 + "\n")
    for part in filter(str.strip, parts):
        head, _, text = part.partition("\n")
        store.register(get_types_from_idl(text if head.startswith("IDL: ") else part))
    return store


def msg_types(schema, name):
    store = get_typestore(Stores.EMPTY)
    text = schema["text"]
    if "\n---\n" in text:
        # what rosbag2 writes for the event of a service is the service
        service = schema["name"].removesuffix("_Event").replace("/srv/", "/msg/")
        request, response = text.split("\n---\n")
        store.register(get_types_from_msg(request, f"{service}_Request"))
        store.register(get_types_from_msg(response, f"{service}_Response"))
        store.register(get_types_from_msg("int32 sec\nuint32 nanosec", "builtin_interfaces/msg/Time"))
        info = "uint8 event_type\nbuiltin_interfaces/Time stamp\nuint8[16] client_gid\nint64 sequence_number"
        store.register(get_types_from_msg(info, "service_msgs/msg/ServiceEventInfo"))
        last = service.rpartition("/")[2]
        text = f"service_msgs/ServiceEventInfo info\n{last}_Request[<=1] request\n{last}_Response[<=1] response"
    store.register(get_types_from_msg(text, name))
    return store


def readers(channel):
    """What reads the payloads of a channel: functions from bytes to a message like ours."""
    schema = channel["schema"]
    encoding, language = channel["encoding"], schema["encoding"] if schema else ""
    if schema:
        schema["data"] = base64.b64decode(schema["data"])
        if language != "protobuf":
            schema["text"] = schema["data"].decode(errors="replace")
    if encoding == "json":
        return [json.loads]
    if encoding in ("cdr", "ros1") and language in ("ros2msg", "ros1msg", "ros2idl"):
        package, _, last = schema["name"].partition("/")
        name = f"{package}/msg/{last.rpartition('/')[2]}"
        store = idl_types(schema) if language == "ros2idl" else msg_types(schema, name)
        if encoding == "ros1":
            other = Ros1().decoder_for("ros1", Schema(1, schema["data"], language, schema["name"]))
            return [
                lambda payload: ros(plain(store.deserialize_ros1(payload, name))),
                lambda payload: ros(plain(other(payload))),
            ]
        found = [lambda payload: ros(plain(store.deserialize_cdr(payload, name)))]
        if language == "ros2msg" and "\n---\n" not in schema["text"]:
            other = Ros2().decoder_for("cdr", Schema(1, schema["data"], language, schema["name"]))
            found.append(lambda payload: ros(plain(other(payload))))
        return found
    if language == "omgidl":
        # no package here reads types without modules
        schema["text"] = schema["text"].replace("@extensibility(APPENDABLE)", "")
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_idl("module a { module msg {" + schema["text"] + "};};"))
        return [lambda payload: plain(store.deserialize_cdr(payload, f"a/msg/{schema['name']}"))]
    if encoding == "protobuf":
        pool = descriptor_pool.DescriptorPool()
        files = google.protobuf.descriptor_pb2.FileDescriptorSet.FromString(schema["data"]).file
        waiting = list(files)
        while waiting:
            ready = [f for f in waiting if not set(f.dependency) & {other.name for other in waiting}]
            assert ready, "imports in a circle"
            for file in ready:
                pool.Add(file)
                waiting.remove(file)
        descriptor = pool.FindMessageTypeByName(schema["name"])
        message = message_factory.GetMessageClass(descriptor)
        return [lambda payload: protobuf(message.FromString(payload))]
    if encoding == "flatbuffer":
        kind = generated(schema["name"].removeprefix("foxglove."))
        return [lambda payload: Generated(kind.GetRootAs(payload, 0))]
    return [lambda payload: base64.b64encode(payload).decode()]


def protobuf(message):
    mapped = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return in_order(message.DESCRIPTOR, mapped)


def in_order(descriptor, mapped):
    """The fields in the order of the definition, integers of 64 bits as numbers."""
    if not isinstance(mapped, dict) or descriptor.full_name.startswith("google.protobuf."):
        return mapped
    ordered = {}
    for field in descriptor.fields:
        if field.name not in mapped:
            continue
        value = mapped[field.name]
        if field.message_type and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            value = {key: converted(inner, part) for key, part in value.items()}
        elif isinstance(value, list):
            value = [converted(field, part) for part in value]
        else:
            value = converted(field, value)
        ordered[field.name] = value
    return ordered


def converted(field, value):
    if field.message_type:
        return in_order(field.message_type, value)
    is_long = field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64)
    return int(value) if is_long else value


def main():
    channels, compared, failed = {}, 0, 0
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            line = json.loads(line)
            if "encoding" in line:
                assert line["error"] is None, f"{line['topic']}: {line['error']}"
                channels[line["channel"]] = (line["topic"], readers(line))
                continue
            topic, found = channels[line["channel"]]
            payload = base64.b64decode(line["payload"])
            if "failed" in line:
                # others have to fail as well
                failed += 1
                for reader in found:
                    try:
                        reader(payload)
                    except Exception:
                        continue
                    raise AssertionError(f"{topic}: {line['failed']}, but others read it")
                continue
            assert line["left"] == 0, f"{topic}: {line['left']} bytes are left"
            for reader in found:
                same(topic, line["json"], reader(payload))
                compared += 1
    print(f"{compared} compared, {failed} failed")


main()
