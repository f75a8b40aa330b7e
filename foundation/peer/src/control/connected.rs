//! A connection to a service of the control plane while something is done over it.
use super::silence::{Heard, LIMIT};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt;

/// A service that pings less often than that is asked whether it is there. Dapr's schedulers ping every three seconds, its placement
/// service as often as `--keepalive-time` says, up to ten.
const QUIET: Duration = Duration::from_secs(5);
/// A question that every gRPC server has an answer to, if only that it does not know it.
const QUESTION: &str = "http://control-plane/grpc.health.v1.Health/Check";

/// A connection to a replica. Clones share it.
#[derive(Clone, Debug)]
pub struct Connected {
    pub address: SocketAddr,
    pub channel: Channel,
    pub(super) heard: Heard,
}

impl Connected {
    /// Works, and asks the service for a sign of life whenever it is quiet meanwhile. The connection breaks eight seconds after the
    /// last one.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.ask_when_quiet() => match never {},
        }
    }

    /// Goes on as long as anybody waits for it.
    pub async fn ask_when_quiet(&self) -> Infallible {
        loop {
            let quiet = self.heard.last() + QUIET;
            if quiet > Instant::now() {
                sleep_until(quiet).await;
                continue;
            }
            // Whatever the answer is, it is a sign of life.
            timeout(LIMIT - QUIET, self.ask()).await.ok();
            sleep(QUIET).await;
        }
    }

    async fn ask(&self) {
        let question =
            http::Request::post(QUESTION).header("content-type", "application/grpc").header("te", "trailers");
        if let Ok(question) = question.body(Body::empty()) {
            self.channel.clone().oneshot(question).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::silence::Attentive;
    use super::*;
    use futures_util::{StreamExt, stream};
    use hyper_util::rt::TokioIo;
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::mpsc;
    use tonic::transport::{Endpoint, Server};
    use tower::service_fn;

    /// A connection to a service, on which that service never says anything of its own accord.
    async fn connected(far: mpsc::Sender<std::io::Result<DuplexStream>>) -> Connected {
        let heard = Heard::now();
        let told = heard.clone();
        let dial = service_fn(move |_| {
            let (far, heard) = (far.clone(), told.clone());
            async move {
                let (near, other) = duplex(1 << 16);
                far.send(Ok(other)).await.ok();
                Ok::<_, std::io::Error>(TokioIo::new(Attentive::new(near, heard)))
            }
        });
        let channel = Endpoint::from_static("http://control-plane").connect_with_connector(dial).await.unwrap();
        Connected { address: ([127, 0, 0, 1], 1).into(), channel, heard }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_never_pings_is_asked_and_stays() {
        let (dialled, mut incoming) = mpsc::channel(4);
        let server = Server::builder().add_routes(tonic::service::Routes::default());
        let connected = connected(dialled).await;
        let first = incoming.recv().await.unwrap();
        let only = stream::iter([first]).chain(stream::pending());
        tokio::select! {
            () = connected.watch(sleep(10 * LIMIT)) => {}
            ended = server.serve_with_incoming(only) => panic!("{ended:?}"),
        }
        assert!(connected.heard.last().elapsed() <= QUIET, "it was heard of lately");
        assert!(incoming.try_recv().is_err(), "it is still the first connection");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hangs_is_given_up() {
        let (dialled, mut incoming) = mpsc::channel(4);
        let connected = connected(dialled).await;
        let start = Instant::now();
        let _hangs = incoming.recv().await;
        let call = http::Request::post("http://control-plane/x/y").body(Body::empty()).unwrap();
        let called = connected.watch(connected.channel.clone().oneshot(call)).await;
        assert!(called.is_err());
        assert_eq!(start.elapsed(), LIMIT);
    }
}
