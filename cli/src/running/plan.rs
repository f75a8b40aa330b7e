//! From settings to command lines: what is left open gets its default, and ports are picked.
use crate::client::{Address, Client};
use crate::context::Context;
use crate::install::{Daprd, Install};
use crate::ports::Ports;
use crate::running::authority::{Access, Authority};
use crate::running::control_plane::{self, ControlPlane};
use crate::running::settings::Settings;
use anyhow::ensure;
use foundation_resources::member;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SENTRY: &str = "localhost:50001";
/// The variable that names a service, and its usual port on this machine.
pub(super) const PLACEMENT: (&str, &str) = ("DAPR_PLACEMENT_HOST_ADDRESS", "50005");
pub(super) const SCHEDULER: (&str, &str) = ("DAPR_SCHEDULER_HOST_ADDRESS", "50006");
/// Set, it says that services on the usual ports are none of the user's business.
const OWN: &str = "TRILBY_OWN_CONTROL_PLANE";
/// How long a service on this machine may take to accept a connection.
const PROBE: Duration = Duration::from_millis(200);
const LABEL_PATIENCE: Duration = Duration::from_secs(10);

/// All that it takes to start an app and its sidecar.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) app_id: String,
    pub(crate) daprd: Daprd,
    /// Of `daprd`.
    pub(crate) arguments: Vec<String>,
    /// Of the app; empty is a sidecar alone.
    pub(crate) command: Vec<String>,
    /// Added to the environment of the sidecar.
    pub(crate) sidecar_environment: Vec<(String, String)>,
    /// Added to the environment of the app.
    pub(crate) environment: Vec<(String, String)>,
    /// Where both are started.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) http: Address,
    pub(crate) grpc: Address,
    pub(crate) http_port: u16,
    pub(crate) grpc_port: u16,
    /// Whether the sidecar waits for the app. If it does not, the app waits for the sidecar.
    pub(crate) app_listens: bool,
    token: Option<String>,
}

/// Makes plans. Their ports are held until it is dropped.
pub(crate) struct Planner<'a> {
    context: &'a Context,
    authority: Option<Access>,
    control_plane: Option<control_plane::Ports>,
    secure_control_plane: Option<control_plane::Ports>,
    ports: Ports,
}

struct Picked {
    http: u16,
    grpc: u16,
    internal: u16,
    metrics: u16,
    profile: Option<u16>,
}

impl Plan {
    /// A client of the sidecar's API.
    pub(crate) fn client(&self) -> Client {
        Client { address: self.http.clone(), token: self.token.clone(), deadline: LABEL_PATIENCE }
    }

    /// The announcement of the start.
    pub(crate) fn describe(&self) -> String {
        let app_id = &self.app_id;
        match (&self.http, &self.grpc) {
            (Address::Socket(http), Address::Socket(grpc)) => {
                let (http, grpc) = (http.display(), grpc.display());
                format!("Starting Dapr with id {app_id}. HTTP Socket: {http}. gRPC Socket: {grpc}.")
            }
            _ => {
                format!("Starting Dapr with id {app_id}. HTTP Port: {}. gRPC Port: {}", self.http_port, self.grpc_port)
            }
        }
    }
}

impl<'a> Planner<'a> {
    /// `control_plane` is that of this user, if there is one.
    pub(crate) fn new(context: &'a Context, control_plane: Option<&ControlPlane>) -> Self {
        Self {
            context,
            authority: None,
            control_plane: control_plane.map(ControlPlane::ports),
            secure_control_plane: None,
            ports: Ports::default(),
        }
    }

    /// Sidecars that ask for mTLS get their identity from this authority, and use a control plane that has one as well.
    pub(crate) fn with_authority(self, authority: Option<&Authority>, control_plane: Option<&ControlPlane>) -> Self {
        let authority = authority.map(|authority| authority.access.clone());
        Self { authority, secure_control_plane: control_plane.map(ControlPlane::ports), ..self }
    }

