//! The service behind real connections.
use super::*;
use crate::election::Lease;
use crate::namespace::Settings;
use foundation_drain::Drain;
use foundation_process::{Http2, KeepAlive, Refused, listen, serve_http2};
use foundation_telemetry::Registry;
use futures_util::stream;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use wire::placement::v1::placement_client::PlacementClient;
use wire::placement::v1::{Host, HostOperation, PlacementOrder};
use wire::trilby::placement::Question;
use wire::trilby::placement::election_client::ElectionClient;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    drain: Drain,
    channel: Channel,
    /// Serves as long as it is there.
    _lead: watch::Sender<Option<Lease>>,
}

fn report(name: &str, id: &str) -> Host {
    Host {
        name: name.to_owned(),
        id: id.to_owned(),
        namespace: "ns".to_owned(),
        entities: vec!["t".to_owned()],
        operation: HostOperation::Report.into(),
        ..Host::default()
    }
}

impl World {
    async fn new() -> Self {
        let (drain, registry) = (Drain::new(), Registry::new().unwrap());
        let (lead, follower) = watch::channel(Some(Lease { term: 0, until: None }));
        let settings = Settings { replication_factor: 100, timeout: Duration::from_secs(8), coalesce: Duration::ZERO };
        let service = Service::new(settings, ("p", follower), &registry, &drain).unwrap();
        let listener = listen::tcp("127.0.0.1", 0).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let keep_alive = KeepAlive { interval: Duration::from_secs(1), timeout: Duration::from_secs(1) };
        let refused = Refused::new(&registry, "placement").unwrap();
        serve_http2(Http2::new(service, keep_alive), listener, None, &drain, refused);
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        Self { drain, channel, _lead: lead }
    }

    async fn open(&self, first: Host) -> Result<(mpsc::Sender<Host>, Streaming<PlacementOrder>), Status> {
        let (reports, waiting) = mpsc::channel(8);
        reports.send(first).await.unwrap();
        let waiting = stream::unfold(waiting, async |mut waiting| Some((waiting.recv().await?, waiting)));
        let answer = PlacementClient::new(self.channel.clone()).report_dapr_status(Box::pin(waiting)).await?;
        Ok((reports, answer.into_inner()))
    }

    async fn close(self) {
        drop(self.channel);
        assert!(self.drain.close(PATIENCE).await);
    }
}

async fn next(orders: &mut Streaming<PlacementOrder>) -> Result<PlacementOrder, Status> {
    timeout(PATIENCE, orders.message()).await.unwrap().map(Option::unwrap)
}

#[tokio::test]
async fn a_round_goes_through_and_the_stream_ends_with_a_status() {
    let world = World::new().await;
    let (reports, mut orders) = world.open(report("h", "app")).await.unwrap();
    for (name, operation) in
        [("lock", HostOperation::Lock), ("update", HostOperation::Update), ("unlock", HostOperation::Unlock)]
    {
        let order = next(&mut orders).await.unwrap();
        assert_eq!(order.operation, name);
        let answer = Host { operation: operation.into(), version: Some(order.version), ..report("h", "app") };
        reports.send(answer).await.unwrap();
    }
    world.drain.stop();
    assert_eq!(next(&mut orders).await.unwrap_err().code(), Code::Unavailable);
    world.close().await;
}

#[tokio::test]
async fn a_refusal_is_a_status_first_and_later() {
    let world = World::new().await;
    let refused = world.open(report("h", "")).await.unwrap_err();
    assert_eq!(refused.message(), "host ID and namespace must be provided");
    let (reports, mut orders) = world.open(report("h", "app")).await.unwrap();
    assert!(next(&mut orders).await.is_ok());
    reports.send(report("h", "")).await.unwrap();
    assert_eq!(next(&mut orders).await.unwrap_err().message(), refused.message());
    world.close().await;
}

#[tokio::test]
async fn another_method_is_not_there() {
    let world = World::new().await;
    let answer = ElectionClient::new(world.channel.clone()).ask(Question::default()).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    world.close().await;
}
