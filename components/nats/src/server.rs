//! Where the servers are, and how a connection to them is made.
use crate::error::translate;
use async_nats::rustls::{ClientConfig, RootCertStore};
use async_nats::{AuthError, Client, ConnectOptions, Event, ServerAddr};
use component_api::{Error, Kind, Result, Secret};
use nkeys::KeyPair;
use percent_encoding::percent_decode_str;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// How often it is looked whether the server is still there; it is not when it missed two.
const PING: Duration = Duration::from_secs(20);
/// Most messages of a subscription that wait to be looked at.
const UNSEEN: usize = 65_536;

/// Who we are, in the order of what is used first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) jwt: Secret,
    pub(crate) seed_key: Secret,
    /// Certificate and key: each a file, or PEM.
    pub(crate) certificate: String,
    pub(crate) certificate_key: Secret,
    pub(crate) token: Secret,
}

/// The servers of a component.
pub(crate) struct Server {
    /// Their names in messages.
    pub(crate) name: String,
    addresses: Vec<ServerAddr>,
    options: ConnectOptions,
}

impl Server {
    /// Reads where the servers are, divided by commas, and who we are. Neither is told in an error.
    ///
    /// # Errors
    /// Something of it cannot be read.
    pub(crate) fn new(urls: &Secret, name: &str, credentials: &Credentials) -> Result<Self> {
        if urls.is_empty() {
            return Err(Error::invalid("missing nats URL: set natsURL to a place such as nats://localhost:4222"));
        }
        // The library takes the provider of the process; one that is there already is as good.
        aws_lc_rs::default_provider().install_default().ok();
        let options = ConnectOptions::new().name(name).connection_timeout(CONNECTING).ping_interval(PING);
        let mut options = authenticated(options.subscription_capacity(UNSEEN), credentials)?;
        let mut addresses = Vec::new();
        for text in urls.expose().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let (address, who) = place(text)?;
            addresses.push(address);
            options = match who {
                Some((user, Some(password))) => options.user_and_password(user, password),
                Some((token, None)) => options.token(token),
                None => options,
            };
        }
        let names = addresses.iter().map(|address| format!("{}:{}", address.host(), address.port()));
        let name = names.collect::<Vec<_>>().join(",");
        Ok(Self { name, addresses, options })
    }

    /// A connection, which is made anew for as long as it is held. What becomes of it goes to `note`.
    pub(crate) async fn connect(&self, note: impl Fn(&Event) + Send + Sync + 'static) -> Result<Client> {
        let note = Arc::new(note);
        let options = self.options.clone().event_callback(move |event| {
            note(&event);
            std::future::ready(())
        });
        options.connect(&self.addresses).await.map_err(|error| translate(&self.name, &error))
    }

    pub(crate) fn too_slow(&self, longest: Duration) -> Error {
        let advice = "check that JetStream is enabled there (nats-server -js)";
        Error::new(Kind::Timeout, format!("nats at {} did not answer within {longest:?}; {advice}", self.name))
    }

    pub(crate) fn away(&self) -> Error {
        Error::new(Kind::Unavailable, format!("nats at {} cannot be reached; check that the server runs", self.name))
    }
}

/// User and password, or a token alone.
type Who = Option<(String, Option<String>)>;

/// The address without the user and password that may be in it, which the library would log.
fn place(text: &str) -> Result<(ServerAddr, Who)> {
    let unreadable = || Error::invalid("natsURL cannot be read; its form is nats://user:password@host:4222");
    let address: ServerAddr = text.parse().map_err(|_| unreadable())?;
    if address.is_websocket() {
        return Err(Error::unsupported("natsURL must start with nats:// or tls://: WebSockets are not in this build"));
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let who = address.username().map(|user| (decoded(user), address.password().map(decoded)));
    let mut url = address.into_inner();
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| unreadable())?;
    let address = ServerAddr::from_url(url).map_err(|_| unreadable())?;
    if address.host().is_empty() { Err(unreadable()) } else { Ok((address, who)) }
}

