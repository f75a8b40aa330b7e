//! When a circuit breaker opens: a CEL expression over its counts (surface.md 6.3).
use crate::breaker::Counts;
use foundation_expression::{Budget, Expression, Variables};
use std::fmt;

/// Failures in a row after which a breaker without an expression opens.
const USUAL: u32 = 5;

/// Macros within each other or in a row. The expression is evaluated while calls wait, and one loop over a list in its text
/// is short.
const LOOPS: usize = 1;

/// An expression that is not CEL, or takes too long.
#[derive(Debug, thiserror::Error)]
#[error("invalid trip expression \"{expression}\": {reason}")]
pub(crate) struct InvalidTrip {
    pub expression: String,
    pub reason: String,
}

/// Says after a failure whether the breaker opens.
#[derive(Default)]
pub(crate) struct Trip(Option<(String, Expression)>);

impl Trip {
    /// An empty expression is `consecutiveFailures > 5`.
    ///
    /// # Errors
    /// [`InvalidTrip`] for what is not CEL, or has loops within loops.
    pub(crate) fn parse(expression: &str) -> Result<Self, InvalidTrip> {
        if expression.is_empty() {
            return Ok(Self(None));
        }
        let invalid = |reason| InvalidTrip { expression: expression.to_owned(), reason };
        let parsed = Expression::parse(expression).map_err(invalid)?;
        if parsed.loops() > LOOPS {
            return Err(invalid("it has macros such as all or map within each other or in a row".to_owned()));
        }
        Ok(Self(Some((expression.to_owned(), parsed))))
    }

    /// An expression that cannot be evaluated, or is no truth value, opens nothing.
    pub(crate) fn opens(&self, counts: &Counts) -> bool {
        match &self.0 {
            None => counts.consecutive_failures > USUAL,
            Some((_, expression)) => is_true(expression, counts),
        }
    }
}

impl fmt::Debug for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("consecutiveFailures > 5", |(expression, _)| expression))
    }
}

fn is_true(expression: &Expression, counts: &Counts) -> bool {
    let budget = Budget::unlimited();
    let all = [
        ("requests", counts.requests),
        ("totalSuccesses", counts.total_successes),
        ("totalFailures", counts.total_failures),
        ("consecutiveSuccesses", counts.consecutive_successes),
        ("consecutiveFailures", counts.consecutive_failures),
    ];
    let mut variables = Variables::new(&budget);
    for (name, count) in all {
        variables = variables.with(name, i64::from(count));
    }
    expression.is_true(&variables).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn opens(expression: &str) -> bool {
        let counts = Counts {
            requests: 10,
            total_successes: 4,
            total_failures: 6,
            consecutive_successes: 0,
            consecutive_failures: 6,
        };
        Trip::parse(expression).unwrap().opens(&counts)
    }

    #[test]
    fn expressions_see_all_counts() {
        for expression in [
            "",
            "consecutiveFailures >= 6",
            "requests == 10 && totalFailures == 6",
            "totalSuccesses + totalFailures == requests",
            "double(totalFailures) / double(requests) > 0.5",
            "consecutiveSuccesses == 0",
        ] {
            assert!(opens(expression), "{expression}");
        }
        assert!(!opens("consecutiveFailures > 6"));
    }

    #[test]
    fn what_is_no_truth_value_opens_nothing() {
        assert!(!opens("requests"));
        assert!(!opens("nobody > 1"));
        assert!(Trip::parse("requests >").is_err());
    }

    #[test]
    fn loops_within_loops_are_refused() {
        assert!(opens("[requests, totalFailures].all(count, count > 5)"));
        let bomb = |inner: &str| format!("[1, 2, 3].all(a, {inner})");
        let refused = Trip::parse(&bomb(&bomb(&bomb("true")))).unwrap_err();
        assert!(refused.to_string().contains("within each other"), "{refused}");
        assert!(Trip::parse("['a'].map(a, a + a).map(a, a + a) == []").is_err());
    }

    const WORDS: [&str; 24] = [
        "requests",
        "consecutiveFailures",
        "totalFailures",
        "nobody",
        "0",
        "-1",
        "9223372036854775807",
        "1.5",
        "'a'",
        "(",
        ")",
        "[",
        "]",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        ">",
        "&&",
        "!",
        "? :",
        "double",
    ];

    proptest! {
        #[test]
        fn any_expression_is_decided_or_refused(words in prop::collection::vec(select(&WORDS[..]), 1..12), text in "\\PC{0,20}") {
            let counts = Counts { requests: 1, total_failures: 1, ..Counts::default() };
            for expression in [words.concat(), words.join(" "), text] {
                if let Ok(trip) = Trip::parse(&expression) {
                    trip.opens(&counts);
                }
            }
        }
    }
}
