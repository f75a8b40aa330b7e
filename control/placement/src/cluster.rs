//! The replicas of a placement service, as `--initial-cluster` lists them, and how they ask each other.
use crate::candidate::{Candidate, Voters};
use crate::election::{self, Place};
use foundation_identity::{Identity, SpiffeId};
use foundation_peer::ControlService;
use foundation_process::peer;
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, async_trait};
use wire::trilby::placement::election_client::ElectionClient;
use wire::trilby::placement::election_server::Election;
use wire::trilby::placement::{Answer, Question};

/// A question that has not been answered by then is lost.
const PATIENCE: Duration = Duration::from_millis(1000);

/// All replicas in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    replicas: Vec<Replica>,
    own: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Replica {
    name: String,
    address: String,
}

impl Cluster {
    /// Reads `name=host:port,...`; nothing when it is none, or does not have `own` in it.
    pub fn parse(text: &str, own: &str) -> Option<Self> {
        let replica = |part: &str| {
            let (name, address) = part.trim().split_once('=')?;
            address.rsplit_once(':')?.1.parse::<u16>().ok()?;
            Some(Replica { name: name.to_owned(), address: address.to_owned() })
        };
        let mut replicas = text.split(',').map(replica).collect::<Option<Vec<_>>>()?;
        replicas.sort();
        let own = replicas.iter().position(|replica| replica.name == own)?;
        Some(Self { replicas, own })
    }

    /// How many replicas there are.
    pub(crate) fn len(&self) -> usize {
        self.replicas.len()
    }

    /// This one among them.
    pub(crate) fn own(&self) -> Place {
        self.own
    }

    /// Where this one is to listen: on its own address if that is one, else on all.
    pub(crate) fn listens_on(&self) -> (&str, u16) {
        let own = self.replicas.get(self.own).and_then(|replica| replica.address.rsplit_once(':'));
        let (host, port) = own.unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok();
        (if is_address { bare } else { "" }, port.parse().unwrap_or_default())
    }

    fn place(&self, name: &str) -> Option<Place> {
        self.replicas.iter().position(|replica| replica.name == name)
    }
}

/// The other replicas, over gRPC.
pub(crate) struct Others {
    own: String,
    channels: Vec<ElectionClient<Channel>>,
}

impl Others {
    /// Connects when there is something to ask. `identity` is the own one, and what the others must have.
    pub(crate) fn new(cluster: &Cluster, identity: Option<(Identity, SpiffeId)>) -> Self {
        let service = ControlService { addresses: Vec::new(), identity };
        let channel = |replica: &Replica| ElectionClient::new(service.lazily(&replica.address));
        let own = cluster.replicas.get(cluster.own).map(|replica| replica.name.clone()).unwrap_or_default();
        Self { own, channels: cluster.replicas.iter().map(channel).collect() }
    }
}

#[async_trait]
impl Voters for Others {
    async fn ask(&self, to: Place, question: election::Question) -> Option<election::Answer> {
        let mut client = self.channels.get(to)?.clone();
        let mut request = Request::new(Question { from: self.own.clone(), term: question.term, leads: question.leads });
        request.set_timeout(PATIENCE);
        let answer = client.ask(request).await.ok()?.into_inner();
        Some(election::Answer { promised: answer.promised, term: answer.term })
    }
}

/// The side that is asked.
pub(crate) struct Asked {
    pub(crate) cluster: Cluster,
    pub(crate) candidate: Candidate,
    /// What the others must have; none lets everybody ask.
    pub(crate) id: Option<SpiffeId>,
}

#[async_trait]
impl Election for Asked {
    async fn ask(&self, request: Request<Question>) -> Result<Response<Answer>, Status> {
        if self.id.is_some() && peer(&request) != self.id {
            return Err(Status::permission_denied("only replicas of the placement service may ask"));
        }
        let question = request.into_inner();
        let from = self.cluster.place(&question.from);
        let unknown = || Status::invalid_argument(format!("{} is not in --initial-cluster", question.from));
        let (term, leads, at) = (question.term, question.leads, Instant::now());
        let answer = self.candidate.asked(from.ok_or_else(unknown)?, election::Question { term, leads, at });
        Ok(Response::new(Answer { promised: answer.promised, term: answer.term }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_read_in_any_order() {
        let cluster = Cluster::parse("b=localhost:2,a=10.0.0.1:1", "b").unwrap();
        assert_eq!((cluster.len(), cluster.own(), cluster.listens_on()), (2, 1, ("localhost", 2)));
        assert_eq!(cluster, Cluster::parse("a=10.0.0.1:1,b=localhost:2", "b").unwrap());
        let named = Cluster::parse("a=placement-0.placement:8201", "a").unwrap();
        assert_eq!(named.listens_on(), ("", 8201));
    }

    #[test]
    fn what_is_no_cluster_is_refused() {
        for (text, own) in [("", "a"), ("a", "a"), ("a=b", "a"), ("a=b:x", "a"), ("a=b:1", "c")] {
            assert_eq!(Cluster::parse(text, own), None, "{text}");
        }
    }
}
