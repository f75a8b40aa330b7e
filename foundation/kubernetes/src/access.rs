//! How the API of Kubernetes is reached: by a kubeconfig file, or as a pod reaches its own cluster.
use crate::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foundation_tls::pem_fault;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a pod finds what it needs.
const OF_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where the API is.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A file that says it, if there is one.
    pub kubeconfig: Option<PathBuf>,
    /// What Kubernetes tells a pod in its environment; empty outside of one.
    pub host: String,
    pub port: String,
}

impl Settings {
    /// With what the environment of the process tells.
    pub fn new(kubeconfig: Option<PathBuf>, environment: &BTreeMap<String, String>) -> Self {
        let variable = |name: &str| environment.get(name).cloned().unwrap_or_default();
        Self { kubeconfig, host: variable("KUBERNETES_SERVICE_HOST"), port: variable("KUBERNETES_SERVICE_PORT") }
    }
}

/// How the API is reached.
pub(crate) struct Access {
    /// Scheme, host and port.
    pub(crate) server: String,
    /// The name that the server's certificate is for, if it is another than that of the server.
    pub(crate) server_name: Option<String>,
    ca: Vec<u8>,
    /// Certificate and key, in PEM.
    certificate: Option<(Vec<u8>, Vec<u8>)>,
    token: Option<Token>,
}

enum Token {
    Text(String),
    /// Kubernetes replaces it from time to time.
    File(PathBuf),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    current_context: String,
    contexts: Vec<Named<Context>>,
    clusters: Vec<Named<Cluster>>,
    users: Vec<Named<User>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named<T: Default> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    value: T,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
}

impl Access {
    /// By the kubeconfig file, else as a pod reaches its own cluster.
    ///
    /// # Errors
    /// A file that cannot be read, or says nothing that can be used; and a process that is in no pod.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Error> {
        match &settings.kubeconfig {
            Some(path) => Self::of_file(path),
            None => Self::of_pod(settings),
        }
    }

    /// As the current context of a kubeconfig file says.
    ///
    /// # Errors
    /// A file that cannot be read, and names in it that lead nowhere.
    fn of_file(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot read {shown}: {error}")))?;
        let file: File =
            serde_saphyr::from_str(&text).map_err(|error| wrong(format!("{shown} is no kubeconfig: {error}")))?;
        let missing = |what: &str, name: &str| wrong(format!("{shown} has no {what} {name:?}"));
        let context = named(&file.contexts, &file.current_context);
        let context = context.ok_or_else(|| missing("context", &file.current_context))?;
        let cluster = named(&file.clusters, &context.cluster).ok_or_else(|| missing("cluster", &context.cluster))?;
        let user = named(&file.users, &context.user).ok_or_else(|| missing("user", &context.user))?;
        if cluster.insecure_skip_tls_verify {
            return Err(wrong(format!(
                "{shown} has insecure-skip-tls-verify: whoever answers then could give away identities"
            )));
        }
        let beside = path.parent().unwrap_or(Path::new("."));
        let read = |data: &Option<String>, file: &Option<PathBuf>| content(data.as_deref(), file.as_deref(), beside);
        let certificate = read(&user.client_certificate_data, &user.client_certificate)?;
        let key = read(&user.client_key_data, &user.client_key)?;
        let token_file = user.token_file.as_ref().map(|path| Token::File(beside.join(path)));
        Ok(Self {
            server: cluster.server.trim_end_matches('/').to_owned(),
            server_name: cluster.tls_server_name.clone(),
            ca: read(&cluster.certificate_authority_data, &cluster.certificate_authority)?.unwrap_or_default(),
            certificate: certificate.zip(key),
            token: token_file.or_else(|| user.token.clone().map(Token::Text)),
        })
    }

    /// As a pod reaches its own cluster.
    ///
    /// # Errors
    /// This is no pod.
    fn of_pod(settings: &Settings) -> Result<Self, Error> {
        let Settings { host, port, .. } = settings;
        if host.is_empty() {
            return Err(wrong("set --kubeconfig, or run in a pod".to_owned()));
        }
        let port = if port.is_empty() { "443" } else { port };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let ca = Path::new(OF_POD).join("ca.crt");
        Ok(Self {
            server: format!("https://{host}:{port}"),
            server_name: None,
            ca: std::fs::read(&ca).map_err(|error| wrong(format!("cannot read {}: {error}", ca.display())))?,
            certificate: None,
            token: Some(Token::File(Path::new(OF_POD).join("token"))),
        })
    }

    /// What is shown to the API, as it is now.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn token(&self) -> Result<Option<String>, Error> {
        match &self.token {
            None => Ok(None),
            Some(Token::Text(text)) => Ok(Some(text.clone())),
            Some(Token::File(path)) => {
                let unreadable = |reason| Error::NoToken { file: path.display().to_string(), reason };
                Ok(Some(std::fs::read_to_string(path).map_err(unreadable)?.trim().to_owned()))
            }
        }
    }

    /// Settings for connections; roots of the system do not count.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn tls(&self) -> Result<ClientConfig, Error> {
        let unreadable = |what, error: &dyn std::fmt::Display| Error::Unreadable { what, reason: error.to_string() };
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.ca).map_err(|error| unreadable("the CA of Kubernetes", &pem_fault(&error)))? {
            roots.add(root).map_err(|error| unreadable("the CA of Kubernetes", &error))?;
        }
        let builder = foundation_fetch::trust::builder()?.with_root_certificates(roots);
        let Some((certificate, key)) = &self.certificate else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates(certificate);
        let chain = chain.map_err(|error| unreadable("the certificate for Kubernetes", &pem_fault(&error)))?;
        let key = PrivateKeyDer::from_pem_slice(key);
        let key = key.map_err(|error| unreadable("the key for Kubernetes", &pem_fault(&error)))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| unreadable("the key for Kubernetes", &error))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls_pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

fn named<'a, T: Default>(list: &'a [Named<T>], name: &str) -> Option<&'a T> {
    list.iter().find(|one| one.name == name).map(|one| &one.value)
}

/// Data wins over a file, as with kubectl.
fn content(data: Option<&str>, file: Option<&Path>, beside: &Path) -> Result<Option<Vec<u8>>, Error> {
    match (data, file) {
        (Some(data), _) => {
            let decoded = STANDARD.decode(data.trim());
            decoded.map(Some).map_err(|error| wrong(format!("data in the kubeconfig is no base64: {error}")))
        }
        (None, Some(file)) => {
            let path = beside.join(file);
            let read = std::fs::read(&path);
            read.map(Some).map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))
        }
        (None, None) => Ok(None),
    }
}

fn wrong(what: String) -> Error {
    Error::Configuration(what)
}
