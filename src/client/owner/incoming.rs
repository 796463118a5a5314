//! What comes in: messages of the server, and commands of handles.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::super::connection::{Connection, Incoming};
use super::super::event::SMALLEST;
use super::super::state::Output;
use super::takers::PER_MESSAGE;
use super::{Command, End, Owner};
use crate::protocol::ServerMessage;
use crate::websocket::Event as Received;

impl Owner {
    /// Takes what came; an end if it is one.
    pub(super) fn on_incoming(&mut self, incoming: Incoming, connection: &mut Connection) -> Option<End> {
        let event = match incoming {
            Incoming::Written => return None,
            Incoming::Lost(reason) => return Some(End::Lost(reason)),
            Incoming::Violation(violation) => {
                connection.close(violation.code, violation.reason);
                return Some(End::Lost(format!("the server broke a rule of WebSocket: {violation}")));
            }
            Incoming::Event(event) => event,
        };
        let (decoded, bytes) = match event {
            Received::Ping(payload) => {
                connection.pong(payload);
                return None;
            }
            Received::Pong => return None,
            Received::Close(code) => {
                connection.close_answer(code);
                return Some(match code {
                    Some(1000) => End::Finished,
                    Some(code) => End::Lost(format!("the server closed the connection with code {code}")),
                    None => End::Lost("the server closed the connection".to_owned()),
                });
            }
            Received::LongText(bytes) => {
                self.state.on_long_text(bytes);
                self.perform(Some(connection));
                return None;
            }
            Received::Text(text) => (ServerMessage::decode_text(&text), text.len()),
            Received::Binary(frame) => {
                let bytes = frame.len();
                (ServerMessage::decode_binary(frame), bytes)
            }
            Received::Head { head, length } => (ServerMessage::decode_binary(head), length),
        };
        match decoded {
            Err(error) => self.state.on_nonsense(&error),
            Ok(message) if self.takers.full().is_some() && !self.state.is_answer(&message) => {
                self.held_bytes += bytes + PER_MESSAGE;
                self.held.push_back((message, bytes));
            }
            Ok(message) => self.state.on_message(message, bytes, connection.heard().into_std()),
        }
        let reason = self.perform(Some(connection))?;
        Some(self.refused(connection, reason))
    }

    /// There is room: what was held goes on, until there is none any more.
    pub(super) fn hand_on(&mut self, connection: &mut Connection) -> Option<&'static str> {
        self.takers.look_for_room();
        let now = Instant::now().into_std();
        while self.takers.full().is_none() {
            let Some((message, bytes)) = self.held.pop_front() else { break };
            self.held_bytes -= bytes + PER_MESSAGE;
            self.state.on_message(message, bytes, now);
            if let Some(reason) = self.perform(Some(connection)) {
                return Some(reason);
            }
        }
        None
    }

    /// The server has sent more than is kept.
    pub(super) fn refused(&self, connection: &mut Connection, reason: &str) -> End {
        connection.close(1008, reason);
        End::Lost(format!("the connection was ended: {reason}"))
    }

    /// Does what the state wants done; the reason if it wants the connection to end.
    pub(super) fn perform(&mut self, mut connection: Option<&mut Connection>) -> Option<&'static str> {
        self.shown.can_publish.store(self.state.can_publish(), Ordering::Relaxed);
        while let Some(output) = self.state.next_output() {
            match (output, &mut connection) {
                (Output::Send(message), Some(connection)) => connection.send(message.encode()),
                (Output::Send(_), None) => {}
                (Output::Deliver { takers, message, length }, connection) => {
                    let at = connection.as_ref().map_or_else(Instant::now, |connection| connection.heard());
                    self.takers.deliver(&takers, message, length, at.into_std());
                }
                (Output::Tell(event, bytes), _) => self.takers.tell(event, bytes),
                (Output::Fail(reason), _) => return Some(reason),
            }
        }
        None
    }

    /// The connection is gone: what came before its end is handed on, whether or not there is room.
    pub(super) fn disconnected(&mut self) {
        let now = Instant::now().into_std();
        for (message, bytes) in std::mem::take(&mut self.held) {
            self.state.on_message(message, bytes, now);
            self.perform(None);
        }
        self.held_bytes = 0;
        self.takers.forget_full();
        self.state.on_disconnected();
        self.perform(None);
    }

    /// Takes a command; false: it ends the client.
    pub(super) fn on_command(&mut self, command: Option<Command>) -> bool {
        let now = Instant::now().into_std();
        match command {
            // the last handle is gone
            None => return false,
            Some(Command::Close(done)) => {
                self.closers.push(done);
                return false;
            }
            Some(Command::Subscribe(id, topics, taker)) => {
                self.takers.add(id, taker);
                self.state.subscribe(id, topics);
            }
            Some(Command::Unsubscribe(taker)) => {
                self.takers.remove(taker);
                self.state.unsubscribe(taker);
            }
            Some(Command::Listen(inbox)) => {
                let now = self.state.now().into_iter().map(|event| (event, SMALLEST)).collect();
                self.takers.listen(inbox, now);
            }
            Some(Command::Request(request, deadline)) => self.state.request(request, deadline, now),
            Some(Command::Change(change, reply)) => reply(self.state.change(change)),
            Some(Command::Publish(data, permit)) => {
                self.state.publish(data);
                drop(permit);
            }
            Some(Command::Look(look)) => look(&self.state),
        }
        true
    }
}
