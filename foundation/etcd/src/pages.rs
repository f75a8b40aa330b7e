//! Records of a prefix, read a page at a time.
use crate::{Client, Error, prefix_end};
use bytes::Bytes;
use std::collections::VecDeque;
use wire::etcd::etcdserverpb::RangeRequest;
use wire::etcd::mvccpb::KeyValue;

/// Records of one request.
const PAGE: i64 = 1000;

/// Records of a prefix by their keys, all as they were at one revision.
pub struct Pages {
    client: Client,
    next: Option<Bytes>,
    range_end: Bytes,
    revision: i64,
    read: VecDeque<KeyValue>,
}

impl Pages {
    /// `revision` 0 is the one when the first of them is read.
    pub fn new(client: Client, prefix: &str, revision: i64) -> Self {
        let key = Bytes::copy_from_slice(prefix.as_bytes());
        let range_end = prefix_end(&key);
        Self { client, next: Some(key), range_end, revision, read: VecDeque::new() }
    }

    /// Of the records; 0 before the first of them was read.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The next record.
    ///
    /// # Errors
    /// The store cannot be reached, or the revision is compacted.
    pub async fn next(&mut self) -> Result<Option<KeyValue>, Error> {
        while self.read.is_empty() {
            let Some(key) = self.next.take() else { return Ok(None) };
            self.read_page(key).await?;
        }
        Ok(self.read.pop_front())
    }

    async fn read_page(&mut self, key: Bytes) -> Result<(), Error> {
        let (range_end, revision) = (self.range_end.clone(), self.revision);
        let request = RangeRequest { key, range_end, revision, limit: PAGE, ..RangeRequest::default() };
        let page = self.client.range(request).await?;
        if self.revision == 0 {
            self.revision = page.header.map_or(0, |header| header.revision);
        }
        let last = page.kvs.last().filter(|_| page.more);
        self.next = last.map(|last| [&last.key[..], &[0]].concat().into());
        self.read = page.kvs.into();
        Ok(())
    }
}
