//! How many messages of each channel there are in the recordings: asked once, since it does not change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::hub::capability::recording::{Recordings, TopicTimeline};
use crate::model::ChannelId;
use crate::time::TimeRange;

/// How long an answer waits for the counts. Who asks later has them.
const PATIENCE: Duration = Duration::from_millis(500);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Counts(OnceCell<Arc<BTreeMap<ChannelId, u64>>>);

impl Counts {
    /// The counts, as far as they are known exactly; None without a recording, and while they are counted.
    pub(super) async fn get(self: &Arc<Self>, hub: &Hub) -> Option<Arc<BTreeMap<ChannelId, u64>>> {
        if let Some(counts) = self.0.get() {
            return Some(counts.clone());
        }
        let (counts, recordings) = (self.clone(), hub.recordings()?);
        // it goes on if nobody waits any more
        let counted =
            tokio::spawn(async move { counts.0.get_or_try_init(|| count(recordings)).await.ok().cloned() });
        timeout(PATIENCE, counted).await.ok()?.ok().flatten()
    }
}

async fn count(recordings: Arc<dyn Recordings>) -> Result<Arc<BTreeMap<ChannelId, u64>>, String> {
    let timeline = tokio::task::spawn_blocking(move || recordings.timeline(TimeRange::ALL, 1)).await;
    let timeline = timeline.map_err(|error| error.to_string())??;
    let exact = timeline.topics.iter().filter(|topic| !topic.estimated);
    Ok(Arc::new(exact.map(|topic| (topic.channel, sum(topic))).collect()))
}

#[expect(clippy::cast_possible_truncation, reason = "counts are whole and not negative")]
fn sum(topic: &TopicTimeline) -> u64 {
    topic.counts.iter().map(|count| f64::from(*count)).sum::<f64>().round() as u64
}
