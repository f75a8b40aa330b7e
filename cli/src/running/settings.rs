//! What an app and its sidecar are run with: the flags of `dapr run`, and the keys of a run template (surface.md 7, 7.1).
use crate::running::output::Target;
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Nothing stands for the default, so that an app of a template can take it from the common section.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// The id for your application, used for service discovery
    #[arg(long, short = 'a')]
    #[serde(rename = "appID")]
    pub(crate) app_id: Option<String>,
    /// The port your application is listening on
    #[arg(long, short = 'p')]
    pub(crate) app_port: Option<i64>,
    /// The network address the application listens on [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) app_channel_address: Option<String>,
    /// The protocol (grpc, grpcs, http, https, h2c) Dapr uses to talk to the application [default: http]
    #[arg(long, short = 'P')]
    pub(crate) app_protocol: Option<String>,
    /// The concurrency level of the application, otherwise is unlimited
    #[arg(long)]
    pub(crate) app_max_concurrency: Option<i64>,
    /// Enable https when Dapr invokes the application
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    #[serde(rename = "appSSL")]
    pub(crate) app_ssl: Option<bool>,

    /// The HTTP port for Dapr to listen on
    #[arg(long, short = 'H')]
    #[serde(rename = "daprHTTPPort")]
    pub(crate) dapr_http_port: Option<i64>,
    /// The gRPC port for Dapr to listen on
    #[arg(long, short = 'G')]
    #[serde(rename = "daprGRPCPort")]
    pub(crate) dapr_grpc_port: Option<i64>,
    /// The gRPC port for the Dapr internal API to listen on
    #[arg(long, short = 'I')]
    #[serde(rename = "daprInternalGRPCPort")]
    pub(crate) dapr_internal_grpc_port: Option<i64>,
    /// The port of metrics on Dapr
    #[arg(long, short = 'M')]
    pub(crate) metrics_port: Option<i64>,
    /// The port for the profile server to listen on
    #[arg(long)]
    pub(crate) profile_port: Option<i64>,
    /// Enable profiling via an HTTP endpoint
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub(crate) enable_profiling: Option<bool>,
    /// Comma separated list of IP addresses that the sidecar will listen on
    #[arg(long)]
    #[serde(rename = "apiListenAddresses")]
    pub(crate) dapr_listen_addresses: Option<String>,
    /// Folder for Unix domain sockets, which the API servers of Dapr then use in place of ports
    #[arg(long, short = 'u')]
    pub(crate) unix_domain_socket: Option<PathBuf>,

    /// Dapr configuration file
    #[arg(long, short = 'c')]
    #[serde(rename = "configFilePath")]
    pub(crate) config: Option<PathBuf>,
    /// The path of a resources folder; may be repeated [default: components in the installation folder]
    #[arg(long = "resources-path", value_delimiter = ',')]
    pub(crate) resources_paths: Vec<PathBuf>,
    /// The path of a resources folder
    #[arg(long = "components-path", short = 'd', hide = true)]
    pub(crate) resources_path: Option<PathBuf>,
    /// The address of the placement service, with or without its port. Empty disables placement [default: localhost, or one of this user's runs]
    #[arg(long)]
    pub(crate) placement_host_address: Option<String>,
    /// The address of the scheduler service, with or without its port. Empty disables jobs and reminders [default: localhost, or one of this user's runs]
    #[arg(long)]
    pub(crate) scheduler_host_address: Option<String>,

    /// Enable health checks for the application using the protocol defined with app-protocol
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub(crate) enable_app_health_check: Option<bool>,
    /// Path used for health checks; HTTP only
    #[arg(long)]
    pub(crate) app_health_check_path: Option<String>,
    /// Interval to probe for the health of the app in seconds
    #[arg(long)]
    pub(crate) app_health_probe_interval: Option<i64>,
    /// Timeout for app health probes in milliseconds
    #[arg(long)]
    pub(crate) app_health_probe_timeout: Option<i64>,
    /// Number of consecutive failures for the app to be considered unhealthy
    #[arg(long)]
    pub(crate) app_health_threshold: Option<i64>,

    /// The log verbosity: debug, info, warn, error, fatal, or panic [default: info]
    #[arg(long)]
    pub(crate) log_level: Option<String>,
    /// Log API calls at info verbosity
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub(crate) enable_api_logging: Option<bool>,
    /// Max size of the request body [default: 4Mi]
    #[arg(long)]
    pub(crate) max_body_size: Option<String>,
    /// Max size of the request headers [default: 4Ki]
    #[arg(long)]
    pub(crate) read_buffer_size: Option<String>,

    /// The command that starts the application
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,

    #[arg(skip)]
    pub(crate) app_dir_path: Option<PathBuf>,
    #[arg(skip)]
    pub(crate) runtime_path: Option<PathBuf>,
    #[arg(skip)]
    pub(crate) env: BTreeMap<String, String>,
    #[arg(skip)]
    pub(crate) app_log_destination: Option<Target>,
    #[arg(skip)]
    pub(crate) daprd_log_destination: Option<Target>,
}

impl Settings {
    /// Takes from the common section of a template what is not set here.
    pub(crate) fn or(mut self, common: &Self) -> Self {
        fn take<T: Clone>(own: &mut Option<T>, common: &Option<T>) {
            if own.is_none() {
                own.clone_from(common);
            }
        }
        take(&mut self.config, &common.config);
        take(&mut self.app_protocol, &common.app_protocol);
        take(&mut self.app_max_concurrency, &common.app_max_concurrency);
        take(&mut self.app_ssl, &common.app_ssl);
        take(&mut self.dapr_listen_addresses, &common.dapr_listen_addresses);
        take(&mut self.enable_profiling, &common.enable_profiling);
        take(&mut self.placement_host_address, &common.placement_host_address);
        take(&mut self.scheduler_host_address, &common.scheduler_host_address);
        take(&mut self.enable_app_health_check, &common.enable_app_health_check);
        take(&mut self.app_health_check_path, &common.app_health_check_path);
        take(&mut self.app_health_probe_interval, &common.app_health_probe_interval);
        take(&mut self.app_health_probe_timeout, &common.app_health_probe_timeout);
        take(&mut self.app_health_threshold, &common.app_health_threshold);
        take(&mut self.log_level, &common.log_level);
        take(&mut self.enable_api_logging, &common.enable_api_logging);
        take(&mut self.max_body_size, &common.max_body_size);
        take(&mut self.read_buffer_size, &common.read_buffer_size);
        take(&mut self.runtime_path, &common.runtime_path);
        take(&mut self.app_log_destination, &common.app_log_destination);
        take(&mut self.daprd_log_destination, &common.daprd_log_destination);
        for (name, value) in &common.env {
            self.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// The port of the app, if it listens on one.
    pub(crate) fn listening_port(&self) -> Option<i64> {
        self.app_port.filter(|port| *port > 0)
    }

    /// The protocol that the app is told of. The deprecated `--app-ssl` turns it into its encrypted form.
    pub(crate) fn protocol(&self) -> String {
        let protocol = self.app_protocol.as_deref().unwrap_or("http").to_lowercase();
        match protocol.as_str() {
            "http" | "grpc" if self.app_ssl == Some(true) => format!("{protocol}s"),
            _ => protocol,
        }
    }
}
