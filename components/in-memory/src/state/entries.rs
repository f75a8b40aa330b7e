//! The map of the store and what is done on it under its lock.
use super::pattern::Pattern;
use bytes::Bytes;
use component_api::state::{Concurrency, Etag, KeysPage};
use component_api::{Error, Kind, Result};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use uuid::Uuid;

/// A stored value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) data: Bytes,
    pub(super) expires: Option<Timestamp>,
    version: Uuid,
    /// Position in listings: entries are listed in the order of their last write.
    position: u64,
}

impl Entry {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    pub(super) fn etag(&self) -> Etag {
        Etag(self.version.to_string())
    }
}

/// All entries by key.
#[derive(Debug, Default)]
pub(super) struct Entries {
    all: HashMap<String, Entry>,
    written: u64,
    /// No entry expires before this.
    soonest: Option<Timestamp>,
}

impl Entries {
    /// The entry, which may have expired.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.all.get(key)
    }

    /// Whether a write may go ahead. An expired entry counts as missing.
    pub(super) fn check(&self, key: &str, etag: Option<&Etag>, concurrency: Concurrency, now: Timestamp) -> Result<()> {
        let etag = etag.filter(|etag| !etag.0.is_empty());
        if etag.is_none() && concurrency != Concurrency::FirstWrite {
            return Ok(());
        }
        let entry = self.all.get(key).filter(|entry| !entry.is_expired(now));
        match (etag, entry) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(mismatch("item already exists and no etag was passed".to_owned())),
            (Some(_), None) => Err(mismatch(format!("state not exist or expired for key={key}"))),
            (Some(etag), Some(entry)) if entry.etag() == *etag => Ok(()),
            (Some(etag), Some(entry)) => {
                let (current, expected) = (entry.version, &etag.0);
                Err(mismatch(format!("state etag not match for key={key}: current={current}, expect={expected}")))
            }
        }
    }

    pub(super) fn set(&mut self, key: String, data: &Bytes, seconds: Option<u64>, now: Timestamp) {
        // What lies behind the end of the calendar is for ever.
        let lifetime = |seconds: u64| now.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok();
        let expires = seconds.and_then(lifetime);
        self.soonest = [self.soonest, expires].into_iter().flatten().min();
        // A copy, since the bytes may be a small part of a large request.
        let data = Bytes::copy_from_slice(data);
        self.all.insert(key, Entry { data, expires, version: Uuid::new_v4(), position: self.written });
        self.written += 1;
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.all.remove(key);
    }

    /// Removes the entry unless it was written again meanwhile.
    pub(super) fn remove_expired(&mut self, key: &str, now: Timestamp) {
        if self.all.get(key).is_some_and(|entry| entry.is_expired(now)) {
            self.all.remove(key);
        }
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.soonest.is_some_and(|soonest| now >= soonest)
    }

    pub(super) fn clean(&mut self, now: Timestamp) {
        self.all.retain(|_, entry| !entry.is_expired(now));
        self.soonest = self.all.values().filter_map(|entry| entry.expires).min();
    }

    pub(super) fn delete_with_prefix(&mut self, prefix: &str) -> u64 {
        let before = self.all.len();
        self.all.retain(|key, _| key.strip_prefix(prefix).is_none_or(|rest| rest.contains("||")));
        (before - self.all.len()) as u64
    }

    /// The page of keys whose position is at least `from`.
    pub(super) fn keys_like(&self, pattern: &Pattern, from: u64, page_size: Option<usize>, now: Timestamp) -> KeysPage {
        let wanted =
            |(key, entry): &(&String, &Entry)| entry.position >= from && !entry.is_expired(now) && pattern.matches(key);
        let mut found: Vec<_> = self.all.iter().filter(wanted).map(|(key, entry)| (entry.position, key)).collect();
        found.sort_unstable();
        let shown = page_size.unwrap_or(found.len()).min(found.len());
        let continuation = found.get(shown).map(|(position, _)| position.to_string());
        KeysPage { keys: found[..shown].iter().map(|(_, key)| (*key).clone()).collect(), continuation }
    }
}

fn mismatch(reason: String) -> Error {
    Error::new(Kind::EtagMismatch, reason)
}
