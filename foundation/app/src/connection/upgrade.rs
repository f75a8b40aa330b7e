//! HTTP/1.1 connections that are handed over to a conversation in bytes (RFC 9110 7.8).
use super::Broken;
use super::answer::answer;
use super::http1::{Lease, MOST_HEADERS, Pool};
use crate::tunnel::{heard, say};
use crate::turn::Turn;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::split;

impl Pool {
    /// Sends a request for an upgrade on a connection of its own. When the app agrees it is told what `said` holds, and
    /// what it says is the body of its answer.
    pub(crate) async fn upgrade(
        &self,
        request: Request<Body>,
        said: Body,
        turn: Turn,
    ) -> Result<Response<Body>, Broken> {
        let stream = self.dialer().dial().await?;
        let handshake = Builder::new().max_headers(MOST_HEADERS).handshake(TokioIo::new(stream)).await;
        let (mut requests, connection) = handshake.map_err(|error| self.broken(error))?;
        self.drain().spawn_until_stopped(async move {
            connection.with_upgrades().await.ok();
        });
        let mut response = requests.send_request(request).await.map_err(|error| self.broken(error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer(response, Lease::new(requests, self), turn));
        }
        let upgraded = hyper::upgrade::on(&mut response).await.map_err(|error| self.broken(error))?;
        let (read, write) = split(TokioIo::new(upgraded));
        self.drain().spawn_until_stopped(say(said, write));
        Ok(response.map(|_| heard(read, turn)))
    }
}
