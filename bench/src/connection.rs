//! Connections of each kind, which do the same thing again and again.
use crate::app::SIZE;
use crate::client::{Call, Client};
use crate::deliveries::Deliveries;
use crate::grpc_client::{Grpc, Stream};
use crate::signing::Signer;
use anyhow::Context;
use bytes::Bytes;
use http::{Method, StatusCode};

/// A connection with what is done over it.
pub(crate) enum Connection {
    Http(Client, Call),
    Invoke(Grpc, Bytes),
    Proxy(Grpc, Bytes),
    /// Has sentry sign a certificate.
    Sign(Signer, Bytes),
    Stream(Box<Stream>, Bytes),
    /// Publishes, and waits until the event has come to the app.
    Deliver(Client, Deliveries),
}

impl Connection {
    /// Does it once.
    ///
    /// # Errors
    /// A broken connection, or another answer than the expected one.
    pub(crate) async fn once(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Http(client, call) => client.send(call).await,
            Self::Invoke(grpc, message) => grpc.invoke(message).await,
            Self::Proxy(grpc, message) => grpc.proxy(message).await,
            Self::Sign(signer, message) => signer.sign(message).await,
            Self::Stream(stream, message) => stream.send(message).await,
            Self::Deliver(client, deliveries) => {
                let (number, came) = deliveries.expect();
                client.send(&publish(number)).await?;
                came.await.context("an event was lost")
            }
        }
    }
}

/// Publishes an event.
pub(crate) fn publish(number: u64) -> Call {
    let body = serde_json::json!({"number": number, "order": "x".repeat(SIZE)}).to_string().into();
    let path = "/v1.0/publish/broker/topic".to_owned();
    Call { method: Method::POST, path, body, expect: StatusCode::NO_CONTENT }
}
