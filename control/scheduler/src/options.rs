//! The command line of the scheduler (surface.md 4.2).
mod table;

use foundation_etcd::Members;
use foundation_flags::{Flags, Misuse};
use foundation_kubernetes::Settings as Kubernetes;
use foundation_process::{COMMON, Common, Mtls};
use std::collections::BTreeMap;
use std::path::PathBuf;
use table::FLAGS;

const STANDALONE: &str = "standalone";
const KUBERNETES: &str = "kubernetes";
const TOKEN: &str = "DAPR_SENTRY_TOKEN_FILE";
/// Decimal and binary units of a quota, and what they stand for.
const UNITS: [(&str, f64); 13] = [
    ("", 1.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// What the scheduler is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub common: Common,
    pub port: u16,
    pub address: String,
    /// Where sidecars reach this scheduler; none is found out.
    pub broadcast: Option<String>,
    pub id: String,
    /// Jobs that are read at once.
    pub workers: usize,
    pub store: Store,
    /// None lets every sidecar in.
    pub mtls: Option<Mtls>,
    /// The cluster whose namespaces take their jobs with them.
    pub kubernetes: Option<Kubernetes>,
}

/// Where jobs are kept.
#[derive(Clone, Debug)]
pub enum Store {
    /// In a file of this process, which serves etcd's API on a port.
    Embedded(Embedded),
    /// In an etcd elsewhere.
    External { endpoints: Vec<String>, username: String, password: String },
}

/// The store of this process.
#[derive(Clone, Debug)]
pub struct Embedded {
    pub folder: PathBuf,
    /// All schedulers that keep the jobs together; none for a single one.
    pub members: Option<Members>,
    pub address: String,
    pub port: u16,
    /// In bytes.
    pub quota: u64,
    pub most_operations: usize,
    /// How many revisions of the past can be read.
    pub revisions: i64,
    /// Bytes to be gained before the file is made smaller.
    pub defragmentation: u64,
}

/// Why there are no options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error(transparent)]
    Misuse(#[from] Misuse),
    #[error("invalid value for --{name}: {reason}")]
    Value { name: &'static str, reason: &'static str },
    #[error("cannot use --{0} with --etcd-embed")]
    WithEmbedded(&'static str),
    #[error("must specify --etcd-client-endpoints when not using embedded etcd")]
    NoEndpoints,
    #[error("scheduler ID: {0} is not found in initial cluster")]
    NotInCluster(String),
    #[error(
        "--etcd-initial-cluster must name each scheduler once, as name=http://host:port, or name=https://host:port"
    )]
    Cluster,
    #[error("kubeconfig flag is only valid in --mode=kubernetes")]
    Kubeconfig,
}

impl Options {
    /// Reads a command line (without the name of the program). `namespace` is that of the control plane.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn read(arguments: &[String], namespace: &str) -> Result<Self, Invalid> {
        let flags = Flags::parse(&[FLAGS, COMMON], arguments)?;
        let is_kubernetes = match flags.text("mode") {
            STANDALONE => false,
            KUBERNETES => true,
            _ => return Err(value("mode", "it must be standalone or kubernetes")),
        };
        if flags.is_given("kubeconfig") && !is_kubernetes {
            return Err(Invalid::Kubeconfig);
        }
        let workers = usize::try_from(flags.int("workers")).ok().filter(|workers| *workers > 0);
        Ok(Self {
            common: Common::read(&flags),
            port: port(&flags, "port")?,
            address: flags.text("listen-address").to_owned(),
            broadcast: flags
                .is_given("override-broadcast-host-port")
                .then(|| flags.text("override-broadcast-host-port").to_owned()),
            id: id(&flags)?,
            workers: workers.ok_or_else(|| value("workers", "it must be at least 1"))?,
            store: store(&flags, namespace, is_kubernetes)?,
            mtls: (flags.bool("tls-enabled") || is_kubernetes).then(|| mtls(&flags, namespace)),
            kubernetes: is_kubernetes.then(|| kubernetes(&flags)),
        })
    }

    /// With what the environment of the process tells: the file of the token for sentry, and where Kubernetes is for a pod.
    #[must_use]
    pub fn in_environment(mut self, environment: &BTreeMap<String, String>) -> Self {
        if let Some(mtls) = &mut self.mtls {
            mtls.token = environment.get(TOKEN).filter(|path| !path.is_empty()).map(PathBuf::from);
        }
        self.kubernetes = self.kubernetes.map(|kubernetes| Kubernetes::new(kubernetes.kubeconfig, environment));
        self
    }
}

