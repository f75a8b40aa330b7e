//! Logs, metrics and traces as options and configuration want them.
use crate::address;
use crate::options::{DAPR_VERSION, Environment, Log, Options};
use anyhow::Context;
use foundation_drain::Drain;
use foundation_resources::{ConfigurationSpec, MetricsRule, Otel, Tracing};
use foundation_telemetry::{
    Exporter, HttpMetrics, LogError, LogSettings, Metrics, MetricsSettings, OtlpSettings, RewriteRule, TraceError,
    TraceSettings, Tracer,
};

/// Writes log lines from now on.
pub(crate) fn start_log(log: &Log, app_id: &str, environment: &Environment) -> Result<(), LogError> {
    foundation_telemetry::start_log(&LogSettings {
        level: log.level.clone(),
        as_json: log.as_json,
        file: log.file.clone(),
        app_id: Some(app_id.to_owned()),
        instance: address::host_name(environment),
        version: DAPR_VERSION.to_owned(),
    })
}

/// Metrics of this sidecar; those that nobody can read, or that are switched off, are not kept.
pub(crate) fn metrics(options: &Options, configuration: &ConfigurationSpec) -> anyhow::Result<Metrics> {
    let settings = settings(configuration).filter(|_| options.listen.metrics.is_some());
    let Some(settings) = settings else { return Ok(Metrics::disabled()) };
    let (app_id, namespace) = (options.app_id.clone(), options.environment.given_namespace().to_owned());
    Metrics::new(&MetricsSettings { app_id, namespace, ..settings }).context("cannot set up metrics")
}

/// The tracer of this sidecar, and the exporter of its spans, which ends with the drain.
pub(crate) fn tracing(
    options: &Options,
    configuration: &ConfigurationSpec,
    drain: &Drain,
) -> anyhow::Result<(Tracer, Exporter)> {
    let wanted = configuration.tracing.clone().unwrap_or_default();
    let settings = trace_settings(&options.app_id, &wanted).context("cannot set up tracing")?;
    let settings = settings.with_environment(|name| options.environment.get(name)).context("cannot set up tracing")?;
    let settings = without_itself(settings, options);
    tracing::info!(target: "dapr.runtime", "Dapr trace sampler initialized: {}", settings.sampler());
    foundation_telemetry::start_tracing(&settings, drain).context("cannot set up tracing")
}

/// The variables of an app that exports to its sidecar may reach the sidecar too, which must not export to itself.
fn without_itself(mut settings: TraceSettings, options: &Options) -> TraceSettings {
    let own = [options.listen.http_port, options.listen.grpc_port];
    if let Some(collector) = settings.otlp.take_if(|otlp| is_local(&otlp.endpoint, &own)) {
        tracing::warn!(target: "dapr.runtime", "{} is this sidecar, which does not export to itself", collector.endpoint);
    }
    settings
}

