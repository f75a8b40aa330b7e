//! Rounds, one input after the other.
use super::*;

const SETTINGS: Settings =
    Settings { replication_factor: 100, timeout: Duration::from_secs(8), coalesce: Duration::ZERO };

fn host(name: &str, types: &[&str]) -> Host {
    Host {
        name: name.to_owned(),
        id: name.to_owned(),
        namespace: "ns".to_owned(),
        entities: types.iter().map(|name| (*name).to_owned()).collect(),
        operation: HostOperation::Report.into(),
        ..Host::default()
    }
}

fn ack(operation: HostOperation, version: u64) -> Host {
    Host { operation: operation.into(), version: Some(version), ..host("any", &[]) }
}

/// Effects as texts: `1 lock 3`, `close 1`, `within 3`, `collect`.
fn shown(effects: &[Effect]) -> Vec<String> {
    let text = |effect: &Effect| match effect {
        Effect::Send(StreamId(stream), order) => {
            format!("{stream} {} {}", order.message.operation, order.message.version)
        }
        Effect::Close(StreamId(stream), status) => format!("close {stream}: {}", status.message()),
        Effect::ExpectWithin(version) => format!("within {version}"),
        Effect::Collect => "collect".to_owned(),
    };
    effects.iter().map(text).collect()
}

fn hosts_of(effects: &[Effect], entity: &str) -> Vec<String> {
    let tables = effects.iter().find_map(|effect| match effect {
        Effect::Send(_, order) if order.message.operation == "update" => order.message.tables.clone(),
        _ => None,
    });
    let mut hosts: Vec<_> = tables.unwrap().entries.remove(entity).unwrap_or_default().load_map.into_keys().collect();
    hosts.sort();
    hosts
}

struct World(Namespace);

impl World {
    fn new(settings: Settings) -> Self {
        Self(Namespace::new(settings, 0))
    }

    fn join(&mut self, stream: StreamId, host: Host) -> Vec<Effect> {
        self.0.join(stream, host);
        self.0.settle()
    }

    fn message(&mut self, stream: StreamId, host: Host) -> Vec<Effect> {
        self.0.message(stream, host);
        self.0.settle()
    }

    fn leave(&mut self, stream: StreamId) -> Vec<Effect> {
        self.0.leave(stream);
        self.0.settle()
    }

    fn timed_out(&mut self, version: u64) -> Vec<Effect> {
        self.0.timed_out(version);
        self.0.settle()
    }

    fn collected(&mut self) -> Vec<Effect> {
        self.0.collected();
        self.0.settle()
    }

    fn ack(&mut self, stream: u64, operation: HostOperation, version: u64) -> Vec<Effect> {
        self.message(StreamId(stream), ack(operation, version))
    }

    /// Takes these streams through a whole round; returns the effects of its end.
    fn round(&mut self, streams: &[u64], version: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        for operation in [HostOperation::Lock, HostOperation::Update, HostOperation::Unlock] {
            for stream in streams {
                effects = self.ack(*stream, operation, version);
            }
        }
        effects
    }
}

#[test]
fn a_round_takes_all_streams_through_its_phases() {
    let mut world = World::new(SETTINGS);
    assert_eq!(shown(&world.join(StreamId(1), host("a", &["counter"]))), ["within 1", "1 lock 1"]);
    assert!(world.round(&[1], 1).is_empty());
    let joined = world.join(StreamId(2), host("b", &["counter"]));
    assert_eq!(shown(&joined), ["within 2", "1 lock 2", "2 lock 2"]);
    assert!(world.ack(1, HostOperation::Lock, 2).is_empty());
    let update = world.ack(2, HostOperation::Lock, 2);
    assert_eq!(shown(&update), ["1 update 2", "2 update 2"]);
    assert_eq!(hosts_of(&update, "counter"), ["a", "b"]);
    world.ack(1, HostOperation::Update, 2);
    assert_eq!(shown(&world.ack(2, HostOperation::Update, 2)), ["1 unlock 2", "2 unlock 2"]);
}

