//! Logs and metrics as options and configuration want them.
use crate::address;
use crate::options::{DAPR_VERSION, Options};
use anyhow::Context;
use foundation_telemetry::{LogError, LogSettings, Metrics, MetricsSettings};

/// Writes log lines from now on.
pub(crate) fn start_log(options: &Options) -> Result<(), LogError> {
    foundation_telemetry::start_log(&LogSettings {
        level: options.log.level.clone(),
        as_json: options.log.as_json,
        file: options.log.file.clone(),
        app_id: Some(options.app_id.clone()),
        instance: address::host_name(&options.environment),
        version: DAPR_VERSION.to_owned(),
    })
}

/// Metrics of this sidecar; those that nobody can read, or that are switched off, are not kept.
pub(crate) fn metrics(options: &Options, settings: Option<MetricsSettings>) -> anyhow::Result<Metrics> {
    let Some(settings) = settings.filter(|_| options.listen.metrics.is_some()) else { return Ok(Metrics::disabled()) };
    let (app_id, namespace) = (options.app_id.clone(), options.environment.given_namespace().to_owned());
    Metrics::new(&MetricsSettings { app_id, namespace, ..settings }).context("cannot set up metrics")
}
