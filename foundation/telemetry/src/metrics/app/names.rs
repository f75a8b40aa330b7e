//! Names and labels of Prometheus for those of OpenTelemetry, by the rules of its specification ("Prometheus and
//! OpenMetrics Compatibility", OTLP to Prometheus).
use crate::export::values::text;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use prometheus::proto::MetricType;
use std::collections::BTreeMap;

/// Bytes of the labels of one series.
const LONGEST: usize = 8 << 10;

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// The name of a metric, with its unit and the suffix of counters.
pub(super) fn metric_name(name: &str, unit: &str, kind: MetricType) -> String {
    let is_counter = kind == MetricType::COUNTER;
    let name = squeezed(name, |character| character == ':');
    let mut name = if is_counter { name.strip_suffix("_total").unwrap_or(&name).to_owned() } else { name };
    let unit = squeezed(&unit_name(unit, kind), |_| false);
    let unit = unit.trim_matches('_');
    if !unit.is_empty() && !name.ends_with(&format!("_{unit}")) {
        name = format!("{name}_{unit}");
    }
    if name.starts_with(|character: char| character.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if is_counter { name + "_total" } else { name }
}

/// Whether there is anything left of a name.
pub(super) fn is_valid(name: &str) -> bool {
    name.contains(|character: char| character.is_ascii_alphanumeric())
}

/// The labels of attributes. Attributes that become the same label share it, their values with `;` between them.
pub(super) fn labels(attributes: &[KeyValue], kind: MetricType) -> Labels {
    let taken = match kind {
        MetricType::HISTOGRAM => "le",
        MetricType::SUMMARY => "quantile",
        _ => "",
    };
    let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    let mut labels = Labels::new();
    for attribute in sorted {
        let (name, value) = (label_name(&attribute.key), text(attribute.value.as_ref()));
        if name.is_empty() || name == taken {
            continue;
        }
        labels.entry(name).and_modify(|shared| *shared = format!("{shared};{value}")).or_insert(value);
    }
    labels
}

/// All labels of a series; `common` wins.
pub(super) fn pairs(mut labels: Labels, common: &Labels) -> Labels {
    labels.extend(common.iter().map(|(name, value)| (name.clone(), value.clone())));
    labels
}

/// Whether labels take more memory than one series should.
pub(super) fn are_too_long(labels: &Labels) -> bool {
    labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > LONGEST
}

fn label_name(key: &str) -> String {
    let name: String = key.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    if name.starts_with(|character: char| character.is_ascii_digit()) { format!("key_{name}") } else { name }
}

/// Only what Prometheus allows, without doubled underscores.
fn squeezed(name: &str, also: impl Fn(char) -> bool) -> String {
    let mut squeezed = String::with_capacity(name.len());
    for character in name.chars() {
        let character = if is_plain(character) || also(character) { character } else { '_' };
        if character != '_' || !squeezed.ends_with('_') {
            squeezed.push(character);
        }
    }
    squeezed
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// A unit of UCUM in words; annotations in braces are no unit.
fn unit_name(unit: &str, kind: MetricType) -> String {
    let unit = without_annotations(unit);
    match unit.trim() {
        "1" if kind == MetricType::GAUGE => "ratio".to_owned(),
        "1" => String::new(),
        unit => match unit.split_once('/') {
            Some((above, below)) => format!("{}_per_{}", many(above), one(below)),
            None => many(unit).to_owned(),
        },
    }
}

fn without_annotations(unit: &str) -> String {
    let mut depth = 0_usize;
    let outside = |character: &char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    unit.chars().filter(outside).collect()
}

fn many(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        "1" => "",
        other => other,
    }
}

fn one(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "meter",
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "wk" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}
