use proptest::prelude::*;

use super::*;

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat()
}

fn channel(topic: &[u8], metadata: &[u8]) -> Option<Definition> {
    let body = [&[1, 0, 2, 0], &text(topic)[..], &text(b"cdr"), &text(metadata)].concat();
    Definition::decode(op::CHANNEL, &body)
}

#[test]
fn text_that_is_not_utf8_costs_nothing_but_its_own_bytes() {
    let metadata = [text(b"k"), text(b"caf\xe9")].concat();
    let Some(Definition::Channel(channel)) = channel(b"/caf\xe9/x", &metadata) else { panic!() };
    assert_eq!((channel.id, channel.schema_id), (1, 2));
    assert_eq!((channel.topic.as_str(), channel.message_encoding.as_str()), ("/caf\u{fffd}/x", "cdr"));
    assert_eq!(channel.metadata["k"], "caf\u{fffd}");
    assert_eq!(Definition::Channel(channel).replaced().unwrap(), "topic /caf\u{fffd}/x");
    assert_eq!(super::Definition::replaced(&self::channel(b"/a", b"").unwrap()), None);
}

#[test]
fn schemas_that_are_text_are_made_text_and_others_left_as_they_are() {
    for (encoding, data, said) in [
        (&b"ros2msg"[..], "# 5 \u{fffd}C".as_bytes(), Text::Replaced),
        (b"jsonschema", "# 5 \u{fffd}C".as_bytes(), Text::Replaced),
        (b"protobuf", b"# 5 \xb0C", Text::Utf8),
        (b"", b"# 5 \xb0C", Text::Utf8),
    ] {
        let body = [&[7, 0], &text(b"T")[..], &text(encoding), &text(b"# 5 \xb0C")].concat();
        let Some(Definition::Schema(schema)) = Definition::decode(op::SCHEMA, &body) else { panic!() };
        assert_eq!((schema.id, &schema.schema.data[..], schema.text), (7, data, said));
    }
}

#[test]
fn a_length_beyond_the_record_is_refused_wherever_it_stands() {
    let body = [&[1, 0, 0, 0], &text(b"/a")[..], &text(b"json"), &text(&[text(b"k"), text(b"v")].concat())];
    let body = body.concat();
    assert!(Definition::decode(op::CHANNEL, &body).is_some());
    for at in [4, 10, 18, 22, 27] {
        let mut claimed = body.clone();
        claimed[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Definition::decode(op::CHANNEL, &claimed), None, "{at}");
    }
    let mut chunk_index = vec![0; 32];
    chunk_index.extend(u32::MAX.to_le_bytes());
    assert_eq!(ChunkIndexRecord::decode(&chunk_index), None);
}

#[test]
fn an_entry_that_reaches_beyond_its_map_is_refused() {
    assert_eq!(channel(b"/a", &[&text(b"k")[..], &[9, 0, 0, 0, b'v']].concat()), None);
    assert_eq!(channel(b"/a", &[1, 0]), None);
}

proptest! {
    #[test]
    fn whatever_is_in_a_record_it_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200), small in any::<bool>()) {
        // small numbers make lengths that fit
        let body: Vec<u8> = body.into_iter().map(|byte| if small { byte % 3 } else { byte }).collect();
        for opcode in [op::SCHEMA, op::CHANNEL] {
            Definition::decode(opcode, &body);
        }
        if let Some(head) = ChunkHead::decode(&body) {
            prop_assert!(head.length <= body.len() as u64);
        }
        if let Some(head) = AttachmentHead::decode(&body) {
            prop_assert!(head.data_start <= body.len() as u64);
        }
        HeaderRecord::decode(&body);
        MetadataRecord::decode(&body);
        FooterRecord::decode(&body);
        ChunkIndexRecord::decode(&body);
        StatisticsRecord::decode(&body);
    }
}
