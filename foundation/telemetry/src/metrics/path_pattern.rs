//! Patterns of paths, in the form of Go's `ServeMux`: `/orders/{id}`, `/files/{path...}`, `/static/`, `/exact/{$}`.
use super::path::normalized;
use std::cmp::Ordering;

/// The prefix under which the paths of any app can be invoked.
const INVOKE: &str = "/v1.0/invoke/";

/// Patterns, the most specific first.
pub(super) struct Patterns(Vec<Pattern>);

struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// Ends the path; there is a slash before it.
    End,
    /// Any one segment that is not empty.
    Any,
    /// Whatever is left.
    Rest,
}

impl Patterns {
    /// The patterns, and each also as the path of an invocation.
    pub(super) fn new(given: &[String]) -> Self {
        let mut patterns: Vec<Pattern> =
            given.iter().flat_map(|path| with_invocation(path)).map(Pattern::new).collect();
        patterns.sort_by(Pattern::compare);
        patterns.dedup_by(|a, b| a.text == b.text);
        Self(patterns)
    }

    /// The text of the most specific pattern that matches.
    pub(super) fn find(&self, path: &str) -> Option<&str> {
        let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        self.0.iter().find(|pattern| matches(&pattern.segments, &path)).map(|pattern| pattern.text.as_str())
    }
}

fn with_invocation(path: &str) -> Vec<String> {
    let path = normalized(path).into_owned();
    let invocation = (!path.starts_with(INVOKE)).then(|| format!("{INVOKE}{{app_id}}/method{path}"));
    [path].into_iter().chain(invocation).collect()
}

impl Pattern {
    fn new(text: String) -> Self {
        let segments = text.trim_start_matches('/').split('/').map(segment).collect();
        Self { text, segments }
    }

    /// Literals come before wildcards, so that the first match is the most specific.
    fn compare(&self, other: &Self) -> Ordering {
        self.segments.cmp(&other.segments)
    }
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        _ if text.is_empty() => Segment::Rest,
        Some("$") => Segment::End,
        Some(name) if name.ends_with("...") => Segment::Rest,
        Some(_) => Segment::Any,
        None => Segment::Literal(text.to_owned()),
    }
}

fn matches(segments: &[Segment], path: &[&str]) -> bool {
    match (segments, path) {
        ([], []) | ([Segment::Rest], _) | ([Segment::End], [""]) => true,
        ([Segment::Literal(wanted), segments @ ..], [found, path @ ..]) => wanted == found && matches(segments, path),
        ([Segment::Any, segments @ ..], [found, path @ ..]) => !found.is_empty() && matches(segments, path),
        _ => false,
    }
}