#[test]
fn a_stream_that_hosts_nothing_gets_the_tables_alone() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    assert_eq!(shown(&world.join(StreamId(2), host("b", &[]))), ["2 lock 1", "2 update 1", "2 unlock 1"]);
    assert!(world.round(&[2], 1).is_empty());
    assert_eq!(world.0.counts(), (2, 1));
    assert!(world.leave(StreamId(2)).is_empty());
}

#[test]
fn streams_that_join_in_a_round_share_the_next_one() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    assert!(world.join(StreamId(2), host("b", &["counter"])).is_empty());
    assert!(world.join(StreamId(3), host("c", &["timer"])).is_empty());
    assert_eq!(shown(&world.round(&[1], 1)), ["within 2", "1 lock 2", "2 lock 2", "3 lock 2"]);
}

#[test]
fn a_change_of_types_starts_the_round_again() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.ack(1, HostOperation::Lock, 1);
    let changed = world.message(StreamId(1), host("a", &["timer"]));
    assert_eq!(shown(&changed), ["within 2", "1 lock 2"]);
    assert!(world.ack(1, HostOperation::Update, 1).is_empty());
    assert!(world.message(StreamId(1), host("a", &["timer"])).is_empty());
}

#[test]
fn a_host_that_is_gone_leaves_with_the_next_round() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    world.join(StreamId(2), host("b", &["counter"]));
    world.ack(1, HostOperation::Lock, 2);
    assert_eq!(shown(&world.leave(StreamId(2))), ["1 update 2"]);
    world.ack(1, HostOperation::Update, 2);
    let next = world.ack(1, HostOperation::Unlock, 2);
    assert_eq!(shown(&next), ["within 3", "1 lock 3"]);
    assert_eq!(hosts_of(&world.ack(1, HostOperation::Lock, 3), "counter"), ["a"]);
}

#[test]
fn only_the_late_are_closed() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    world.join(StreamId(2), host("b", &["counter"]));
    world.ack(1, HostOperation::Lock, 2);
    let late = world.timed_out(2);
    let text = "close 2: dissemination timeout after 8s for version 2";
    assert_eq!(shown(&late), [text, "within 3", "1 lock 3"]);
    assert!(world.timed_out(2).is_empty());
}

#[test]
fn acknowledgements_without_operation_count_for_the_current_phase() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    let unknown = Host { operation: HostOperation::Unknown.into(), ..host("a", &["counter"]) };
    assert_eq!(shown(&world.message(StreamId(1), unknown.clone())), ["1 update 1"]);
    assert_eq!(shown(&world.message(StreamId(1), unknown.clone())), ["1 unlock 1"]);
    assert!(world.message(StreamId(1), unknown).is_empty());
}

#[test]
fn changes_after_a_round_are_collected() {
    let mut world = World::new(Settings { coalesce: Duration::from_secs(1), ..SETTINGS });
    world.join(StreamId(1), host("a", &["counter"]));
    assert_eq!(shown(&world.round(&[1], 1)), ["collect"]);
    assert!(world.join(StreamId(2), host("b", &["counter"])).is_empty());
    assert!(world.join(StreamId(3), host("c", &["counter"])).is_empty());
    assert_eq!(shown(&world.collected()), ["within 2", "1 lock 2", "2 lock 2", "3 lock 2"]);
}

