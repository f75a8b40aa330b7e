//! Whether this build has the type of a component.
use super::Failure;
use super::category::Category;
use component_api::{Factory, Registry, Table, unknown_type};
use foundation_resources::{Component, ComponentSpec, Resource};
use std::fmt::Display;

/// Looks whether a component could be made at all.
///
/// # Errors
/// Its type belongs to no building block, or is not in this build.
pub(super) fn check(registry: &Registry, component: &Component) -> Result<(), Failure> {
    let kind = &component.spec.kind;
    match Category::of(kind).ok_or_else(|| Failure::category(kind))? {
        Category::State => found(&registry.state, component).map(drop),
        Category::Pubsub => found(&registry.pubsub, component).map(drop),
        Category::Secret => found(&registry.secret, component).map(drop),
        Category::Binding => found(&registry.binding, component).map(drop),
        Category::Configuration => found(&registry.configuration, component).map(drop),
        Category::Lock => found(&registry.lock, component).map(drop),
        Category::Crypto => found(&registry.crypto, component).map(drop),
        Category::Conversation => found(&registry.conversation, component).map(drop),
        Category::Middleware => found(&registry.middleware, component).map(drop),
        // Such components are left out, with a word.
        Category::Absent => Ok(()),
    }
}

/// What makes a component.
///
/// # Errors
/// Its type, or this version of it, is not in this build.
pub(super) fn found<T: ?Sized + 'static>(types: &Table<T>, component: &Component) -> Result<Factory<T>, Failure> {
    let ComponentSpec { kind, version, .. } = &component.spec;
    let (prefix, short) = kind.split_once('.').unwrap_or_default();
    types.find(short, version).or_error(kind, version).map_err(|advice| match types.meant(short) {
        Some(meant) => unknown(component, &format_args!("did you mean {prefix}.{meant}?")),
        None => unknown(component, &advice),
    })
}

/// A type that no table has.
pub(super) fn absent(component: &Component) -> Failure {
    unknown(component, &unknown_type())
}

fn unknown(component: &Component, advice: &dyn Display) -> Failure {
    let ComponentSpec { kind, version, .. } = &component.spec;
    let noun = Category::of(kind).unwrap_or(Category::Absent).noun();
    let reason = format!("couldn't find {noun} {kind}/{version}: {advice}");
    Failure::Create { name: component.log_name(), reason }
}