fn is_local(endpoint: &str, ports: &[u16]) -> bool {
    let authority = endpoint.split('/').next().unwrap_or_default();
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let is_own = port.parse().is_ok_and(|port| ports.contains(&port));
    is_own && matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn trace_settings(app_id: &str, wanted: &Tracing) -> Result<TraceSettings, TraceError> {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let collector = wanted.otel.as_ref().filter(|otel| !otel.endpoint_address.is_empty() && !otel.protocol.is_empty());
    Ok(TraceSettings {
        app_id: app_id.to_owned(),
        sampling_rate: wanted.sampling_rate.clone(),
        stdout: wanted.stdout,
        zipkin: wanted.zipkin.as_ref().and_then(|zipkin| given(&zipkin.endpoint_address)),
        otlp: collector.map(otlp).transpose()?,
        resource: Vec::new(),
    })
}

fn otlp(wanted: &Otel) -> Result<OtlpSettings, TraceError> {
    let mut settings = OtlpSettings::new(&wanted.protocol, &wanted.endpoint_address)?;
    settings.secure = wanted.is_secure();
    settings.headers =
        wanted.headers.iter().map(|header| (header.name.clone(), header.text().unwrap_or_default())).collect();
    if let Some(timeout) = wanted.timeout {
        settings.timeout = timeout.0;
    }
    Ok(settings)
}

/// How metrics are kept; none when they are switched off. The app id and the namespace are left empty.
fn settings(configuration: &ConfigurationSpec) -> Option<MetricsSettings> {
    let wanted = configuration.merged_metrics();
    if !wanted.is_enabled() {
        return None;
    }
    let told = serde_json::to_string(&wanted).unwrap_or_default();
    tracing::info!(target: "dapr.runtime", "metric spec: {told}");
    let mut settings = MetricsSettings::new("", "");
    let http = wanted.http.unwrap_or_default();
    settings.http = HttpMetrics {
        increased_cardinality: http.increased_cardinality != Some(false),
        path_matching: http.path_matching,
        exclude_verbs: http.exclude_verbs == Some(true),
    };
    settings.record_error_codes = wanted.record_error_codes == Some(true);
    settings.rules = wanted.rules.into_iter().flat_map(rules).collect();
    let buckets = wanted.latency_distribution_buckets.unwrap_or_default();
    if !buckets.is_empty() {
        #[allow(clippy::cast_precision_loss)] // Milliseconds: far below 2^53.
        let buckets = buckets.into_iter().map(|milliseconds| milliseconds as f64);
        settings.latency_buckets = buckets.collect();
    }
    Some(settings)
}

fn rules(rule: MetricsRule) -> Vec<RewriteRule> {
    let metric = rule.name;
    let of_label = |label: foundation_resources::MetricsLabel| {
        let (metric, name) = (metric.clone(), label.name);
        let rewrite = move |(replacement, pattern)| RewriteRule {
            metric: metric.clone(),
            label: name.clone(),
            pattern,
            replacement,
        };
        label.regex.into_iter().map(rewrite).collect::<Vec<_>>()
    };
    rule.labels.into_iter().flat_map(of_label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(text: &str) -> TraceSettings {
        let configuration: ConfigurationSpec =
            foundation_resources::decode(&serde_json::from_str(text).unwrap()).unwrap();
        trace_settings("app", &configuration.tracing.unwrap()).unwrap()
    }

    #[test]
    fn traces_go_where_they_are_wanted() {
        let settings = traces(
            r#"{"tracing": {"samplingRate": "1", "zipkin": {"endpointAddress": "http://z/"}, "otel": {
                "endpointAddress": "c:4317", "protocol": "grpc", "isSecure": false, "headers": ["a=b"], "timeout": "30s"}}}"#,
        );
        let otlp = settings.otlp.unwrap();
        assert_eq!(
            (settings.zipkin.as_deref(), otlp.endpoint.as_str(), otlp.secure),
            (Some("http://z/"), "c:4317", false)
        );
        assert_eq!((otlp.headers[0].1.as_str(), otlp.timeout.as_secs()), ("b", 30));
    }

    #[test]
    fn a_sidecar_does_not_export_to_itself() {
        for (endpoint, expected) in [
            ("localhost:3500", true),
            ("127.0.0.1:3500/x", true),
            ("[::1]:3500", true),
            ("c:3500", false),
            ("localhost:4317", false),
        ] {
            assert_eq!(is_local(endpoint, &[3500]), expected, "{endpoint}");
        }
    }

    #[test]
    fn a_collector_without_protocol_is_none() {
        assert_eq!(traces(r#"{"tracing": {"otel": {"endpointAddress": "c:4317"}}}"#).otlp, None);
    }

    fn read(text: &str) -> Option<MetricsSettings> {
        settings(&foundation_resources::decode(&serde_json::from_str(text).unwrap()).unwrap())
    }

    #[test]
    fn metrics_can_be_switched_off() {
        assert!(read(r#"{"metric": {"enabled": false}}"#).is_none());
        assert!(read("{}").is_some());
    }

    #[test]
    fn the_newer_section_wins_member_by_member() {
        let text = r#"{
            "metric": {"enabled": false, "recordErrorCodes": true},
            "metrics": {"enabled": true, "http": {"increasedCardinality": false, "pathMatching": ["/m"]}}
        }"#;
        let settings = read(text).unwrap();
        assert!(settings.record_error_codes && !settings.http.increased_cardinality);
        assert_eq!(settings.http.path_matching, ["/m"]);
    }

    #[test]
    fn buckets_and_rules_are_read() {
        let label = r#"{"name": "method", "regex": {"VERB": "GET|POST"}}"#;
        let rule = format!(r#"{{"name": "m", "labels": [{label}]}}"#);
        let text = format!(r#"{{"metrics": {{"latencyDistributionBuckets": [5, 50], "rules": [{rule}]}}}}"#);
        let settings = read(&text).unwrap();
        assert_eq!(settings.latency_buckets, [5.0, 50.0]);
        assert_eq!((settings.rules[0].pattern.as_str(), settings.rules[0].replacement.as_str()), ("GET|POST", "VERB"));
    }
}
