"""Cuts the first seconds out of a recording, for `testdata/`.

    python make_testdata.py INPUT OUTPUT [SECONDS]

Channels, schemas, metadata and the order of the messages in the file stay as they are; chunks become zstd with
CRC, with message index and summary. Attachments whose time lies behind the cut move to its end.
Needs the packages of requirements.txt.
"""

import sys

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

CHUNK_SIZE = 512 * 1024


def cut(source, target, seconds):
    """Writes the messages of the first seconds, both ends included; returns how many."""
    reader = make_reader(source)
    header, summary = reader.get_header(), reader.get_summary()
    end = summary.statistics.message_start_time + int(seconds * 1e9)
    writer = Writer(target, chunk_size=CHUNK_SIZE, compression=CompressionType.ZSTD, enable_crcs=True)
    writer.start(profile=header.profile, library="foxglove-bridge testdata, python mcap")

    schemas = {0: 0}
    for schema in sorted(summary.schemas.values(), key=lambda s: s.id):
        schemas[schema.id] = writer.register_schema(schema.name, schema.encoding, schema.data)
    channels = {}
    for channel in sorted(summary.channels.values(), key=lambda c: c.id):
        channels[channel.id] = writer.register_channel(
            channel.topic, channel.message_encoding, schemas[channel.schema_id], channel.metadata
        )

    count = 0
    for _, channel, message in reader.iter_messages(log_time_order=False):
        if message.log_time <= end:
            writer.add_message(
                channels[channel.id], message.log_time, message.data, message.publish_time, message.sequence
            )
            count += 1
    for attachment in reader.iter_attachments():
        writer.add_attachment(
            attachment.create_time, min(attachment.log_time, end), attachment.name,
            attachment.media_type, attachment.data,
        )
    for metadata in reader.iter_metadata():
        writer.add_metadata(metadata.name, metadata.metadata)
    writer.finish()
    return count


if __name__ == "__main__":
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 6.0
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        print(cut(source, target, seconds), "messages")
