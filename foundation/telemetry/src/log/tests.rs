//! Lines as they come out.
use super::{Lines, LogError, LogSettings, Threshold};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::writer::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged by `work`, after the time.
fn logged(as_json: bool, app_id: Option<&str>, work: impl FnOnce()) -> String {
    let settings = LogSettings {
        as_json,
        app_id: app_id.map(str::to_owned),
        instance: "host".to_owned(),
        version: "1.18.3".to_owned(),
        ..LogSettings::default()
    };
    let kept = Kept::default();
    let lines = Lines { settings, zone: jiff::tz::TimeZone::UTC };
    let layer = tracing_subscriber::fmt::layer().event_format(lines).with_ansi(false).with_writer(kept.clone());
    tracing::subscriber::with_default(Registry::default().with(layer), work);
    let written = kept.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

fn without_time(line: &str) -> String {
    let (time, rest) = line.split_once(' ').unwrap();
    let time = time.strip_prefix("time=\"").unwrap().strip_suffix('"').unwrap();
    time.parse::<jiff::Timestamp>().unwrap();
    rest.to_owned()
}

#[test]
fn text_is_logfmt() {
    let text = logged(false, Some("app"), || tracing::info!(target: "dapr.runtime", "app id: \"a\"\nb"));
    assert_eq!(
        without_time(&text),
        "level=info msg=\"app id: \\\"a\\\"\\nb\" app_id=app instance=host scope=dapr.runtime type=log ver=1.18.3\n"
    );
}

#[test]
fn plain_values_have_no_quotes_and_fields_are_sorted() {
    let work = || tracing::info!(target: "dapr.runtime.http-info", size = 0, code = 200, method = "GET /x", "Called");
    let text = logged(false, None, work);
    let expected = "level=info msg=Called code=200 instance=host method=\"GET /x\" scope=dapr.runtime.http-info size=0 \
                    type=log ver=1.18.3\n";
    assert_eq!(without_time(&text), expected);
}

#[test]
fn json_has_its_members_sorted() {
    let text = logged(true, Some("app"), || tracing::warn!(target: "dapr.runtime", code = 5, "a <b>"));
    let (before, after) = text.split_once("\"time\":\"").unwrap();
    let expected = r#"{"app_id":"app","code":5,"instance":"host","level":"warning","msg":"a \u003cb\u003e","scope":"dapr.runtime","#;
    assert_eq!(before, expected);
    assert!(after.ends_with("\",\"type\":\"log\",\"ver\":\"1.18.3\"}\n"), "{after}");
}

#[test]
fn an_error_may_be_fatal() {
    let text = logged(false, None, || tracing::error!(target: "dapr.runtime", fatal = true, "end"));
    assert!(without_time(&text).starts_with("level=fatal msg=end instance"), "{text}");
}

#[test]
fn levels_are_known_in_any_case() {
    for level in ["debug", "INFO", "warn", "Error", "fatal"] {
        assert!(Threshold::parse(level).is_ok(), "{level}");
    }
    let mut message = String::new();
    write!(message, "{}", Threshold::parse("loud").unwrap_err()).unwrap();
    assert_eq!(message, "undefined Log Output Level: loud; take debug, info, warn, error or fatal");
    assert!(matches!(Threshold::parse(""), Err(LogError::Level(_))));
}
