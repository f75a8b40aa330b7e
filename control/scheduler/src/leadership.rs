//! Which schedulers there are, and which part of the jobs is this one's (protocols.md 3.4).
//!
//! Each scheduler keeps a key under a lease, and in it how many keys it knows of. When all say the same number they agree, and a
//! job belongs to the one at `partition mod number`; any change makes them begin anew.
use crate::keyspace::{Keyspace, leader_key};
use bytes::Bytes;
use foundation_drain::Drain;
use foundation_etcd::Error;
use prost::Message;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{interval, sleep, timeout};
use wire::etcd::cron::Leadership;
use wire::etcd::mvccpb::KeyValue;
use wire::scheduler::v1::Host;

const SCOPE: &str = "dapr.scheduler.server.cron";
const HOST: &str = "type.googleapis.com/dapr.proto.scheduler.v1.Host";
/// Of the lease, in seconds.
const LEASE: i64 = 20;
const RENEWAL: Duration = Duration::from_secs(5);
/// Before another try when etcd cannot be used.
const PAUSE: Duration = Duration::from_secs(1);
const FAREWELL: Duration = Duration::from_secs(2);

/// What the schedulers agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elected {
    /// Of this scheduler among all, and how many there are.
    pub(crate) index: usize,
    pub(crate) total: usize,
    /// Where sidecars reach them.
    pub(crate) hosts: Vec<String>,
}

impl Elected {
    /// Whether a job is this scheduler's.
    pub(crate) fn owns(&self, partition: u64) -> bool {
        partition % self.total.max(1) as u64 == self.index as u64
    }

    /// The place of an address among all, in their order.
    pub(crate) fn place(&self, address: &str) -> usize {
        self.hosts.iter().filter(|host| host.as_str() < address).count()
    }
}

/// What a scheduler says of itself.
#[derive(Clone, Debug)]
struct Own {
    id: String,
    uid: u64,
    address: String,
}

/// What is to be done, as the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Write the own key, in place of what is known of it.
    Write {
        known: Option<Bytes>,
        total: u64,
    },
    /// Others have not said the same yet, or one with the own name is still there.
    Wait,
    Elected(Elected),
}

impl Own {
    fn value(&self, total: u64) -> Bytes {
        let host = Host { address: self.address.clone() };
        let replica_data = prost_types::Any { type_url: HOST.to_owned(), value: host.encode_to_vec() };
        Leadership { total, uid: self.uid, replica_data: Some(replica_data) }.encode_to_vec().into()
    }

    fn step(&self, keys: &[KeyValue]) -> Step {
        let leaders: Vec<_> = keys.iter().map(|kv| Leadership::decode(&kv.value[..]).unwrap_or_default()).collect();
        let (total, key) = (keys.len() as u64, leader_key(&self.id));
        let Some(index) = keys.iter().position(|kv| kv.key == key) else {
            return Step::Write { known: None, total: total + 1 };
        };
        if leaders[index].uid != self.uid {
            return Step::Wait;
        }
        if leaders[index].total != total {
            return Step::Write { known: Some(keys[index].value.clone()), total };
        }
        if leaders.iter().any(|leader| leader.total != total) {
            return Step::Wait;
        }
        Step::Elected(Elected { index, total: keys.len(), hosts: leaders.iter().map(host).collect() })
    }
}

fn host(leader: &Leadership) -> String {
    let data = leader.replica_data.as_ref().and_then(|data| Host::decode(&data.value[..]).ok());
    data.map(|host| host.address).unwrap_or_default()
}

/// Takes part until the drain stops, and tells what the schedulers agree on; none while they do not.
pub(crate) fn start(
    keyspace: Keyspace,
    id: String,
    address: String,
    drain: &Drain,
) -> watch::Receiver<Option<Elected>> {
    let (elected, agreed) = watch::channel(None);
    let own = Own { id, uid: rand::random(), address };
    let stopping = drain.clone();
    drain.spawn(async move {
        let member = Member { keyspace, own, elected };
        while !stopping.is_stopped() {
            if let Err(error) = member.serve(&stopping).await {
                tracing::warn!(target: SCOPE, "leadership is lost: {error}");
                member.elected.send_replace(None);
                tokio::select! { () = sleep(PAUSE) => {}, () = stopping.stopped() => {} }
            }
        }
    });
    agreed
}

struct Member {
    keyspace: Keyspace,
    own: Own,
    elected: watch::Sender<Option<Elected>>,
}

