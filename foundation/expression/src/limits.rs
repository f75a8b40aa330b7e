//! Limits of CEL expressions in resources: the parser goes as deep as their brackets do, and must not run out of stack.

/// Bytes of an expression.
const LONGEST: usize = 4096;
/// Brackets within each other.
const DEEPEST: usize = 16;

/// Looks whether an expression may be given to the parser.
///
/// # Errors
/// It is longer than 4,096 bytes, or nests deeper than 16 brackets.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    match text {
        text if text.len() > LONGEST => Err("it is longer than 4096 bytes"),
        text if nesting(text) > DEEPEST => Err("it nests deeper than 16 brackets"),
        _ => Ok(()),
    }
}

/// Brackets in texts count too: an expression needs few of either.
fn nesting(text: &str) -> usize {
    let step = |open: usize, letter| match letter {
        b'(' | b'[' | b'{' => open + 1,
        b')' | b']' | b'}' => open.saturating_sub(1),
        _ => open,
    };
    let depths = text.bytes().scan(0, |open, letter| {
        *open = step(*open, letter);
        Some(*open)
    });
    depths.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_are_too_deep_or_too_long_are_refused() {
        let deep = |depth| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
        assert!(check(&deep(DEEPEST)).is_ok());
        assert!(check(&deep(DEEPEST + 1)).unwrap_err().contains(&DEEPEST.to_string()));
        assert!(check(&"(a)".repeat(100)).is_ok());
        assert!(check(&"a".repeat(LONGEST + 1)).unwrap_err().contains(&LONGEST.to_string()));
    }
}
