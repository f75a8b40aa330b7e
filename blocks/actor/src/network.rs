//! The network as actors need it: the placement service on one side, other sidecars on the other.
//!
//! Nothing else here knows where messages go, so that a test can lose, delay and break them.
use crate::ring;
use async_trait::async_trait;
use foundation_peer::{ControlService, Peers, Target, describe};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::HeaderMap;
use prost::Message;
use rand::Rng;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::internals::v1::{InternalInvokeRequest, InternalInvokeResponse, Reminder};
use wire::placement::v1::placement_client::PlacementClient;
use wire::placement::v1::{Host, PlacementOrder};

const CALL_ACTOR: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallActor";
const CALL_REMINDER: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallActorReminder";
/// The largest tables that are taken. They name every host of each type together with all types that it hosts: these are a thousand
/// hosts of forty types each. gRPC's own limit of 4 MiB is not enough for three hundred of them; without one, a service gone mad
/// would end this sidecar for want of memory.
const LARGEST_TABLES: usize = 64 << 20;
/// Pause before another try, in milliseconds.
const PAUSE: std::ops::Range<u64> = 250..750;

/// What a replica of the placement service orders, until the stream is over.
pub type Orders = BoxStream<'static, Result<PlacementOrder, Status>>;

/// The replicas of the placement service.
#[async_trait]
pub trait Replicas: Send + Sync {
    /// Opens a stream to the replica whose turn it is, and sends what is waiting in `reports`. Gives its address with it.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    async fn open(&self, turn: usize, reports: mpsc::Receiver<Host>) -> Result<(String, Orders), String>;

    /// How long to wait before another try.
    fn pause(&self) -> Duration {
        Duration::from_millis(rand::rng().random_range(PAUSE))
    }
}

/// Other sidecars, as hosts of actors.
#[async_trait]
pub trait Neighbours: Send + Sync {
    /// Calls an actor that lives there. `trace` are headers of the call.
    ///
    /// # Errors
    /// Its refusal, or why it was not reached.
    async fn call(
        &self,
        host: &ring::Host,
        request: &InternalInvokeRequest,
        trace: &HeaderMap,
    ) -> Result<InternalInvokeResponse, Status>;

    /// Tells an actor that lives there of a timer or a reminder.
    ///
    /// # Errors
    /// Its refusal, or why it was not reached.
    async fn tick(&self, host: &ring::Host, reminder: &Reminder) -> Result<(), Status>;
}

#[async_trait]
impl Replicas for ControlService {
    async fn open(&self, turn: usize, reports: mpsc::Receiver<Host>) -> Result<(String, Orders), String> {
        let connected = self.connect(turn).await?;
        let client = PlacementClient::new(connected.channel.clone());
        let mut client = client.max_decoding_message_size(LARGEST_TABLES);
        // The answer comes with the first order, which may take its time.
        let orders = connected.watch(client.report_dapr_status(ReceiverStream::new(reports))).await;
        let orders = orders.map_err(|status| describe(&status))?.into_inner();
        let address = connected.address.to_string();
        let watching = async move { connected.ask_when_quiet().await };
        Ok((address, orders.take_until(watching).boxed()))
    }
}

#[async_trait]
impl Neighbours for Peers {
    async fn call(
        &self,
        host: &ring::Host,
        request: &InternalInvokeRequest,
        trace: &HeaderMap,
    ) -> Result<InternalInvokeResponse, Status> {
        send(self, host, CALL_ACTOR, (request, trace)).await
    }

    async fn tick(&self, host: &ring::Host, reminder: &Reminder) -> Result<(), Status> {
        send(self, host, CALL_REMINDER, (reminder, &HeaderMap::new())).await
    }
}

async fn send<Q, A>(
    peers: &Peers,
    host: &ring::Host,
    path: &str,
    (message, trace): (&Q, &HeaderMap),
) -> Result<A, Status>
where
    Q: Message,
    A: Message + Default,
{
    let target = Target::new(host.app_id.as_str(), peers.own().namespace.as_str());
    let sent = peers.call_message(&host.name, &target, path, message, trace).await;
    sent.map_err(Status::from)
}
