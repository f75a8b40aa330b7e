//! The one queue of what is due. It knows names and times only: what a job holds stays in the store until it is due.
use crate::plan::Progress;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// A table with room for so many times as many jobs as it has is made smaller.
const SPARSE: usize = 8;

/// How much more somebody can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) jobs: usize,
    pub(crate) bytes: usize,
}

/// The jobs of this scheduler by the time of their next attempt.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: HashMap<Arc<str>, Entry>,
    queue: BTreeSet<(Timestamp, Arc<str>)>,
    /// Due, and nobody is there to take them.
    staged: BTreeSet<Arc<str>>,
    /// The same by when they were due.
    staged_since: BTreeSet<(Timestamp, Arc<str>)>,
}

#[derive(Debug)]
struct Entry {
    /// Of the job in the store.
    revision: i64,
    /// Of the next attempt, or of the present one.
    at: Timestamp,
    /// None: it is at its beginning, as most jobs are that wait.
    progress: Option<Box<Progress>>,
    /// In the store.
    bytes: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Staged,
    /// On its way, or its outcome is being written.
    Running,
}

/// A job whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) name: Arc<str>,
    pub(crate) revision: i64,
    pub(crate) at: Timestamp,
    pub(crate) bytes: u32,
    pub(crate) progress: Progress,
}

impl Room {
    /// Where nothing limits anything.
    pub(crate) const UNLIMITED: Self = Self { jobs: usize::MAX, bytes: usize::MAX };

    /// Takes the place of one job, if there is enough. One that is larger than `most` takes as much, and so goes alone.
    pub(crate) fn take(&mut self, bytes: usize, most: usize) -> Option<()> {
        let jobs = self.jobs.checked_sub(1)?;
        *self = Self { jobs, bytes: self.bytes.checked_sub(bytes.min(most))? };
        Some(())
    }
}

impl Agenda {
    /// A job as it is from now on, in place of an older one of the name.
    pub(crate) fn put(&mut self, name: &str, revision: i64, bytes: usize, progress: Progress, at: Timestamp) {
        self.remove(name);
        let name: Arc<str> = name.into();
        self.queue.insert((at, Arc::clone(&name)));
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.entries.insert(name, Entry::waiting(revision, bytes, at, progress));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some((name, entry)) = self.entries.remove_entry(name) {
            self.removed(name, &entry);
        }
    }

    fn removed(&mut self, name: Arc<str>, entry: &Entry) {
        self.leave(name, entry.at, entry.stage);
        // Room for many that were there at once is not kept for good.
        if self.entries.len() < self.entries.capacity() / SPARSE {
            self.entries.shrink_to(SPARSE + self.entries.len() * 2);
        }
    }

    /// Removes a job if it is still the one of a revision.
    pub(crate) fn remove_old(&mut self, name: &str, revision: i64) {
        match self.entries.remove_entry(name) {
            Some((name, entry)) if entry.revision == revision => self.removed(name, &entry),
            Some((name, other)) => drop(self.entries.insert(name, other)),
            None => {}
        }
    }

