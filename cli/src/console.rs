//! What the user reads: status lines with a sign, as JSON where that is asked for, coloured on a terminal.
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// What a status line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    Failure,
    Warning,
    Info,
}

impl Status {
    fn sign(self) -> &'static str {
        match self {
            Self::Success => "✅",
            Self::Failure => "❌",
            Self::Warning => "⚠",
            Self::Info => "ℹ️",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// The terminal, or whatever stands in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// Whether status lines are JSON.
    pub(crate) json: bool,
    coloured: bool,
}

impl Console {
    /// Colours only where a person looks, and does not mind them (<https://no-color.org>).
    pub(crate) fn new(json: bool, no_color: bool) -> Self {
        Self { json, coloured: !no_color && io::stdout().is_terminal() }
    }

    /// Writes a status line; failures go to standard error.
    pub(crate) fn status(self, status: Status, text: impl Display) {
        let line = if self.json { json(status, text) } else { format!("{}  {text}\n", status.sign()) };
        match status {
            Status::Failure => io::stderr().write_all(line.as_bytes()).ok(),
            _ => io::stdout().write_all(line.as_bytes()).ok(),
        };
    }

    pub(crate) fn success(self, text: impl Display) {
        self.status(Status::Success, text);
    }

    pub(crate) fn failure(self, text: impl Display) {
        self.status(Status::Failure, text);
    }

    pub(crate) fn warning(self, text: impl Display) {
        self.status(Status::Warning, text);
    }

    pub(crate) fn info(self, text: impl Display) {
        self.status(Status::Info, text);
    }

    /// Writes text as it is.
    pub(crate) fn print(self, text: &str) {
        io::stdout().write_all(text.as_bytes()).ok();
    }

    /// Writes a line of an app, blue on a terminal, in one piece so that lines of several apps do not mix.
    pub(crate) fn app_line(self, line: &[u8]) {
        let (begin, end): (&[u8], &[u8]) = if self.coloured { (b"\x1b[94;1m", b"\x1b[0m\n") } else { (b"", b"\n") };
        io::stdout().write_all(&[begin, line, end].concat()).ok();
    }

    /// Writes a line of a sidecar.
    pub(crate) fn line(self, line: &[u8]) {
        io::stdout().write_all(&[line, b"\n"].concat()).ok();
    }
}

/// A status line as JSON, with its newline.
pub(crate) fn json(status: Status, text: impl Display) -> String {
    let time = jiff::Timestamp::now().to_string();
    let line = serde_json::json!({"time": time, "status": status.name(), "msg": text.to_string()});
    format!("{line}\n")
}
