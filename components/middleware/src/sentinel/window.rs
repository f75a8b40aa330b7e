//! Counts over the last while, in buckets of equal length.
use std::collections::VecDeque;
use std::time::Duration;

/// The last buckets of a time line; those in which nothing happened take no memory.
#[derive(Debug)]
pub(super) struct Window<T> {
    bucket: Duration,
    buckets: u64,
    filled: VecDeque<(u64, T)>,
}

impl<T: Default> Window<T> {
    /// A window of `interval`, of which `buckets` go into one.
    pub(super) fn new(interval: Duration, buckets: u32) -> Self {
        let bucket = (interval / buckets.max(1)).max(Duration::from_millis(1));
        Self { bucket, buckets: u64::from(buckets.max(1)), filled: VecDeque::new() }
    }

    /// The bucket of this moment.
    pub(super) fn current(&mut self, now: Duration) -> &mut T {
        let index = self.index(now);
        // One more than the window, for the window that ended a bucket ago.
        while self.filled.front().is_some_and(|(filled, _)| filled + self.buckets < index) {
            self.filled.pop_front();
        }
        if self.filled.back().is_none_or(|(filled, _)| *filled < index) {
            self.filled.push_back((index, T::default()));
        }
        let last = self.filled.len() - 1;
        &mut self.filled[last].1
    }

    /// What is in the window that ends now.
    pub(super) fn now(&self, now: Duration) -> impl Iterator<Item = &T> {
        self.until(self.index(now))
    }

    /// What was in the window that ended before the bucket of this moment.
    pub(super) fn before(&self, now: Duration) -> impl Iterator<Item = &T> {
        self.until(self.index(now).wrapping_sub(1))
    }

    pub(super) fn clear(&mut self) {
        self.filled.clear();
    }

    fn until(&self, last: u64) -> impl Iterator<Item = &T> {
        let buckets = self.buckets;
        let within = move |index: u64| index <= last && last - index < buckets;
        self.filled.iter().filter(move |(index, _)| last != u64::MAX && within(*index)).map(|(_, value)| value)
    }

    fn index(&self, now: Duration) -> u64 {
        u64::try_from(now.as_nanos() / self.bucket.as_nanos()).unwrap_or(u64::MAX - 1)
    }
}