    /// Makes a plan.
    ///
    /// # Errors
    /// A port is taken, a path is not there, or the defaults cannot be written.
    pub(crate) fn plan(&mut self, settings: &Settings) -> anyhow::Result<Plan> {
        let environment = &self.context.environment;
        let install = install(settings, self.context)?;
        let app_id = settings.app_id.clone().filter(|id| !id.is_empty()).unwrap_or_else(random_name);
        let resources = resources(settings, &install)?;
        let configuration = configuration(settings, &install);
        let picked = self.pick(settings)?;
        let sockets = settings.unix_domain_socket.as_deref();
        let mut arguments = Arguments::default();
        arguments.add("app-id", Some(&app_id));
        arguments.of_settings(settings);
        arguments.of_ports(&picked);
        arguments.of_resources(&resources, configuration.as_deref());
        let mtls = configuration.as_deref().is_some_and(asks_for_mtls);
        let authority = self.authority.as_ref().filter(|_| mtls);
        arguments.of_mtls(mtls, authority);
        let local = if mtls { self.secure_control_plane } else { self.control_plane };
        arguments.of_control_plane(settings, self.context, local);
        arguments.flag("log-as-json", self.context.console.json);
        Ok(Plan {
            daprd: install.daprd()?,
            arguments: arguments.0,
            command: settings.command.clone(),
            sidecar_environment: authority.map(Access::environment).unwrap_or_default(),
            environment: app_environment(settings, &app_id, &picked, environment.has("PYTHONUNBUFFERED")),
            folder: settings.app_dir_path.clone(),
            http: Address::of(sockets, &app_id, "http", picked.http),
            grpc: Address::of(sockets, &app_id, "grpc", picked.grpc),
            http_port: picked.http,
            grpc_port: picked.grpc,
            app_listens: settings.listening_port().is_some(),
            token: environment.api_token(),
            app_id,
        })
    }

    fn pick(&mut self, settings: &Settings) -> anyhow::Result<Picked> {
        let profiling = settings.enable_profiling == Some(true);
        let profile = profiling.then(|| self.ports.pick("profile-port", settings.profile_port));
        Ok(Picked {
            http: self.ports.pick("dapr-http-port", settings.dapr_http_port)?,
            grpc: self.ports.pick("dapr-grpc-port", settings.dapr_grpc_port)?,
            internal: self.ports.pick("dapr-internal-grpc-port", settings.dapr_internal_grpc_port)?,
            metrics: self.ports.pick("metrics-port", settings.metrics_port)?,
            profile: profile.transpose()?,
        })
    }
}

/// A command line of `daprd` in the making.
#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.extend([format!("--{name}"), value.to_string()]);
        }
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.0.push(format!("--{name}"));
        }
    }

    fn path(&mut self, name: &str, path: Option<&Path>) {
        self.add(name, path.map(Path::display));
    }

    fn of_settings(&mut self, settings: &Settings) {
        let positive = |number: Option<i64>| number.filter(|number| *number > 0);
        self.add("app-port", settings.listening_port());
        self.add("app-protocol", Some(settings.protocol()));
        self.add("app-channel-address", settings.app_channel_address.as_ref());
        self.add("app-max-concurrency", positive(settings.app_max_concurrency));
        self.add("dapr-listen-addresses", settings.dapr_listen_addresses.as_ref());
        self.path("unix-domain-socket", settings.unix_domain_socket.as_deref());
        self.flag("enable-app-health-check", settings.enable_app_health_check == Some(true));
        self.add("app-health-check-path", settings.app_health_check_path.as_ref());
        self.add("app-health-probe-interval", positive(settings.app_health_probe_interval));
        self.add("app-health-probe-timeout", positive(settings.app_health_probe_timeout));
        self.add("app-health-threshold", positive(settings.app_health_threshold));
        self.add("log-level", settings.log_level.as_ref());
        self.flag("enable-api-logging", settings.enable_api_logging == Some(true));
        self.add("max-body-size", settings.max_body_size.as_ref());
        self.add("read-buffer-size", settings.read_buffer_size.as_ref());
    }

    fn of_ports(&mut self, ports: &Picked) {
        self.add("dapr-http-port", Some(ports.http));
        self.add("dapr-grpc-port", Some(ports.grpc));
        self.add("dapr-internal-grpc-port", Some(ports.internal));
        self.add("metrics-port", Some(ports.metrics));
        self.flag("enable-profiling", ports.profile.is_some());
        self.add("profile-port", ports.profile);
    }

    fn of_resources(&mut self, resources: &[PathBuf], configuration: Option<&Path>) {
        resources.iter().for_each(|folder| self.path("resources-path", Some(folder)));
        self.path("config", configuration);
    }

    /// Without an authority of this run there is one at Dapr's usual place.
    fn of_mtls(&mut self, on: bool, authority: Option<&Access>) {
        let address = authority.map_or(SENTRY, |authority| &authority.address);
        self.flag("enable-mtls", on);
        self.add("sentry-address", on.then_some(address));
    }

    /// What Dapr's own services of this machine are not there for is taken from the control plane of this user.
    fn of_control_plane(&mut self, settings: &Settings, context: &Context, local: Option<control_plane::Ports>) {
        let address = |given: &Option<String>, (variable, port): (&str, &str), local: Option<u16>| {
            let usual = || match local {
                _ if is_there(port, context) => "localhost".to_owned(),
                Some(local) => format!("127.0.0.1:{local}"),
                None => String::new(),
            };
            let named = || context.environment.get(variable).map_or_else(usual, str::to_owned);
            with_port(given.clone().unwrap_or_else(named).trim(), port)
        };
        let placement = address(&settings.placement_host_address, PLACEMENT, local.map(|ports| ports.placement));
        let scheduler = address(&settings.scheduler_host_address, SCHEDULER, local.map(|ports| ports.scheduler));
        self.add("placement-host-address", placement);
        self.add("scheduler-host-address", scheduler);
    }
}

