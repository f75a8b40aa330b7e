//! The command line of sentry (surface.md 4.2).
use foundation_flags::Kind::{self, Bool, Int, List, Text};
use foundation_flags::{Flag, Flags, Misuse, flag};
use foundation_process::{COMMON, Common};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FLAGS: &[Flag] = &[
    flag("port", Int, "50001", "Port that certificates are asked for at"),
    flag("listen-address", Text, "", "Address that certificates are asked for at"),
    flag("config", Text, "daprsystem", "Configuration file; in Kubernetes the name of a Configuration"),
    flag("trust-domain", Text, "localhost", "Trust domain of the control plane"),
    flag("issuer-credentials", Text, "/var/run/secrets/dapr.io/credentials", "Folder of the credentials"),
    flag("issuer-ca-filename", Text, "ca.crt", "Certificates of the roots"),
    flag("issuer-certificate-filename", Text, "issuer.crt", "Certificate of the issuer"),
    flag("issuer-key-filename", Text, "issuer.key", "Private key of the issuer"),
    flag("root-ttl", Kind::Duration, "8760h", "How long roots made here are good; they are replaced long before"),
    flag("jwt-enabled", Bool, "false", "Give tokens along with certificates"),
    flag("jwt-key-filename", Text, "jwt.key", "Private key that signs tokens"),
    flag("jwks-filename", Text, "jwks.json", "Public keys of the tokens"),
    flag("jwt-issuer", Text, "", "Issuer that tokens name"),
    flag("jwt-signing-algorithm", Text, "RS256", "Algorithm of the tokens' signatures"),
    flag("jwt-key-id", Text, "", "Id of the key of tokens; its thumbprint when empty"),
    flag("jwt-ttl", Kind::Duration, "24h", "How long tokens are good"),
    flag("oidc-enabled", Bool, "false", "Publish the keys of tokens over HTTP"),
    flag("oidc-server-listen-port", Int, "9080", "Port of the published keys"),
    flag("oidc-server-listen-address", Text, "localhost", "Address of the published keys"),
    flag("oidc-server-tls-enabled", Bool, "true", "Publish over HTTPS"),
    flag("oidc-server-tls-cert-file", Text, "", "Certificate of the HTTPS server"),
    flag("oidc-server-tls-key-file", Text, "", "Private key of the HTTPS server"),
    flag("oidc-jwks-uri", Text, "", "URL of the keys, as the discovery document names it"),
    flag("oidc-path-prefix", Text, "", "Prefix of the paths of the HTTP server"),
    flag("oidc-allowed-hosts", List, "", "Hosts that requests may be for; all when empty"),
    flag("stop-with-parent", Bool, "false", "End when the process that has started this one is gone"),
    flag(
        "mode",
        Text,
        "standalone",
        "standalone, or kubernetes: credentials and configuration are resources, and pods show tokens",
    ),
    flag("kubeconfig", Text, "", "How to reach Kubernetes; as a pod when empty"),
];

/// What sentry is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub common: Common,
    pub port: u16,
    pub address: String,
    /// None starts with the defaults. In a cluster it is the name of a resource.
    pub configuration: Option<PathBuf>,
    pub trust_domain: String,
    /// Namespace of the control plane.
    pub namespace: String,
    pub ca: PathBuf,
    pub issuer_certificate: PathBuf,
    pub issuer_key: PathBuf,
    /// How long roots are good that are made here.
    pub root_ttl: Duration,
    pub jwt: Option<JwtOptions>,
    pub oidc: Option<OidcOptions>,
    /// Whether the tokens of pods tell who asks.
    pub kubernetes: bool,
    /// Whether credentials and configuration are resources of Kubernetes, not files.
    pub is_in_cluster: bool,
    pub kubeconfig: Option<PathBuf>,
    /// Whether it ends with the process that has started it.
    pub stops_with_parent: bool,
}

