//! The app behind this sidecar: how it is called, and what it is asked at start.
use crate::options::Options;
use block_host::{AppConnection, AppHealth};
use component_api::middleware::Pipeline;
use foundation_app::{
    AppOptions, Channel, Error as AppError, HealthOptions, Protocol, connect as connect_to, wait_until_listening,
};
use foundation_drain::Drain;
use foundation_metadata::duration;
use foundation_telemetry::Metrics;
use serde_json::Value;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime";

/// How to call the app; none for a sidecar without one.
pub(crate) fn options(options: &Options, pipeline: &Pipeline, metrics: Metrics) -> Option<AppOptions> {
    let app = &options.app;
    Some(AppOptions {
        app_id: options.app_id.clone(),
        host: app.address.clone(),
        port: app.port?,
        protocol: app.protocol,
        max_concurrency: app.max_concurrency,
        token: options.environment.app_token().map(str::to_owned),
        health: app.health.clone(),
        max_body_size: options.max_body_size,
        read_buffer_size: options.read_buffer_size,
        metrics,
        pipeline: pipeline.clone(),
    })
}

/// A channel to the app. One that cannot be had is logged, and the sidecar goes on without.
pub(crate) fn connect(options: Option<&AppOptions>, drain: &Drain) -> Option<Arc<dyn Channel>> {
    let options = options?;
    let failed = |error: &foundation_app::Error| {
        tracing::warn!(target: SCOPE, "failed to open {} channel to app: {error}", options.protocol);
    };
    connect_to(options.clone(), drain).inspect_err(failed).ok()
}

/// The app as the metadata document shows it.
pub(crate) fn described(options: &Options) -> AppConnection {
    let app = &options.app;
    AppConnection {
        port: app.port.map_or(0, i32::from),
        protocol: app.protocol.as_str(),
        channel_address: app.address.clone(),
        max_concurrency: i32::try_from(app.max_concurrency).unwrap_or(i32::MAX),
        health: app.health.as_ref().map(|health| health_of(health, app.protocol)),
    }
}

fn health_of(health: &HealthOptions, protocol: Protocol) -> AppHealth {
    AppHealth {
        health_check_path: if protocol.is_grpc() { String::new() } else { health.path.clone() },
        health_probe_interval: duration::format(health.interval),
        health_probe_timeout: duration::format(health.timeout),
        health_threshold: i32::try_from(health.threshold).unwrap_or(i32::MAX),
    }
}

/// Waits until something listens on the app's port.
pub(crate) async fn wait(options: &AppOptions) {
    let AppOptions { protocol, port, max_concurrency, .. } = options;
    tracing::info!(target: SCOPE, "application protocol: {protocol}. waiting on port {port}.  This will block until the app is listening on that port.");
    wait_until_listening(options).await;
    if *max_concurrency > 0 {
        tracing::info!(target: SCOPE, "app max concurrency set to {max_concurrency}");
    }
}

/// Asks the app for its configuration, which is about actors; none when it has nothing to say.
pub(crate) async fn load_configuration(app: &dyn Channel, ask: bool) -> Option<Value> {
    if !ask {
        tracing::warn!(target: SCOPE, "Skipping programmatic dapr configuration loading (see 'disable-init-endpoints' flag/annotation)");
        return None;
    }
    let configuration = app.config().await;
    match &configuration {
        Ok(Some(_)) => tracing::info!(target: SCOPE, "Application configuration loaded"),
        Ok(None) => {}
        Err(error @ AppError::Unreachable { .. }) => {
            tracing::warn!(target: SCOPE, "the application cannot be asked for its configuration: {error}")
        }
        Err(error) => tracing::debug!(target: SCOPE, "cannot load the application's configuration: {error}"),
    }
    configuration.ok().flatten()
}
