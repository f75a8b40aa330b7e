//! Flags that all processes of the control plane take (surface.md 4.2).
use foundation_flags::Kind::{Bool, Int, Text};
use foundation_flags::{Flag, Flags, flag};

/// The flags.
pub const COMMON: &[Flag] = &[
    flag("log-level", Text, "info", "debug, info, warn, error or fatal"),
    flag("log-as-json", Bool, "false", "Write log lines as JSON"),
    flag("log-file", Text, "", "Append log lines to this file instead of standard output"),
    flag("enable-metrics", Bool, "true", "Serve Prometheus metrics"),
    flag("metrics-port", Int, "9090", "Port of the metrics server"),
    flag("metrics-listen-address", Text, "0.0.0.0", "Address of the metrics server"),
    flag("healthz-port", Int, "8080", "Port of the health server"),
    flag("healthz-listen-address", Text, "0.0.0.0", "Address of the health server"),
];

/// Their values.
#[derive(Clone, Debug)]
pub struct Common {
    pub log_level: String,
    pub log_as_json: bool,
    pub log_file: Option<String>,
    /// Address and port; none when metrics are off.
    pub metrics: Option<(String, u16)>,
    pub health: (String, u16),
}

impl Common {
    /// Reads them from a command line; ports that are no ports become 0, which is any free one.
    pub fn read(flags: &Flags) -> Self {
        let place = |server: &str| {
            let port = u16::try_from(flags.int(&format!("{server}-port"))).unwrap_or_default();
            (flags.text(&format!("{server}-listen-address")).to_owned(), port)
        };
        Self {
            log_level: flags.text("log-level").to_owned(),
            log_as_json: flags.bool("log-as-json"),
            log_file: Some(flags.text("log-file")).filter(|path| !path.is_empty()).map(str::to_owned),
            metrics: flags.bool("enable-metrics").then(|| place("metrics")),
            health: place("healthz"),
        }
    }
}
