//! Variables that the clients of models know by convention.

/// The first of these variables that says something.
pub(crate) fn first(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var_os(name)?.into_string().ok()).filter(|text| !text.is_empty())
}

/// The model that a variable names before all, then what the metadata names, then the usual one.
pub(crate) fn model(variable: &str, given: &str, usual: &str) -> String {
    let given = Some(given.to_owned()).filter(|model| !model.is_empty());
    first(&[variable]).or(given).unwrap_or_else(|| usual.to_owned())
}