fn authenticated(options: ConnectOptions, credentials: &Credentials) -> Result<ConnectOptions> {
    match (credentials.jwt.is_empty(), credentials.seed_key.is_empty()) {
        (false, false) => return signed(options, credentials),
        (false, true) => return Err(Error::invalid("missing seed key: jwt needs seedKey")),
        (true, false) => return Err(Error::invalid("missing jwt: seedKey needs jwt")),
        (true, true) => {}
    }
    match (credentials.certificate.is_empty(), credentials.certificate_key.is_empty()) {
        (false, false) => return certified(options, credentials),
        (false, true) => return Err(Error::invalid("missing tls client key: tls_client_cert needs tls_client_key")),
        (true, false) => return Err(Error::invalid("missing tls client cert: tls_client_key needs tls_client_cert")),
        (true, true) => {}
    }
    let token = credentials.token.expose();
    Ok(if token.is_empty() { options } else { options.token(token.to_owned()) })
}

/// The server's challenge is signed with the key of the seed.
fn signed(options: ConnectOptions, credentials: &Credentials) -> Result<ConnectOptions> {
    let pair = KeyPair::from_seed(credentials.seed_key.expose().trim());
    let pair = Arc::new(pair.map_err(|_| Error::invalid("seedKey is no seed of an nkey: it begins with SU"))?);
    let sign = move |nonce: Vec<u8>| std::future::ready(pair.sign(&nonce).map_err(AuthError::new));
    Ok(options.jwt(credentials.jwt.expose().trim().to_owned(), sign))
}

/// Files are read anew for each connection, so that renewed certificates are used.
fn certified(options: ConnectOptions, credentials: &Credentials) -> Result<ConnectOptions> {
    let (certificate, key) = (&credentials.certificate, credentials.certificate_key.expose());
    if !certificate.contains("-----BEGIN") && !key.contains("-----BEGIN") {
        return Ok(options.add_client_certificate(certificate.into(), key.into()));
    }
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<std::result::Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| Error::invalid("tls_client_cert is neither a file's name nor PEM"))?;
    // The decoder's own words might quote the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
    let key = key.map_err(|_| Error::invalid("tls_client_key must be PEM when tls_client_cert is"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key);
    let unusable = |error| Error::invalid("tls_client_cert and tls_client_key do not fit").with_source(error);
    Ok(options.tls_client_config(config.map_err(unusable)?))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(urls: &str) -> Result<String> {
        Server::new(&urls.into(), "name", &Credentials::default()).map(|server| server.name)
    }

    #[test]
    fn places_of_servers() {
        assert_eq!(name("nats://a, tls://me:secret@b:5,c").unwrap(), "a:4222,b:5,c:4222");
        assert_eq!(name("nats://[::1]:7").unwrap(), "::1:7");
        for urls in ["", "http://secret@x", "ws://secret@x", "nats://secret@", "nats://x:secret"] {
            let error = name(urls).unwrap_err().to_string();
            assert!(!error.contains("secret@") && !error.contains("x:secret"), "{error}");
        }
    }

    #[test]
    fn passwords_do_not_stay_in_addresses() {
        let (address, who) = place("nats://me:a%2Fb@host").unwrap();
        assert_eq!(address.as_url_str(), "nats://host");
        assert_eq!(who, Some(("me".to_owned(), Some("a/b".to_owned()))));
        let server = Server::new(&"nats://secret@host".into(), "name", &Credentials::default()).unwrap();
        assert!(!format!("{server:?}").contains("secret"));
    }

    #[test]
    fn what_belongs_together() {
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        let refused =
            |credentials: Credentials| Server::new(&"x".into(), "name", &credentials).unwrap_err().to_string();
        let jwt = || Credentials { jwt: "token".into(), ..Credentials::default() };
        assert!(refused(jwt()).contains("seed key"));
        assert!(!refused(Credentials { seed_key: "very-secret".into(), ..jwt() }).contains("very-secret"));
        assert!(refused(Credentials { seed_key: seed.into(), ..Credentials::default() }).contains("missing jwt"));
        assert!(Server::new(&"x".into(), "name", &Credentials { seed_key: seed.into(), ..jwt() }).is_ok());
        let certificate = |text: &str| Credentials { certificate: text.to_owned(), ..Credentials::default() };
        assert!(refused(certificate("x")).contains("client key"));
        let broken = Credentials { certificate_key: "very-secret".into(), ..certificate("-----BEGIN x") };
        assert!(!refused(broken).contains("very-secret"));
    }
}
