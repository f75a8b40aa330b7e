//! Where the app is and how it wants to be called.
use component_api::middleware::Pipeline;
use foundation_telemetry::Metrics;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// `--app-protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/1.1 with TLS.
    Https,
    /// HTTP/2 without TLS, from the first byte.
    H2c,
    Grpc,
    /// gRPC with TLS.
    Grpcs,
}

impl Protocol {
    /// Whether the app offers gRPC services.
    pub fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }

    /// Whether the app is called with TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }

    /// The name of the flag's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Http, Self::Https, Self::H2c, Self::Grpc, Self::Grpcs];
        let found = all.into_iter().find(|protocol| protocol.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("unknown app protocol \"{text}\": use http, https, h2c, grpc or grpcs"))
    }
}

/// The app and the limits of calls to it (surface.md 4.5).
#[derive(Clone)]
pub struct AppOptions {
    /// Id of the app, which it is told when asked for its configuration.
    pub app_id: String,
    /// `--app-channel-address`: host name or IP address.
    pub host: String,
    pub port: u16,
    pub protocol: Protocol,
    /// Calls at a time; 0 is without limit.
    pub max_concurrency: usize,
    /// `APP_API_TOKEN`, sent with every call.
    pub token: Option<String>,
    /// Health checks, if there are any.
    pub health: Option<HealthOptions>,
    /// Bytes of a gRPC message, and of an answer that is read whole.
    pub max_body_size: usize,
    /// Bytes of all headers of an answer; smaller values than the library's own are ignored.
    pub read_buffer_size: usize,
    /// Counts the calls.
    pub metrics: Metrics,
    /// `appHttpPipeline`: what calls of an HTTP app pass through.
    pub pipeline: Pipeline,
}

impl Default for AppOptions {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            host: "127.0.0.1".to_owned(),
            port: 0,
            protocol: Protocol::Http,
            max_concurrency: 0,
            token: None,
            health: None,
            max_body_size: 4 << 20,
            read_buffer_size: 4 << 10,
            metrics: Metrics::disabled(),
            pipeline: Pipeline::default(),
        }
    }
}

impl fmt::Debug for AppOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppOptions")
            .field("app_id", &self.app_id)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl AppOptions {
    /// The host without the brackets that a URI puts around an IPv6 address.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Host and port as they stand in a URI.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        let bare = host.contains(':') && !host.starts_with('[');
        if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// When an app counts as healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthOptions {
    /// Path of the probe of HTTP apps.
    pub path: String,
    /// Time between two probes.
    pub interval: Duration,
    /// Time after which a probe has failed.
    pub timeout: Duration,
    /// Failures in a row that make an app unhealthy.
    pub threshold: u32,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(500),
            threshold: 3,
        }
    }
}
