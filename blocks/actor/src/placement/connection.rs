//! A stream to one replica of the placement service.
use foundation_peer::ControlService;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use wire::placement::v1::placement_client::PlacementClient;
use wire::placement::v1::{Host, PlacementOrder};

/// Opens a stream to the replica whose turn it is, and sends what is waiting in `reports`.
pub(super) async fn open(
    service: &ControlService,
    turn: usize,
    reports: mpsc::Receiver<Host>,
) -> Result<(SocketAddr, Streaming<PlacementOrder>), String> {
    let (address, channel) = service.connect(turn).await?;
    // The answer comes with the first order, which may take its time.
    let orders = PlacementClient::new(channel).report_dapr_status(ReceiverStream::new(reports)).await;
    orders.map(|orders| (address, orders.into_inner())).map_err(|status| foundation_peer::describe(&status))
}
