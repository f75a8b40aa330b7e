//! Metrics as options and configuration want them.
use crate::options::Options;
use anyhow::Context;
use foundation_telemetry::{Metrics, MetricsSettings};

/// Metrics of this sidecar; those that nobody can read, or that are switched off, are not kept.
pub(crate) fn metrics(options: &Options, settings: Option<MetricsSettings>) -> anyhow::Result<Metrics> {
    let Some(settings) = settings.filter(|_| options.listen.metrics.is_some()) else { return Ok(Metrics::disabled()) };
    let (app_id, namespace) = (options.app_id.clone(), options.environment.given_namespace().to_owned());
    Metrics::new(&MetricsSettings { app_id, namespace, ..settings }).context("cannot set up metrics")
}