/// Whether a service is to be used that listens on a port of this machine. A sidecar that is told of one is not ready before it has
/// reached it.
pub(super) fn is_there(port: &str, context: &Context) -> bool {
    let port: Option<u16> = port.parse().ok().filter(|_| !context.environment.has(OWN));
    port.is_some_and(|port| TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), PROBE).is_ok())
}

/// An empty address disables the service.
fn with_port(address: &str, port: &str) -> Option<String> {
    match address {
        "" => None,
        address if address.contains(':') => Some(address.to_owned()),
        address => Some(format!("{address}:{port}")),
    }
}

fn resources(settings: &Settings, install: &Install) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = settings.resources_paths.clone();
    if folders.is_empty() {
        folders.extend(settings.resources_path.clone());
    }
    for folder in &folders {
        ensure!(folder.exists(), "there is no resources path {}; check --resources-path", folder.display());
    }
    if folders.is_empty() { Ok(vec![install.ensure_components()?]) } else { Ok(folders) }
}

fn configuration(settings: &Settings, install: &Install) -> Option<PathBuf> {
    let usual = || Some(install.configuration()).filter(|path| path.exists());
    settings.config.clone().or_else(usual)
}

fn install(settings: &Settings, context: &Context) -> anyhow::Result<Install> {
    Install::at(settings.runtime_path.as_deref().or(context.runtime_path.as_deref()), &context.environment)
}

/// The configuration of an app, if it asks for mTLS.
pub(super) fn configuration_with_mtls(settings: &Settings, context: &Context) -> Option<PathBuf> {
    configuration(settings, &install(settings, context).ok()?).filter(|path| asks_for_mtls(path))
}

/// Whether a configuration file has `spec.mtls.enabled`; the sidecar says what else is wrong with it.
pub(crate) fn asks_for_mtls(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap_or_default();
    // Names of any case, as the sidecar reads them.
    let mut path = ["spec", "mtls", "enabled"].iter();
    let enabled = path.try_fold(&document, |value, name| member(value.as_object()?, name));
    enabled.and_then(serde_json::Value::as_bool) == Some(true)
}

/// Later pairs win. A pipe makes Python hold its output back, so it is told not to.
fn app_environment(settings: &Settings, app_id: &str, ports: &Picked, buffering_set: bool) -> Vec<(String, String)> {
    let address = settings.app_channel_address.as_deref().unwrap_or("127.0.0.1");
    let mut pairs = vec![
        ("APP_ID", app_id.to_owned()),
        ("APP_CHANNEL_ADDRESS", address.to_owned()),
        ("APP_PROTOCOL", settings.protocol()),
        ("DAPR_HTTP_PORT", ports.http.to_string()),
        ("DAPR_GRPC_PORT", ports.grpc.to_string()),
        ("DAPR_METRICS_PORT", ports.metrics.to_string()),
    ];
    pairs.extend(settings.listening_port().map(|port| ("APP_PORT", port.to_string())));
    pairs.extend((!buffering_set).then(|| ("PYTHONUNBUFFERED", "1".to_owned())));
    let own = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
    own.chain(settings.env.clone()).collect()
}

