//! From flags to options: what they must look like, and how they belong together.
use super::{App, Environment, Listen, Log, Mode, Mtls, Options, Scheduler};
use foundation_app::{HealthOptions, Protocol};
use foundation_flags::{Flags, Standing};
use foundation_metadata::ByteSize;
use std::path::PathBuf;
use std::time::Duration;

const INIT_ENDPOINTS: [&str; 2] = ["subscribe", "config"];
/// Variable with a name that has an address for each scheduler.
const SCHEDULER: &str = "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A";
const DEFAULT_BODY: usize = 4 << 20;
const DEFAULT_HEADERS: usize = 4 << 10;
const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// Flags that can be read, but not be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("parameter app-id cannot be empty")]
    NoAppId,
    #[error("parameter app-id cannot contain dots")]
    DotsInAppId,
    #[error("invalid mode: {0}")]
    Mode(String),
    #[error("error parsing {name} flag: \"{value}\" is no port; use a number from 0 to 65535")]
    Port { name: &'static str, value: String },
    #[error("the '{flag}' argument value {port} conflicts with 'app-port'")]
    SamePort { flag: &'static str, port: u16 },
    #[error("invalid value for '{name}' option: quantities look like 4Mi, not \"{value}\"")]
    Size { name: &'static str, value: String },
    #[error("invalid value for 'app-protocol': {0}; take http, https, grpc, grpcs or h2c")]
    Protocol(String),
    #[error("invalid value for 'disable-init-endpoints': {0}")]
    InitEndpoint(String),
    #[error("value for 'health-probe-timeout' must be smaller than 'health-probe-interval'")]
    HealthTimeout,
    #[error("invalid value for 'actors-disseminate-timeout' option: must be positive")]
    Dissemination,
}

/// Checks flags and puts the options together.
pub(super) fn options(flags: &Flags, environment: Environment) -> Result<Options, Invalid> {
    if flags.duration("actors-disseminate-timeout").is_zero() {
        return Err(Invalid::Dissemination);
    }
    let max_body_size = size(flags, "max-body-size", ("dapr-http-max-request-size", 20), DEFAULT_BODY)?;
    let read_buffer_size = size(flags, "read-buffer-size", ("dapr-http-read-buffer-size", 10), DEFAULT_HEADERS)?;
    let mode = mode(flags.text("mode"))?;
    let app_id = app_id(flags.text("app-id"), mode)?;
    let (listen, app) = (listen(flags)?, app(flags)?);
    distinct(&listen, &app)?;
    let seconds = flags.int("dapr-graceful-shutdown-seconds");
    Ok(Options {
        mode,
        app_id,
        app,
        listen,
        log: log(flags),
        resources: resources(flags),
        configurations: flags.list("config"),
        allowed_origins: split(flags.text("allowed-origins")),
        max_body_size,
        read_buffer_size,
        placement: placement(flags),
        dissemination_timeout: flags.duration("actors-disseminate-timeout"),
        scheduler: scheduler(flags, &environment),
        mtls: flags.bool("enable-mtls").then(|| mtls(flags, &environment)),
        grace: u64::try_from(seconds).map_or(DEFAULT_GRACE, Duration::from_secs),
        block_shutdown: given(flags, "dapr-block-shutdown-duration").map(|name| flags.duration(name)),
        api_logging: given(flags, "enable-api-logging").map(|name| flags.bool(name)),
        reconcile_interval: flags.duration("hot-reload-reconcile-interval"),
        warnings: warnings(flags),
        environment,
    })
}

/// Blanks and quotes alone are no address.
fn placement(flags: &Flags) -> Vec<String> {
    let older = flags.text("actors-service");
    let older = older.strip_prefix("placement:").unwrap_or(older);
    let text = Some(flags.text("placement-host-address")).filter(|text| !text.is_empty()).unwrap_or(older);
    split(text.trim().trim_matches(['"', '\''])).into_iter().filter(|address| !address.is_empty()).collect()
}

/// Without the flag the variable counts. Blanks and quotes alone are no address.
fn scheduler(flags: &Flags, environment: &Environment) -> Scheduler {
    let given = flags.list("scheduler-host-address");
    let fallback = || environment.filled(SCHEDULER).map(|name| vec![name.to_owned()]).unwrap_or_default();
    let texts = if flags.is_given("scheduler-host-address") { given } else { fallback() };
    let addresses = texts.iter().flat_map(|text| split(text.trim().trim_matches(['"', '\''])));
    Scheduler {
        addresses: addresses.filter(|address| !address.is_empty()).collect(),
        streams: usize::try_from(flags.int("scheduler-job-streams")).unwrap_or_default().max(1),
    }
}

/// A flag counts before the environment.
fn mtls(flags: &Flags, environment: &Environment) -> Mtls {
    let text = |flag: &str, variable: &str| match environment.filled(variable) {
        Some(value) if !flags.is_given(flag) => value.to_owned(),
        _ => flags.text(flag).to_owned(),
    };
    Mtls {
        sentry_address: flags.text("sentry-address").to_owned(),
        trust_domain: text("control-plane-trust-domain", "DAPR_CONTROLPLANE_TRUST_DOMAIN"),
        namespace: text("control-plane-namespace", "DAPR_CONTROLPLANE_NAMESPACE"),
        jwt_audiences: flags.list("sentry-request-jwt-audiences"),
    }
}

fn given<'a>(flags: &Flags, name: &'a str) -> Option<&'a str> {
    flags.is_given(name).then_some(name)
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A quantity; the older flag counts in powers of two of bytes. Minus one is the default.
fn size(flags: &Flags, name: &'static str, older: (&str, u32), default: usize) -> Result<usize, Invalid> {
    let text = flags.text(name);
    if flags.is_given(name) || !flags.is_given(older.0) {
        let minus = text.strip_prefix('-');
        let size =
            ByteSize::parse(minus.unwrap_or(text)).ok_or_else(|| Invalid::Size { name, value: text.to_owned() })?;
        return Ok(usize::try_from(size.0).ok().filter(|_| minus.is_none()).unwrap_or(default));
    }
    let number = usize::try_from(flags.int(older.0)).ok();
    Ok(number.map_or(default, |number| number << older.1))
}

fn mode(text: &str) -> Result<Mode, Invalid> {
    match text {
        "standalone" => Ok(Mode::Standalone),
        "kubernetes" => Ok(Mode::Kubernetes),
        other => Err(Invalid::Mode(other.to_owned())),
    }
}

fn app_id(text: &str, mode: Mode) -> Result<String, Invalid> {
    match text {
        _ if mode == Mode::Kubernetes => Ok(text.to_owned()),
        "" => Err(Invalid::NoAppId),
        text if text.contains('.') => Err(Invalid::DotsInAppId),
        text => Ok(text.to_owned()),
    }
}

fn port(flags: &Flags, name: &'static str) -> Result<u16, Invalid> {
    let value = flags.text(name);
    value.parse().map_err(|_| Invalid::Port { name, value: value.to_owned() })
}

/// None when the flag is empty.
fn some_port(flags: &Flags, name: &'static str) -> Result<Option<u16>, Invalid> {
    if flags.text(name).is_empty() { Ok(None) } else { port(flags, name).map(Some) }
}

fn listen(flags: &Flags) -> Result<Listen, Invalid> {
    let text = |name: &str| flags.text(name).to_owned();
    let metrics = if flags.bool("enable-metrics") { Some(port(flags, "metrics-port")?) } else { None };
    let public = some_port(flags, "dapr-public-port")?;
    Ok(Listen {
        http_port: port(flags, "dapr-http-port")?,
        grpc_port: port(flags, "dapr-grpc-port")?,
        addresses: flags.text("dapr-listen-addresses").split(',').map(|one| one.trim().to_owned()).collect(),
        sockets: Some(PathBuf::from(flags.text("unix-domain-socket"))).filter(|path| !path.as_os_str().is_empty()),
        public: public.map(|port| (text("dapr-public-listen-address"), port)),
        internal_address: text("dapr-internal-grpc-listen-address"),
        internal_port: some_port(flags, "dapr-internal-grpc-port")?.filter(|port| *port != 0),
        metrics: metrics.map(|port| (text("metrics-listen-address"), port)),
    })
}

fn distinct(listen: &Listen, app: &App) -> Result<(), Invalid> {
    // No app port is 0 in Dapr, which then clashes with an API port of 0; nobody can want that.
    let Some(port) = app.port else { return Ok(()) };
    let clash = [("dapr-http-port", listen.http_port), ("dapr-grpc-port", listen.grpc_port)];
    match clash.into_iter().find(|(_, other)| *other == port) {
        Some((flag, port)) => Err(Invalid::SamePort { flag, port }),
        None => Ok(()),
    }
}

fn app(flags: &Flags) -> Result<App, Invalid> {
    let off = init_endpoints_off(flags)?;
    let limit = flags.int("app-max-concurrency");
    Ok(App {
        port: some_port(flags, "app-port")?.filter(|port| *port != 0),
        protocol: protocol(flags)?,
        address: flags.text("app-channel-address").to_owned(),
        max_concurrency: usize::try_from(limit).unwrap_or_default(),
        health: health(flags)?,
        ask_config: !off.iter().any(|name| name == "config"),
        ask_subscriptions: !off.iter().any(|name| name == "subscribe"),
        binding_patience: Some(flags.duration("app-binding-options-timeout")).filter(|patience| !patience.is_zero()),
    })
}

fn protocol(flags: &Flags) -> Result<Protocol, Invalid> {
    let text = Some(flags.text("app-protocol")).filter(|text| !text.is_empty()).unwrap_or("http");
    let protocol = text.parse().map_err(|_| Invalid::Protocol(text.to_owned()))?;
    Ok(match protocol {
        Protocol::Http if flags.bool("app-ssl") => Protocol::Https,
        Protocol::Grpc if flags.bool("app-ssl") => Protocol::Grpcs,
        other => other,
    })
}

fn init_endpoints_off(flags: &Flags) -> Result<Vec<String>, Invalid> {
    let names = flags.list("disable-init-endpoints").into_iter().map(|name| name.trim().to_lowercase());
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !INIT_ENDPOINTS.contains(&name.as_str())) {
        Some(unknown) => Err(Invalid::InitEndpoint(unknown.clone())),
        None => Ok(names),
    }
}

