//! Takes out of a text what tells of persons: addresses, numbers, cards. The kinds, their names and the order in which one
//! wins over another are those of Dapr (surface.md 1.2, `scrubPII`).
mod patterns;

use patterns::{Entity, Patterns};
use std::ops::Range;
use std::sync::OnceLock;

/// Scrubs texts. Its patterns are made when they are needed for the first time.
#[derive(Debug, Default)]
pub(crate) struct Scrubber(OnceLock<Patterns>);

/// Something that was found in a text.
struct Found {
    place: Range<usize>,
    /// Its number among the kinds; of two that fill the same place, the later one wins.
    rank: usize,
    name: &'static str,
}

impl Scrubber {
    /// The text with names in angle brackets in the place of what was found; what stands in a link stays.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let patterns = self.0.get_or_init(Patterns::new);
        let mut found = found(&patterns.scrubbed, text);
        if found.is_empty() {
            return text.to_owned();
        }
        let kept: Vec<_> =
            patterns.kept.iter().flat_map(|pattern| pattern.find_iter(text)).map(|one| one.range()).collect();
        found.retain(|one| !kept.iter().any(|kept| touches(kept, &one.place)));
        replaced(text, &found)
    }
}

/// All that is found, from left to right, longer ones first.
fn found(entities: &[Entity], text: &str) -> Vec<Found> {
    let mut all = Vec::new();
    for (rank, Entity { name, patterns }) in entities.iter().enumerate() {
        let places = patterns.iter().flat_map(|pattern| pattern.find_iter(text)).map(|one| one.range());
        all.extend(places.map(|place| Found { place, rank, name }));
    }
    all.sort_by(|one, other| {
        let order = |found: &Found| (found.place.start, usize::MAX - found.place.end, usize::MAX - found.rank);
        order(one).cmp(&order(other))
    });
    all
}

fn touches(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// Of two that overlap, the second one stands for what the first one left.
fn replaced(text: &str, found: &[Found]) -> String {
    let (mut scrubbed, mut done) = (String::with_capacity(text.len()), 0);
    for Found { place, name, .. } in found.iter() {
        if place.end <= done {
            continue;
        }
        let start = place.start.max(done);
        scrubbed.push_str(&text[done..start]);
        scrubbed.extend(["<", name, ">"]);
        done = place.end;
    }
    scrubbed.push_str(&text[done..]);
    scrubbed
}

#[cfg(test)]
mod tests {
    use super::Scrubber;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

    #[test]
    fn what_tells_of_persons_is_taken_out() {
        for (text, expected) in [
            ("nothing to hide", "nothing to hide"),
            ("mail a.b+c@mail.example.com now", "mail <EMAIL_ADDRESS> now"),
            ("my number is +2222222222", "my number is <PHONE_NUMBER>"),
            ("phone 555-123-4567", "phone <ISBN>"),
            ("call (212) 555-0142 ext. 7!", "call <PHONE_NUMBER>!"),
            ("from 10.8.9.1 to 2001:db8::1", "from <IP> to <IP>"),
            ("ssn 123-45-6789", "ssn <US_SSN>"),
            ("card 4263 9826 4026 9299, 4263982640269299", "card <CREDIT_CARD>, <CREDIT_CARD>"),
            ("mac 00:1A:2b:3c:4D:5e", "mac <MAC_ADDRESS>"),
            ("iban DE89370400440532013000", "iban <IBAN>"),
            ("isbn 978-3-16-148410-0", "isbn <ISBN>"),
            ("write to P.O. Box 12", "write to <PO_BOX>"),
            ("at 12 Main Street today", "at <STREET_ADDRESS> today"),
            ("see https://example.com/u/555-123-4567", "see https://example.com/u/555-123-4567"),
            ("git@host.example:me/555-123-4567.git", "git@host.example:me/555-123-4567.git"),
        ] {
            assert_eq!(SCRUBBER.scrub(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_scrubbed(text in "\\PC*") {
            SCRUBBER.scrub(&text);
        }
    }
}
