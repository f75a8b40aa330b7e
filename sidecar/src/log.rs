//! Log lines in Dapr's form (surface.md 5.3).
use crate::options::Log;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes log lines from now on.
///
/// # Errors
/// An unknown level, or a file that cannot be written.
pub(crate) fn start(log: &Log, app_id: &str, instance: &str, version: &'static str) -> Result<(), String> {
    let level = match log.level.to_lowercase().as_str() {
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" | "warning" => LevelFilter::WARN,
        "error" | "fatal" => LevelFilter::ERROR,
        other => return Err(format!("undefined Log Output Level: {other}")),
    };
    let lines = Lines { app_id: app_id.to_owned(), instance: instance.to_owned(), version };
    let builder = tracing_subscriber::fmt().with_max_level(level).event_format(lines);
    match &log.file {
        None => builder.init(),
        Some(path) => {
            let file = File::options().create(true).append(true).open(path);
            builder.with_writer(Mutex::new(file.map_err(|error| format!("{}: {error}", path.display()))?)).init();
        }
    }
    Ok(())
}

struct Lines {
    app_id: String,
    instance: String,
    version: &'static str,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (level, scope) = (level(*event.metadata().level()), event.metadata().target());
        let mut parts = Parts::default();
        event.record(&mut parts);
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        write!(out, "time=\"{}.{:09}\" level={level} msg={:?}", now.as_secs(), now.subsec_nanos(), parts.message)?;
        writeln!(
            out,
            "{} app_id={} instance={} scope={scope} type=log ver={}",
            parts.fields, self.app_id, self.instance, self.version
        )
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

#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        written.ok();
    }
}
