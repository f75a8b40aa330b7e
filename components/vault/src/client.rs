//! Calls of Vault's HTTP API, each with a deadline.
use crate::{Metadata, tls};
use bytes::Bytes;
use component_api::{Error, Kind, Result, Secret};
use foundation_fetch::Limits;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use rustls_pki_types::ServerName;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

const LIMITS: Limits = Limits { patience: Duration::from_secs(30), largest: 16 << 20 };

/// A server of Vault.
#[derive(Debug)]
pub(crate) struct Client {
    http: foundation_fetch::Client,
    address: String,
    token: Token,
}

/// Where the token is.
#[derive(Debug)]
enum Token {
    Given(Secret),
    File(PathBuf),
}

impl Client {
    /// Prepares calls; nothing is connected yet.
    ///
    /// # Errors
    /// An address that is none, or a file that cannot be read.
    pub(crate) fn new(metadata: &Metadata) -> Result<Self> {
        let address = metadata.vault_addr.trim_end_matches('/').to_owned();
        let is_usable =
            |address: &Uri| matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some();
        if !address.parse::<Uri>().is_ok_and(|address| is_usable(&address)) {
            return Err(Error::invalid("vaultAddr is no address such as https://127.0.0.1:8200"));
        }
        Ok(Self { http: http(metadata)?, address, token: Token::of(metadata)? })
    }

    /// What is at a path.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes> {
        self.call(Method::GET, path).await
    }

    /// What is in a folder. Vault has a method of its own for it.
    pub(crate) async fn list(&self, path: &str) -> Result<Bytes> {
        let list = Method::from_bytes(b"LIST").map_err(|error| Error::other("LIST is no method").with_source(error))?;
        self.call(list, path).await
    }

    /// Whether the server is there and open.
    pub(crate) async fn check(&self) -> Result<()> {
        self.get("/v1/sys/health?standbyok=true&perfstandbyok=true").await.map(drop)
    }

    async fn call(&self, method: Method, path: &str) -> Result<Bytes> {
        let uri = format!("{}{path}", self.address);
        let mut token = HeaderValue::try_from(self.token.read().await?.expose())
            .map_err(|_| Error::invalid("the token of vault has characters that no header may have"))?;
        token.set_sensitive(true);
        let request = Request::builder().method(method).uri(uri).header("X-Vault-Request", "true");
        let request = request.header("X-Vault-Token", token).body(Bytes::new());
        let request =
            request.map_err(|error| Error::invalid("the name of the secret is no path").with_source(error))?;
        let answer = self.http.send(request).await.map_err(|error| self.unreached(error.into()))?;
        if answer.status() == StatusCode::OK {
            Ok(answer.into_body())
        } else {
            Err(refusal(answer.status(), answer.body()))
        }
    }

    fn unreached(&self, error: Error) -> Error {
        let advice = "check that the server runs, and vaultAddr and the certificates";
        Error::new(error.kind(), format!("cannot call vault at {}: {error}; {advice}", self.address))
    }
}

fn http(metadata: &Metadata) -> Result<foundation_fetch::Client> {
    let (tls, name) = (tls::configuration(metadata)?, &metadata.tls_server_name);
    if name.is_empty() {
        return Ok(foundation_fetch::Client::new(tls, LIMITS));
    }
    let name = ServerName::try_from(name.clone());
    let name = name.map_err(|error| Error::invalid("tlsServerName is no name").with_source(error))?;
    Ok(foundation_fetch::Client::named(tls, name, LIMITS))
}

impl Token {
    fn of(metadata: &Metadata) -> Result<Self> {
        if metadata.vault_token_mount_path.is_empty() {
            return Ok(Self::Given(metadata.vault_token.clone()));
        }
        let path = PathBuf::from(&metadata.vault_token_mount_path);
        std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
        Ok(Self::File(path))
    }

    async fn read(&self) -> Result<Secret> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| unreadable(path, error))?;
                Ok(text.trim().into())
            }
        }
    }
}

fn unreadable(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::invalid(format!("couldn't read vault token from mount path {}", path.display())).with_source(error)
}

/// Why Vault refuses.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<String>,
}

fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let kind = match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::TOO_MANY_REQUESTS => Kind::RateLimited,
        status if status.is_server_error() => Kind::Unavailable,
        _ => Kind::Other,
    };
    let advice = match kind {
        Kind::Denied => "; check the token and its policies",
        Kind::Unavailable => "; check that vault is initialized and unsealed",
        _ => "",
    };
    let told = serde_json::from_slice::<Told>(body).unwrap_or_default().errors.join(", ");
    let text = format!("couldn't get successful response of vault, status code {}", status.as_u16());
    Error::new(kind, if told.is_empty() { format!("{text}{advice}") } else { format!("{text}: {told}{advice}") })
}
