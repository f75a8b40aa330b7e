//! SQL LIKE patterns as patterns of Redis.

/// The pattern of Redis that finds the keys of a LIKE pattern with `\` as escape.
pub(super) fn glob(like: &str) -> String {
    let mut glob = String::with_capacity(like.len() + 8);
    let mut letters = like.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '\\' => literal(letters.next().unwrap_or('\\'), &mut glob),
            other => literal(other, &mut glob),
        }
    }
    glob
}

fn literal(letter: char, glob: &mut String) {
    if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') {
        glob.push('\\');
    }
    glob.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_becomes_glob() {
        let cases = [
            ("a%", "a*"),
            ("a_b", "a?b"),
            (r"100\%", "100%"),
            (r"a\_b", "a_b"),
            ("[x]*?", r"\[x\]\*\?"),
            (r"\\", r"\\"),
        ];
        for (like, expected) in cases {
            assert_eq!(glob(like), expected);
        }
    }
}