/// How tokens are made.
#[derive(Clone, Debug)]
pub struct JwtOptions {
    pub key: PathBuf,
    pub key_set: PathBuf,
    pub issuer: Option<String>,
    pub algorithm: String,
    pub key_id: Option<String>,
    pub ttl: Duration,
}

/// How the keys of tokens are published.
#[derive(Clone, Debug)]
pub struct OidcOptions {
    pub address: String,
    pub port: u16,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub key_set_url: Option<String>,
    pub prefix: String,
    pub allowed_hosts: Vec<String>,
}

/// Why there are no options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error(transparent)]
    Misuse(#[from] Misuse),
    #[error("invalid value for --{0}: it must be 0 to 65535")]
    Port(&'static str),
    #[error("both OIDC TLS certificate and key must be provided if one is specified")]
    Oidc,
    #[error("{0} is required when OIDC HTTP server is enabled (unless oidc-server-tls-enabled is false)")]
    OidcInTheOpen(&'static str),
    #[error("jwt-issuer cannot be set when jwt-enabled is false")]
    IssuerOfNone,
    #[error("invalid mode: {0}; use standalone or kubernetes")]
    Mode(String),
    #[error("invalid value for --root-ttl: it must be 5s or more")]
    RootTtl,
    #[error("invalid value for --jwt-ttl: it must be 1s or more")]
    JwtTtl,
}

impl Options {
    /// Reads a command line (without the name of the program) and the environment.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn read(arguments: &[String], environment: &BTreeMap<String, String>) -> Result<Self, Invalid> {
        let flags = Flags::parse(&[FLAGS, COMMON], arguments)?;
        if flags.is_given("jwt-issuer") && !flags.bool("jwt-enabled") {
            return Err(Invalid::IssuerOfNone);
        }
        let file = |name: &str| Path::new(flags.text("issuer-credentials")).join(flags.text(name));
        Ok(Self {
            common: Common::read(&flags),
            port: port(&flags, "port")?,
            address: flags.text("listen-address").to_owned(),
            configuration: flags.is_given("config").then(|| filled(&flags, "config")).flatten().map(PathBuf::from),
            trust_domain: flags.text("trust-domain").to_owned(),
            namespace: namespace(environment),
            ca: file("issuer-ca-filename"),
            issuer_certificate: file("issuer-certificate-filename"),
            issuer_key: file("issuer-key-filename"),
            root_ttl: root_ttl(&flags)?,
            jwt: flags.bool("jwt-enabled").then(|| jwt(&flags, file)).transpose()?,
            oidc: flags.bool("oidc-enabled").then(|| oidc(&flags)).transpose()?,
            kubernetes: kubernetes(&flags, environment)?,
            is_in_cluster: flags.text("mode") == "kubernetes",
            kubeconfig: filled(&flags, "kubeconfig").map(PathBuf::from),
            stops_with_parent: flags.bool("stop-with-parent"),
        })
    }
}

/// How to use the command line.
pub fn usage() -> String {
    foundation_flags::usage("sentry", &[FLAGS, COMMON])
}

fn jwt(flags: &Flags, file: impl Fn(&str) -> PathBuf) -> Result<JwtOptions, Invalid> {
    Ok(JwtOptions {
        key: file("jwt-key-filename"),
        key_set: file("jwks-filename"),
        issuer: filled(flags, "jwt-issuer"),
        algorithm: flags.text("jwt-signing-algorithm").to_owned(),
        key_id: filled(flags, "jwt-key-id"),
        ttl: jwt_ttl(flags)?,
    })
}

/// Tokens tell their end in whole seconds.
fn jwt_ttl(flags: &Flags) -> Result<Duration, Invalid> {
    const SHORTEST: Duration = Duration::from_secs(1);
    Some(flags.duration("jwt-ttl")).filter(|life| *life >= SHORTEST).ok_or(Invalid::JwtTtl)
}

/// A pod of Kubernetes is told so by its environment.
fn kubernetes(flags: &Flags, environment: &BTreeMap<String, String>) -> Result<bool, Invalid> {
    match flags.text("mode") {
        "kubernetes" => Ok(true),
        "standalone" | "" => Ok(environment.get("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty())),
        other => Err(Invalid::Mode(other.to_owned())),
    }
}

/// Shorter lives are over before everybody has heard of the next root.
fn root_ttl(flags: &Flags) -> Result<Duration, Invalid> {
    const SHORTEST: Duration = Duration::from_secs(5);
    Some(flags.duration("root-ttl")).filter(|life| *life >= SHORTEST).ok_or(Invalid::RootTtl)
}

fn oidc(flags: &Flags) -> Result<OidcOptions, Invalid> {
    Ok(OidcOptions {
        address: flags.text("oidc-server-listen-address").to_owned(),
        port: port(flags, "oidc-server-listen-port")?,
        tls: oidc_files(flags)?,
        key_set_url: filled(flags, "oidc-jwks-uri"),
        prefix: prefix(flags.text("oidc-path-prefix")),
        allowed_hosts: flags.list("oidc-allowed-hosts"),
    })
}

/// Certificate and key, without which only those publish who say so.
fn oidc_files(flags: &Flags) -> Result<Option<(PathBuf, PathBuf)>, Invalid> {
    const NAMES: [&str; 2] = ["oidc-server-tls-cert-file", "oidc-server-tls-key-file"];
    let is_secured = flags.bool("oidc-server-tls-enabled");
    match NAMES.map(|name| filled(flags, name)) {
        [Some(certificate), Some(key)] => Ok(is_secured.then(|| (certificate.into(), key.into()))),
        [None, _] if is_secured => Err(Invalid::OidcInTheOpen(NAMES[0])),
        [_, None] if is_secured => Err(Invalid::OidcInTheOpen(NAMES[1])),
        [None, None] => Ok(None),
        _ => Err(Invalid::Oidc),
    }
}

fn namespace(environment: &BTreeMap<String, String>) -> String {
    let given = environment.get("NAMESPACE").filter(|name| !name.is_empty());
    given.map_or("default", String::as_str).to_owned()
}

/// With a slash at its beginning and none at its end.
fn prefix(text: &str) -> String {
    let inner = text.trim_matches('/');
    if inner.is_empty() { String::new() } else { format!("/{inner}") }
}

fn filled(flags: &Flags, name: &str) -> Option<String> {
    Some(flags.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn port(flags: &Flags, name: &'static str) -> Result<u16, Invalid> {
    u16::try_from(flags.int(name)).map_err(|_| Invalid::Port(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Option<Invalid> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Options::read(&arguments, &BTreeMap::new()).err()
    }

    #[test]
    fn tokens_live_for_a_while() {
        for none in ["0", "-24h", "500ms"] {
            assert_eq!(refused(&format!("--jwt-enabled --jwt-ttl={none}")), Some(Invalid::JwtTtl));
        }
        assert_eq!(refused("--jwt-enabled --jwt-ttl=1s"), None);
    }

    #[test]
    fn keys_are_published_in_the_open_only_by_those_who_say_so() {
        const OIDC: &str = "--jwt-enabled --oidc-enabled";
        let certificate = format!("{OIDC} --oidc-server-tls-cert-file a.crt");
        assert_eq!(refused(OIDC), Some(Invalid::OidcInTheOpen("oidc-server-tls-cert-file")));
        assert_eq!(refused(&certificate), Some(Invalid::OidcInTheOpen("oidc-server-tls-key-file")));
        assert_eq!(refused(&format!("{certificate} --oidc-server-tls-key-file a.key")), None);
        assert_eq!(refused(&format!("{OIDC} --oidc-server-tls-enabled=false")), None);
        assert_eq!(refused(&format!("{certificate} --oidc-server-tls-enabled=false")), Some(Invalid::Oidc));
    }

    #[test]
    fn an_issuer_of_tokens_wants_tokens() {
        assert_eq!(refused("--jwt-issuer https://a"), Some(Invalid::IssuerOfNone));
        assert_eq!(refused("--jwt-issuer https://a --jwt-enabled"), None);
    }
}
