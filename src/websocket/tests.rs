//! A client against a server, in memory.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::prelude::*;

use super::deflate::{Context, Deflater};
use super::negotiation::{Agreement, accept_answer, negotiate, offer};
use super::*;

const MAX_MESSAGE: usize = 1 << 20;

/// A message, or a control frame.
#[derive(Debug, Clone)]
enum Sent {
    Message { is_text: bool, is_compressed: bool, payload: String },
    Ping,
    Pong(Vec<u8>),
}

impl Sent {
    fn event(&self) -> Event {
        match self {
            Self::Message { is_text: true, payload, .. } => Event::Text(payload.clone()),
            Self::Message { payload, .. } => Event::Binary(payload.clone().into()),
            Self::Ping => Event::Ping(Bytes::new()),
            Self::Pong(_) => Event::Pong,
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    // referenced from 4096 bytes on
    let payload = prop_oneof![
        ".{0,40}",
        "[a-c]{0,300}",
        (".{1,9}", 1usize..7000).prop_map(|(word, times)| word.repeat(times)),
    ];
    prop_oneof![
        8 => (any::<bool>(), any::<bool>(), payload).prop_map(|(is_text, is_compressed, payload)| {
            Sent::Message { is_text, is_compressed, payload }
        }),
        1 => Just(Sent::Ping),
        1 => prop::collection::vec(any::<u8>(), 0..126).prop_map(Sent::Pong),
    ]
}

/// One end: what it sends, and what it makes of bytes of the other end.
struct End<M> {
    role: Role,
    agreement: Option<Agreement>,
    deflater: Deflater,
    writer: FrameWriter<M>,
    decoder: Decoder,
}

impl<M: Masking> End<M> {
    fn new(role: Role, agreement: Option<Agreement>, writer: FrameWriter<M>) -> Self {
        let bits = agreement.and_then(|agreement| agreement.server_max_window_bits);
        let bits = if role == Role::Server { bits.unwrap_or(15) } else { 15 };
        let decoder = Decoder::new(role, MAX_MESSAGE, agreement);
        Self { role, agreement, deflater: Deflater::new(1, 6, bits), writer, decoder }
    }

    fn send(&mut self, sent: &Sent) {
        match (sent, self.agreement) {
            (Sent::Message { is_text, is_compressed: true, payload }, Some(agreement)) => {
                let mut compressed = Vec::new();
                self.deflater.deflate(payload.as_bytes(), &mut compressed);
                self.deflater.finish(&mut compressed);
                if agreement.context(self.role) == Context::Alone {
                    self.deflater.reset();
                }
                if *is_text {
                    self.writer.compressed_text(&compressed);
                } else {
                    self.writer.compressed_binary(&compressed);
                }
            }
            (Sent::Message { is_text: true, payload, .. }, _) => self.writer.text(payload.clone().into()),
            (Sent::Message { payload, .. }, _) => {
                let (header, rest) = payload.as_bytes().split_at(payload.len().min(13));
                self.writer.message(header, rest, || Bytes::copy_from_slice(rest));
            }
            (Sent::Ping, _) => self.writer.ping(),
            (Sent::Pong(payload), _) => self.writer.pong(payload),
        }
    }

    /// Takes at most `step` bytes of what waits.
    fn write(&mut self, step: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 4];
        let used = self.writer.slices(&mut slices);
        let mut out: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
        out.truncate(step);
        self.writer.advance(out.len());
        out
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Violation> {
        let (mut input, mut events) = (bytes, Vec::new());
        while let Some(event) = self.decoder.decode(&mut input)? {
            events.push(event);
        }
        assert!(input.is_empty());
        Ok(events)
    }
}

/// Both ends after their handshake.
fn connect(offered: Option<&str>) -> (End<impl Masking>, End<Unmasked>) {
    let agreement = offered.map(|offered| {
        let answer = negotiate([offered]).unwrap();
        assert_eq!(accept_answer([answer.to_string().as_str()]), Ok(Some(answer)));
        answer
    });
    let mut state = 7u32;
    let keys = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()
    };
    let client = End::new(Role::Client, agreement, FrameWriter::new(keys));
    (client, End::new(Role::Server, agreement, FrameWriter::default()))
}

fn exchange<A: Masking, B: Masking>(
    from: &mut End<A>,
    to: &mut End<B>,
    messages: &[Sent],
    cuts: &[usize],
) -> Vec<Event> {
    messages.iter().for_each(|message| from.send(message));
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
    let mut events = Vec::new();
    while !from.writer.is_empty() {
        events.extend(to.receive(&from.write(cuts.next().unwrap())).unwrap());
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn messages_arrive_in_both_directions_wherever_they_are_cut(
        requests in prop::collection::vec(sent(), 0..8),
        answers in prop::collection::vec(sent(), 0..8),
        cuts in prop::collection::vec(prop_oneof![1usize..4, 1usize..300, 1usize..9000], 0..100),
        offered in prop_oneof![
            Just(None),
            Just(Some(offer())),
            (9u8..=15, any::<bool>()).prop_map(|(bits, alone)| {
                let alone = if alone { "; server_no_context_takeover" } else { "" };
                Some(format!("{}; server_max_window_bits={bits}{alone}", offer()))
            }),
        ],
    ) {
        let (mut client, mut server) = connect(offered.as_deref());
        for _ in 0..2 {
            let expected: Vec<_> = requests.iter().map(Sent::event).collect();
            prop_assert_eq!(exchange(&mut client, &mut server, &requests, &cuts), expected);
            let expected: Vec<_> = answers.iter().map(Sent::event).collect();
            prop_assert_eq!(exchange(&mut server, &mut client, &answers, &cuts), expected);
        }
    }
}

#[test]
fn an_end_refuses_frames_of_its_own_kind() {
    let (mut client, mut server) = connect(None);
    client.writer.ping();
    server.writer.ping();
    let (masked, unmasked) = (client.write(usize::MAX), server.write(usize::MAX));
    assert_eq!(server.receive(&unmasked).map_err(|violation| violation.code), Err(1002));
    assert_eq!(client.receive(&masked).map_err(|violation| violation.code), Err(1002));
    let (mut client, mut server) = connect(None);
    assert_eq!(server.receive(&masked), Ok(vec![Event::Ping(Bytes::new())]));
    assert_eq!(client.receive(&unmasked), Ok(vec![Event::Ping(Bytes::new())]));
}

#[test]
fn a_message_over_the_limit_is_refused_by_either_end() {
    for offered in [None, Some(offer())] {
        let (mut client, mut server) = connect(offered.as_deref());
        let payload = "x".repeat(MAX_MESSAGE + 1);
        let message = Sent::Message { is_text: false, is_compressed: true, payload };
        client.send(&message);
        server.send(&message);
        let (mut seen_by_server, mut seen_by_client) = (Ok(vec![]), Ok(vec![]));
        while !client.writer.is_empty() && seen_by_server.is_ok() {
            seen_by_server = server.receive(&client.write(1000));
        }
        while !server.writer.is_empty() && seen_by_client.is_ok() {
            seen_by_client = client.receive(&server.write(1000));
        }
        assert_eq!(seen_by_server.map_err(|violation| violation.code), Err(1009));
        assert_eq!(seen_by_client.map_err(|violation| violation.code), Err(1009));
    }
}

#[test]
fn either_end_closes_and_is_answered() {
    let (mut client, mut server) = connect(None);
    server.writer.close(1001, "the server stops");
    assert_eq!(client.receive(&server.write(usize::MAX)), Ok(vec![Event::Close(Some(1001))]));
    client.writer.close_answer(Some(1001));
    assert_eq!(server.receive(&client.write(usize::MAX)), Ok(vec![Event::Close(Some(1001))]));
    let (mut client, mut server) = connect(None);
    client.writer.close_answer(None);
    assert_eq!(server.receive(&client.write(usize::MAX)), Ok(vec![Event::Close(None)]));
}