/// Host `c` hangs and hosts another type than those that change.
#[test]
fn a_host_that_hangs_holds_up_nobody_but_the_hosts_of_its_types() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    world.join(StreamId(3), host("c", &["timer"]));
    world.round(&[1, 3], 2);
    assert_eq!(
        shown(&world.join(StreamId(2), host("b", &["counter"]))),
        ["within 3", "1 lock 3", "2 lock 3", "3 lock 3"]
    );
    world.ack(1, HostOperation::Lock, 3);
    assert_eq!(shown(&world.ack(2, HostOperation::Lock, 3)), ["1 update 3", "2 update 3"]);
    world.ack(1, HostOperation::Update, 3);
    assert_eq!(shown(&world.ack(2, HostOperation::Update, 3)), ["1 unlock 3", "2 unlock 3"]);
    world.ack(1, HostOperation::Unlock, 3);
    world.ack(2, HostOperation::Unlock, 3);
    assert_eq!(shown(&world.ack(3, HostOperation::Lock, 3)), ["3 update 3"], "it gets the tables when it wakes up");
    let joined = world.join(StreamId(4), host("d", &["timer"]));
    assert_eq!(shown(&joined), ["within 4", "1 lock 4", "2 lock 4", "3 lock 4", "4 lock 4"]);
    assert!(world.ack(4, HostOperation::Lock, 4).is_empty(), "its own type waits for it");
    let late = shown(&world.timed_out(4));
    assert_eq!(
        late.first().unwrap(),
        "close 1: dissemination timeout after 8s for version 4",
        "nor does who never answers stay"
    );
    assert!(late.iter().any(|effect| effect.starts_with("close 3")) && late.contains(&"4 lock 5".to_owned()));
}

#[test]
fn nobody_goes_ahead_of_those_that_give_up_actors() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    world.join(StreamId(2), host("b", &["timer"]));
    world.round(&[1, 2], 2);
    world.join(StreamId(3), host("c", &["counter"]));
    assert!(world.ack(2, HostOperation::Lock, 3).is_empty());
    world.ack(3, HostOperation::Lock, 3);
    assert_eq!(shown(&world.ack(1, HostOperation::Lock, 3)), ["1 update 3", "2 update 3", "3 update 3"]);
    assert!(world.ack(2, HostOperation::Update, 3).is_empty());
    assert!(world.ack(3, HostOperation::Update, 3).is_empty(), "the old host may still have actors");
    assert_eq!(world.ack(1, HostOperation::Update, 3).len(), 3);
}

#[test]
fn a_type_that_is_given_up_is_awaited_as_well() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.join(StreamId(2), host("b", &["counter"]));
    world.round(&[1], 1);
    world.round(&[1, 2], 2);
    let changed = world.message(StreamId(1), host("a", &[]));
    assert_eq!(shown(&changed), ["within 3", "1 lock 3", "2 lock 3"]);
    world.ack(1, HostOperation::Lock, 3);
    world.ack(2, HostOperation::Lock, 3);
    assert!(world.ack(2, HostOperation::Update, 3).is_empty(), "the one that gives it up has not let go yet");
    assert_eq!(shown(&world.ack(1, HostOperation::Update, 3)), ["1 unlock 3", "2 unlock 3"]);
}

#[test]
fn who_comes_and_goes_while_changes_are_collected_causes_a_round() {
    let mut world = World::new(Settings { coalesce: Duration::from_secs(1), ..SETTINGS });
    world.join(StreamId(1), host("a", &["counter"]));
    world.round(&[1], 1);
    assert!(world.join(StreamId(2), host("b", &["timer"])).is_empty());
    assert!(world.leave(StreamId(2)).is_empty());
    assert_eq!(shown(&world.collected()), ["within 2", "1 lock 2", "collect"]);
}

