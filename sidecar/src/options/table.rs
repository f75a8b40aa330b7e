//! All flags of `daprd`, with their defaults (surface.md 4.1).
use foundation_flags::Kind::{self, Bool, Duration, Int, List, Text};
use foundation_flags::Standing::{Absent, Deprecated};
use foundation_flags::{Flag, Standing, flag, flag_of};

const KUBERNETES: Standing = Absent("Kubernetes mode");
const PROFILING: Standing = Absent("profiling");

const fn deprecated(name: &'static str, kind: Kind, default: &'static str, instead: &'static str) -> Flag {
    flag_of(name, kind, default, Deprecated(instead), "")
}

pub(crate) static FLAGS: &[Flag] = &[
    flag("mode", Text, "standalone", "runtime mode: standalone or kubernetes"),
    flag("app-id", Text, "", "unique id of the app, for service invocation and state"),
    flag("app-port", Text, "", "port that the app listens on; none is a sidecar without an app"),
    flag("app-protocol", Text, "http", "protocol of the app: http, https, h2c, grpc or grpcs"),
    flag("app-channel-address", Text, "127.0.0.1", "address that the app listens on"),
    flag("app-max-concurrency", Int, "-1", "parallel calls into the app; -1 is without limit"),
    deprecated("app-ssl", Bool, "false", "use '--app-protocol https|grpcs'"),
    flag("dapr-http-port", Text, "3500", "port of the HTTP API; 0 is any free one"),
    flag("dapr-grpc-port", Text, "50001", "port of the gRPC API; 0 is any free one"),
    flag("dapr-internal-grpc-port", Text, "", "port for other sidecars; none is a stable one by app id"),
    flag("dapr-internal-grpc-listen-address", Text, "", "address that other sidecars reach this one at"),
    flag("dapr-public-port", Text, "", "port for health and metadata alone"),
    flag("dapr-public-listen-address", Text, "", "address for health and metadata alone"),
    flag("dapr-listen-addresses", Text, "", "addresses of the API, between commas"),
    flag("unix-domain-socket", Text, "", "folder for sockets that serve the API in place of ports"),
    flag_of("profile-port", Text, "7777", PROFILING, "port of the profiling server"),
    flag_of("enable-profiling", Bool, "false", PROFILING, "serve profiles"),
    flag("metrics-port", Text, "9090", "port of the metrics server"),
    flag("metrics-listen-address", Text, "0.0.0.0", "address of the metrics server"),
    flag("enable-metrics", Bool, "true", "serve Prometheus metrics"),
    flag("resources-path", List, "", "folder with resources; may be repeated"),
    deprecated("components-path", Text, "", "use --resources-path"),
    flag("config", List, "", "configuration file; may be repeated, later ones win"),
    flag_of("control-plane-address", Text, "", KUBERNETES, "address of the operator"),
    flag("sentry-address", Text, "", "address of the certificate authority"),
    flag("control-plane-trust-domain", Text, "localhost", "trust domain of the control plane"),
    flag("control-plane-namespace", Text, "default", "namespace of the control plane"),
    flag("sentry-request-jwt-audiences", List, "", "audiences of tokens that sentry is asked for beside certificates"),
    flag("enable-mtls", Bool, "false", "encrypt calls between sidecars"),
    flag("placement-host-address", Text, "", "addresses of the placement service, between commas"),
    flag("scheduler-host-address", List, "", "addresses of the scheduler, between commas"),
    flag("scheduler-job-streams", Int, "3", "streams to each scheduler"),
    flag("actors-disseminate-timeout", Duration, "30s", "longest dissemination of actor placement"),
    deprecated("actors-service", Text, "", "flag no longer has any effect"),
    deprecated("reminders-service", Text, "", "flag no longer has any effect"),
    flag("allowed-origins", Text, "", "origins that browsers may call from, between commas; * is any"),
    flag("max-body-size", Text, "4Mi", "largest body of a request"),
    deprecated("dapr-http-max-request-size", Int, "4", "use '--max-body-size 4Mi'"),
    flag("read-buffer-size", Text, "4Ki", "largest headers of a request"),
    deprecated("dapr-http-read-buffer-size", Int, "4", "use '--read-buffer-size 4Ki'"),
    flag("dapr-graceful-shutdown-seconds", Int, "5", "seconds that a graceful end may take"),
    flag("dapr-block-shutdown-duration", Duration, "0s", "put off the end until then, or until the app is unhealthy"),
    flag("enable-api-logging", Bool, "false", "log calls of the API"),
    flag_of("disable-builtin-k8s-secret-store", Bool, "false", KUBERNETES, "no secret store kubernetes"),
    flag("enable-app-health-check", Bool, "false", "probe the health of the app"),
    flag("app-health-check-path", Text, "/healthz", "path of the probe, for HTTP apps"),
    flag("app-health-probe-interval", Int, "5", "seconds between two probes"),
    flag("app-health-probe-timeout", Int, "500", "milliseconds that a probe may take"),
    flag("app-health-threshold", Int, "3", "failures in a row that make an app unhealthy"),
    flag("app-binding-options-timeout", Duration, "3s", "longest wait for the app to say which bindings it takes"),
    flag("disable-init-endpoints", List, "", "what the app is not asked at start: config, subscribe"),
    flag("hot-reload-reconcile-interval", Duration, "0s", "time between two looks at all resources; 0 is 60s"),
    flag("log-level", Text, "info", "debug, info, warn, error or fatal"),
    flag("log-as-json", Bool, "false", "write log lines as JSON"),
    flag("log-file", Text, "", "write log lines to this file"),
    flag("wait", Bool, "false", "wait until the sidecar on --dapr-http-port can be called, then end"),
    flag("version", Bool, "false", "print the version and end"),
    flag("build-info", Bool, "false", "print how this was built and end"),
];
