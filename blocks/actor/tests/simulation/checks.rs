//! What must hold, whatever happens to the network and its nodes.
//!
//! The promise of the protocol: of two hosts that are in step with one and the same leader, never both serve an actor at once. In
//! step is who has a stream that neither end has given up. Who lost its stream may not know yet, and goes on with its actors
//! until it notices and has let go of them: that is bounded by [`STALE`].
//!
//! A host that gives up actors lets their calls end first: nothing but its [`PATIENCE`] cuts a call short. Who was told that tables
//! are coming does not wait for them longer than it was set to, and who has them answers within [`CHANGE`]. The service keeps nobody
//! in a round for longer than it was set to, whoever does not answer.
use crate::connection::{Connection, SIDECAR_NOTICES};
use crate::network::Node;
use crate::random::Random;
use foundation_drain::Drain;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::placement::v1::{Host, HostOperation, PlacementOrder};

/// The longest time that a host serves without being in step: until it notices, and until its calls are cancelled.
const STALE: Duration = Duration::from_millis(SIDECAR_NOTICES.as_millis() as u64 + 2_000 + 500);
/// For so long a call goes on whose actor moves.
const PATIENCE: Duration = Duration::from_secs(2);
/// For so long a host may be busy with new tables: calls that end, and an app that lets go of its actors or hangs.
const CHANGE: Duration = Duration::from_secs(6);
/// How late a clock may be.
const LATE: Duration = Duration::from_millis(100);
/// Bits of a version below the term of its leader.
const TERM: u32 = 32;

/// All checks. Clones are the same.
#[derive(Clone)]
pub(crate) struct Checks {
    state: Arc<Mutex<State>>,
    tasks: Drain,
}

#[derive(Default)]
struct State {
    running: BTreeMap<u64, Running>,
    runs: u64,
    /// The newest connection of each sidecar, since when it is not whole, and the version of its last lock.
    connections: BTreeMap<Node, Followed>,
    term: u64,
    /// Callers that are giving up at this moment.
    givers_up: usize,
    /// Sidecars whose app is gone, or that end, and how often at once: they cut what runs.
    leaving: BTreeMap<Node, usize>,
    /// Replicas that forgot the terms that they knew.
    forgotten: u64,
    wrong: Vec<String>,
    trace: DefaultHasher,
    shows: bool,
    /// How long a round may take.
    round: Duration,
    start: Option<Instant>,
}

struct Followed {
    connection: Connection,
    lost: Option<Instant>,
    version: u64,
    /// The order that it has taken last, and when.
    taken: Option<(String, Instant)>,
    /// Since when it is in a round, as far as the service goes.
    locked: Option<Instant>,
    /// When it took the last tables.
    updated: Option<Instant>,
    /// How long it may wait for tables.
    timeout: Duration,
}

struct Running {
    actor: String,
    sidecar: Node,
    process: Option<CancellationToken>,
    complete: bool,
}

impl Running {
    fn is_alive(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.is_cancelled())
    }
}

/// A call that an app works on.
pub(crate) struct Run {
    checks: Checks,
    number: u64,
}