#[test]
fn reports_that_come_at_once_begin_the_round_again_once() {
    let mut world = World::new(SETTINGS);
    (1..=4).for_each(|stream| world.0.join(StreamId(stream), host(&format!("h{stream}"), &["counter"])));
    assert_eq!(shown(&world.0.settle()), ["within 1", "1 lock 1", "2 lock 1", "3 lock 1", "4 lock 1"]);
    world.0.message(StreamId(1), host("h1", &[]));
    (1..=4).for_each(|stream| world.0.message(StreamId(stream), ack(HostOperation::Lock, 1)));
    world.0.message(StreamId(2), host("h2", &["timer"]));
    world.0.message(StreamId(3), host("h3", &[]));
    let again = ["within 2", "1 lock 2", "2 lock 2", "3 lock 2", "4 lock 2"];
    assert_eq!(shown(&world.0.settle()), again, "nothing goes out of the round that begins again");
    let unlocked = world.round(&[1, 2, 3, 4], 2);
    assert!(unlocked.is_empty() && world.0.settle().is_empty());
    assert_eq!(world.0.state().hosts.into_iter().map(|host| host.name).collect::<Vec<_>>(), ["h2", "h4"]);
}

#[test]
fn who_is_behind_gets_nothing_of_a_round_that_begins_again() {
    let mut world = World::new(SETTINGS);
    world.0.join(StreamId(1), host("a", &["counter"]));
    world.0.join(StreamId(2), host("b", &["timer"]));
    world.0.settle();
    world.round(&[1, 2], 1);
    world.message(StreamId(1), host("a", &["counter", "clock"]));
    assert_eq!(shown(&world.ack(1, HostOperation::Lock, 2)), ["1 update 2"]);
    world.0.message(StreamId(1), host("a", &["counter"]));
    world.0.message(StreamId(2), ack(HostOperation::Lock, 2));
    assert_eq!(shown(&world.0.settle()), ["within 3", "1 lock 3", "2 lock 3"]);
}

#[test]
fn who_comes_and_goes_at_once_shares_a_round() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.join(StreamId(2), host("b", &["counter"]));
    world.round(&[1], 1);
    world.round(&[1, 2], 2);
    world.0.leave(StreamId(1));
    world.0.join(StreamId(3), host("c", &["counter"]));
    world.0.message(StreamId(2), host("b", &["counter", "timer"]));
    assert_eq!(shown(&world.0.settle()), ["within 3", "2 lock 3", "3 lock 3"]);
    world.ack(2, HostOperation::Lock, 3);
    assert_eq!(hosts_of(&world.ack(3, HostOperation::Lock, 3), "counter"), ["b", "c"]);
}

#[test]
fn a_round_that_begins_again_leaves_who_joins_for_the_next() {
    let mut world = World::new(SETTINGS);
    world.join(StreamId(1), host("a", &["counter"]));
    world.0.join(StreamId(2), host("b", &["counter"]));
    world.0.message(StreamId(1), host("a", &["timer"]));
    assert_eq!(shown(&world.0.settle()), ["within 2", "1 lock 2"]);
    assert_eq!(shown(&world.round(&[1], 2)), ["within 3", "1 lock 3", "2 lock 3"]);
}

/// Dapr's sidecars build their rings of name, port, load and app ID (`inflight.go`).
#[test]
fn tables_have_of_a_host_what_sidecars_read() {
    let mut world = World::new(SETTINGS);
    let types: Vec<String> = (0..600).map(|number| format!("type-{number:011}")).collect();
    let names: Vec<&str> = types.iter().map(String::as_str).collect();
    let reported =
        Host { port: 50002, load: 3, pod: "pod".to_owned(), api_level: 20, ..host("10.0.0.1:50002", &names) };
    world.join(StreamId(1), reported.clone());
    let update = world.ack(1, HostOperation::Lock, 1);
    let Effect::Send(_, order) = &update[0] else { panic!("{update:?}") };
    let tables = order.message.tables.clone().unwrap();
    assert_eq!((tables.entries.len(), tables.replication_factor), (600, 100));
    let (name, id) = (reported.name.clone(), reported.id.clone());
    let read = Host { name: name.clone(), id, port: 50002, load: 3, ..Host::default() };
    assert!(tables.entries.values().all(|table| table.load_map == [(name.clone(), read.clone())].into()));
    assert!(order.frame().len() < 600 * 100, "{} bytes", order.frame().len());
    assert_eq!(world.0.state().hosts, [reported], "people see all of it");
}
