//! The page of a component type, from its descriptor and the schema of its metadata.
use component_api::{Descriptor, Registry, Status, Table};
use serde_json::{Map, Value};

/// Component types with one purpose.
pub(super) struct Category {
    /// Start of the full type, such as `state`.
    pub(super) prefix: &'static str,
    pub(super) title: &'static str,
    pub(super) descriptors: Vec<Descriptor>,
}

/// All categories with the types of this build.
pub(super) fn categories() -> Vec<Category> {
    let mut registry = Registry::default();
    component_all::register_all(&mut registry);
    vec![
        category("state", "State stores", &registry.state),
        category("pubsub", "Publish/subscribe brokers", &registry.pubsub),
        category("bindings", "Bindings", &registry.binding),
        category("secretstores", "Secret stores", &registry.secret),
        category("configuration", "Configuration stores", &registry.configuration),
        category("lock", "Lock stores", &registry.lock),
        category("crypto", "Cryptography", &registry.crypto),
        category("conversation", "Conversation", &registry.conversation),
        category("middleware", "HTTP middleware", &registry.middleware),
        category("nameresolution", "Name resolution", &registry.naming),
    ]
}

fn category<T: ?Sized + 'static>(prefix: &'static str, title: &'static str, table: &Table<T>) -> Category {
    let mut descriptors: Vec<_> = table.descriptors().cloned().collect();
    descriptors.sort_by_key(|descriptor| descriptor.names[0]);
    Category { prefix, title, descriptors }
}

/// The word for a status.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Alpha => "alpha",
        Status::Beta => "beta",
        Status::Stable => "stable",
    }
}

/// The page without its heading comment.
pub(super) fn page(category: &Category, descriptor: &Descriptor) -> String {
    let Category { prefix, .. } = category;
    let (name, versions) = (descriptor.names[0], descriptor.versions.join(", "));
    let mut text = format!("# {prefix}.{name}\n\n{}\n\n", descriptor.summary);
    text += &format!("Status: {}. Versions: {versions}.", status(descriptor.status));
    if let [_, aliases @ ..] = descriptor.names
        && !aliases.is_empty()
    {
        let aliases: Vec<_> = aliases.iter().map(|alias| format!("`{prefix}.{alias}`")).collect();
        text += &format!(" Also known as {}.", aliases.join(", "));
    }
    text + "\n\n" + &metadata((descriptor.schema)().as_value())
}

fn metadata(schema: &Value) -> String {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    if properties.is_empty() && schema["additionalProperties"].is_object() {
        return format!("{}\n", schema["description"].as_str().unwrap_or_default().replace('\n', " "));
    }
    if properties.is_empty() {
        return "It takes no metadata.\n".to_owned();
    }
    let mut text = "| metadata | type | default | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, property) in properties {
        let required = schema["required"].as_array().is_some_and(|required| required.contains(&name.as_str().into()));
        let default = if required { "required".to_owned() } else { shown(&property["default"]) };
        let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        text += &format!("| `{name}` | {} | {default} | {meaning} |\n", kind(schema, property));
    }
    text
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

fn kind(schema: &Value, property: &Value) -> String {
    if let Some(reference) = property["$ref"].as_str().or_else(|| property["allOf"][0]["$ref"].as_str()) {
        return kind(schema, schema.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null));
    }
    if let Some(options) = property["oneOf"].as_array().or_else(|| property["anyOf"].as_array()) {
        let of = options.iter().filter(|option| option["type"] != "null");
        return of.map(|option| kind(schema, option)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(constant) = property["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(options) = property["enum"].as_array() {
        return options
            .iter()
            .map(|option| format!("`{}`", option.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match &property["type"] {
        Value::Array(types) => {
            types.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any").to_owned()
        }
        Value::String(name) => name.clone(),
        _ => "any".to_owned(),
    }
}