impl Checks {
    /// `shows` prints what happens; a round may take so long.
    pub(crate) fn new(shows: bool, round: Duration) -> Self {
        let state = State { shows, round, start: Some(Instant::now()), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), tasks: Drain::new() }
    }

    /// Owns tasks of the network.
    pub(crate) fn tasks(&self) -> &Drain {
        &self.tasks
    }

    /// Something happened.
    pub(crate) fn note(&self, what: &str) {
        self.state.lock().unwrap().note(what);
    }

    /// Something is wrong.
    pub(crate) fn fail(&self, what: String) {
        self.state.lock().unwrap().fail(what);
    }

    /// A replica has lost its memory.
    pub(crate) fn forgot(&self) {
        self.state.lock().unwrap().forgotten += 1;
    }

    /// An app begins to work on a call.
    pub(crate) fn begin(&self, sidecar: usize, process: Option<CancellationToken>, actor: String) -> Run {
        let mut state = self.state.lock().unwrap();
        let sidecar = Node::Sidecar(sidecar);
        state.note(&format!("{sidecar:?} begins {actor}"));
        state.runs += 1;
        let number = state.runs;
        state.running.insert(number, Running { actor, sidecar, process, complete: false });
        state.check();
        Run { checks: self.clone(), number }
    }

    /// Runs what a caller may give up before it is done; the call that it then leaves behind is cut short by nobody else.
    pub(crate) fn caller<F: Future>(&self, work: F) -> Caller<F> {
        Caller { checks: self.clone(), work: Some(Box::pin(work)) }
    }

    /// The app of a sidecar is gone, or the sidecar is about to end.
    pub(crate) fn leaves(&self, sidecar: usize) {
        *self.state.lock().unwrap().leaving.entry(Node::Sidecar(sidecar)).or_default() += 1;
    }

    /// It is gone, or there again.
    pub(crate) fn has_left(&self, sidecar: usize) {
        *self.state.lock().unwrap().leaving.entry(Node::Sidecar(sidecar)).or_default() -= 1;
    }

    /// A sidecar has opened a stream that is served.
    pub(crate) fn joined(&self, connection: &Connection) {
        let mut state = self.state.lock().unwrap();
        state.note(&format!("{:?} joins {:?}", connection.sidecar, connection.replica));
        let (connection, timeout) = (connection.clone(), connection.timeout);
        let followed =
            Followed { connection, lost: None, version: 0, taken: None, locked: None, updated: None, timeout };
        state.connections.insert(followed.connection.sidecar, followed);
        state.check();
    }

    /// A sidecar takes an order.
    pub(crate) fn taken(&self, connection: &Connection, order: &PlacementOrder) {
        let mut state = self.state.lock().unwrap();
        let Some(followed) = state.connections.get_mut(&connection.sidecar) else { return };
        let now = Instant::now();
        followed.taken = Some((order.operation.clone(), now));
        if order.operation == "update" {
            followed.updated = Some(now);
        }
    }

    /// A sidecar answers an order.
    pub(crate) fn answered(&self, connection: &Connection, answer: &Host) {
        let mut state = self.state.lock().unwrap();
        let Some(followed) = state.connections.get(&connection.sidecar) else { return };
        let taken = followed.taken.as_ref().filter(|(order, _)| order == "update");
        let time = taken.map(|(_, at)| at.elapsed()).unwrap_or_default();
        if answer.operation() == HostOperation::Update && time > CHANGE + LATE {
            state.fail(format!("{:?} takes {time:?} for new tables", connection.sidecar));
        }
    }

    /// An order is sent.
    pub(crate) fn ordered(&self, connection: &Connection, order: &PlacementOrder) {
        let mut state = self.state.lock().unwrap();
        let (operation, version) = (order.operation.as_str(), order.version);
        state.note(&format!("{:?} orders {:?} {operation} {version}", connection.replica, connection.sidecar));
        let Some(followed) = state.connections.get_mut(&connection.sidecar) else { return };
        let before = std::mem::replace(&mut followed.version, version);
        match operation {
            "lock" => followed.locked = Some(Instant::now()),
            "unlock" => followed.locked = None,
            _ => {}
        }
        if version < before || (operation != "lock" && version != before) {
            state.fail(format!("{operation} {version} after {before} for {:?}", connection.sidecar));
        }
        if version >> TERM < state.term && state.forgotten < 2 {
            let known = state.term;
            state.fail(format!("{:?} orders in term {} after term {known}", connection.replica, version >> TERM));
        }
        state.term = state.term.max(version >> TERM);
    }

    /// Some connection, which is to break.
    pub(crate) fn break_one(&self, random: &Random) -> Option<Connection> {
        let mut state = self.state.lock().unwrap();
        let place = random.index(state.connections.len());
        let connection = state.connections.values().nth(place).map(|followed| followed.connection.clone())?;
        state.note(&format!("the stream of {:?} to {:?} breaks", connection.sidecar, connection.replica));
        Some(connection)
    }

    /// All clocks jump: nobody could notice anything meanwhile.
    pub(crate) fn jumped(&self, by: Duration) {
        let mut state = self.state.lock().unwrap();
        state.note("the clock jumps");
        for followed in state.connections.values_mut() {
            followed.lost.iter_mut().for_each(|lost| *lost += by);
            followed.taken.iter_mut().for_each(|(_, at)| *at += by);
            followed.locked.iter_mut().for_each(|locked| *locked += by);
        }
    }

    /// Looks at all that runs.
    pub(crate) fn check(&self) {
        self.state.lock().unwrap().check();
    }

    /// Sidecars that have an actor active at the same time.
    pub(crate) fn active(&self, actor: &str, sidecars: &[usize]) {
        let mut state = self.state.lock().unwrap();
        let leaders: Vec<_> = sidecars.iter().filter_map(|number| state.leader(Node::Sidecar(*number))).collect();
        let is_twice = leaders.iter().enumerate().any(|(index, leader)| leaders[index + 1..].contains(leader));
        if is_twice {
            state.fail(format!("{actor} is active on {sidecars:?}"));
        }
    }

    /// How many calls apps work on.
    pub(crate) fn running(&self) -> usize {
        self.state.lock().unwrap().running.values().filter(|running| running.is_alive()).count()
    }

    /// What was wrong, and a digest of all that happened.
    pub(crate) fn results(&self) -> (Vec<String>, u64) {
        let state = self.state.lock().unwrap();
        (state.wrong.clone(), state.trace.finish())
    }
}