    pub(crate) fn is_current(&self, name: &str, revision: i64) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.revision == revision)
    }

    /// Whether a job was read after a revision, so that what is told of that is over.
    pub(crate) fn is_of_since(&self, name: &str, revision: i64) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.revision >= revision)
    }

    /// The next job whose time has come. It stays out of the queue until something is said of it.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Due> {
        if self.next_at()? > now {
            return None;
        }
        let (at, name) = self.queue.pop_first()?;
        let entry = self.entries.get_mut(&name)?;
        entry.stage = Stage::Running;
        Some(Due { revision: entry.revision, bytes: entry.bytes, progress: entry.progress(), name, at })
    }

    /// When the next job is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// How many are due that nobody takes.
    pub(crate) fn staged(&self) -> usize {
        self.staged.len()
    }

    /// When the job was due that waits longest for somebody to take it.
    pub(crate) fn staged_since(&self) -> Option<Timestamp> {
        self.staged_since.first().map(|(at, _)| *at)
    }

    /// The next attempt at a job of a revision, unless there is another one of the name.
    pub(crate) fn requeue(&mut self, name: &str, revision: i64, progress: Progress, at: Timestamp) {
        let found = self.entries.get_key_value(name).filter(|(_, entry)| entry.revision == revision);
        let Some((name, entry)) = found else { return };
        let (name, was_at, bytes, stage) = (Arc::clone(name), entry.at, entry.bytes, entry.stage);
        self.leave(Arc::clone(&name), was_at, stage);
        self.queue.insert((at, Arc::clone(&name)));
        self.entries.insert(name, Entry::waiting(revision, bytes, at, progress));
    }

    /// Nobody is there to take a job.
    pub(crate) fn stage(&mut self, name: &str, revision: i64) {
        let Some((name, _)) = self.entries.get_key_value(name) else { return };
        let name = Arc::clone(name);
        let Some(entry) = self.entries.get_mut(&name) else { return };
        if entry.revision == revision && entry.stage == Stage::Running {
            entry.stage = Stage::Staged;
            self.staged_since.insert((entry.at, Arc::clone(&name)));
            self.staged.insert(name);
        }
    }

    /// Somebody takes jobs whose names start so: what was staged is due again.
    pub(crate) fn deliverable(&mut self, prefix: &str) {
        let first = Bound::Included(prefix);
        let from = self.staged.range::<str, _>((first, Bound::Unbounded));
        let names: Vec<Arc<str>> = from.take_while(|name| name.starts_with(prefix)).cloned().collect();
        for name in names {
            self.staged.remove(&name);
            if let Some(entry) = self.entries.get_mut(&name) {
                self.staged_since.remove(&(entry.at, Arc::clone(&name)));
                entry.stage = Stage::Waiting;
                self.queue.insert((entry.at, name));
            }
        }
    }

    /// Some of the staged jobs whose names start so, in the order of names from behind one of them, until the room is used up.
    pub(crate) fn take_staged(&mut self, prefix: &str, after: Option<&str>, room: &mut Room) -> Vec<Due> {
        let mut taken = Vec::new();
        loop {
            let next = self.staged_behind(prefix, after).next().cloned();
            let Some(name) = next else { break };
            let bytes = self.entries.get(&name).map_or(0, |entry| entry.bytes as usize);
            if room.jobs == 0 || room.bytes < bytes {
                break;
            }
            *room = Room { jobs: room.jobs - 1, bytes: room.bytes - bytes };
            taken.extend(self.resume(name));
        }
        taken
    }

    /// Whether there are staged jobs whose names start so, behind one of them.
    pub(crate) fn has_staged(&self, prefix: &str, after: Option<&str>) -> bool {
        self.staged_behind(prefix, after).next().is_some()
    }

    fn staged_behind<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> impl Iterator<Item = &'a Arc<str>> {
        let first = after.map_or(Bound::Included(prefix), Bound::Excluded);
        self.staged.range::<str, _>((first, Bound::Unbounded)).take_while(move |name| name.starts_with(prefix))
    }

    fn resume(&mut self, name: Arc<str>) -> Option<Due> {
        let entry = self.entries.get_mut(&name)?;
        self.staged.remove(&name);
        self.staged_since.remove(&(entry.at, Arc::clone(&name)));
        entry.stage = Stage::Running;
        Some(Due { revision: entry.revision, at: entry.at, bytes: entry.bytes, progress: entry.progress(), name })
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn leave(&mut self, name: Arc<str>, at: Timestamp, stage: Stage) {
        match stage {
            Stage::Waiting => drop(self.queue.remove(&(at, name))),
            Stage::Staged => {
                self.staged.remove(&name);
                self.staged_since.remove(&(at, name));
            }
            Stage::Running => {}
        }
    }
}

impl Entry {
    fn waiting(revision: i64, bytes: u32, at: Timestamp, progress: Progress) -> Self {
        let progress = (progress != Progress::default()).then(|| Box::new(progress));
        Self { revision, at, progress, bytes, stage: Stage::Waiting }
    }

