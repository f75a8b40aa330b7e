//! Connections on their way from the loop that accepts them to a server that takes them from a stream.
use crate::listen::{Connection, Serve};
use crate::prompt::Prompt;
use foundation_drain::Drain;
use foundation_identity::PeerId;
use std::io;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tonic::transport::server::Connected;

/// A connection of any kind. Requests on it have an extension `Option<PeerId>`.
pub(crate) type Handed = Prompt<Box<dyn Connection>>;

/// Hands connections over.
#[derive(Clone)]
pub(crate) struct Hand(pub(crate) mpsc::Sender<io::Result<Handed>>);

impl Serve for Hand {
    async fn serve(self, connection: impl Connection, _: Drain) {
        self.0.send(Ok(Prompt::new(Box::new(connection)))).await.ok();
    }
}

impl Connection for Box<dyn Connection> {
    fn client(&self) -> Option<SocketAddr> {
        self.as_ref().client()
    }

    fn peer(&self) -> Option<&PeerId> {
        self.as_ref().peer()
    }
}

impl Connected for Handed {
    type ConnectInfo = Option<PeerId>;

    fn connect_info(&self) -> Option<PeerId> {
        self.get_ref().peer().cloned()
    }
}
