//! What a scan comes to, and what the user is told of it.

use std::path::Path;

use super::{Scan, unusable};
use crate::source::SourceError;
use crate::source::mcap::faults::NOTHING_TO_RECOVER;
use crate::source::mcap::survey::{Survey, Unused};
use crate::source::paths::file_name;

impl<R> Scan<'_, R> {
    pub(super) fn conclude(self, unused: Option<Unused>) -> Result<Survey, SourceError> {
        let Self { name, mut survey, ids, found, payloads, faults, mismatches, walker, .. } = self;
        survey.size = walker.read_offset();
        survey.replaced = survey.replaced.or(ids.replaced);
        let reused = ids.reused;
        let undefined = found.into_survey(&mut survey, ids.parts, ids.channels, payloads);
        survey.note_unused(ids.distinct_schemas);
        let messages = survey.message_count.unwrap_or(0);
        survey.complete = faults.is_empty();
        if !survey.complete && messages == 0 {
            return Err(unusable(name, format!("{faults}; {NOTHING_TO_RECOVER}")));
        }
        let name = file_name(Path::new(name));
        if !survey.complete {
            survey.warnings.push(format!("{name} is damaged: {faults}; recovered {messages} messages"));
        }
        if ids.recordings > 1 {
            survey.warnings.push(format!(
                "{name} holds {} recordings one after the other; all of them play, with {messages} messages",
                ids.recordings
            ));
        } else if let Some(Unused { reason, .. }) = unused.as_ref().filter(|_| survey.complete) {
            survey
                .warnings
                .push(format!("{name} was read through once, since {reason}; it has {messages} messages"));
        }
        if !mismatches.is_empty() {
            survey.warnings.push(format!("{name} is damaged: {mismatches}"));
        }
        survey.damaged_at = faults.places().to_vec();
        survey.damage = faults.into_list();
        survey.damage.extend(mismatches.into_list());
        // of recordings that were joined the last summary does not tell where things are in the file
        let damaged = unused.filter(|unused| unused.is_damage && ids.recordings < 2);
        survey.damage.extend(damaged.map(|unused| unused.reason));
        if undefined > 0 {
            let reason = format!("{undefined} messages of channels that it does not define are left out");
            survey.warnings.push(format!("{name}: {reason}"));
            survey.damage.push(reason);
        }
        survey.warnings.extend(reused.map(|reused| format!("{name}: {reused}")));
        survey.finish(&name);
        Ok(survey)
    }
}
