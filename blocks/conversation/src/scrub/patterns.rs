//! The kinds of things that are looked for.
use regex::{Regex, RegexBuilder};

/// A kind, with all the forms it comes in.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: &'static str,
    pub(super) patterns: Vec<Regex>,
}

/// What is taken out, and what it may stand in without being taken out.
#[derive(Debug)]
pub(super) struct Patterns {
    pub(super) scrubbed: Vec<Entity>,
    pub(super) kept: Vec<Regex>,
}

/// Of two kinds that fit the same characters, the later one wins.
const SCRUBBED: &[(&str, &[&str])] = &[
    ("STREET_ADDRESS", &[STREET]),
    ("CREDIT_CARD", &[r"(?:[0-9]{4}[- ]?){3}[0-9]{4}|[0-9]{15,16}"]),
    ("PHONE_NUMBER", &[PHONE, PHONE_WITH_EXTENSION]),
    ("EMAIL_ADDRESS", &[EMAIL]),
    ("IP", &[IPV4, IPV6]),
    ("ZIP_CODE", &[r"(?-u:\b)[0-9]{5}(?:[-\s][0-9]{4})?(?-u:\b)"]),
    ("PO_BOX", &[r"(?i)p\.? ?o\.? box [0-9]+"]),
    ("US_SSN", &["[0-9]{3}-[0-9]{2}-[0-9]{4}"]),
    ("ISBN", &["(?:[0-9]-?){9}[0-9xX]", "(?:[0-9]-?){12}[0-9xX]"]),
    ("MAC_ADDRESS", &["(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"]),
    ("IBAN", &["[A-Z]{2}[0-9]{2}[A-Z0-9]{4}[0-9]{7}[A-Z0-9]{0,16}"]),
];

/// Links and addresses of repositories.
const KEPT: &[&str] = &[
    r#"https?://[a-z0-9.-]*\.[^\s()<>]*[^\s!()\[\]{};:'".,<>?]"#,
    r"(?:git|ssh|https?|git@[0-9A-Za-z_.]+):(?://)?[0-9A-Za-z_.@:/~-]+\.git/?",
];

const STREET: &str = r"(?i)[0-9]{1,4} [0-9a-z_\s]{1,20}(?:street|st|avenue|ave|road|rd|highway|hwy|square|sq|trail|trl|drive|dr|court|ct|parkway|park|pkwy|circle|cir|boulevard|blvd)";
/// Groups of digits with an optional country in front; most numbers of four digits and more are such.
const PHONE: &str = r"(?:\+?[0-9]{1,3}[-.\s*]?)?(?:\(?[0-9]{2,3}\)?[-.\s*]?)?[0-9]{2,3}[-.\s*]?[0-9]{2,6}";
const PHONE_WITH_EXTENSION: &str = r"(?i)(?:\+?1[\s.-]*)?(?:\(?[2-9][0-9]{2}\)?[\s.-]*)?[2-9][0-9]{2}[\s.-]*[0-9]{4}\s*(?:#|x\.?|ext\.?|extension)\s*[0-9]*";
const EMAIL: &str =
    r"(?i)[a-z0-9!#$%&'*+/=?^_{|.}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
const IPV4: &str = r"(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)";
/// All eight groups, or fewer around a double colon; the forms with more groups come first.
const IPV6: &str = r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}|(?:[0-9A-Fa-f]{1,4}:){1,7}:|:(?::[0-9A-Fa-f]{1,4}){1,7}|::";

impl Patterns {
    pub(super) fn new() -> Self {
        let entity = |(name, patterns): &(&'static str, &[&str])| Entity { name, patterns: made(patterns) };
        Self { scrubbed: SCRUBBED.iter().map(entity).collect(), kept: made(KEPT) }
    }
}

/// That all patterns can be made is tested.
fn made(patterns: &[&str]) -> Vec<Regex> {
    patterns.iter().filter_map(|pattern| RegexBuilder::new(pattern).build().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_patterns_can_be_made() {
        let all = SCRUBBED.iter().flat_map(|(_, patterns)| patterns.iter()).chain(KEPT);
        for pattern in all {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
    }
}
