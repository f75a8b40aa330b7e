//! Environment variables in texts, as Go's `os.ExpandEnv` puts them in.

/// The text with `$NAME` and `${NAME}` replaced by what `value_of` gives; unknown names become nothing.
pub(crate) fn expand<'a>(text: &str, value_of: &dyn Fn(&str) -> Option<&'a str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, after) = variable(after);
        match name {
            Some(name) => expanded.push_str(value_of(name).unwrap_or_default()),
            None => expanded.push('$'),
        }
        rest = after;
    }
    expanded + rest
}

/// The name that a text after a dollar sign starts with, and what follows. Nothing for a sign that stands alone.
fn variable(text: &str) -> (Option<&str>, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (Some(name), after);
    }
    if let Some(after) = text.strip_prefix('{') {
        return (Some(""), after);
    }
    let end = match text.chars().next() {
        Some(first) if is_special(first) => first.len_utf8(),
        _ => text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()),
    };
    let (name, after) = text.split_at(end);
    ((!name.is_empty()).then_some(name), after)
}

/// Names of one character, as shells have them.
fn is_special(c: char) -> bool {
    matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9')
}
