//! SQL LIKE patterns with `\` as escape; upper and lower case differ.

/// A pattern, ready to be compared.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            parts.push(match next {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => Part::Exactly(rest.next().unwrap_or('\\')),
                other => Part::Exactly(other),
            });
        }
        Self(parts)
    }

    /// Greedy with one place to go back to: linear for usual patterns and never exponential.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (mut at, mut rest) = (0, text.chars());
        let mut retry = None;
        loop {
            let mut after = rest.clone();
            match (self.0.get(at), after.next()) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    at += 1;
                    retry = Some((at, rest.clone()));
                    continue;
                }
                (Some(Part::One), Some(_)) => at += 1,
                (Some(Part::Exactly(wanted)), Some(found)) if *wanted == found => at += 1,
                _ => {
                    let Some((from, skipped)) = &mut retry else { return false };
                    if skipped.next().is_none() {
                        return false;
                    }
                    (at, rest) = (*from, skipped.clone());
                    continue;
                }
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Pattern};
    use proptest::prelude::*;

    /// As the language is defined, without any thought of time.
    fn defined(pattern: &[Part], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((Part::Any, others)), rest) => {
                defined(others, text) || rest.is_some_and(|(_, rest)| defined(pattern, rest))
            }
            (Some((Part::One, others)), Some((_, rest))) => defined(others, rest),
            (Some((Part::Exactly(wanted), others)), Some((found, rest))) => wanted == found && defined(others, rest),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matches_are_those_of_the_definition(pattern in "[%_ab\\\\]{0,8}", text in "[ab%_]{0,8}") {
            let pattern = Pattern::new(&pattern);
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(pattern.matches(&text), defined(&pattern.0, &letters));
        }
    }

    #[test]
    fn wildcards_and_escapes() {
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).matches(text);
        assert!(matches("a%", "a") && matches("a%c%", "abcab") && matches("%b", "aab") && matches("_x", "üx"));
        assert!(matches(r"100\%", "100%") && matches(r"a\_b", "a_b") && matches("\\", "\\") && matches("%", ""));
        assert!(!matches("a_", "a") && !matches("a", "ab") && !matches(r"a\_b", "axb") && !matches("%b%c", "acb"));
    }
}
