//! Log lines in Dapr's form (contract surface 5.3): logfmt or JSON, on standard output or in a file.
//!
//! The target of an event is its scope. An error event with the field `fatal = true` is written at the level `fatal`.
mod json;
mod line;
mod outlet;
mod text;

#[cfg(test)]
mod tests;

use line::Line;
use outlet::Outlet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use thiserror::Error;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;

/// Scopes of this project start so; what other libraries log is of interest only when something is wrong.
const OWN_SCOPES: &str = "dapr";
/// What this library complains of is an election or a member that is away, and is told by its user in words of this project.
const SILENT: &str = "openraft";
const FATAL: &str = "fatal";
/// Calls of the API are logged when that is configured, whatever the level.
const CALL_SCOPES: [&str; 2] = ["dapr.runtime.http-info", "dapr.runtime.grpc.api-info"];

/// How long the last lines may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// The log of the process, as its subscriber is one for the process.
static LOG: OnceLock<Outlet> = OnceLock::new();

/// How lines are written.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// `debug`, `info`, `warn`, `error` or `fatal`.
    pub level: String,
    pub as_json: bool,
    /// Appended to, in place of standard output.
    pub file: Option<PathBuf>,
    /// The field `app_id`; processes without an app have none.
    pub app_id: Option<String>,
    /// The field `instance`: the name of the host.
    pub instance: String,
    /// The field `ver`.
    pub version: String,
}

/// Why nothing can be logged.
#[derive(Debug, Error)]
pub enum LogError {
    #[error("undefined Log Output Level: {0}; take debug, info, warn, error or fatal")]
    Level(String),
    #[error("cannot write the log file {}: {reason}", path.display())]
    File { path: PathBuf, reason: io::Error },
    #[error("cannot start the thread of the log: {0}")]
    Thread(io::Error),
    #[error("the log was started already")]
    Started,
}

/// Waits a second at most until all lines are written. To be called last, as lines that wait end with the process.
pub fn flush_log() {
    LOG.get().into_iter().for_each(|log| log.flush(FAREWELL));
}

/// Writes the log lines of the process from now on, by a thread of its own. See [`flush_log`].
///
/// # Errors
/// An unknown level, a file that cannot be written, or a log that was started before.
pub fn start_log(settings: &LogSettings) -> Result<(), LogError> {
    let threshold = Threshold::parse(&settings.level)?;
    let log = open(settings)?;
    let lines = Lines { settings: settings.clone(), zone: jiff::tz::TimeZone::system() };
    let layer = tracing_subscriber::fmt::layer().event_format(lines).with_ansi(false).with_writer(log.clone());
    let filter =
        FilterFn::new(move |event| threshold.admits(event)).with_max_level_hint(threshold.level.max(LevelFilter::INFO));
    Registry::default().with(layer.with_filter(filter)).try_init().map_err(|_| LogError::Started)?;
    LOG.set(log).map_err(|_| LogError::Started)
}

fn open(settings: &LogSettings) -> Result<Outlet, LogError> {
    let Some(path) = &settings.file else { return Outlet::start(io::stdout()).map_err(LogError::Thread) };
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|reason| LogError::File { path: path.clone(), reason })?;
    Outlet::start(file).map_err(LogError::Thread)
}

/// What is written at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Threshold {
    level: LevelFilter,
    only_fatal: bool,
}

impl Threshold {
    fn parse(level: &str) -> Result<Self, LogError> {
        let lower = level.to_lowercase();
        let filter = match lower.as_str() {
            "debug" => LevelFilter::DEBUG,
            "info" => LevelFilter::INFO,
            "warn" | "warning" => LevelFilter::WARN,
            "error" | FATAL => LevelFilter::ERROR,
            _ => return Err(LogError::Level(level.to_owned())),
        };
        Ok(Self { level: filter, only_fatal: lower == FATAL })
    }

    fn admits(self, event: &Metadata<'_>) -> bool {
        if CALL_SCOPES.contains(&event.target()) {
            return true;
        }
        let is_wrong = *event.level() <= Level::WARN && !event.target().starts_with(SILENT);
        let own = event.target().starts_with(OWN_SCOPES) || is_wrong;
        let severe = !self.only_fatal || event.fields().field(FATAL).is_some();
        own && severe && *event.level() <= self.level
    }
}

/// Turns events into lines.
struct Lines {
    settings: LogSettings,
    zone: jiff::tz::TimeZone,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        self.write(out, event)
    }
}

impl Lines {
    fn write(&self, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let line = Line::new(event, &self.settings, self.now());
        let written = if self.settings.as_json { json::line(&line) } else { text::line(&line) };
        out.write_str(&written)?;
        out.write_char('\n')
    }

    /// RFC 3339 with nanoseconds, in local time.
    fn now(&self) -> String {
        let now = jiff::Timestamp::now();
        let offset = self.zone.to_offset(now);
        if offset.is_zero() { now.to_string() } else { now.display_with_offset(offset).to_string() }
    }
}
