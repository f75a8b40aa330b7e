//! A request to sentry for a certificate (protocols.md 5.2).
use crate::announced::announces;
use crate::connection::{client, handshake, server_name};
use crate::doubt::Doubt;
use crate::regular::read_regular;
use crate::{Error, Expected, SpiffeId, Svid, Trust, new_key};
use arc_swap::ArcSwap;
use http::uri::Authority;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use wire::sentry::v1::SignCertificateRequest;
use wire::sentry::v1::ca_client::CaClient;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

/// Longest exchange with sentry.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sentry, and what it is asked for.
#[derive(Clone, Debug)]
pub struct Sentry {
    /// Host and port.
    pub address: String,
    /// Who it must be.
    pub id: SpiffeId,
    pub namespace: String,
    pub app_id: String,
    /// Only services of the control plane name theirs; for apps sentry decides.
    pub trust_domain: Option<String>,
    /// File with a token that proves who asks, of an issuer whose keys sentry knows. It is read for each request.
    pub token: Option<PathBuf>,
    /// Audiences of tokens that sentry is asked for beside the certificate.
    pub jwt_audiences: Vec<String>,
    /// Folder of copies of what sentry gives, for other programs.
    pub copies: Option<PathBuf>,
}

/// What sentry gives.
pub(crate) struct Signed {
    pub(crate) svid: Svid,
    /// In PEM; none when they do not count.
    pub(crate) roots: Vec<u8>,
    pub(crate) pair: KeyPair,
    /// In PEM, leaf first.
    pub(crate) chain: Vec<u8>,
    pub(crate) token: Option<String>,
}

impl Sentry {
    /// # Errors
    /// [`Error::Address`] for one without a port, or with more than host and port.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let parsed: Option<Authority> = self.address.parse().ok();
        let is_good = parsed.is_some_and(|it| !it.host().is_empty() && it.port_u16().is_some());
        if is_good { Ok(()) } else { Err(Error::Address(self.address.clone())) }
    }

    /// A new certificate for a new key, and the roots in PEM that sentry tells of. Those count only beside a certificate that is valid by
    /// what was trusted before, and that names them: who has stolen sentry's own certificate, but no key of the authority, cannot plant
    /// a root.
    ///
    /// # Errors
    /// A sentry that cannot be reached, is not who it must be, refuses, or gives another certificate than what was asked for.
    pub(crate) async fn sign(&self, trust: &Arc<ArcSwap<Trust>>) -> Result<Signed, Error> {
        let (pair, request) = self.request()?;
        let exchange = async {
            let mut client = CaClient::new(self.connect(trust).await?);
            client.sign_certificate(request).await.map_err(|status| self.refused(status.message()))
        };
        let answer = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| Error::Late(self.address.clone()))??
            .into_inner();
        let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(|error| Error::Key(error.to_owned()))?;
        let svid = Svid::from_pem(&answer.workload_certificate, &key)?;
        let is_proven = self.is_proven(&svid, &trust.load())?;
        let mut roots = answer.trust_chain_certificates.join(&b'\n');
        if !is_proven || !svid.chain().first().is_some_and(|leaf| announces(leaf, &roots)) {
            roots.clear();
        }
        Ok(Signed { svid, roots, pair, chain: answer.workload_certificate.into(), token: answer.jwt })
    }

    /// Whether a certificate is valid now. One may end before it is looked at: they live for milliseconds, and end on whole seconds.
    fn is_proven(&self, svid: &Svid, trust: &Trust) -> Result<bool, Error> {
        let id = svid.id();
        if (id.namespace(), id.app_id()) != (self.namespace.as_str(), self.app_id.as_str()) {
            let expected = format!("/ns/{}/{}", self.namespace, self.app_id);
            return Err(Error::Stranger { found: id.to_string(), expected });
        }
        let (leaf, rest) = svid.chain().split_first().ok_or(Error::Empty)?;
        match trust.server(leaf, rest) {
            Ok(_) => Ok(true),
            Err(error) if error.is_ended() => Ok(false),
            Err(error) => Err(Error::Distrusted { address: self.address.clone(), reason: error.to_string() }),
        }
    }

    fn request(&self) -> Result<(KeyPair, SignCertificateRequest), Error> {
        let unusable = |error: rcgen::Error| Error::Key(error.to_string());
        let pair = new_key().map_err(unusable)?;
        let (token, validator) = self.token()?;
        let request = SignCertificateRequest {
            id: self.app_id.clone(),
            token,
            trust_domain: self.trust_domain.clone().unwrap_or_default(),
            namespace: self.namespace.clone(),
            certificate_signing_request: signing_request(&pair).map_err(unusable)?.into(),
            token_validator: validator.into(),
            jwt_audiences: self.jwt_audiences.clone(),
        };
        Ok((pair, request))
    }

    fn token(&self) -> Result<(String, TokenValidator), Error> {
        let Some(path) = &self.token else { return Ok((String::new(), TokenValidator::Unknown)) };
        let read = read_regular(path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let token = read.map_err(|reason| Error::TokenFile { path: path.display().to_string(), reason })?;
        Ok((token.trim().to_owned(), TokenValidator::Jwks))
    }

    async fn connect(&self, trust: &Arc<ArcSwap<Trust>>) -> Result<Channel, Error> {
        let config = client(trust, Expected::Id(self.id.clone()), None)?;
        let connector = TlsConnector::from(Arc::new(config));
        let address = self.address.clone();
        let dial = service_fn(move |_| dial(address.clone(), connector.clone()));
        let connected = Endpoint::from_static("http://sentry").connect_with_connector(dial).await;
        connected.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> Error {
        let address = self.address.clone();
        match Doubt::behind(error) {
            Some(doubt @ Doubt::Certificate { .. }) => Error::Distrusted { address, reason: doubt.to_string() },
            Some(Doubt::NoTls) => Error::Unreachable { address, reason: "what answers does not speak TLS".to_owned() },
            None => Error::Unreachable { address, reason: innermost(error) },
        }
    }

    /// What sentry says, and what to do when it is about the token. The texts are those of either sentry.
    fn refused(&self, said: &str) -> Error {
        let is_about = |text| said.contains(text);
        let advice = match self.token {
            None if is_about("validator name must be specified") => "; it wants a token: see DAPR_SENTRY_TOKEN_FILE",
            Some(_) if is_about("validator is not enabled") => {
                "; it takes no tokens: configure its validator jwks, or leave DAPR_SENTRY_TOKEN_FILE out"
            }
            _ => "",
        };
        Error::Refused(format!("{said}{advice}"))
    }
}

async fn dial(address: String, connector: TlsConnector) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(handshake(connector.connect(server_name(), stream)).await?))
}

