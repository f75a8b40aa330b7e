//! Output for programs: JSON and YAML as Dapr's CLI writes them.
use clap::ValueEnum;
use serde::Serialize;

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[value(alias = "list")]
    Table,
    Json,
    Yaml,
}

/// A value in full. JSON is indented, and YAML is a document without its `---`.
///
/// # Errors
/// The value cannot be written in this format.
pub(crate) fn detail(format: Format, value: &impl Serialize) -> anyhow::Result<String> {
    if format == Format::Yaml {
        return Ok(serde_saphyr::to_string(value)?);
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}
