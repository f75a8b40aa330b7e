//! One line before it is written: what it says, and its fields by name.
use super::{FATAL, LogSettings};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// What a line says.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: String,
    pub(super) level: &'static str,
    pub(super) message: String,
    /// Sorted by name.
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// The value of a field.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// A number or a truth value.
    Bare(String),
}

impl Line {
    pub(super) fn new(event: &Event<'_>, settings: &LogSettings, time: String) -> Self {
        let mut said = Said::default();
        event.record(&mut said);
        let level = if said.fatal { FATAL } else { level(*event.metadata().level()) };
        let fixed = [
            ("instance", &settings.instance),
            ("scope", &event.metadata().target().to_owned()),
            ("type", &"log".to_owned()),
            ("ver", &settings.version),
        ]
        .map(|(name, text)| (name, Value::Text(text.clone())));
        let app_id = settings.app_id.iter().map(|app_id| ("app_id", Value::Text(app_id.clone())));
        let mut fields: Vec<_> = said.fields.into_iter().chain(fixed).chain(app_id).collect();
        fields.sort_by_key(|(name, _)| *name);
        Self { time, level, message: said.message, fields }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fatal: bool,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    fn take(&mut self, field: &Field, text: String, value: fn(String) -> Value) {
        match field.name() {
            "message" => self.message = text,
            FATAL => self.fatal = text == "true",
            name => self.fields.push((name, value(text))),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"), Value::Text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned(), Value::Text);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.to_string(), Value::Bare);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.to_string(), Value::Bare);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.take(field, value.to_string(), Value::Bare);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.to_string(), Value::Bare);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.to_string(), Value::Bare);
    }
}
