//! What every source file keeps to: a line that says what it is, and a length that can be read at once.
use std::path::{Path, PathBuf};

const LONGEST: usize = 400;
const LONGEST_TEST: usize = 600;
/// Folders that hold no sources of ours.
const LEFT_OUT: [&str; 4] = ["target", ".git", "node_modules", ".venv"];

/// Files that break a rule.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut problems = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        problems.extend(breaches(name, &text));
    }
    Ok(problems)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !LEFT_OUT.contains(&name) {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn breaches(name: &Path, text: &str) -> Vec<String> {
    let shown = name.display();
    let (lines, limit) = (text.lines().count(), if is_test(name) { LONGEST_TEST } else { LONGEST });
    let mut breaches = Vec::new();
    if !text.starts_with("//!") {
        breaches.push(format!("{shown} does not open with a line of //! that says what it is"));
    }
    if lines > limit {
        breaches.push(format!("{shown} has {lines} lines, more than {limit}: split it by concept"));
    }
    if name.ends_with("mod.rs") {
        breaches.push(format!("{shown}: name the module's file after it, not mod.rs"));
    }
    breaches
}

fn is_test(name: &Path) -> bool {
    name.components().any(|part| part.as_os_str() == "tests") || name.ends_with("tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_finds_its_breach() {
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        assert_eq!(breaches(Path::new("a/src/b.rs"), &long).len(), 1);
        assert_eq!(breaches(Path::new("a/src/b/tests.rs"), &long).len(), 0);
        assert_eq!(breaches(Path::new("a/src/mod.rs"), "fn main() {}").len(), 2);
        assert_eq!(breaches(Path::new("a/src/lib.rs"), "//! Good.\n").len(), 0);
    }
}