impl State {
    fn note(&mut self, what: &str) {
        let at = self.start.map(|start| start.elapsed()).unwrap_or_default();
        (at, what).hash(&mut self.trace);
        if self.shows {
            println!("{:10.4} {what}", at.as_secs_f64());
        }
    }

    fn fail(&mut self, what: String) {
        self.note(&format!("WRONG: {what}"));
        let at = self.start.map(|start| start.elapsed()).unwrap_or_default();
        self.wrong.push(format!("{:.4} s: {what}", at.as_secs_f64()));
    }

    fn check(&mut self) {
        let now = Instant::now();
        for followed in self.connections.values_mut() {
            let since = followed.lost.unwrap_or(now);
            followed.lost = (!followed.connection.is_whole()).then_some(since);
        }
        let waits =
            self.connections.values().flat_map(|one| [one.waits_too_long(now), one.is_kept_too_long(now, self.round)]);
        let mut wrong: Vec<_> = waits.flatten().collect();
        let alive: Vec<_> = self.running.values().filter(|running| running.is_alive()).collect();
        for (index, one) in alive.iter().enumerate() {
            let lost = self.connections.get(&one.sidecar).and_then(|followed| followed.lost);
            if lost.is_some_and(|lost| now > lost + STALE) {
                wrong.push(format!("{:?} still serves {} without a stream", one.sidecar, one.actor));
            }
            for other in alive.iter().skip(index + 1).filter(|other| other.actor == one.actor) {
                let leaders = (self.leader(one.sidecar), self.leader(other.sidecar));
                if one.sidecar == other.sidecar || (leaders.0.is_some() && leaders.0 == leaders.1) {
                    wrong.push(format!("{:?} and {:?} serve {} at once", one.sidecar, other.sidecar, one.actor));
                }
            }
        }
        wrong.into_iter().for_each(|wrong| self.fail(wrong));
    }

    /// Why a call should not have been cut short, if it should not.
    fn complaint(&self, cut: &Running) -> Option<String> {
        let leaves = self.leaving.get(&cut.sidecar).is_some_and(|times| *times > 0);
        let is_excused = cut.complete || !cut.is_alive() || self.givers_up > 0 || leaves;
        if is_excused || self.leader(cut.sidecar).is_none() {
            return None;
        }
        let updated = self.connections.get(&cut.sidecar).and_then(|followed| followed.updated);
        let since = updated.map(|updated| updated.elapsed());
        let is_patient = since.is_some_and(|since| since >= PATIENCE);
        (!is_patient).then(|| format!("{:?} cuts {} short, {since:?} after it got tables", cut.sidecar, cut.actor))
    }

    fn leader(&self, sidecar: Node) -> Option<Node> {
        let connection = &self.connections.get(&sidecar)?.connection;
        connection.is_whole().then_some(connection.replica)
    }
}

impl Followed {
    fn waits_too_long(&self, now: Instant) -> Option<String> {
        let (operation, since) = self.taken.as_ref()?;
        let is_wrong = operation == "lock" && self.connection.is_whole() && now > *since + self.timeout + LATE;
        is_wrong.then(|| format!("{:?} still waits for tables", self.connection.sidecar))
    }

    fn is_kept_too_long(&self, now: Instant, round: Duration) -> Option<String> {
        let is_wrong = self.connection.is_whole() && now > self.locked? + round + LATE;
        is_wrong.then(|| format!("the round of {:?} does not end", self.connection.sidecar))
    }
}

/// What a caller waits for.
pub(crate) struct Caller<F> {
    checks: Checks,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Caller<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let done = ready!(self.work.as_mut().unwrap().as_mut().poll(context));
        self.work = None;
        Poll::Ready(done)
    }
}

impl<F> Drop for Caller<F> {
    fn drop(&mut self) {
        self.checks.state.lock().unwrap().givers_up += 1;
        self.work = None;
        self.checks.state.lock().unwrap().givers_up -= 1;
    }
}

impl Run {
    /// The app is done with the call.
    pub(crate) fn complete(self) {
        if let Some(running) = self.checks.state.lock().unwrap().running.get_mut(&self.number) {
            running.complete = true;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut state = self.checks.state.lock().unwrap();
        state.check();
        if let Some(running) = state.running.remove(&self.number) {
            let complaint = state.complaint(&running);
            complaint.into_iter().for_each(|complaint| state.fail(complaint));
            state.note(&format!("{:?} ends {}", running.sidecar, running.actor));
        }
    }
}
