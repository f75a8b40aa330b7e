//! One process of the control plane from its start to its end.
use crate::flags::Common;
use crate::http::serve;
use crate::listen::{self, Listener};
use crate::memory::stay_small;
use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use foundation_drain::Drain;
use foundation_telemetry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

const SCOPE: &str = "dapr.signals";
/// How long calls in flight may take when the process ends.
const GRACE: Duration = Duration::from_secs(5);

/// Whether the process is ready, for its health endpoint. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// The process can serve, or cannot any more.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether it can.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn status(&self) -> StatusCode {
        if self.get() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// What a process works with.
#[derive(Clone)]
pub struct Context {
    /// Owns all tasks; it stops when the process is to end.
    pub drain: Drain,
    pub ready: Ready,
    pub metrics: Registry,
}

/// Runs a process: `start` starts its servers and adds to the routes of the health server; the process ends by a signal, or
/// when its drain is stopped.
///
/// # Errors
/// What makes a start impossible, such as a taken port, and what a task has told to [`Drain::fail`].
pub async fn run(common: &Common, start: impl AsyncFnOnce(&Context) -> anyhow::Result<Router>) -> anyhow::Result<()> {
    let context = Context { drain: Drain::new(), ready: Ready::default(), metrics: Registry::new()? };
    let servers = Drain::new();
    let mut end = End::new(&context.drain)?;
    if let Some((address, port)) = &common.metrics {
        let registry = context.metrics.clone();
        let router = Router::new().fallback(async move || registry.render());
        serve(bound("metrics", address, *port).await?, router, &servers);
    }
    // A start may wait for others as long as it takes.
    let started = tokio::select! {
        started = start(&context) => Some(started?),
        () = end.comes() => None,
    };
    if let Some(routes) = started {
        let ready = context.ready.clone();
        let routes = routes.route("/healthz", get(async move || ready.status()));
        serve(bound("healthz", &common.health.0, common.health.1).await?, routes, &servers);
        tokio::select! {
            never = stay_small() => match never {},
            () = end.comes() => {}
        }
    }
    context.ready.set(false);
    context.drain.close(GRACE).await;
    servers.close(GRACE).await;
    context.drain.failure().map_or(Ok(()), |reason| Err(anyhow::anyhow!("{reason}")))
}

/// What ends a process.
struct End {
    interrupt: Signal,
    terminate: Signal,
    drain: Drain,
}

impl End {
    fn new(drain: &Drain) -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, drain: drain.clone() })
    }

    async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => tracing::info!(target: SCOPE, "received signal 'interrupt'; beginning shutdown"),
            _ = self.terminate.recv() => tracing::info!(target: SCOPE, "received signal 'terminated'; beginning shutdown"),
            () = self.drain.stopped() => {}
        }
    }
}

async fn bound(name: &str, address: &str, port: u16) -> anyhow::Result<Listener> {
    let listener = listen::tcp(address, port).await;
    let listener = listener.with_context(|| format!("cannot listen on {address}:{port}; check --{name}-port"))?;
    Ok(Listener::Tcp(listener))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Common {
        let anywhere = ("127.0.0.1".to_owned(), 0);
        Common { log_level: String::new(), log_as_json: false, log_file: None, metrics: None, health: anywhere }
    }

    async fn end(end: fn(&Drain)) -> anyhow::Result<()> {
        let start = async |context: &Context| {
            let drain = context.drain.child();
            context.drain.spawn(async move { end(&drain) });
            Ok(Router::new())
        };
        tokio::time::timeout(GRACE, run(&common(), start)).await?
    }

    #[tokio::test]
    async fn a_process_whose_task_fails_ends_with_the_reason() {
        let error = end(|drain| drain.fail("the disk is full")).await.unwrap_err();
        assert_eq!(error.to_string(), "the disk is full");
    }
}
