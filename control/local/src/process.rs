//! Both services in one process, and its end.
use crate::lock::socket;
use crate::options::Options;
use crate::ports::Ports;
use crate::users;
use anyhow::Context as _;
use axum::Router;
use foundation_process::{Context, Mtls, listen};

const ADDRESS: &str = "127.0.0.1";

/// Starts placement and scheduler, and then lets runs in.
///
/// # Errors
/// A store that cannot be opened, a socket that cannot be made.
pub(crate) async fn start(options: &Options, context: &Context) -> anyhow::Result<Router> {
    let ports = Ports::of(&options.folder);
    let placement = control_placement::start(&placement_options(options, ports)?, context).await?;
    let scheduler = control_scheduler::start(&scheduler_options(options, ports)?, context).await?;
    let etcd = scheduler.etcd_port.unwrap_or_default();
    let ports = Ports { placement: placement.port, scheduler: scheduler.port, etcd };
    ports.keep(&options.folder);
    let path = socket(&options.folder);
    let listener = listen::unix(&path).with_context(|| {
        format!(
            "cannot listen on {}; a path may have about 100 bytes, choose a shorter one by --runtime-path",
            path.display()
        )
    })?;
    users::serve(listener, path, ports, &context.drain);
    Ok(Router::new())
}

fn placement_options(options: &Options, ports: Ports) -> anyhow::Result<control_placement::Options> {
    // Of the users of a machine, each has one: none of them can have a port that is known.
    let cluster = flag("initial-cluster", "dapr-placement-0=127.0.0.1:0");
    let arguments = [flag("listen-address", ADDRESS), flag("port", ports.placement), cluster, tls(options)];
    let mut placement = control_placement::Options::read(&arguments, false, &options.namespace)?;
    placement.mtls = placement.mtls.map(|mtls| by_own_credentials(mtls, options));
    Ok(placement)
}

fn scheduler_options(options: &Options, ports: Ports) -> anyhow::Result<control_scheduler::Options> {
    let arguments = [
        flag("listen-address", ADDRESS),
        flag("port", ports.scheduler),
        flag("etcd-client-listen-address", ADDRESS),
        flag("etcd-client-port", ports.etcd),
        flag("etcd-data-dir", options.folder.join("jobs").display()),
        tls(options),
    ];
    let mut scheduler = control_scheduler::Options::read(&arguments, &options.namespace)?;
    scheduler.mtls = scheduler.mtls.map(|mtls| by_own_credentials(mtls, options));
    Ok(scheduler)
}

fn tls(options: &Options) -> String {
    flag("tls-enabled", options.certificates.is_some())
}

/// The sentry of a run ends with it, but its credentials stay.
fn by_own_credentials(mtls: Mtls, options: &Options) -> Mtls {
    Mtls { credentials: options.certificates.clone(), ..mtls }
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
