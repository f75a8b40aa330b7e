//! Where the broker is, and how a session with it is set up.
use crate::metadata::ConnectionMetadata;
use component_api::{Error, Result};
use percent_encoding::percent_decode_str;
use rumqttc::{AckMode, Broker, MqttOptions, TlsConfiguration, Transport};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// Seconds after which the two sides look whether the other one is there.
const KEEP_ALIVE: u16 = 30;
/// Bytes of a message: what the protocol allows.
const LARGEST: usize = 268_435_455;
/// How many requests wait for the connection.
const REQUESTS: usize = 100;
/// How many messages are on their way to the broker.
const IN_FLIGHT: u16 = 1000;

/// Where the broker is.
struct Place<'a> {
    has_tls: bool,
    user: String,
    password: String,
    host: &'a str,
    port: u16,
}

/// What a session with that name needs, and the name of the broker in messages.
///
/// # Errors
/// A URL or certificate that cannot be read. The URL itself is never told.
pub(crate) fn options(metadata: &ConnectionMetadata, client_id: &str) -> Result<(MqttOptions, String)> {
    let place = place(metadata.url.expose())?;
    let mut options = MqttOptions::new(client_id, Broker::tcp(place.host, place.port));
    options.set_keep_alive(KEEP_ALIVE).set_ack_mode(AckMode::Manual).set_max_packet_size(LARGEST, LARGEST);
    options.set_request_channel_capacity(REQUESTS).set_inflight(IN_FLIGHT);
    if client_id.is_empty() {
        return Err(Error::invalid("missing consumerID"));
    }
    options.set_clean_session(metadata.clean_session);
    match (place.user.is_empty(), place.password.is_empty()) {
        (true, _) => {}
        (_, true) => drop(options.set_username(&place.user)),
        _ => drop(options.set_credentials(&place.user, place.password.clone())),
    }
    if place.has_tls {
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(tls(metadata)?))));
    }
    Ok((options, format!("{}:{}", place.host, place.port)))
}

fn place(url: &str) -> Result<Place<'_>> {
    let unreadable = || Error::invalid("url cannot be read; its form is mqtt://user:password@host:1883");
    let (scheme, rest) = url.split_once("://").ok_or_else(unreadable)?;
    let has_tls = match scheme {
        "mqtt" | "tcp" => false,
        "mqtts" | "ssl" | "tls" | "tcps" => true,
        _ => {
            return Err(Error::unsupported("url must start with mqtt://, tcp://, mqtts://, ssl://, tls:// or tcps://"));
        }
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (credentials, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded =
        |text| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| unreadable());
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| unreadable())?),
        _ => (address, if has_tls { 8883 } else { 1883 }),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(unreadable());
    }
    Ok(Place { has_tls, user: decoded(user)?, password: decoded(password)?, host, port })
}

fn tls(metadata: &ConnectionMetadata) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::other("cannot set TLS up").with_source(error))?;
    let builder = builder.with_root_certificates(roots(metadata)?);
    if metadata.client_cert.is_empty() || metadata.client_key.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    // The decoder's own words might quote the key.
    let key = PrivateKeyDer::from_pem_slice(metadata.client_key.expose().as_bytes());
    let key = key.map_err(|_| Error::invalid("invalid client certificate key: clientKey is no PEM"))?;
    let chain = certificates("client certificate: clientCert", &metadata.client_cert)?;
    let unusable = |error| Error::invalid("clientCert and clientKey do not fit").with_source(error);
    builder.with_client_auth_cert(chain, key).map_err(unusable)
}

fn roots(metadata: &ConnectionMetadata) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let trusted = if metadata.ca_cert.is_empty() {
        rustls_native_certs::load_native_certs().certs
    } else {
        certificates("ca certificate: caCert", &metadata.ca_cert)?
    };
    roots.add_parsable_certificates(trusted);
    Ok(roots)
}

fn certificates(what: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<std::result::Result<Vec<_>, _>>();
    read.ok().filter(|read| !read.is_empty()).ok_or_else(|| Error::invalid(format!("invalid {what} is no PEM")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(MqttOptions, String)> {
        options(&ConnectionMetadata { url: url.into(), ..ConnectionMetadata::default() }, "id")
    }

    #[test]
    fn places_of_brokers() {
        for (url, name) in [
            ("mqtt://host", "host:1883"),
            ("tcp://me:a%2Fb@host:5", "host:5"),
            ("ssl://host", "host:8883"),
            ("mqtts://[::1]:7/", "::1:7"),
        ] {
            assert_eq!(read(url).unwrap().1, name);
        }
        for url in ["secret", "ws://secret@x", "mqtt://secret@", "mqtt://x:secret"] {
            let error = read(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let certificate = ConnectionMetadata { ca_cert: "x".to_owned(), url: "ssl://x".into(), ..Default::default() };
        assert!(options(&certificate, "id").is_err());
    }
}
