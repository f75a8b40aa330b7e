//! How far a stream has come in a round.
use std::collections::BTreeSet;

/// Where a round is, or how far a stream has come in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Idle,
    Lock,
    Update,
    Unlock,
}

impl Phase {
    fn next(self) -> Self {
        match self {
            Self::Idle => Self::Lock,
            Self::Lock => Self::Update,
            Self::Update | Self::Unlock => Self::Unlock,
        }
    }
}

/// A stream of a sidecar.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// The order that it got last.
    sent: Phase,
    /// The order that it has answered last.
    pub(super) reached: Phase,
    /// Version of a table that was sent to this stream alone; its answers are not part of a round.
    pub(super) pushed: Option<u64>,
    /// Types that it hosts, and those that it has hosted since the last round ended.
    pub(super) types: Vec<String>,
    /// Whether the others wait for it in this round.
    pub(super) concerned: bool,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self { sent: Phase::Unlock, reached: Phase::Unlock, pushed: None, types: Vec::new(), concerned: false }
    }

    /// Begins a round. The others must wait for it when types change that it hosts: it may have to give up actors.
    pub(super) fn restart(&mut self, changing: &BTreeSet<String>) {
        (self.sent, self.reached, self.pushed) = (Phase::Idle, Phase::Idle, None);
        self.concerned = self.types.iter().any(|kind| changing.contains(kind));
    }

    /// Ends a round.
    pub(super) fn finish(&mut self, types: Vec<String>) {
        (self.types, self.concerned) = (types, false);
    }

    /// It has the tables of this version, apart from any round.
    pub(super) fn push(&mut self, version: u64) {
        (self.sent, self.reached, self.pushed) = (Phase::Unlock, Phase::Unlock, Some(version));
    }

    /// Takes an answer; old sidecars do not say what to, which is the order that they got last. Returns whether it was due.
    pub(super) fn answer(&mut self, to: Option<Phase>) -> bool {
        let answers = self.owes() && to.is_none_or(|to| to == self.sent);
        if answers {
            self.reached = self.sent;
        }
        answers
    }

    /// The order that it is to get next while orders up to `open` may be given.
    pub(super) fn due(&mut self, open: Phase) -> Option<Phase> {
        let next = self.reached.next();
        if self.sent > self.reached || self.sent == Phase::Unlock || next > open {
            return None;
        }
        self.sent = next;
        Some(next)
    }

    /// Whether it owes an answer.
    pub(super) fn owes(&self) -> bool {
        self.reached < self.sent
    }
}
