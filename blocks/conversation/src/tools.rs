//! Tools, and which of them a model is to use.
use crate::model;
use component_api::conversation::{Tool, ToolChoice};

const NOT_FOUND: &str = "tool choice selected was not found. Must be 'auto', 'none', 'required', or a specific tool name matching the tools available to be used";
const NO_TOOLS: &str =
    "tool choice must be 'auto', 'none', 'required', or a specific tool name matching the tools available to be used";

/// The tools that are functions, as all of them should be.
pub(crate) fn offered(tools: &[model::Tool]) -> Vec<Tool> {
    let tool = |function: &model::Function| {
        let model::Function { name, description, parameters } = function.clone();
        Tool { name, description, parameters }
    };
    tools.iter().filter_map(|tool| tool.function.as_ref()).map(tool).collect()
}

/// What the caller chose; with tools and no choice it is up to the model.
///
/// # Errors
/// A choice that there is not, in words for the caller.
pub(crate) fn choice(choice: &str, tools: &[model::Tool]) -> Result<Option<ToolChoice>, &'static str> {
    match choice {
        "" if tools.is_empty() => Ok(None),
        "" | "auto" => Ok(Some(ToolChoice::Auto)),
        "none" => Ok(Some(ToolChoice::None)),
        "required" if tools.is_empty() => Err(NO_TOOLS),
        "required" => Ok(Some(ToolChoice::Required)),
        name if tools.is_empty() || is_among(name, tools) => Ok(Some(ToolChoice::Named(name.to_owned()))),
        _ => Err(NOT_FOUND),
    }
}

fn is_among(name: &str, tools: &[model::Tool]) -> bool {
    tools.iter().any(|tool| tool.function.as_ref().is_some_and(|function| function.name == name))
}
