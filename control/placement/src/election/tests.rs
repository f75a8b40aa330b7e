//! Elections of three, one step after the other.
use super::*;

const MOMENT: Duration = Duration::from_millis(10);

struct World {
    all: Vec<Election>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self { all: (0..3).map(|own| Election::new(own, 3, now, own as u64)).collect(), now }
    }

    /// Lets time pass; those in `there` reach each other at once, the rest reaches nobody.
    fn pass(&mut self, time: Duration, there: &[Place]) {
        let end = self.now + time;
        while self.now < end {
            self.now += MOMENT;
            for own in 0..3 {
                let Some(question) = self.all[own].tick(self.now) else { continue };
                for to in there.iter().copied().filter(|to| *to != own && there.contains(&own)) {
                    let answer = self.all[to].asked(own, question, self.now);
                    self.all[own].answered(to, question, answer);
                }
            }
            assert!(self.leaders().len() <= 1, "two lead at once");
        }
    }

    fn leaders(&self) -> Vec<(Place, u64)> {
        let lease = |own: usize| self.all[own].lease(self.now).map(|lease| (own, lease.term));
        (0..3).filter_map(lease).collect()
    }
}

#[test]
fn one_leads_and_goes_on_leading() {
    let mut world = World::new();
    world.pass(PROMISE, &[0, 1, 2]);
    assert_eq!(world.leaders(), []);
    world.pass(PROMISE, &[0, 1, 2]);
    let leaders = world.leaders();
    assert_eq!(leaders.len(), 1);
    world.pass(PROMISE * 10, &[0, 1, 2]);
    assert_eq!(world.leaders(), leaders);
}

#[test]
fn another_one_follows_in_a_later_term() {
    let mut world = World::new();
    world.pass(PROMISE * 2, &[0, 1, 2]);
    let (first, term) = world.leaders()[0];
    let others: Vec<Place> = (0..3).filter(|place| *place != first).collect();
    world.pass(PROMISE * 3, &others);
    let (second, later) = world.leaders()[0];
    assert!(second != first && later > term);
    world.pass(PROMISE * 3, &[0, 1, 2]);
    assert_eq!(world.leaders(), [(second, later)], "who comes back does not disturb");
}

#[test]
fn nobody_leads_alone() {
    let mut world = World::new();
    world.pass(PROMISE * 2, &[0, 1, 2]);
    world.pass(LEASE + MOMENT, &[0]);
    assert_eq!(world.leaders(), []);
    world.pass(PROMISE * 5, &[0]);
    assert_eq!(world.leaders(), []);
    world.pass(PROMISE * 3, &[0, 1, 2]);
    assert_eq!(world.leaders().len(), 1);
}

#[test]
fn who_has_just_started_promises_nothing() {
    let mut world = World::new();
    world.pass(PROMISE * 2, &[0, 1, 2]);
    world.all[2] = Election::new(2, 3, world.now, 9);
    let question = Question { term: 100, leads: false, at: world.now };
    assert!(!world.all[2].asked(1, question, world.now).promised);
    assert!(world.all[2].asked(1, question, world.now + PROMISE).promised);
}

#[test]
fn promises_that_come_late_do_not_count() {
    let mut world = World::new();
    let first = (0..3).find_map(|own| world.all[own].tick(world.now + PROMISE * 2).map(|question| (own, question)));
    let (own, question) = first.unwrap();
    let answer = Answer { promised: true, term: question.term };
    world.all[own].answered((own + 1) % 3, question, answer);
    assert!(world.all[own].lease(question.at + LEASE / 2).is_some());
    assert!(world.all[own].lease(question.at + LEASE).is_none());
}

#[test]
fn one_alone_always_leads() {
    let election = Election::new(0, 1, Instant::now(), 0);
    assert_eq!(election.lease(Instant::now()), Some(Lease { term: 0, until: None }));
    assert_eq!(election.due(), None);
}

/// Somebody sends a message to each of these replicas in the name of another, when nobody leads and it is bound to nobody.
fn world_after(term: u64, leads: bool, to: &[Place]) -> World {
    let mut world = World::new();
    world.pass(PROMISE * 3, &[0, 1, 2]);
    world.pass(PROMISE * 2, &[]);
    for place in to {
        while world.all[*place].promise.is_some_and(|promise| promise.until > world.now) {
            world.pass(MOMENT, &[]);
        }
        let question = Question { term, leads, at: world.now };
        let answer = world.all[*place].asked((place + 1) % 3, question, world.now);
        let is_believed = (100..=LAST_TERM).contains(&term);
        assert!(answer.promised || !is_believed, "term {term}");
    }
    world
}

#[test]
fn no_message_ends_elections() {
    for term in [0, 1, 5, LAST_TERM - 2, LAST_TERM - 1, LAST_TERM, LAST_TERM + 1, u64::MAX - 1, u64::MAX] {
        for (leads, to) in [(true, vec![1]), (false, vec![1]), (true, vec![0, 1]), (false, vec![0, 1, 2])] {
            let mut world = world_after(term, leads, &to);
            for round in 0..5 {
                world.pass(PROMISE * 4, &[0, 1, 2]);
                assert_eq!(world.leaders().len(), 1, "term {term}, leads {leads}, to {to:?}, round {round}");
                world.pass(PROMISE * 2, &[]);
            }
        }
    }
}

#[test]
fn after_the_last_term_comes_the_first() {
    let mut world = world_after(LAST_TERM, false, &[0, 1, 2]);
    world.pass(PROMISE * 4, &[0, 1, 2]);
    let (_, term) = world.leaders()[0];
    assert!((1..10).contains(&term), "{term}");
    assert!(world.all.iter().all(|election| election.term == term));
}

#[test]
fn a_term_that_cannot_be_is_not_taken() {
    let mut world = World::new();
    world.pass(PROMISE * 2, &[0, 1, 2]);
    let terms = |world: &World| world.all.iter().map(|election| election.term).collect::<Vec<_>>();
    let before = terms(&world);
    for (place, term) in [(0, LAST_TERM + 1), (1, u64::MAX), (2, 0)] {
        let question = Question { term, leads: true, at: world.now };
        assert!(!world.all[place].asked((place + 1) % 3, question, world.now).promised);
        world.all[place].answered((place + 1) % 3, question, Answer { promised: false, term: u64::MAX });
    }
    assert_eq!(terms(&world), before);
}
