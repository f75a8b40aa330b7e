//! Metadata of who we are, and of whom we trust.
use component_api::{Error, Properties, Result, Secret};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;

/// Who we are, and whom we trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SecurityMetadata {
    /// Required. How we say who we are: `none` (without TLS), `password`, `oidc`, `oidc_private_key_jwt`, `mtls`, or `certificate`
    /// (TLS, and only the broker says who it is). `awsiam` is refused: signing for Amazon MSK is not there yet.
    pub auth_type: String,
    /// Not to be used any more: `false` is `authType: none`, and `true` is `password` if there is a `saslPassword`, or else `mtls`.
    pub auth_required: String,
    /// Name of the user for `password`.
    pub sasl_username: String,
    /// Password of the user for `password`.
    pub sasl_password: Secret,
    /// `SHA-256` or `SHA-512` (SCRAM); anything else is `PLAIN`.
    pub sasl_mechanism: String,
    /// Where tokens are had, for `oidc` and `oidc_private_key_jwt`.
    pub oidc_token_endpoint: String,
    /// Our id at the issuer of tokens.
    #[serde(rename = "oidcClientID")]
    pub oidc_client_id: String,
    /// Our secret at the issuer of tokens, for `oidc`.
    pub oidc_client_secret: Secret,
    /// What the token is for, divided by commas. Default: `openid`.
    pub oidc_scopes: String,
    /// Refused: the client of Kafka that is used here cannot send extensions with a token.
    pub oidc_extensions: String,
    /// Our certificate as PEM, for `oidc_private_key_jwt`.
    pub oidc_client_assertion_cert: String,
    /// The RSA key of our certificate as PEM, for `oidc_private_key_jwt`.
    pub oidc_client_assertion_key: Secret,
    /// The resource that a token is asked for, for `oidc_private_key_jwt`.
    pub oidc_resource: String,
    /// The audience of our assertion, for `oidc_private_key_jwt`. Default: `oidcTokenEndpoint`.
    pub oidc_audience: String,
    /// Name of our key, for `oidc_private_key_jwt`.
    pub oidc_kid: String,
    /// Connections are not encrypted.
    #[serde(rename = "disableTls")]
    pub disable_tls: bool,
    /// The certificate of a broker is not checked.
    pub skip_verify: bool,
    /// Certificates that the brokers' are checked against, as PEM; nothing is those of the system.
    pub ca_cert: String,
    /// Certificate of the client as PEM, for `mtls`.
    pub client_cert: String,
    /// Key of the client's certificate as PEM, for `mtls`.
    pub client_key: Secret,
}

/// How we say who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthType {
    None,
    Password,
    Oidc,
    OidcPrivateKeyJwt,
    Mtls,
    Certificate,
}

impl SecurityMetadata {
    pub(super) fn read(properties: &Properties) -> Result<Self> {
        let mut read: Self = properties.decode()?;
        if read.auth_type.is_empty() {
            read.auth_type = read.legacy_type()?.to_owned();
        }
        if !read.ca_cert.is_empty() && !is_pem(&read.ca_cert) {
            return Err(Error::invalid("kafka error: invalid ca certificate"));
        }
        read.check()?;
        Ok(read)
    }

    /// How we say who we are.
    ///
    /// # Errors
    /// It is missing, or unknown, or `awsiam`.
    pub(crate) fn auth(&self) -> Result<AuthType> {
        match self.auth_type.to_lowercase().as_str() {
            "none" => Ok(AuthType::None),
            "password" => Ok(AuthType::Password),
            "oidc" => Ok(AuthType::Oidc),
            "oidc_private_key_jwt" => Ok(AuthType::OidcPrivateKeyJwt),
            "mtls" => Ok(AuthType::Mtls),
            "certificate" => Ok(AuthType::Certificate),
            "" => Err(Error::invalid("kafka error: 'authType' attribute was missing or empty")),
            "awsiam" => {
                Err(Error::unsupported("kafka error: authType 'awsiam' is not supported here; use password or mtls"))
            }
            _ => Err(Error::invalid("kafka error: invalid value for 'authType' attribute")),
        }
    }

    fn legacy_type(&self) -> Result<&'static str> {
        match self.auth_required.as_str() {
            "" => Ok(""),
            "1" | "t" | "T" | "true" | "TRUE" | "True" if self.sasl_password.is_empty() => Ok("mtls"),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("password"),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("none"),
            _ => Err(Error::invalid("kafka error: invalid value for 'authRequired' attribute")),
        }
    }

    fn check(&self) -> Result<()> {
        match self.auth()? {
            AuthType::None => Ok(()),
            AuthType::Password => self.check_password(),
            AuthType::Oidc => self.check_oidc(&[("Client Secret", self.oidc_client_secret.is_empty())]),
            AuthType::OidcPrivateKeyJwt => self.check_oidc(&[
                ("Client Assertion Cert", self.oidc_client_assertion_cert.is_empty()),
                ("Client Assertion Key", self.oidc_client_assertion_key.is_empty()),
            ]),
            AuthType::Mtls => self.check_mtls(),
            AuthType::Certificate if self.ca_cert.is_empty() => {
                Err(Error::invalid("missing CA certificate property 'caCert' for authType 'certificate'"))
            }
            AuthType::Certificate => Ok(()),
        }
    }

    fn check_password(&self) -> Result<()> {
        if self.sasl_username.is_empty() {
            return Err(Error::invalid("kafka error: missing SASL Username for authType 'password'"));
        }
        if self.sasl_password.is_empty() {
            return Err(Error::invalid("kafka error: missing SASL Password for authType 'password'"));
        }
        Ok(())
    }

    fn check_oidc(&self, more: &[(&str, bool)]) -> Result<()> {
        let first =
            [("Token Endpoint", self.oidc_token_endpoint.is_empty()), ("Client ID", self.oidc_client_id.is_empty())];
        if let Some((what, _)) = first.iter().chain(more).find(|(_, is_missing)| *is_missing) {
            let auth = self.auth_type.to_lowercase();
            return Err(Error::invalid(format!("kafka error: missing OIDC {what} for authType '{auth}'")));
        }
        if !self.oidc_extensions.is_empty() {
            return Err(Error::unsupported("kafka error: 'oidcExtensions' is not supported here; leave it out"));
        }
        Ok(())
    }

    fn check_mtls(&self) -> Result<()> {
        if self.disable_tls {
            return Err(Error::invalid("kafka: cannot configure mTLS authentication when TLSDisable is 'true'"));
        }
        if self.client_cert.is_empty() || self.client_key.is_empty() {
            return Err(Error::invalid("kafka error: clientKey or clientCert is missing"));
        }
        if !is_pem(&self.client_cert) {
            return Err(Error::invalid("kafka error: invalid client certificate"));
        }
        if PrivateKeyDer::from_pem_slice(self.client_key.expose().as_bytes()).is_err() {
            return Err(Error::invalid("kafka error: invalid client key"));
        }
        Ok(())
    }
}

fn is_pem(text: &str) -> bool {
    CertificateDer::from_pem_slice(text.as_bytes()).is_ok()
}
