//! What the client is told of who we are and of whom we trust.
use crate::metadata::{AuthType, SecurityMetadata};
use component_api::Result;
use rdkafka::ClientConfig;

/// Adds it to the settings of a client.
///
/// # Errors
/// A kind of authentication that does not exist.
pub(crate) fn add(config: &mut ClientConfig, metadata: &SecurityMetadata) -> Result<()> {
    let auth = metadata.auth()?;
    let is_encrypted = auth != AuthType::None && !metadata.disable_tls;
    let has_sasl = matches!(auth, AuthType::Password | AuthType::Oidc | AuthType::OidcPrivateKeyJwt);
    let protocol = match (has_sasl, is_encrypted) {
        (false, false) => "plaintext",
        (false, true) => "ssl",
        (true, false) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if is_encrypted {
        add_certificates(config, metadata, auth);
    }
    match auth {
        AuthType::Password => add_password(config, metadata),
        AuthType::Oidc | AuthType::OidcPrivateKeyJwt => {
            config.set("sasl.mechanism", "OAUTHBEARER");
        }
        AuthType::None | AuthType::Mtls | AuthType::Certificate => {}
    }
    Ok(())
}

fn add_certificates(config: &mut ClientConfig, metadata: &SecurityMetadata, auth: AuthType) {
    if metadata.ca_cert.is_empty() {
        // The library has no certificates of its own, and looks where systems have them.
        config.set("ssl.ca.location", "probe");
    } else {
        config.set("ssl.ca.pem", metadata.ca_cert.as_str());
    }
    if metadata.skip_verify {
        config.set("enable.ssl.certificate.verification", "false");
    }
    if auth == AuthType::Mtls {
        config.set("ssl.certificate.pem", metadata.client_cert.as_str());
        config.set("ssl.key.pem", metadata.client_key.expose());
    }
}

fn add_password(config: &mut ClientConfig, metadata: &SecurityMetadata) {
    let mechanism = match metadata.sasl_mechanism.as_str() {
        "SHA-256" => "SCRAM-SHA-256",
        "SHA-512" => "SCRAM-SHA-512",
        _ => "PLAIN",
    };
    config.set("sasl.mechanism", mechanism);
    config.set("sasl.username", metadata.sasl_username.as_str());
    config.set("sasl.password", metadata.sasl_password.expose());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(metadata: &SecurityMetadata) -> String {
        let mut config = ClientConfig::new();
        add(&mut config, metadata).unwrap();
        config.get("security.protocol").unwrap_or_default().to_owned()
    }

    #[test]
    fn with_and_without_encryption() {
        let of = |auth_type: &str, disable_tls| {
            protocol(&SecurityMetadata { auth_type: auth_type.to_owned(), disable_tls, ..SecurityMetadata::default() })
        };
        assert_eq!(of("none", false), "plaintext");
        assert_eq!(of("certificate", false), "ssl");
        assert_eq!([of("password", false), of("password", true)], ["sasl_ssl", "sasl_plaintext"]);
        assert_eq!([of("OIDC", false), of("oidc_private_key_jwt", true)], ["sasl_ssl", "sasl_plaintext"]);
    }

    #[test]
    fn mechanisms_of_passwords() {
        for (given, expected) in
            [("SHA-256", "SCRAM-SHA-256"), ("SHA-512", "SCRAM-SHA-512"), ("PLAINTEXT", "PLAIN"), ("", "PLAIN")]
        {
            let (auth_type, sasl_mechanism) = ("password".to_owned(), given.to_owned());
            let metadata = SecurityMetadata { auth_type, sasl_mechanism, ..SecurityMetadata::default() };
            let mut config = ClientConfig::new();
            add(&mut config, &metadata).unwrap();
            assert_eq!(config.get("sasl.mechanism"), Some(expected));
        }
    }
}
