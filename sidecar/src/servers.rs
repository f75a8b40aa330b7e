//! The servers of a sidecar, and what they listen on.
use crate::api::http::{Api, Server, Settings};
use crate::api::{Observer, grpc};
use crate::options::{Listen, Options};
use anyhow::{Context, bail};
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::{ClientAuth, Identity};
use foundation_process::Tls;
use foundation_process::listen::{self, Listener, accept};
use foundation_telemetry::Metrics;
use http::header::CONTENT_TYPE;
use std::sync::Arc;
use tokio::net::TcpListener;

const HTTP: &str = "dapr.runtime.http";
const GRPC: &str = "dapr.runtime.grpc.api";
/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the HTTP API; returns its port, 0 for a socket.
pub(crate) async fn http(options: &Options, api: Api, drain: &Drain) -> anyhow::Result<u16> {
    let server = Server::new(Arc::new(api), !options.environment.is_truthy("DAPR_HTTP_DISABLE_H2C"));
    let listeners = listeners(options, options.listen.http_port, "http").await;
    let listeners = listeners.context("failed to start HTTP server")?;
    let port = listeners.iter().find_map(Listener::port).unwrap_or_default();
    listeners.into_iter().for_each(|listener| accept(listener, server.clone(), drain));
    tracing::info!(target: HTTP, "HTTP server is running on {}", place(options, port));
    tracing::info!(target: HTTP, "The request body size parameter is: {} bytes", options.max_body_size);
    Ok(port)
}

/// Serves the gRPC API.
pub(crate) async fn grpc(options: &Options, api: grpc::Api, drain: &Drain) -> anyhow::Result<()> {
    let server = grpc::Server::new(Arc::new(api), options.read_buffer_size);
    let listeners = listeners(options, options.listen.grpc_port, "grpc").await;
    let listeners = listeners.context("failed to start API gRPC server")?;
    let port = listeners.iter().find_map(Listener::port).unwrap_or_default();
    listeners.into_iter().for_each(|listener| accept(listener, server.clone(), drain));
    tracing::info!(target: GRPC, "API gRPC server is running on {}", place(options, port));
    Ok(())
}

/// Serves other sidecars.
///
/// # Errors
/// None but what the TLS library says of its own settings.
pub(crate) fn internal(
    options: &Options,
    identity: Option<&Identity>,
    listener: TcpListener,
    api: grpc::Internal,
    metrics: Metrics,
    drain: &Drain,
) -> anyhow::Result<()> {
    let server = grpc::Server::new(Arc::new(api), options.read_buffer_size);
    let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    match identity.map(|identity| identity.acceptor(ClientAuth::Required)).transpose()? {
        Some(acceptor) => {
            metrics.mtls_initialized();
            let server = Tls::new(acceptor, server, move || metrics.handshake_refused());
            accept(Listener::Tcp(listener), server, drain);
        }
        None => accept(Listener::Tcp(listener), server, drain),
    }
    tracing::info!(target: "dapr.runtime.grpc.internal", "Internal gRPC server is running on {address}");
    Ok(())
}

/// Serves health and metadata on a port of their own.
pub(crate) async fn public(listen: &Listen, api: Api, drain: &Drain) -> anyhow::Result<()> {
    let Some((host, port)) = &listen.public else { return Ok(()) };
    let listener = listen::tcp(host, *port).await.with_context(|| format!("cannot listen on public port {port}"))?;
    accept(Listener::Tcp(listener), Server::new(Arc::new(api), true), drain);
    Ok(())
}

/// Serves metrics.
pub(crate) async fn metrics(listen: &Listen, metrics: Metrics, drain: &Drain) -> anyhow::Result<()> {
    let Some((host, port)) = &listen.metrics else { return Ok(()) };
    let listener = listen::tcp(host, *port).await.with_context(|| format!("cannot listen on metrics port {port}"))?;
    let router = Router::new().fallback(async move || ([(CONTENT_TYPE, METRICS_TYPE)], metrics.render()));
    let settings = Settings { read_buffer_size: 1 << 20, ..Settings::default() };
    let api = Api::serving(router, settings, Observer::default());
    accept(Listener::Tcp(listener), Server::new(Arc::new(api), true), drain);
    tracing::info!(target: "dapr.metrics", "metrics server started on {host}:{port}/");
    Ok(())
}

/// Sockets when there is a folder for them, else the port on each address that has it; one must do.
async fn listeners(options: &Options, port: u16, protocol: &str) -> anyhow::Result<Vec<Listener>> {
    if let Some(folder) = &options.listen.sockets {
        let path = folder.join(format!("dapr-{}-{protocol}.socket", options.app_id));
        let listener = listen::unix(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
        return Ok(vec![Listener::Unix(listener)]);
    }
    let mut all = Vec::new();
    for host in &options.listen.addresses {
        match listen::tcp(host, port).await {
            Ok(listener) => all.push(Listener::Tcp(listener)),
            Err(error) => tracing::error!(target: HTTP, "cannot listen on {host}:{port} for {protocol}: {error}"),
        }
    }
    if all.is_empty() {
        bail!("could not listen on any endpoint");
    }
    Ok(all)
}

fn place(options: &Options, port: u16) -> String {
    match options.listen.sockets {
        Some(_) => "a Unix Domain Socket".to_owned(),
        None => format!("port {port}"),
    }
}
