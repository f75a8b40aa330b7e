//! How traces are taken and where they go (Configuration `spec.tracing`, contract surface 3.3 and 4.3).
use percent_encoding::percent_decode_str;
use std::time::Duration;
use thiserror::Error;

/// What Dapr samples when the rate is not given or no number.
const DEFAULT_RATE: f64 = 1e-4;
/// The longest time of one export, unless configured (OpenTelemetry's default).
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// How traces are taken and where they go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSettings {
    /// The name of the service, unless the environment gives another.
    pub app_id: String,
    /// `tracing.samplingRate`: the share of new traces that are recorded; `0` switches tracing off.
    pub sampling_rate: String,
    /// Writes spans to the log.
    pub stdout: bool,
    /// The URL that spans are posted to, such as `http://localhost:9411/api/v2/spans`.
    pub zipkin: Option<String>,
    pub otlp: Option<OtlpSettings>,
    /// More attributes of the resource; they win over the app id.
    pub resource: Vec<(String, String)>,
}

/// An OTLP collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    pub protocol: OtlpProtocol,
    /// Host and port, and over HTTP a path if it is not the usual one.
    pub endpoint: String,
    /// Over TLS.
    pub secure: bool,
    /// Sent with every export.
    pub headers: Vec<(String, String)>,
    /// The longest time of one export.
    pub timeout: Duration,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    Http,
    Grpc,
}

/// Settings that traces cannot be taken from.
#[derive(Debug, Error)]
pub enum TraceError {
    #[error("invalid protocol {0} provided for Otel endpoint")]
    Protocol(String),
    #[error("{name} is not valid: {value}")]
    Environment { name: &'static str, value: String },
    #[error("the address {address} of the trace exporter is not valid: {reason}")]
    Address { address: String, reason: String },
    #[error("the header {0} of the trace exporter cannot be sent")]
    Header(String),
    #[error("cannot load the certificates of the system: {0}")]
    Certificates(std::io::Error),
}

impl OtlpSettings {
    /// A collector at host and port, over TLS.
    ///
    /// # Errors
    /// A protocol other than `http` and `grpc`.
    pub fn new(protocol: &str, endpoint: &str) -> Result<Self, TraceError> {
        let protocol = match protocol {
            "http" => OtlpProtocol::Http,
            "grpc" => OtlpProtocol::Grpc,
            other => return Err(TraceError::Protocol(other.to_owned())),
        };
        let endpoint = endpoint.to_owned();
        Ok(Self { protocol, endpoint, secure: true, headers: Vec::new(), timeout: EXPORT_TIMEOUT })
    }
}

impl TraceSettings {
    /// The share of new traces that are recorded.
    pub fn rate(&self) -> f64 {
        self.sampling_rate.parse().unwrap_or(DEFAULT_RATE)
    }

    /// The sampler as Go's OpenTelemetry describes it, which is how Dapr logs it.
    pub fn sampler(&self) -> String {
        let root = match self.rate() {
            rate if rate >= 1.0 => "AlwaysOnSampler".to_owned(),
            rate => format!("TraceIDRatioBased{{{}}}", rate.max(0.0)),
        };
        format!(
            "ParentBased{{root:{root},remoteParentSampled:AlwaysOnSampler,remoteParentNotSampled:AlwaysOffSampler,\
             localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}}"
        )
    }

    /// Whether there is anything to record for.
    pub(crate) fn is_configured(&self) -> bool {
        self.has_exporter() || !self.sampling_rate.is_empty()
    }

    pub(crate) fn has_exporter(&self) -> bool {
        self.stdout || self.zipkin.is_some() || self.otlp.is_some()
    }

    /// Adds what OpenTelemetry's variables say. A collector that is configured wins over all of theirs for one;
    /// one that they alone name samples everything unless a rate is configured.
    ///
    /// # Errors
    /// A variable that cannot be read.
    pub fn with_environment<'a>(mut self, get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, TraceError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        self.resource.extend(get("OTEL_RESOURCE_ATTRIBUTES").map(pairs).unwrap_or_default());
        self.resource.extend(get("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name.to_owned())));
        if self.otlp.is_none() {
            let of_traces = |name: &str| get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
            self.otlp = collector(|name| of_traces(name).or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}"))))?;
            if self.otlp.is_some() && self.sampling_rate.is_empty() {
                "1".clone_into(&mut self.sampling_rate);
            }
        }
        Ok(self)
    }
}

/// The collector that variables name. The scheme `http` means without TLS, as OpenTelemetry has it.
fn collector<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Option<OtlpSettings>, TraceError> {
    let Some(address) = get("ENDPOINT") else { return Ok(None) };
    let plain = address.strip_prefix("http://");
    let endpoint = plain.or_else(|| address.strip_prefix("https://")).unwrap_or(address).trim_end_matches('/');
    let protocol = if get("PROTOCOL").is_some_and(|protocol| protocol.starts_with("http")) { "http" } else { "grpc" };
    let secure = plain.is_none() && get("INSECURE") != Some("true");
    let headers = get("HEADERS").map(pairs).unwrap_or_default();
    let timeout = get("TIMEOUT").map(milliseconds).transpose()?.filter(|timeout| !timeout.is_zero());
    let settings = OtlpSettings::new(protocol, endpoint)?;
    Ok(Some(OtlpSettings { secure, headers, timeout: timeout.unwrap_or(EXPORT_TIMEOUT), ..settings }))
}

fn milliseconds(text: &str) -> Result<Duration, TraceError> {
    let wrong = |_| TraceError::Environment { name: "OTEL_EXPORTER_OTLP_TIMEOUT", value: text.to_owned() };
    text.parse().map(Duration::from_millis).map_err(wrong)
}

/// `name=value,name=value` with percent-encoded values.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned()))
    };
    text.split(',').filter_map(pair).collect()
}