fn signing_request(pair: &KeyPair) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(pair)?.pem()
}

/// The reason behind the layers of a client.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, IsCa, Issuer, SanType};
    use std::time::SystemTime;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sentry() -> Sentry {
        Sentry {
            address: "localhost:50001".to_owned(),
            id: "spiffe://localhost/ns/default/dapr-sentry".parse().unwrap(),
            namespace: "shop".to_owned(),
            app_id: "web".to_owned(),
            trust_domain: None,
            token: None,
            jwt_audiences: vec!["one".to_owned(), "other".to_owned()],
            copies: None,
        }
    }

    #[test]
    fn a_request_names_the_app_and_the_audiences_of_its_tokens() {
        let (_, request) = sentry().request().unwrap();
        assert_eq!((request.namespace.as_str(), request.id.as_str()), ("shop", "web"));
        assert_eq!(request.jwt_audiences, ["one", "other"]);
        assert_eq!((request.token.as_str(), request.token_validator), ("", TokenValidator::Unknown.into()));
    }

    /// A root, and an identity that it has signed.
    fn signed(id: &str, remaining: Duration) -> (Trust, Svid) {
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = root.self_signed(&key).unwrap().pem();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        leaf.not_before = (SystemTime::now() - 2 * HOUR).into();
        leaf.not_after = (SystemTime::now() - HOUR + remaining).into();
        let leaf = leaf.signed_by(&own, &Issuer::from_params(&root, &key)).unwrap();
        let svid = Svid::new(vec![leaf.der().clone()], &PrivateKeyDer::from(own)).unwrap();
        (Trust::from_pem(pem.as_bytes()).unwrap(), svid)
    }

    #[test]
    fn a_certificate_is_that_of_the_app_and_from_a_root_that_was_trusted() {
        let (sentry, id) = (sentry(), "spiffe://any/ns/shop/web");
        let (trust, own) = signed(id, 2 * HOUR);
        assert!(sentry.is_proven(&own, &trust).unwrap());
        let (trust, ended) = signed(id, Duration::ZERO);
        assert!(!sentry.is_proven(&ended, &trust).unwrap());
        let (_, foreign) = signed(id, 2 * HOUR);
        assert!(matches!(sentry.is_proven(&foreign, &trust), Err(Error::Distrusted { .. })));
        for other in ["spiffe://any/ns/shop/other", "spiffe://any/ns/other/web"] {
            let (trust, other) = signed(other, 2 * HOUR);
            assert!(matches!(sentry.is_proven(&other, &trust), Err(Error::Stranger { .. })));
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let check = |address: &str| Sentry { address: address.to_owned(), ..sentry() }.check();
        for good in ["localhost:50001", "127.0.0.1:1", "[::1]:50001", "dapr-sentry.default.svc:443"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost", "https://localhost:50001", ":50001", "localhost:", "localhost:99999", "a b:1"] {
            assert!(matches!(check(bad), Err(Error::Address(_))), "{bad}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_about_the_token() {
        let (without, with) = (sentry(), Sentry { token: Some("token".into()), ..sentry() });
        let missing = without.refused("a validator name must be specified in this environment").to_string();
        assert!(missing.ends_with("see DAPR_SENTRY_TOKEN_FILE"), "{missing}");
        let needless = with.refused("the requested validator is not enabled").to_string();
        assert!(needless.contains("leave DAPR_SENTRY_TOKEN_FILE out"), "{needless}");
        assert_eq!(with.refused("invalid signature").to_string(), "sentry refused to sign: invalid signature");
    }

    #[test]
    fn a_token_in_a_file_is_shown_as_one_whose_issuer_is_known() {
        let path = std::env::temp_dir().join(format!("token-{}", std::process::id()));
        let with_token = Sentry { token: Some(path.clone()), ..sentry() };
        assert!(matches!(with_token.request(), Err(Error::TokenFile { .. })));
        std::fs::write(&path, " abc\n").unwrap();
        let (_, request) = with_token.request().unwrap();
        assert_eq!((request.token.as_str(), request.token_validator), ("abc", TokenValidator::Jwks.into()));
        std::fs::remove_file(path).unwrap();
    }
}
