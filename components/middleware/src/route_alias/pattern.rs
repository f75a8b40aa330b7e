//! Patterns of paths with variables in braces, as Go's gorilla/mux reads them.
use regex::Regex;

const SEGMENT: &str = "[^/]+";

/// A pattern such as `/mall/{id}` or `/mall/{id:[0-9]+}`.
pub(super) struct Pattern {
    regex: Regex,
    names: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("it does not begin with a slash".to_owned());
        }
        let (mut regex, mut names, mut rest) = ("^".to_owned(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let end = closing(after).ok_or("a brace is not closed")?;
            let (name, expression) = after[..end].split_once(':').unwrap_or((&after[..end], SEGMENT));
            if name.is_empty() || expression.is_empty() || names.iter().any(|known| known == name) {
                return Err("a variable has no name or pattern, or is there twice".to_owned());
            }
            regex.push_str(&format!("{}(?P<v{}>{expression})", regex::escape(before), names.len()));
            names.push(name.to_owned());
            rest = &after[end + 1..];
        }
        regex.push_str(&regex::escape(rest));
        regex.push('$');
        Ok(Self { regex: Regex::new(&regex).map_err(|error| error.to_string())?, names })
    }

    /// How many variables it has.
    pub(super) fn variables(&self) -> usize {
        self.names.len()
    }

    /// The values of its variables in a path that it matches.
    pub(super) fn find(&self, path: &str) -> Option<Vec<(&str, String)>> {
        let found = self.regex.captures(path)?;
        let value =
            |index: usize| found.name(&format!("v{index}")).map_or(String::new(), |value| value.as_str().to_owned());
        Some(self.names.iter().enumerate().map(|(index, name)| (name.as_str(), value(index))).collect())
    }
}

/// Where the brace ends that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    text.char_indices().find_map(|(index, c)| {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_pattern_is_read_or_refused(text in "/[a{}:/\\[\\]+*()|]{0,16}|\\PC{0,12}", path in "/[a/b]{0,12}") {
            if let Ok(pattern) = Pattern::new(&text) {
                prop_assert!(pattern.find(&path).is_none_or(|found| found.len() == pattern.variables()));
            }
        }

        #[test]
        fn a_path_without_braces_fits_itself(path in "/[a-z.+*/]{0,12}") {
            prop_assert!(Pattern::new(&path).unwrap().find(&path).is_some());
        }
    }
}
