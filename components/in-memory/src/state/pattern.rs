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
    use super::Pattern;

    #[test]
    fn wildcards_and_escapes() {
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).matches(text);
        assert!(matches("a%", "a") && matches("a%c%", "abcab") && matches("%b", "aab") && matches("_x", "üx"));
        assert!(matches(r"100\%", "100%") && matches(r"a\_b", "a_b") && matches("\\", "\\") && matches("%", ""));
        assert!(!matches("a_", "a") && !matches("a", "ab") && !matches(r"a\_b", "axb") && !matches("%b%c", "acb"));
    }
}
