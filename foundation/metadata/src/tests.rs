//! Decoding, case by case.
use super::*;
use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Example {
    /// Where it is.
    #[serde(alias = "url", alias = "address")]
    connection_string: String,
    password: Secret,
    enabled: bool,
    retries: u8,
    ratio: f64,
    timeout: GoDuration,
    #[serde(deserialize_with = "duration::or_milliseconds")]
    pause: GoDuration,
    size: ByteSize,
    brokers: Vec<String>,
    limit: Option<u32>,
    mode: Mode,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Mode {
    #[default]
    SinglePort,
    Cluster,
}

fn decode(pairs: &[(&str, &str)]) -> Result<Example, Error> {
    pairs.iter().copied().collect::<Properties>().decode()
}

#[test]
fn texts_become_what_fields_are() {
    let decoded = decode(&[
        ("ConnectionString", "here"),
        ("password", "hush"),
        ("ENABLED", "Yes"),
        ("retries", "3"),
        ("ratio", "0.5"),
        ("timeout", "1m30s"),
        ("pause", "1500"),
        ("size", "4Ki"),
        ("brokers", "a:1, b:2"),
        ("limit", "7"),
        ("mode", "CLUSTER"),
        ("unknown", "ignored"),
    ]);
    let expected = Example {
        connection_string: "here".to_owned(),
        password: "hush".into(),
        enabled: true,
        retries: 3,
        ratio: 0.5,
        timeout: GoDuration(Duration::from_secs(90)),
        pause: GoDuration(Duration::from_millis(1500)),
        size: ByteSize(4096),
        brokers: vec!["a:1".to_owned(), "b:2".to_owned()],
        limit: Some(7),
        mode: Mode::Cluster,
    };
    assert_eq!(decoded, Ok(expected));
}

#[test]
fn what_is_not_set_or_empty_is_the_default() {
    assert_eq!(decode(&[]), Ok(Example::default()));
    let empty = ["retries", "ratio", "timeout", "pause", "size", "brokers", "limit", "enabled"].map(|name| (name, ""));
    assert_eq!(decode(&empty), Ok(Example::default()));
    assert_eq!(decode(&[("timeout", "5")]).map(|example| example.timeout.0), Ok(Duration::from_secs(5)));
}

#[test]
fn the_own_name_wins_over_other_names() {
    let name = |pairs: &[(&str, &str)]| decode(pairs).map(|example| example.connection_string);
    assert_eq!(name(&[("URL", "there")]), Ok("there".to_owned()));
    assert_eq!(name(&[("url", "there"), ("connectionString", "here")]), Ok("here".to_owned()));
    let all = [("url", "there"), ("connectionString", "here"), ("address", "elsewhere")];
    assert_eq!(name(&all), Ok("here".to_owned()));
    assert_eq!(name(&[("url", "there"), ("address", "elsewhere")]), Ok("elsewhere".to_owned()));
}

#[test]
fn errors_name_the_field_and_never_the_value() {
    let wrong = [
        ("retries", "hidden"),
        ("retries", "300"),
        ("ratio", "hidden"),
        ("timeout", "hidden"),
        ("pause", "hidden"),
        ("size", "hidden"),
        ("limit", "-1"),
        ("mode", "hidden"),
    ];
    for (field, value) in wrong {
        let text = decode(&[(field, value)]).unwrap_err().to_string();
        assert!(text.starts_with(&format!("metadata property {field} must be ")) && !text.contains(value), "{text}");
    }
}

#[test]
fn a_field_without_default_has_to_be_set() {
    #[derive(Debug, Deserialize)]
    struct Strict {
        #[allow(dead_code)]
        host: String,
    }
    let error = Properties::default().decode::<Strict>().unwrap_err();
    assert_eq!(error.to_string(), "metadata property host is missing");
}

#[test]
fn secrets_are_not_printed() {
    assert_eq!(format!("{:?}", Secret::from("hush")), "Secret(..)");
    assert!(!format!("{:?}", [("password", "hush")].into_iter().collect::<Properties>()).contains("hush"));
}

#[test]
fn the_schema_has_the_documentation() {
    let schema = serde_json::to_value(schema_for!(Example)).unwrap();
    let property = |name: &str| schema["properties"][name].clone();
    assert_eq!(property("connectionString")["description"], "Where it is.");
    assert_eq!(property("timeout")["type"], "string");
    assert_eq!(property("password")["type"], "string");
}

#[test]
fn durations_are_read_as_go_does() {
    let of = |text| duration::parse(text).map(|duration| duration.as_nanos());
    assert_eq!(of("1h2m3.5s"), Some(3_723_500_000_000));
    assert_eq!([of("1.5ms"), of("2us"), of("2µs"), of("3ns")], [Some(1_500_000), Some(2_000), Some(2_000), Some(3)]);
    assert_eq!([of("0"), of("+5s"), of("-5s"), of(".5s")], [Some(0), Some(5_000_000_000), Some(0), Some(500_000_000)]);
    for wrong in ["", "-", "5", "5 s", "s", ".s", "1.2.3s", "soon", "300000000h", "99999999999999999999s"] {
        assert_eq!(of(wrong), None, "{wrong}");
    }
    assert_eq!(duration::parse_or_milliseconds("250"), Some(Duration::from_millis(250)));
    assert_eq!(duration::parse_or_seconds("-1"), Some(Duration::ZERO));
}

#[test]
fn durations_look_like_those_of_go() {
    let of = |milliseconds| duration::format(Duration::from_millis(milliseconds));
    let texts = [of(0), of(700), of(2000), of(1500), of(180_000), of(3_601_500)];
    assert_eq!(texts, ["0s", "700ms", "2s", "1.5s", "3m0s", "1h0m1.5s"]);
    assert_eq!(duration::format(Duration::from_micros(1500)), "1.5ms");
    assert_eq!(duration::format(Duration::from_nanos(1500)), "1.5µs");
}

#[test]
fn sizes_are_read_as_kubernetes_does() {
    let of = |text| ByteSize::parse(text).map(|size| size.0);
    assert_eq!([of("512"), of("1k"), of("4Mi"), of("1.5Ki")], [Some(512), Some(1000), Some(4_194_304), Some(1536)]);
    assert_eq!([of(""), of("-1"), of("1.5"), of("4 Mi"), of("Mi")], [None; 5]);
}

proptest! {
    #[test]
    fn printed_durations_are_read_again(nanoseconds in 0..u64::MAX / 2) {
        let duration = Duration::from_nanos(nanoseconds);
        prop_assert_eq!(duration::parse(&duration::format(duration)), Some(duration));
    }

    #[test]
    fn no_text_makes_the_decoder_panic(text in "\\PC*") {
        duration::parse(&text);
        ByteSize::parse(&text);
        let names = ["retries", "ratio", "timeout", "size", "brokers", "mode"];
        names.iter().for_each(|name| drop(decode(&[(name, &text)])));
    }
}

#[test]
fn what_comes_from_secrets_is_taken_out_of_texts() {
    let pairs = [("schedule", "hunter22"), ("path", "/data"), ("short", "a")];
    let properties = Properties::from_iter(pairs).taken_from("Schedule", "one").taken_from("short", "two");
    assert_eq!(properties.redact("a bad schedule 'hunter22' in /data"), "a bad schedule '***' in /data");
}