/// Two words that can be told apart by eye and ear.
fn random_name() -> String {
    const FIRST: [&str; 16] = [
        "amber", "bold", "calm", "crisp", "eager", "fair", "gentle", "happy", "keen", "lively", "mellow", "noble",
        "proud", "quick", "sunny", "tidy",
    ];
    const SECOND: [&str; 16] = [
        "badger", "birch", "comet", "cricket", "falcon", "fjord", "harbor", "lantern", "maple", "meadow", "otter",
        "pebble", "raven", "sparrow", "tulip", "willow",
    ];
    let random = uuid::Uuid::new_v4();
    let [first, second, third, ..] = random.into_bytes();
    let pick = |words: [&'static str; 16], byte: u8| words[usize::from(byte % 16)];
    format!("{}-{}-{third}", pick(FIRST, first), pick(SECOND, second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;

    fn plan(settings: &Settings, more: &[(&str, &str)]) -> (tempfile::TempDir, Plan) {
        let home = tempfile::tempdir().unwrap();
        let mut pairs = vec![("HOME", home.path().to_str().unwrap()), (OWN, "true")];
        pairs.extend(more);
        let environment = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let context = Context { console: Console::new(false, true), environment, runtime_path: None };
        let plan = Planner::new(&context, None).plan(settings).unwrap();
        (home, plan)
    }

    fn value<'a>(plan: &'a Plan, flag: &str) -> Option<&'a str> {
        let position = plan.arguments.iter().position(|argument| argument == flag)?;
        plan.arguments.get(position + 1).map(String::as_str)
    }

    #[test]
    fn defaults_need_nothing_but_a_home() {
        let (home, plan) = plan(&Settings::default(), &[]);
        let components = home.path().join(".dapr/components");
        assert_eq!(value(&plan, "--resources-path"), components.to_str());
        assert!(components.join("pubsub.yaml").exists());
        assert_eq!(value(&plan, "--dapr-http-port"), Some(plan.http_port.to_string().as_str()));
        assert_eq!(value(&plan, "--app-id"), Some(plan.app_id.as_str()));
        assert_eq!((value(&plan, "--placement-host-address"), value(&plan, "--scheduler-host-address")), (None, None));
        assert_eq!((value(&plan, "--app-port"), value(&plan, "--config")), (None, None));
        assert!(!plan.app_listens);
    }

    #[test]
    fn settings_become_flags_and_variables() {
        let settings = Settings {
            app_id: Some("shop".to_owned()),
            app_port: Some(3000),
            app_protocol: Some("grpc".to_owned()),
            app_ssl: Some(true),
            placement_host_address: Some(String::new()),
            scheduler_host_address: Some("far:1".to_owned()),
            env: [("APP_ID".to_owned(), "mine".to_owned())].into(),
            ..Settings::default()
        };
        let (_home, plan) = plan(&settings, &[("PYTHONUNBUFFERED", "")]);
        assert_eq!(value(&plan, "--app-protocol"), Some("grpcs"));
        assert_eq!((value(&plan, "--app-port"), plan.app_listens), (Some("3000"), true));
        assert_eq!(value(&plan, "--placement-host-address"), None);
        assert_eq!(value(&plan, "--scheduler-host-address"), Some("far:1"));
        assert!(plan.environment.contains(&("APP_PORT".to_owned(), "3000".to_owned())));
        assert_eq!(plan.environment.last(), Some(&("APP_ID".to_owned(), "mine".to_owned())));
        assert!(plan.environment.iter().all(|(name, _)| name != "PYTHONUNBUFFERED"));
    }

    #[test]
    fn a_configuration_with_mtls_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, "{kind: Configuration, spec: {mTLS: {enabled: true}}}").unwrap();
        let (_home, plan) = plan(&Settings { config: Some(file), ..Settings::default() }, &[]);
        assert_eq!(value(&plan, "--sentry-address"), Some(SENTRY));
        assert!(plan.arguments.contains(&"--enable-mtls".to_owned()));
    }
}
