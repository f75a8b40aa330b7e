//! Messages that nobody finished: those of processes that are gone, and those that an app refused.
use super::group::Group;
use super::metadata::PubSubMetadata;
use component_api::Result;
use redis::streams::StreamId;
use std::collections::BTreeSet;

/// Takes over at most so many messages that were left alone for too long and are not in our own hands. What was deleted
/// from the stream is taken off the list.
pub(super) async fn abandoned(
    group: &Group,
    metadata: &PubSubMetadata,
    ours: &BTreeSet<String>,
    most: usize,
) -> Result<Vec<StreamId>> {
    let timeout = metadata.processing_timeout.0;
    let pending = group.pending(metadata.queue_depth.max(1) + ours.len()).await?;
    let old = pending.into_iter().filter(|pending| pending.idle >= timeout && !ours.contains(&pending.id));
    let ids: Vec<String> = old.map(|pending| pending.id).take(most).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let claimed = group.claim(&ids, timeout).await?;
    let taken: BTreeSet<&str> = claimed.iter().map(|entry| entry.id.as_str()).collect();
    for id in ids.iter().filter(|id| !taken.contains(id.as_str())) {
        forget_if_deleted(group, id).await?;
    }
    Ok(claimed)
}

/// Another process may have been quicker; then the message is still in the stream.
async fn forget_if_deleted(group: &Group, id: &str) -> Result<()> {
    if group.exists(id).await? { Ok(()) } else { group.acknowledge(&[id.to_owned()]).await }
}
