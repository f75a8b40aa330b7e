//! Reference pages from the code: one page per component type, and a list of them.
mod component;

use component::{Category, categories};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const GENERATED: &str = "<!-- Written by `cargo run -p xtask -- docs` from the code; change it there. -->\n\n";
const FOLDER: &str = "docs/components";

/// Writes all pages, and removes those of components that are gone.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for (path, text) in pages() {
        std::fs::write(root.join(path), text)?;
    }
    Ok(())
}

/// Pages whose file is not what the code says.
#[cfg(test)]
fn drifted(root: &Path) -> Vec<PathBuf> {
    let differs =
        |(path, text): &(PathBuf, String)| std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(text);
    pages().into_iter().filter(differs).map(|(path, _)| path).collect()
}

/// All pages by their path.
fn pages() -> BTreeMap<PathBuf, String> {
    let categories = categories();
    let mut pages = BTreeMap::from([(PathBuf::from("docs/components.md"), index(&categories))]);
    for category in &categories {
        for descriptor in &category.descriptors {
            let name = format!("{}.{}", category.prefix, descriptor.names[0]);
            let text = format!("{GENERATED}{}", component::page(category, descriptor));
            pages.insert(Path::new(FOLDER).join(format!("{name}.md")), text);
        }
    }
    pages
}

fn index(categories: &[Category]) -> String {
    let mut text = format!(
        "{GENERATED}# Components\n\nAll are in the usual build but those that name a feature; with them it is built by\n`cargo install --locked --path trilby --features opa,wasm` (or `--features stable` for what Dapr's builds of stable components\nhave, `--features all` for everything). A sidecar without the feature refuses the type.\n"
    );
    for category in categories.iter().filter(|category| !category.descriptors.is_empty()) {
        text += &format!("\n## {}\n\n| type | status | what it is |\n|---|---|---|\n", category.title);
        for descriptor in &category.descriptors {
            let name = format!("{}.{}", category.prefix, descriptor.names[0]);
            let status = component::status(descriptor.status);
            let feature = feature(&name).map(|feature| format!(" Feature `{feature}`.")).unwrap_or_default();
            text += &format!("| [`{name}`](components/{name}.md) | {status} | {}{feature} |\n", descriptor.summary);
        }
    }
    text
}

/// The feature of the build that a type needs.
fn feature(name: &str) -> Option<&'static str> {
    const FEATURES: [(&str, &str); 7] = [
        ("bindings.kafka", "kafka"),
        ("middleware.http.opa", "opa"),
        ("middleware.http.wasm", "wasm"),
        ("state.mongodb", "mongodb"),
        ("pubsub.jetstream", "nats"),
        ("pubsub.kafka", "kafka"),
        ("state.jetstream", "nats"),
    ];
    FEATURES.iter().find(|(kind, _)| *kind == name).map(|(_, feature)| *feature)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pages_are_what_the_code_says() {
        let drifted = super::drifted(&crate::root());
        assert!(drifted.is_empty(), "run `cargo run -p xtask -- docs`; these pages differ: {drifted:?}");
    }
}
