//! Where a group begins with partitions that it has taken nothing of yet.
//!
//! What was published after a subscription began is delivered, even if the partitions are given out later. The place is
//! committed before the first message is taken: a member that fails before it has handled anything leaves it to the next.
use super::group::{Group, Member};
use crate::SCOPE;
use crate::client::contact;
use crate::metadata::Offset as Beginning;
use component_api::Result;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// How long a broker may take to tell an offset.
const ANSWER: Duration = Duration::from_secs(5);
/// Pause before it is asked for again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the client may take to tell what is wrong.
const TELLING: Duration = Duration::from_millis(10);

/// Notes where a topic ends, if that is where the group would begin and it is not known yet. Returns whether there is the
/// topic; brokers make it in a moment if they do that by themselves. It is the first contact with them.
///
/// # Errors
/// They cannot be reached within `longest`, or do not let us in.
pub(super) fn note(member: &Member, group: &Group, topic: &str, longest: Duration) -> Result<bool> {
    let noted = try_to_note(member, group, topic, longest);
    noted.map_err(|error| group.plan.cluster.translate(&error, Some(&group.context)))
}

/// Fills in where to begin with those partitions of the list that have no offset yet. Where that cannot be told, the client
/// begins as its settings say.
pub(super) fn settle(member: &Member, group: &Group, list: &mut TopicPartitionList) {
    if !begins_with_newest(group) {
        return;
    }
    if let Err(error) = try_to_settle(member, group, list) {
        tracing::debug!(target: SCOPE, "kafka: {} begins where its partitions end now: {error}", group.topics());
    }
}

fn try_to_note(member: &Member, group: &Group, topic: &str, longest: Duration) -> KafkaResult<bool> {
    let poll = || while member.poll(TELLING).is_some() {};
    let found = contact(member.client(), Some(topic), &group.context, longest, poll)?;
    if let Some(refusal) = found.topics().iter().find_map(|topic| topic.error()).filter(is_refusal) {
        return Err(KafkaError::MetadataFetch(refusal.into()));
    }
    let partitions: Vec<_> = found.topics().iter().flat_map(|topic| topic.partitions()).collect();
    if begins_with_newest(group) && !group.ends().contains_key(topic) {
        let mut ends = BTreeMap::new();
        for partition in &partitions {
            ends.insert(partition.id(), end(member, topic, partition.id(), longest)?);
        }
        group.ends().insert(topic.to_owned(), ends);
    }
    Ok(!partitions.is_empty())
}

/// Where a partition ends. One that was just made has nobody who knows for a moment.
fn end(member: &Member, topic: &str, partition: i32, longest: Duration) -> KafkaResult<i64> {
    let start = Instant::now();
    loop {
        match member.fetch_watermarks(topic, partition, ANSWER) {
            Err(_) if start.elapsed() < longest => thread::sleep(PAUSE),
            marks => return marks.map(|(_, end)| end),
        }
    }
}

fn begins_with_newest(group: &Group) -> bool {
    group.plan.cluster.metadata.consuming.offset().is_ok_and(|offset| offset == Beginning::Newest)
}

fn try_to_settle(member: &Member, group: &Group, list: &mut TopicPartitionList) -> KafkaResult<()> {
    let known = member.committed_offsets(list.clone(), ANSWER)?;
    let mut new = TopicPartitionList::new();
    for one in known.elements().iter().filter(|one| one.offset() == Offset::Invalid) {
        one.error()?;
        let (topic, partition) = (one.topic(), one.partition());
        let start = start(member, group, topic, partition)?;
        list.set_partition_offset(topic, partition, Offset::Offset(start))?;
        new.add_partition_offset(topic, partition, Offset::Offset(start))?;
    }
    if new.count() > 0 {
        member.commit(&new, CommitMode::Sync)?;
    }
    Ok(())
}

/// A partition that was not there when the subscription began has only what was published since.
fn start(member: &Member, group: &Group, topic: &str, partition: i32) -> KafkaResult<i64> {
    let noted = group.ends().get(topic).map(|ends| ends.get(&partition).copied());
    if let Some(Some(end)) = noted {
        return Ok(end);
    }
    let (start, end) = member.fetch_watermarks(topic, partition, ANSWER)?;
    Ok(if noted.is_some() { start } else { end })
}

/// Whether a topic will not be there later either.
fn is_refusal(error: &RDKafkaRespErr) -> bool {
    use RDKafkaRespErr::{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION};
    matches!(*error, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED | RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
}
