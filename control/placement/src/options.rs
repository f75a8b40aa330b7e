//! The command line of the placement service (surface.md 4.2).
use crate::cluster::Cluster;
use crate::namespace::Settings;
use foundation_flags::Kind::{Bool, Int, Text};
use foundation_flags::Standing::{Absent, Current};
use foundation_flags::{Flag, Flags, Kind, Misuse, Standing, flag_of as flag};
use foundation_process::{COMMON, Common, Mtls};
use std::time::Duration;

const INERT: Standing = Absent("nothing is kept between starts");

const FLAGS: &[Flag] = &[
    flag("port", Int, "50005", Current, "Port that sidecars report to"),
    flag("listen-address", Text, "", Current, "Address that sidecars report to"),
    flag("id", Text, "dapr-placement-0", Current, "Name of this replica"),
    flag(
        "initial-cluster",
        Text,
        "dapr-placement-0=127.0.0.1:8201",
        Current,
        "Replicas as name=host:port, between commas",
    ),
    flag("replicationFactor", Int, "100", Current, "Points of each host on the ring"),
    flag("metadata-enabled", Bool, "false", Current, "Serve the tables at /placement/state of the health server"),
    flag("disseminate-timeout", Kind::Duration, "8s", Current, "How long a round of dissemination may take"),
    flag("disseminate-coalesce-window", Kind::Duration, "0s", Current, "How long changes are collected after a round"),
    flag("keepalive-time", Kind::Duration, "2s", Current, "Pause between pings of a silent sidecar, 1s to 10s"),
    flag("keepalive-timeout", Kind::Duration, "3s", Current, "How long a sidecar may take to answer a ping, 1s to 10s"),
    flag("tls-enabled", Bool, "false", Current, "Only let sidecars in that have an identity"),
    flag("mode", Text, "standalone", Current, "standalone or kubernetes"),
    flag("trust-domain", Text, "localhost", Current, "Trust domain of the control plane"),
    flag("trust-anchors-file", Text, "/var/run/secrets/dapr.io/tls/ca.crt", Current, "Certificates to trust"),
    flag("sentry-address", Text, "", Current, "Where sentry is"),
    flag("inmem-store-enabled", Bool, "true", INERT, "Has no effect"),
    flag("raft-logstore-path", Text, "", INERT, "Has no effect"),
    flag("max-api-level", Int, "10", INERT, "Has no effect"),
    flag("min-api-level", Int, "0", INERT, "Has no effect"),
];

const LONGEST_KEEPALIVE: Duration = Duration::from_secs(10);
const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(1);

/// What the service is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub common: Common,
    pub port: u16,
    pub address: String,
    pub id: String,
    /// All replicas, this one included.
    pub cluster: Cluster,
    pub settings: Settings,
    pub serves_state: bool,
    pub keepalive_time: Duration,
    pub keepalive_timeout: Duration,
    /// None lets every sidecar in.
    pub mtls: Option<Mtls>,
}

/// Why there are no options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error(transparent)]
    Misuse(#[from] Misuse),
    #[error("invalid value for --{name}: {reason}")]
    Value { name: &'static str, reason: &'static str },
}

impl Options {
    /// Reads a command line (without the name of the program). `serves_state` is what the environment
    /// (`DAPR_PLACEMENT_METADATA_ENABLED`) says of `--metadata-enabled`; `namespace` is that of the control plane.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn read(arguments: &[String], serves_state: bool, namespace: &str) -> Result<Self, Invalid> {
        let flags = Flags::parse(&[FLAGS, COMMON], arguments)?;
        Ok(Self {
            common: Common::read(&flags),
            port: u16::try_from(flags.int("port")).map_err(|_| value("port", "it must be 0 to 65535"))?,
            address: flags.text("listen-address").to_owned(),
            id: flags.text("id").to_owned(),
            cluster: Cluster::parse(flags.text("initial-cluster"), flags.text("id"))
                .ok_or(value("initial-cluster", "write name=host:port for each replica, one of them --id"))?,
            settings: settings(&flags)?,
            serves_state: if flags.is_given("metadata-enabled") {
                flags.bool("metadata-enabled")
            } else {
                serves_state
            },
            keepalive_time: keepalive(&flags, "keepalive-time")?,
            keepalive_timeout: keepalive(&flags, "keepalive-timeout")?,
            mtls: flags.bool("tls-enabled").then(|| Mtls::read(&flags, namespace)),
        })
    }
}

/// How to use the command line.
pub fn usage() -> String {
    foundation_flags::usage("placement", &[FLAGS, COMMON])
}

fn settings(flags: &Flags) -> Result<Settings, Invalid> {
    let replication_factor = flags.int("replicationFactor");
    if replication_factor < 1 {
        return Err(value("replicationFactor", "it must be at least 1"));
    }
    let timeout = flags.duration("disseminate-timeout");
    if timeout.is_zero() {
        return Err(value("disseminate-timeout", "it must be longer than zero"));
    }
    Ok(Settings { replication_factor, timeout, coalesce: flags.duration("disseminate-coalesce-window") })
}

fn keepalive(flags: &Flags, name: &'static str) -> Result<Duration, Invalid> {
    let duration = flags.duration(name);
    let allowed = (SHORTEST_KEEPALIVE..=LONGEST_KEEPALIVE).contains(&duration);
    allowed.then_some(duration).ok_or(value(name, "it must be from 1s to 10s"))
}

fn value(name: &'static str, reason: &'static str) -> Invalid {
    Invalid::Value { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Options::read(&arguments, false, "default").map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn flags_are_those_of_dapr() {
        let options =
            read(&["-port=6050", "--disseminate-timeout", "2s", "--metadata-enabled", "--healthz-port=58080"]).unwrap();
        assert_eq!((options.port, options.settings.timeout), (6050, Duration::from_secs(2)));
        assert_eq!((options.serves_state, options.common.health), (true, ("0.0.0.0".to_owned(), 58080)));
    }

    #[test]
    fn bad_values_are_named() {
        assert_eq!(
            read(&["--keepalive-time=11s"]).unwrap_err(),
            "invalid value for --keepalive-time: it must be from 1s to 10s"
        );
        assert_eq!(read(&["--port=x"]).unwrap_err(), "invalid argument \"x\" for \"--port\" flag: use a whole number");
        assert_eq!(read(&["--nothing"]).unwrap_err(), "unknown flag: --nothing");
    }
}
