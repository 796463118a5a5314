//! What the reader has read, and what it could not read.

use std::time::Instant;

use super::read_ahead::Failed;
use super::start::Start;
use super::{Machine, Material, Phase};
use crate::hub::ClientId;
use crate::playback::stage::Stage;
use crate::source::reader::ReaderEvent;
use crate::source::{ErrorKind, SourceError};

impl Machine {
    /// The reader has read something, or could not.
    pub(in crate::playback) fn on_read(&mut self, event: ReaderEvent, stage: &mut impl Stage, now: Instant) {
        match event {
            ReaderEvent::Batch { epoch, .. }
            | ReaderEvent::End { epoch }
            | ReaderEvent::Failed { epoch, .. }
            | ReaderEvent::State { epoch, .. }
                if self.ahead.is_stale(epoch) => {}
            ReaderEvent::Batch { batch, .. } => {
                if let (true, Some(first)) = (self.timeline.is_empty(), batch.entries.first()) {
                    self.timeline.restart(first.log_time, now);
                    self.set_shift(stage, now);
                }
                if self.ahead.on_batch(batch) {
                    tracing::info!("reading goes on");
                }
                self.announce(stage, now);
            }
            ReaderEvent::End { .. } => {
                self.ahead.on_end();
                self.on_nothing_to_subscribe(now);
            }
            ReaderEvent::Failed { error, .. } => self.on_failed(error, stage, now),
            ReaderEvent::State { token, mut batch, .. } => {
                self.ahead.on_state(&mut batch);
                let batch = match &mut self.shift {
                    Some(shift) => shift.part(&batch, 0..batch.entries.len(), stage.wall_clock()),
                    None => batch,
                };
                stage.backfill(batch, token.map(ClientId::from_token), now);
                if token.is_none() && matches!(self.phase, Phase::Playing) && self.silent_until.is_none() {
                    self.run(stage, now);
                }
            }
        }
    }

    fn on_failed(&mut self, error: SourceError, stage: &mut impl Stage, now: Instant) {
        let failed = self.ahead.on_failed(&error, now);
        match (&self.material, failed) {
            (Material::Streamed { .. }, Failed::Retried { .. }) if error.kind() == ErrorKind::Fatal => {
                self.ahead.stop();
                if self.timeline.is_empty() {
                    // no message has come: there is nothing to wait for
                    self.phase = Phase::Ended;
                    stage.finished(Err(error));
                } else {
                    self.failure = Some(error);
                }
            }
            (_, Failed::Retried { log: false }) => {}
            (_, Failed::Retried { log: true }) => {
                tracing::error!("{error}; reading is tried again and again");
                let text = "the recording could not be read for a while; the server's log says why";
                stage.notice(text);
            }
            (_, Failed::Skipped | Failed::State) => {
                tracing::error!("{error}; the rest is played");
                let text = "a damaged part of the recording is left out; the server's log says where";
                stage.notice(text);
            }
        }
    }

    /// A stream that ends without a channel does not wait for clients: nobody can subscribe to nothing.
    fn on_nothing_to_subscribe(&mut self, now: Instant) {
        if let (true, Phase::Waiting { start, .. }) = (self.channels.is_empty(), &mut self.phase) {
            start.get_or_insert_with(|| Start::at(now));
        }
    }
}
