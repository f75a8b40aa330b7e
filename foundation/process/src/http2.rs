//! A server of HTTP/2 for clients that stay: of what a connection keeps, most is the protocol's own.
use crate::grpc::Refused;
use crate::listen::{Connection, Listener, Serve, accept};
use crate::prompt::Prompt;
use crate::tls::Tls;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, PeerId};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;

/// When a client is asked whether it is still there, and how long it may take to say so.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    pub interval: Duration,
    pub timeout: Duration,
}

/// Work on a request. It is boxed, for what it takes would stay with the stream of its answer otherwise.
pub type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

/// Answers requests.
pub trait Answer: Clone + Send + Sync + 'static {
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request; `peer` is who has sent it, if the connection has proven that.
    fn answer(&self, peer: Option<PeerId>, request: Request<Incoming>) -> Answering<Self::Body>;
}

/// Serves until the drain stops, over TLS where there is an acceptor.
pub fn serve_http2(
    server: Http2<impl Answer>,
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    drain: &Drain,
    refused: Refused,
) {
    let listener = Listener::Tcp(listener);
    match acceptor {
        Some(acceptor) => accept(listener, Tls::new(acceptor, server, move || refused.count()), drain),
        None => accept(listener, server, drain),
    }
}

/// Serves connections.
#[derive(Clone, Debug)]
pub struct Http2<A> {
    answer: A,
    keep_alive: KeepAlive,
}

impl<A: Answer> Http2<A> {
    pub fn new(answer: A, keep_alive: KeepAlive) -> Self {
        Self { answer, keep_alive }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).auto_date_header(false);
        builder.keep_alive_interval(self.keep_alive.interval).keep_alive_timeout(self.keep_alive.timeout);
        builder
    }
}

impl<A: Answer> Serve for Http2<A> {
    fn serve(self, connection: impl Connection, drain: Drain) -> impl Future<Output = ()> + Send {
        let (builder, peer) = (self.builder(), connection.peer().cloned());
        let service = service_fn(move |request| self.answer.answer(peer.clone(), request));
        // It is not made in the task, which would keep room for its parts as well.
        let mut connection = Box::pin(builder.serve_connection(TokioIo::new(Prompt::new(connection)), service));
        async move {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = drain.stopped() => connection.as_mut().graceful_shutdown(),
            }
            connection.await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_telemetry::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PATIENCE: Duration = Duration::from_secs(20);

    #[derive(Clone)]
    struct Nothing;

    impl Answer for Nothing {
        type Body = String;

        fn answer(&self, _: Option<PeerId>, _: Request<Incoming>) -> Answering<String> {
            Box::pin(std::future::ready(Ok(Response::default())))
        }
    }

    async fn client(keep_alive: Duration, drain: &Drain) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused = Refused::new(&Registry::new().unwrap(), "test").unwrap();
        let keep_alive = KeepAlive { interval: keep_alive, timeout: keep_alive };
        serve_http2(Http2::new(Nothing, keep_alive), listener, None, drain, refused);
        TcpStream::connect(address).await.unwrap()
    }

    #[tokio::test]
    async fn who_does_not_begin_or_answer_pings_is_let_go() {
        let drain = Drain::new();
        for (keep_alive, says) in [(PATIENCE, &PREFACE[..20]), (Duration::from_millis(50), PREFACE)] {
            let mut client = client(keep_alive, &drain).await;
            client.write_all(says).await.unwrap();
            timeout(PATIENCE / 2, client.read_to_end(&mut Vec::new())).await.unwrap().ok();
        }
        assert!(drain.close(PATIENCE).await);
    }
}
