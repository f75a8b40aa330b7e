//! Paths and methods as values of labels (contract surface 5.1, HTTP server and client).
use super::path_pattern::Patterns;
use super::settings::HttpMetrics;
use std::borrow::Cow;

/// Paths that are labels in every mode.
const STATIC_PATHS: [&str; 4] = ["/dapr/config", "/dapr/metrics", "/dapr/subscribe", "/healthz"];
/// Dapr asks the app for it at a path without the slash, which is none of the static ones.
const ASKED_WITHOUT_SLASH: &str = "/dapr/subscribe";
const METHODS: [&str; 9] = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];

/// Makes the labels `path` and `method`.
pub(super) struct Labels {
    increased_cardinality: bool,
    exclude_verbs: bool,
    patterns: Option<Patterns>,
}

impl Labels {
    pub(super) fn new(settings: &HttpMetrics) -> Self {
        let given = &settings.path_matching;
        Self {
            increased_cardinality: settings.increased_cardinality,
            exclude_verbs: settings.exclude_verbs,
            patterns: (!given.is_empty()).then(|| Patterns::new(given)),
        }
    }

    /// The label `method`.
    pub(super) fn method<'a>(&self, method: &'a str) -> &'a str {
        match () {
            () if self.exclude_verbs => "",
            () if METHODS.contains(&method) => method,
            () => "UNKNOWN",
        }
    }

    /// The label `path` of a call to the API.
    pub(super) fn server_path<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        match &self.patterns {
            None if !self.increased_cardinality => Cow::Borrowed(""),
            None => shortened(path),
            Some(patterns) => self.matched(patterns, path),
        }
    }

    /// The label `path` of a call to the app.
    pub(super) fn client_path<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        match &self.patterns {
            None if STATIC_PATHS.contains(&path) && path != ASKED_WITHOUT_SLASH => Cow::Borrowed(path),
            None if !self.increased_cardinality => Cow::Borrowed(""),
            None => shortened(path),
            Some(_) if path == ASKED_WITHOUT_SLASH && !self.increased_cardinality => Cow::Borrowed(""),
            Some(patterns) => self.matched(patterns, path),
        }
    }

    /// The pattern that matches the path, or else its short form; without increased cardinality, nothing but patterns.
    fn matched<'a>(&'a self, patterns: &'a Patterns, path: &'a str) -> Cow<'a, str> {
        if STATIC_PATHS.contains(&path) {
            return Cow::Borrowed(path);
        }
        let path = normalized(path);
        if let Some(pattern) = patterns.find(&path) {
            return Cow::Borrowed(pattern);
        }
        let short = shortened(&path).into_owned();
        match patterns.find(&short) {
            Some(pattern) if pattern != "/" => Cow::Borrowed(pattern),
            _ if self.increased_cardinality => Cow::Owned(short),
            _ => Cow::Borrowed(""),
        }
    }
}

/// The path with what varies per call cut off or replaced, as `/v1.0/state/<store>` for any key.
fn shortened(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed(path);
    }
    match normalized(path) {
        Cow::Borrowed(path) => short_form(path),
        Cow::Owned(path) => Cow::Owned(short_form(&path).into_owned()),
    }
}

/// The same for a path that begins with a slash and has no two in a row.
fn short_form(path: &str) -> Cow<'_, str> {
    let parts: Vec<&str> = path[1..].splitn(6, '/').collect();
    match parts.as_slice() {
        ["actors", kind, _, rest @ ..] => {
            let rest: String = rest.iter().flat_map(|part| ["/", part]).collect();
            Cow::Owned(format!("actors/{kind}/{{id}}{rest}"))
        }
        [version, "state" | "secrets", store, ..] => {
            Cow::Borrowed(&path[..1 + version.len() + 1 + parts[1].len() + 1 + store.len()])
        }
        [version, "actors", kind, _, what, ..] => Cow::Owned(format!("/{version}/actors/{kind}/{{id}}/{what}")),
        [version, "workflows", component, _] => Cow::Owned(format!("/{version}/workflows/{component}/{{instanceId}}")),
        [version, "workflows", component, name, start] if start.starts_with("start") => {
            Cow::Owned(format!("/{version}/workflows/{component}/{name}/start"))
        }
        [version, "workflows", component, _, "raiseEvent", event] if !event.is_empty() => {
            Cow::Owned(format!("/{version}/workflows/{component}/{{instanceId}}/raiseEvent/{{eventName}}"))
        }
        [version, "workflows", component, _, action, ..] => {
            Cow::Owned(format!("/{version}/workflows/{component}/{{instanceId}}/{action}"))
        }
        _ => Cow::Borrowed(path),
    }
}

/// The path with a slash before it and never two in a row.
pub(super) fn normalized(path: &str) -> Cow<'_, str> {
    if path.starts_with('/') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut normalized = String::with_capacity(path.len() + 1);
    for part in path.split('/').filter(|part| !part.is_empty()) {
        normalized.push('/');
        normalized.push_str(part);
    }
    if path.ends_with('/') || normalized.is_empty() {
        normalized.push('/');
    }
    Cow::Owned(normalized)
}
