//! What of the metadata is used, and what is refused.
use super::*;
use component_api::Kind;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

fn read(pairs: &[(&str, &str)]) -> Result<Metadata> {
    let own = [("brokers", "a:9092"), ("authType", "none")];
    let own = own.into_iter().filter(|(name, _)| pairs.iter().all(|(other, _)| other != name));
    Metadata::read(&own.chain(pairs.iter().copied()).collect(), "app", true)
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    read(pairs).unwrap_err().to_string()
}

#[test]
fn nothing_but_brokers() {
    let metadata = read(&[]).unwrap();
    assert_eq!(metadata.consuming.consumer_group, "app");
    assert_eq!(metadata.consuming.offset().unwrap(), Offset::Newest);
    assert!(metadata.consuming.retries() && metadata.schemas.schema_caching_enabled);
    assert_eq!(metadata.connection.acknowledgements().unwrap(), "all");
    assert_eq!(metadata.security.auth().unwrap(), AuthType::None);
}

#[test]
fn names_and_values_as_people_write_them() {
    let metadata = read(&[
        ("clientid", "me"),
        ("CONSUMERID", "id"),
        ("consumeRetryInterval", "200"),
        ("initialOffset", "Oldest"),
        ("consumeRetryEnabled", "false"),
        ("producerRequiredAcks", "Local"),
        ("compression", "ZSTD"),
        ("version", "0.10.2.0"),
        ("consumerGroupRebalanceStrategy", "Sticky"),
    ]);
    let metadata = metadata.unwrap();
    assert_eq!((metadata.connection.client_id.as_str(), metadata.connection.acknowledgements().unwrap()), ("me", "1"));
    let consuming = metadata.consuming;
    assert_eq!(consuming.consumer_group, "id");
    assert_eq!(consuming.consume_retry_interval.0, Duration::from_millis(200));
    assert_eq!((consuming.offset().unwrap(), consuming.strategy()), (Offset::Oldest, Strategy::Sticky));
    assert!(!consuming.retries());
    let both = read(&[("consumerGroup", "group"), ("consumerID", "id")]).unwrap();
    assert_eq!(both.consuming.consumer_group, "group");
}

#[test]
fn what_is_refused() {
    for (pairs, expected) in [
        (&[("brokers", "")][..], "kafka error: missing 'brokers' attribute"),
        (&[("authType", "")], "kafka error: 'authType' attribute was missing or empty"),
        (&[("authType", "kerberos")], "kafka error: invalid value for 'authType' attribute"),
        (&[("initialOffset", "middle")], "kafka error: invalid initialOffset: middle"),
        (&[("version", "two")], "kafka error: invalid kafka version"),
        (&[("compression", "zip")], "kafka error: invalid compression: zip"),
        (&[("producerRetryMax", "-1")], "kafka error: invalid value for 'producerRetryMax': -1"),
        (&[("producerRequiredAcks", "two")], "kafka error: invalid value for 'producerRequiredAcks': \"two\""),
        (&[("caCert", "no PEM")], "kafka error: invalid ca certificate"),
        (&[("heartbeatInterval", "10s")], "kafka error: heartbeatInterval has to be less than sessionTimeout"),
    ] {
        assert!(refusal(pairs).starts_with(expected), "{}", refusal(pairs));
    }
}

#[test]
fn who_we_are() {
    let password = [("authType", "password"), ("saslUsername", "me"), ("saslPassword", "p")];
    assert_eq!(read(&password).unwrap().security.auth().unwrap(), AuthType::Password);
    assert!(refusal(&password[..1]).contains("missing SASL Username"));
    assert!(refusal(&password[..2]).contains("missing SASL Password"));
    let oidc = [
        ("authType", "OIDC"),
        ("oidcTokenEndpoint", "http://a"),
        ("oidcClientID", "me"),
        ("oidcClientSecret", "s"),
        ("oidcExtensions", "{}"),
    ];
    assert!(read(&oidc[..4]).is_ok());
    assert!(refusal(&oidc[..3]).contains("missing OIDC Client Secret for authType 'oidc'"));
    assert!(refusal(&oidc).contains("'oidcExtensions' is not supported"));
    let error = read(&[("authType", "awsiam")]).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
    let mtls = [("authType", "mtls"), ("clientCert", CERTIFICATE), ("clientKey", KEY), ("disableTls", "true")];
    assert!(read(&mtls[..3]).is_ok());
    assert!(refusal(&mtls[..2]).contains("clientKey or clientCert is missing"));
    assert!(refusal(&mtls).contains("TLSDisable"));
    assert!(refusal(&[("authType", "certificate")]).contains("'caCert'"));
}

#[test]
fn the_way_it_was_said_before() {
    let auth = |pairs: &[(&str, &str)]| {
        let all: Vec<_> = [("authType", "")].into_iter().chain(pairs.iter().copied()).collect();
        read(&all).map(|metadata| metadata.security.auth().unwrap())
    };
    assert_eq!(auth(&[("authRequired", "false")]).unwrap(), AuthType::None);
    let pairs = [("authRequired", "true"), ("saslUsername", "me"), ("saslPassword", "p")];
    assert_eq!(auth(&pairs).unwrap(), AuthType::Password);
    let pairs = [("authRequired", "true"), ("clientCert", CERTIFICATE), ("clientKey", KEY)];
    assert_eq!(auth(&pairs).unwrap(), AuthType::Mtls);
    assert!(auth(&[("authRequired", "perhaps")]).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let metadata = read(&[("authType", "password"), ("saslUsername", "me"), ("saslPassword", "very-secret")]);
    assert!(!format!("{metadata:?}").contains("very-secret"));
}
