//! The rules of the house that a program can check.
mod directions;
mod files;

use std::path::Path;

/// All breaches of the rules, each a sentence that names the place.
pub(crate) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = directions::problems(root)?;
    problems.extend(files::problems(root)?);
    Ok(problems)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let problems = super::problems(&crate::root()).unwrap();
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }
}
