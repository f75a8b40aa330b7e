//! When a circuit breaker opens: a CEL expression over its counts (surface.md 6.3).
use crate::breaker::Counts;
use cel::{Context, Program, Value};
use foundation_resources::check_expression;
use std::fmt;

/// Failures in a row after which a breaker without an expression opens.
const USUAL: u32 = 5;

/// An expression that is not CEL.
#[derive(Debug, thiserror::Error)]
#[error("invalid trip expression \"{expression}\": {reason}")]
pub(crate) struct InvalidTrip {
    pub expression: String,
    pub reason: String,
}

/// Says after a failure whether the breaker opens.
#[derive(Default)]
pub(crate) struct Trip(Option<(String, Program)>);

impl Trip {
    /// An empty expression is `consecutiveFailures > 5`.
    ///
    /// # Errors
    /// [`InvalidTrip`] for what is not CEL.
    pub(crate) fn parse(expression: &str) -> Result<Self, InvalidTrip> {
        if expression.is_empty() {
            return Ok(Self(None));
        }
        let checked = check_expression(expression).map_err(str::to_owned);
        let program = checked.and_then(|()| Program::compile(expression).map_err(|error| error.to_string()));
        let program = program.map_err(|reason| InvalidTrip { expression: expression.to_owned(), reason })?;
        Ok(Self(Some((expression.to_owned(), program))))
    }

    /// An expression that cannot be evaluated, or is no truth value, opens nothing.
    pub(crate) fn opens(&self, counts: &Counts) -> bool {
        match &self.0 {
            None => counts.consecutive_failures > USUAL,
            Some((_, program)) => matches!(program.execute(&variables(counts)), Ok(Value::Bool(true))),
        }
    }
}

impl fmt::Debug for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("consecutiveFailures > 5", |(expression, _)| expression))
    }
}

fn variables(counts: &Counts) -> Context<'static, 'static> {
    let mut context = Context::default();
    let all = [
        ("requests", counts.requests),
        ("totalSuccesses", counts.total_successes),
        ("totalFailures", counts.total_failures),
        ("consecutiveSuccesses", counts.consecutive_successes),
        ("consecutiveFailures", counts.consecutive_failures),
    ];
    for (name, count) in all {
        context.add_variable_from_value(name, i64::from(count));
    }
    context
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