/// How to use the command line.
pub fn usage() -> String {
    foundation_flags::usage("scheduler", &[FLAGS, COMMON])
}

fn store(flags: &Flags, namespace: &str, is_kubernetes: bool) -> Result<Store, Invalid> {
    let (endpoints, text) = (flags.list("etcd-client-endpoints"), |name| flags.text(name).to_owned());
    if flags.bool("etcd-embed") {
        let external = ["etcd-client-endpoints", "etcd-client-username", "etcd-client-password"];
        if let Some(name) = external.into_iter().find(|name| !flags.text(name).is_empty()) {
            return Err(Invalid::WithEmbedded(name));
        }
        return embedded(flags, namespace, is_kubernetes).map(Store::Embedded);
    }
    if endpoints.is_empty() {
        return Err(Invalid::NoEndpoints);
    }
    Ok(Store::External { endpoints, username: text("etcd-client-username"), password: text("etcd-client-password") })
}

fn embedded(flags: &Flags, namespace: &str, is_kubernetes: bool) -> Result<Embedded, Invalid> {
    let (id, cluster) = (flags.text("id"), flags.list("etcd-initial-cluster"));
    let is_own = |member: &String| member.split_once('=').is_some_and(|(name, _)| name == id);
    if !cluster.is_empty() && !cluster.iter().any(is_own) {
        return Err(Invalid::NotInCluster(id.to_owned()));
    }
    let members = (cluster.len() > 1).then(|| Members::parse(cluster.iter().map(String::as_str), id));
    let members = members.map(|members| members.ok_or(Invalid::Cluster)).transpose()?;
    let folder = PathBuf::from(flags.text("etcd-data-dir"));
    Ok(Embedded {
        folder: if is_kubernetes { folder } else { folder.join(format!("{namespace}-{id}")) },
        members,
        address: flags.text("etcd-client-listen-address").to_owned(),
        port: port(flags, "etcd-client-port")?,
        quota: quota(flags.text("etcd-space-quota"))?,
        most_operations: usize::try_from(flags.int("etcd-max-txn-ops")).unwrap_or_default().max(16),
        revisions: flags.text("etcd-compaction-retention").parse().unwrap_or(i64::MAX),
        defragmentation: whole_megabytes(flags.int("etcd-experimental-bootstrap-defrag-threshold-megabytes")),
    })
}

/// Without an address, sentry is where Dapr's Helm chart has it.
fn mtls(flags: &Flags, namespace: &str) -> Mtls {
    let mut mtls = Mtls::read(flags, namespace);
    mtls.copies = Some(flags.text("identity-directory-write")).filter(|path| !path.is_empty()).map(PathBuf::from);
    if mtls.sentry_address.is_empty() {
        mtls.sentry_address = format!("dapr-sentry.{namespace}.svc:443");
    }
    mtls
}

fn kubernetes(flags: &Flags) -> Kubernetes {
    let kubeconfig = Some(flags.text("kubeconfig")).filter(|path| !path.is_empty()).map(PathBuf::from);
    Kubernetes { kubeconfig, ..Kubernetes::default() }
}

/// A part of the name of a folder.
fn id(flags: &Flags) -> Result<String, Invalid> {
    let id = flags.text("id");
    if id.contains(['/', '\\', '\0']) || id.contains("..") {
        return Err(value("id", "it names a folder, so that it must be without / and .."));
    }
    Ok(id.to_owned())
}

fn port(flags: &Flags, name: &'static str) -> Result<u16, Invalid> {
    u16::try_from(flags.int(name)).map_err(|_| value(name, "it must be 0 to 65535"))
}

/// Bytes of a quantity of Kubernetes.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // More than there can be is as much as there can be.
fn quota(text: &str) -> Result<u64, Invalid> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    let bytes = number.parse::<f64>().ok().zip(factor).map(|(number, factor)| number * factor);
    bytes.map(|bytes| bytes as u64).ok_or_else(|| value("etcd-space-quota", "it must be a size such as 8Gi"))
}

