//! Which keys a request means.
use crate::Error;
use bytes::Bytes;
use std::ops::Bound;

/// The first and the last key, as maps take them.
pub(crate) type Bounds<'k> = (Bound<&'k [u8]>, Bound<&'k [u8]>);

/// Keys from one on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Keys {
    first: Bytes,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The first key is the only one.
    Single,
    Before(Bytes),
    /// All keys there are.
    None,
}

impl Keys {
    /// As etcd writes ranges: no end means a single key, an end of one zero byte all keys from the first on.
    pub(crate) fn of(first: &Bytes, end: &Bytes) -> Result<Self, Error> {
        if first.is_empty() {
            return Err(Error::NoKey);
        }
        let end = match &end[..] {
            [] => End::Single,
            [0] => End::None,
            _ => End::Before(end.clone()),
        };
        Ok(Self { first: first.clone(), end })
    }

    /// The key, if it is a single one.
    pub(crate) fn single(&self) -> Option<&Bytes> {
        (self.end == End::Single).then_some(&self.first)
    }

    pub(crate) fn has(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key == self.first,
            End::Before(end) => key >= &self.first[..] && key < &end[..],
            End::None => key >= &self.first[..],
        }
    }

    /// Whether it has any of these, which are in their order.
    pub(crate) fn has_any(&self, sorted: &[&[u8]]) -> bool {
        let from = sorted.partition_point(|key| *key < &self.first[..]);
        sorted.get(from).is_some_and(|key| self.has(key))
    }

    /// None when there is no such key.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let end = match &self.end {
            End::Single => Bound::Included(&self.first[..]),
            End::Before(end) if end <= &self.first => return None,
            End::Before(end) => Bound::Excluded(&end[..]),
            End::None => Bound::Unbounded,
        };
        Some((Bound::Included(&self.first[..]), end))
    }
}

/// The end of the range of all keys with a prefix.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX).map_or(&[][..], |last| &prefix[..=last]);
    match kept.split_last() {
        Some((last, before)) => [before, &[last + 1]].concat().into(),
        None => Bytes::from_static(&[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(first: &'static [u8], end: &'static [u8]) -> Keys {
        Keys::of(&Bytes::from_static(first), &Bytes::from_static(end)).unwrap()
    }

    #[test]
    fn ranges_are_written_as_etcd_writes_them() {
        assert!(keys(b"a", b"").has(b"a") && !keys(b"a", b"").has(b"aa"));
        assert!(keys(b"a", b"c").has(b"bzz") && !keys(b"a", b"c").has(b"c"));
        assert!(keys(b"b", b"\0").has(b"z") && !keys(b"b", b"\0").has(b"a"));
        assert_eq!(keys(b"b", b"a").bounds(), None);
        let sorted: [&[u8]; 3] = [b"a", b"bb", b"d"];
        assert!(keys(b"b", b"c").has_any(&sorted) && keys(b"d", b"").has_any(&sorted));
        assert!(!keys(b"c", b"d").has_any(&sorted) && !keys(b"e", b"\0").has_any(&sorted));
        assert_eq!(Keys::of(&Bytes::new(), &Bytes::new()), Err(Error::NoKey));
    }

    #[test]
    fn the_end_of_a_prefix_is_the_next_key_without_it() {
        assert_eq!(&prefix_end(b"ab")[..], b"ac");
        assert_eq!(&prefix_end(b"a\xff")[..], b"b");
        assert_eq!(&prefix_end(b"\xff\xff")[..], b"\0");
    }
}
