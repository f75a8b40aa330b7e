//! Waiting for the app to open its port.
use crate::AppOptions;
use crate::connection::tcp;
use std::time::Duration;
use tokio::time::timeout;

const DIAL_TIMEOUT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// Attempts between two warnings: five seconds where nothing listens.
const TELL_AFTER: u64 = 50;

/// Returns when something listens on the app's port. There is no limit of time: drop the future to give up.
pub async fn wait_until_listening(options: &AppOptions) {
    let port = options.port;
    let mut attempts = 0_u64;
    while !matches!(timeout(DIAL_TIMEOUT, tcp(options)).await, Ok(Ok(_))) {
        attempts += 1;
        tokio::time::sleep(PAUSE).await;
        if attempts.is_multiple_of(TELL_AFTER) {
            tracing::warn!(target: "dapr.runtime", "waiting for application to listen on port {port}; check that the app is running and that --app-port is the port that it listens on");
        }
    }
    tracing::info!(target: "dapr.runtime", "application discovered on port {port}");
}