fn whole_megabytes(megabytes: i64) -> u64 {
    u64::try_from(megabytes).unwrap_or_default().saturating_mul(1 << 20)
}

fn value(name: &'static str, reason: &'static str) -> Invalid {
    Invalid::Value { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Options::read(&arguments, "default").map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn flags_are_those_of_dapr() {
        let cluster = "--etcd-initial-cluster=x=http://127.0.0.1:1";
        let copied = read(&["--tls-enabled", "--identity-directory-write=/tls"]).unwrap().mtls.unwrap();
        let options =
            read(&["--id=x", cluster, "--etcd-data-dir", "/tmp/a", "--etcd-space-quota=16Mi", "--tls-enabled"])
                .unwrap();
        let Store::Embedded(embedded) = options.store else { panic!("an embedded store") };
        assert_eq!((embedded.folder, embedded.quota, embedded.port), ("/tmp/a/default-x".into(), 16 << 20, 2379));
        let mtls = options.mtls.unwrap();
        assert_eq!((mtls.sentry_address.as_str(), mtls.copies), ("dapr-sentry.default.svc:443", None));
        assert_eq!(copied.copies, Some("/tls".into()));
        assert_eq!((options.port, options.workers, options.broadcast), (50006, 2048, None));
    }

    #[test]
    fn the_environment_tells_of_token_and_cluster() {
        let environment = [(TOKEN, "/token"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let options = |arguments| read(arguments).unwrap().in_environment(&environment);
        let (in_cluster, alone) = (options(&["--mode=kubernetes", "--kubeconfig=x"]), options(&["--tls-enabled"]));
        assert_eq!(alone.mtls.unwrap().token, Some("/token".into()));
        assert!(alone.kubernetes.is_none() && options(&[]).mtls.is_none());
        let kubernetes = in_cluster.kubernetes.unwrap();
        assert_eq!((kubernetes.kubeconfig, kubernetes.host.as_str()), (Some("x".into()), "10.0.0.1"));
    }

    #[test]
    fn quotas_are_quantities() {
        assert_eq!((quota("8E"), quota("512"), quota("1.5Ki")), (Ok(8_000_000_000_000_000_000), Ok(512), Ok(1536)));
        assert!(quota("lots").is_err() && quota("1X").is_err() && quota("").is_err());
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let endpoints = "--etcd-client-endpoints=localhost:1";
        for (arguments, reason) in [
            (&[endpoints][..], "cannot use --etcd-client-endpoints with --etcd-embed"),
            (&["--etcd-client-username=x"], "cannot use --etcd-client-username with --etcd-embed"),
            (&["--etcd-client-password=x"], "cannot use --etcd-client-password with --etcd-embed"),
            (&["--etcd-embed=false"], "must specify --etcd-client-endpoints when not using embedded etcd"),
            (&["--id=x", "--etcd-initial-cluster=y=http://y:1"], "scheduler ID: x is not found in initial cluster"),
            (&["--id=../x"], "invalid value for --id: it names a folder, so that it must be without / and .."),
            (&["--workers=0"], "invalid value for --workers: it must be at least 1"),
            (&["--kubeconfig=x"], "kubeconfig flag is only valid in --mode=kubernetes"),
        ] {
            assert_eq!(read(arguments).unwrap_err(), reason);
        }
        assert!(read(&["--etcd-embed=false", endpoints]).is_ok());
        for cluster in ["a=http://x:1,b=y:1", "a=http://x:1,b=http://y", "a=http://x:1,a=http://y:1"] {
            let refused = read(&["--id=a", "--etcd-initial-cluster", cluster]).unwrap_err();
            assert!(refused.contains("must name each scheduler once"), "{refused}");
        }
    }

    #[test]
    fn several_schedulers_keep_jobs_together() {
        let members = |cluster: &str| {
            let options = read(&["--id=b", "--etcd-initial-cluster", cluster]).unwrap();
            let Store::Embedded(embedded) = options.store else { panic!("an embedded store") };
            embedded.members
        };
        let three = members("a=http://10.0.0.1:2380,b=http://10.0.0.2:2381,c=http://10.0.0.3:2380").unwrap();
        assert_eq!((three.all().len(), three.listens_on()), (3, ("10.0.0.2", 2381)));
        assert_eq!(members("b=http://localhost:2380"), None);
    }
}
