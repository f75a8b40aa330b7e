//! Contexts as they travel, and spans as the settings want them.
use super::{OtlpProtocol, Span, SpanContext, SpanKind, TRACEPARENT, TRACESTATE, TraceSettings, Tracer};
use crate::export::start_tracing;
use foundation_drain::Drain;
use http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use std::time::Duration;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn tracer(rate: &str) -> Tracer {
    let settings = TraceSettings { sampling_rate: rate.to_owned(), ..TraceSettings::default() };
    start_tracing(&settings, &Drain::new()).unwrap().0
}

fn start(tracer: &Tracer, parent: &str) -> Span {
    tracer.start("span", SpanKind::Client, &SpanContext::parse(parent).unwrap_or_default())
}

#[test]
fn a_traceparent_is_read_as_w3c_says() {
    assert_eq!(SpanContext::parse(PARENT).unwrap().traceparent(), PARENT);
    let later = PARENT.replacen("00", "cc", 1) + "-more";
    assert_eq!(SpanContext::parse(&later).unwrap().traceparent(), PARENT);
    for wrong in [
        "",
        "nonsense",
        &PARENT.replacen("00", "ff", 1),
        &format!("{PARENT}-more"),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    ] {
        assert_eq!(SpanContext::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_tracestate_needs_a_traceparent() {
    let context = SpanContext::of_headers(&headers(&[("traceparent", PARENT), ("tracestate", "a=1,b=2")]));
    assert_eq!(context.tracestate(), "a=1,b=2");
    assert_eq!(SpanContext::of_headers(&headers(&[("tracestate", "a=1")])), SpanContext::default());
    let context = SpanContext::of_headers(&headers(&[("traceparent", PARENT), ("tracestate", "nonsense")]));
    assert_eq!((context.traceparent().as_str(), context.tracestate()), (PARENT, ""));
}

#[test]
fn metadata_has_the_trace_in_both_forms() {
    let mut metadata = HeaderMap::new();
    SpanContext::parse(PARENT).unwrap().write_metadata(&mut metadata);
    metadata.remove(TRACEPARENT);
    metadata.insert(TRACESTATE, "a=1,b=2".parse().unwrap());
    let context = SpanContext::of_metadata(&metadata);
    assert_eq!((context.traceparent().as_str(), context.tracestate()), (PARENT, "a=1,b=2"));
    assert_eq!(SpanContext::of_metadata(&headers(&[("traceparent", PARENT)])).traceparent(), PARENT);
}

#[test]
fn what_is_no_trace_is_written_as_zeros() {
    let mut written = headers(&[("traceparent", "nonsense"), ("tracestate", "a=1")]);
    SpanContext::default().write_headers(&mut written);
    assert_eq!(written[TRACEPARENT], "00-00000000000000000000000000000000-0000000000000000-00");
    assert!(!written.contains_key(TRACESTATE));
}

proptest! {
    #[test]
    fn any_bytes_are_read(binary in prop::collection::vec(any::<u8>(), 0..40), text in "[0-9a-g-]{0,60}") {
        if let Some(context) = SpanContext::from_binary(&binary) {
            prop_assert_eq!(SpanContext::from_binary(&context.to_binary()), Some(context));
        }
        SpanContext::parse(&text);
    }

    #[test]
    fn a_context_survives_its_journey(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), flags: u8) {
        let binary = [&[0, 0], trace.as_slice(), &[1], &span, &[2, flags]].concat();
        if let Some(context) = SpanContext::from_binary(&binary) {
            prop_assert_eq!(context.to_binary().to_vec(), binary);
            prop_assert_eq!(SpanContext::parse(&context.traceparent()), Some(context));
        }
    }
}

#[test]
fn a_span_stays_in_the_trace_of_its_parent() {
    let tracer = tracer("1");
    for (parent, sampled) in [(PARENT, true), (UNSAMPLED, false)] {
        let span = start(&tracer, parent);
        let context = span.context();
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((context.is_sampled(), span.is_recorded()), (sampled, sampled));
        assert_ne!(context.traceparent(), parent);
    }
}

#[test]
fn the_state_of_a_trace_is_handed_on() {
    let parent = SpanContext::of_headers(&headers(&[("traceparent", PARENT), ("tracestate", "a=1,b=2")]));
    let span = tracer("1").start("span", SpanKind::Client, &parent);
    assert_eq!(span.child("child", SpanKind::Producer).context().tracestate(), "a=1,b=2");
}

#[test]
fn new_traces_are_sampled_by_rate() {
    assert!(start(&tracer("1"), "").context().is_sampled());
    let rare = start(&tracer("0.0000000001"), "");
    assert!(rare.context().is_valid() && !rare.context().is_sampled());
}

#[test]
fn without_configuration_traces_are_only_handed_on() {
    let tracer = tracer("");
    assert_eq!(start(&tracer, PARENT).context().traceparent(), PARENT);
    assert!(!start(&tracer, "").context().is_valid());
}

#[test]
fn the_rate_zero_switches_tracing_off() {
    assert!(tracer("0").is_off() && tracer("0.0").is_off());
    assert!(!tracer("").is_off() && !tracer("often").is_off());
}

/// The settings with these variables.
fn with_variables(settings: TraceSettings, variables: &[(&str, &'static str)]) -> TraceSettings {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    settings.with_environment(find).unwrap()
}

#[test]
fn variables_name_a_collector() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4318/"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=%20x"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
    ];
    let settings = with_variables(TraceSettings::default(), &variables);
    let otlp = settings.otlp.unwrap();
    assert_eq!((otlp.endpoint.as_str(), otlp.protocol, otlp.secure), ("traces:4318", OtlpProtocol::Http, false));
    assert_eq!(otlp.headers, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), " x".to_owned())]);
    assert_eq!((otlp.timeout, settings.sampling_rate.as_str()), (Duration::from_secs(5), "1"));
}

#[test]
fn a_configured_collector_ignores_variables() {
    let otlp = Some(super::OtlpSettings::new("grpc", "mine:4317").unwrap());
    let given = TraceSettings { otlp: otlp.clone(), ..TraceSettings::default() };
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-env-header=env-value"),
        ("OTEL_SERVICE_NAME", "service"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=production,k8s.pod.name=pod-123"),
    ];
    let settings = with_variables(given, &variables);
    assert_eq!((settings.otlp, settings.sampling_rate.as_str()), (otlp, ""));
    let names: Vec<_> = settings.resource.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["service.namespace", "k8s.pod.name", "service.name"]);
}