impl Member {
    /// Takes part under one lease, until it is lost or the drain stops.
    async fn serve(&self, stopping: &Drain) -> Result<(), Error> {
        let client = self.keyspace.client();
        let lease = tokio::select! {
            lease = client.lease_grant(LEASE) => lease?,
            () = stopping.stopped() => return Ok(()),
        };
        let lost = tokio::select! {
            lost = self.take_part(lease) => lost,
            lost = self.renew(lease) => lost,
            () = stopping.stopped() => Ok(()),
        };
        // The others need not wait for it to run out.
        timeout(FAREWELL, client.lease_revoke(lease)).await.ok();
        lost
    }

    async fn renew(&self, lease: i64) -> Result<(), Error> {
        let mut ticks = interval(RENEWAL);
        // A server may be away for a moment, as long as the lease lasts.
        let mut failures = 0;
        loop {
            ticks.tick().await;
            match self.keyspace.client().lease_renew(lease).await {
                Ok(Some(_)) => failures = 0,
                Ok(None) => return Err(Error::LeaseNotFound),
                Err(error) if failures >= 2 => return Err(error),
                Err(_) => failures += 1,
            }
        }
    }

    async fn take_part(&self, lease: i64) -> Result<(), Error> {
        let (mut keys, revision) = self.keyspace.leaders().await?;
        let mut watching = self.keyspace.watch_leaders(revision + 1).await?;
        loop {
            match self.own.step(&keys) {
                Step::Write { known, total } => {
                    self.elected.send_replace(None);
                    self.keyspace.put_leader(&self.own.id, known, self.own.value(total), lease).await?;
                }
                Step::Wait => {
                    self.elected.send_replace(None);
                    watching.next().await?;
                }
                Step::Elected(elected) => {
                    self.elect(elected);
                    watching.next().await?;
                }
            }
            keys = self.keyspace.leaders().await?.0;
        }
    }

    fn elect(&self, elected: Elected) {
        self.elected.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&elected);
            if is_new {
                tracing::info!(target: SCOPE, "leadership quorum reached, total={}", elected.total);
                *known = Some(elected);
            }
            is_new
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn own(id: &str, uid: u64) -> Own {
        Own { id: id.into(), uid, address: format!("{id}:1") }
    }

    fn keys(values: &BTreeMap<String, Bytes>) -> Vec<KeyValue> {
        let kv = |(id, value): (&String, &Bytes)| KeyValue {
            key: leader_key(id),
            value: value.clone(),
            ..KeyValue::default()
        };
        values.iter().map(kv).collect()
    }

    /// Lets all do what they find to do until none finds anything; returns what each has come to.
    fn agree(members: &[Own], values: &mut BTreeMap<String, Bytes>) -> Vec<Step> {
        loop {
            let mut changed = false;
            for member in members {
                if let Step::Write { total, .. } = member.step(&keys(values)) {
                    values.insert(member.id.clone(), member.value(total));
                    changed = true;
                }
            }
            if !changed {
                return members.iter().map(|member| member.step(&keys(values))).collect();
            }
        }
    }

    #[test]
    fn those_who_join_and_leave_agree_on_parts() {
        let members = [own("a", 1), own("b", 2), own("c", 3)];
        let mut values = BTreeMap::new();
        let hosts = |names: &[&str]| names.iter().map(|name| format!("{name}:1")).collect::<Vec<_>>();
        let expect = |index, total, names: &[&str]| Step::Elected(Elected { index, total, hosts: hosts(names) });
        assert_eq!(agree(&members[..1], &mut values), [expect(0, 1, &["a"])]);
        assert_eq!(agree(&members, &mut values), [0, 1, 2].map(|index| expect(index, 3, &["a", "b", "c"])));
        values.remove("a");
        assert_eq!(agree(&members[1..], &mut values), [0, 1].map(|index| expect(index, 2, &["b", "c"])));
    }

    #[test]
    fn one_of_the_same_name_waits_for_the_other_to_go() {
        let mut values = BTreeMap::new();
        agree(&[own("a", 1)], &mut values);
        assert_eq!(own("a", 2).step(&keys(&values)), Step::Wait);
        assert_eq!(agree(&[own("a", 2)], &mut BTreeMap::new()).len(), 1);
    }

    #[test]
    fn each_job_belongs_to_one_of_them() {
        let elected = |index| Elected { index, total: 3, hosts: vec!["b".into(), "a".into(), "c".into()] };
        for partition in [0, 1, 2, u64::MAX] {
            assert_eq!((0..3).filter(|index| elected(*index).owns(partition)).count(), 1);
        }
        assert_eq!(elected(0).place("b"), 1);
    }
}
