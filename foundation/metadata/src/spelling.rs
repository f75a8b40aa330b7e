//! Names that were probably meant by others.

/// The name of `known` that a name which is not among them was probably meant to be, such as `redisHost` for `redisHots`;
/// none for one of `known` in any case, and for one that is like none of them.
pub fn meant<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let distance = |name: &str| strsim::osa_distance(&given, &name.to_lowercase());
    let nearest = known.into_iter().map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, _)| (1..=allowed(&given)).contains(distance)).map(|(_, name)| name)
}

/// Short names are alike by chance.
fn allowed(given: &str) -> usize {
    match given.len() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["redisHost", "redisPassword", "ttl"];

    #[test]
    fn a_typing_error_is_told_from_another_name() {
        assert_eq!(meant("redisHots", KNOWN), Some("redisHost"));
        assert_eq!(meant("REDISPASWORD", KNOWN), Some("redisPassword"));
        assert_eq!(meant("RedisHost", KNOWN), None);
        assert_eq!(meant("consumerID", KNOWN), None);
        assert_eq!(meant("til", KNOWN), None);
        assert_eq!(meant("", []), None);
    }
}
