//! Which topics a subscription is about.

/// Whether a topic belongs to a subscription, whose `+` is one level and whose `#` is all that follow.
/// `$share/group/` before it is not part of it.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/')).map(|(_, filter)| filter);
    let mut wanted = shared.unwrap_or(filter).split('/');
    let mut levels = topic.split('/');
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_groups() {
        for (filter, topic) in [
            ("a/b", "a/b"),
            ("a/+", "a/b"),
            ("+/b", "a/b"),
            ("#", "a/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("$share/g/a/+", "a/b"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("a", "a/b"), ("a/b", "a"), ("a/+", "a/b/c"), ("a/+", "a"), ("b/#", "a"), ("$share/g/a", "b")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
