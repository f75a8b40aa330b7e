//! Records of a prefix, each with the one of its name under another prefix, read a page at a time.
//!
//! What is on one page is of one moment; the next page is of a later one. To hold on to one revision for all of them would have the
//! store keep all that happens meanwhile, and a store that is written much does not.
use crate::{Client, Error, prefix_end};
use bytes::Bytes;
use std::collections::VecDeque;
use wire::etcd::etcdserverpb::RangeRequest;
use wire::etcd::mvccpb::KeyValue;

/// Records of the first page, and the most of one.
const FIRST: usize = 64;
const MOST: usize = 1000;
/// What a page is to have, in bytes of records. An etcd that is not ours knows records only: their number is set by those before.
pub(crate) const BYTES: usize = 1 << 20;
/// How often a page is read anew whose moment is forgotten before the other records are read.
const TRIES: usize = 16;

/// A record, and the other one of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What follows the prefix in the key.
    pub name: String,
    pub record: KeyValue,
    pub other: Option<KeyValue>,
}

/// Records by their names. One that changes meanwhile is as it is when its page is read.
pub struct Pairs {
    client: Client,
    prefixes: [&'static str; 2],
    next: Option<Bytes>,
    range_end: Bytes,
    limit: usize,
    revision: i64,
    read: VecDeque<Pair>,
}

impl Pairs {
    /// Records below the first prefix whose names start so, and others below the second one.
    pub fn new(client: Client, prefixes: [&'static str; 2], names: &str) -> Self {
        let key = Bytes::from([prefixes[0], names].concat());
        let range_end = prefix_end(&key);
        Self { client, prefixes, next: Some(key), range_end, limit: FIRST, revision: 0, read: VecDeque::new() }
    }

    /// Of the first page; 0 before that was read. What is watched from then on, with what is read, is all there is.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The next record.
    ///
    /// # Errors
    /// The store cannot be reached, or forgets quicker than it can be read.
    pub async fn next(&mut self) -> Result<Option<Pair>, Error> {
        while self.read.is_empty() {
            let Some(key) = self.next.take() else { return Ok(None) };
            self.read_page(key).await?;
        }
        Ok(self.read.pop_front())
    }

    async fn read_page(&mut self, key: Bytes) -> Result<(), Error> {
        let mut tries = TRIES;
        loop {
            match self.try_page(key.clone()).await {
                Err(error) if error.is_compacted() && tries > 1 => tries -= 1,
                done => return done,
            }
        }
    }

    async fn try_page(&mut self, key: Bytes) -> Result<(), Error> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let request = RangeRequest { key, range_end: self.range_end.clone(), limit, ..RangeRequest::default() };
        let page = self.client.page(request).await?;
        let revision = page.header.map_or(0, |header| header.revision);
        let others = self.others(&page.kvs, revision).await?;
        if self.revision == 0 {
            self.revision = revision;
        }
        let last = page.kvs.last().filter(|_| page.more);
        self.next = last.map(|last| behind(&last.key));
        self.adapt(&page.kvs);
        self.read = self.paired(page.kvs, others).into();
        Ok(())
    }

    /// The others from the first name of a page to the last.
    async fn others(&self, page: &[KeyValue], revision: i64) -> Result<Vec<KeyValue>, Error> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
        let (key, range_end) = (self.other_key(first).into(), behind(&self.other_key(last)));
        Ok(self.client.range(RangeRequest { key, range_end, revision, ..RangeRequest::default() }).await?.kvs)
    }

    /// Sets how many records the next page is to have, by the size of these.
    fn adapt(&mut self, page: &[KeyValue]) {
        let bytes: usize = page.iter().map(|kv| kv.key.len() + kv.value.len()).sum();
        if let Some(fitting) = (BYTES * page.len()).checked_div(bytes) {
            self.limit = fitting.clamp(1, MOST.min(4 * self.limit));
        }
    }

    fn paired(&self, page: Vec<KeyValue>, others: Vec<KeyValue>) -> Vec<Pair> {
        let mut others = others.into_iter().peekable();
        let pair = |record: KeyValue| {
            let key = self.other_key(&record);
            while others.next_if(|other| other.key[..] < key[..]).is_some() {}
            let name = String::from_utf8_lossy(self.name(&record)).into_owned();
            Pair { name, other: others.next_if(|other| other.key[..] == key[..]), record }
        };
        page.into_iter().map(pair).collect()
    }

    fn other_key(&self, record: &KeyValue) -> Vec<u8> {
        [self.prefixes[1].as_bytes(), self.name(record)].concat()
    }

    fn name<'r>(&self, record: &'r KeyValue) -> &'r [u8] {
        record.key.strip_prefix(self.prefixes[0].as_bytes()).unwrap_or_default()
    }
}

/// The first key behind one.
fn behind(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}