    fn progress(&self) -> Progress {
        self.progress.as_deref().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn names(agenda: &mut Agenda, now: i64) -> Vec<String> {
        std::iter::from_fn(|| agenda.due(time(now))).map(|due| due.name.to_string()).collect()
    }

    fn agenda(jobs: &[(&str, i64)]) -> Agenda {
        let mut agenda = Agenda::default();
        jobs.iter()
            .zip(1..)
            .for_each(|((name, at), revision)| agenda.put(name, revision, 10, Progress::default(), time(*at)));
        agenda
    }

    #[test]
    fn what_was_before_a_job_was_read_is_known() {
        let mut agenda = Agenda::default();
        agenda.put("a", 5, 1, Progress::default(), Timestamp::MAX);
        assert!(agenda.is_of_since("a", 4) && agenda.is_of_since("a", 5));
        assert!(!agenda.is_of_since("a", 6) && !agenda.is_of_since("b", 1));
    }

    #[test]
    fn jobs_come_in_the_order_of_their_times_and_none_early() {
        let mut agenda = agenda(&[("b", 3), ("a", 2), ("c", 9)]);
        assert_eq!(names(&mut agenda, 1), Vec::<String>::new());
        assert_eq!(names(&mut agenda, 8), ["a", "b"]);
        assert_eq!(agenda.next_at(), Some(time(9)));
    }

    #[test]
    fn a_job_that_is_replaced_or_deleted_is_not_due() {
        let mut agenda = agenda(&[("a", 1), ("b", 1)]);
        agenda.put("a", 7, 10, Progress::default(), time(5));
        agenda.remove("b");
        assert_eq!(names(&mut agenda, 4), Vec::<String>::new());
        // What is said of the old one does not count.
        agenda.requeue("a", 1, Progress::default(), time(0));
        agenda.remove_old("a", 1);
        assert_eq!(names(&mut agenda, 5), ["a"]);
    }

    #[test]
    fn staged_jobs_wait_for_somebody_who_takes_them() {
        let mut agenda = agenda(&[("x||a", 1), ("y||a", 1)]);
        for due in std::iter::from_fn(|| agenda.due(time(1))).collect::<Vec<_>>() {
            agenda.stage(&due.name, due.revision);
        }
        assert_eq!(agenda.staged(), 2);
        agenda.deliverable("y||");
        assert_eq!(names(&mut agenda, 1), ["y||a"]);
        agenda.remove("x||a");
        assert_eq!((agenda.staged(), agenda.len()), (0, 1));
    }

    #[test]
    fn staged_jobs_are_taken_a_few_at_a_time() {
        let mut agenda = agenda(&[("x||a", 1), ("x||b", 1), ("x||c", 1), ("y||a", 1)]);
        for due in std::iter::from_fn(|| agenda.due(time(1))).collect::<Vec<_>>() {
            agenda.stage(&due.name, due.revision);
        }
        let taken = |agenda: &mut Agenda, after, jobs, bytes| -> Vec<String> {
            let due = agenda.take_staged("x||", after, &mut Room { jobs, bytes });
            due.iter().map(|due| due.name.to_string()).collect()
        };
        assert_eq!(taken(&mut agenda, Some("x||a"), 2, 19), ["x||b"], "there is no room for the bytes of another one");
        assert!(agenda.has_staged("x||", Some("x||b")));
        assert_eq!(taken(&mut agenda, None, 1, 100), ["x||a"]);
        assert_eq!(taken(&mut agenda, None, 2, 100), ["x||c"]);
        assert_eq!((agenda.staged(), agenda.has_staged("x||", None)), (1, false));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, i64),
        Remove(u8),
        Requeue(u8, i64),
        Stage(u8),
        Deliverable,
        TakeStaged,
        Due(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..5u8, 0..20i64).prop_map(|(name, at)| Step::Put(name, at)),
            (0..5u8).prop_map(Step::Remove),
            (0..5u8, 0..20i64).prop_map(|(name, at)| Step::Requeue(name, at)),
            (0..5u8).prop_map(Step::Stage),
            Just(Step::Deliverable),
            Just(Step::TakeStaged),
            (0..20i64).prop_map(Step::Due),
        ]
    }

    proptest! {
        #[test]
        fn each_job_is_in_one_place(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut agenda, mut revisions) = (Agenda::default(), HashMap::new());
            for (step, revision) in steps.into_iter().zip(1..) {
                match step {
                    Step::Put(name, at) => {
                        agenda.put(&name.to_string(), revision, 10, Progress::default(), time(at));
                        revisions.insert(name, revision);
                    }
                    Step::Remove(name) => agenda.remove(&name.to_string()),
                    Step::Requeue(name, at) => {
                        let revision = revisions.get(&name).copied().unwrap_or_default();
                        agenda.requeue(&name.to_string(), revision, Progress::default(), time(at));
                    }
                    Step::Stage(name) => agenda.stage(&name.to_string(), revisions.get(&name).copied().unwrap_or_default()),
                    Step::Deliverable => agenda.deliverable(""),
                    Step::TakeStaged => drop(agenda.take_staged("", None, &mut Room { jobs: 2, bytes: 100 })),
                    Step::Due(now) => {
                        if let Some(due) = agenda.due(time(now)) {
                            prop_assert!(due.at <= time(now));
                        }
                    }
                }
                let of = |stage: Stage| agenda.entries.values().filter(|entry| entry.stage == stage).count();
                prop_assert_eq!(agenda.queue.len(), of(Stage::Waiting));
                prop_assert_eq!(agenda.staged.len(), of(Stage::Staged));
                prop_assert!(agenda.queue.iter().all(|(at, name)| agenda.entries[name].at == *at));
            }
        }
    }
}