/// Numbers that are not positive stand for the defaults.
fn health(flags: &Flags) -> Result<Option<HealthOptions>, Invalid> {
    let defaults = HealthOptions::default();
    let positive = |name: &str| u64::try_from(flags.int(name)).ok().filter(|number| *number > 0);
    let interval = positive("app-health-probe-interval").map_or(defaults.interval, Duration::from_secs);
    let timeout = positive("app-health-probe-timeout").map_or(defaults.timeout, Duration::from_millis);
    if timeout > interval {
        return Err(Invalid::HealthTimeout);
    }
    let threshold = positive("app-health-threshold").and_then(|number| i32::try_from(number).ok());
    let threshold = threshold.map_or(defaults.threshold, i32::unsigned_abs);
    let path = flags.text("app-health-check-path").to_owned();
    Ok(flags.bool("enable-app-health-check").then_some(HealthOptions { path, interval, timeout, threshold }))
}

pub(super) fn log(flags: &Flags) -> Log {
    let file = Some(PathBuf::from(flags.text("log-file"))).filter(|path| !path.as_os_str().is_empty());
    Log { level: flags.text("log-level").to_owned(), as_json: flags.bool("log-as-json"), file }
}

fn resources(flags: &Flags) -> Vec<PathBuf> {
    let mut paths = flags.list("resources-path");
    let older = flags.text("components-path");
    if paths.is_empty() && !older.is_empty() {
        paths.push(older.to_owned());
    }
    paths.into_iter().map(PathBuf::from).collect()
}

/// What to say of flags that are out of date, or ahead of this build.
fn warnings(flags: &Flags) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut absent: Vec<(&str, Vec<String>)> = Vec::new();
    for flag in flags.given() {
        match flag.standing {
            Standing::Deprecated(instead) => {
                warnings.push(format!("Flag --{} has been deprecated, {instead}", flag.name));
            }
            Standing::Absent(part) if is_meant(flags, flag.name) => match absent.iter_mut().find(|(of, _)| *of == part)
            {
                Some((_, names)) => names.push(format!("--{}", flag.name)),
                None => absent.push((part, vec![format!("--{}", flag.name)])),
            },
            _ => {}
        }
    }
    let said =
        |(part, names): (&str, Vec<String>)| format!("{part}: not in this build yet; {} ignored", names.join(", "));
    warnings.extend(absent.into_iter().map(said));
    warnings
}

/// Whether a flag asks for something at all: `--enable-mtls=false` and blank addresses do not.
fn is_meant(flags: &Flags, name: &str) -> bool {
    let value = flags.text(name).trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    !value.is_empty() && value != "false" && name != "profile-port"
}
