//! Which secrets the app may read: `secrets.scopes` of the Configuration (surface.md 3.3).
use std::collections::{BTreeMap, BTreeSet};

/// What holds for a secret that no list names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Allow,
    Deny,
}

/// The rules for one store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub default_access: Access,
    /// When there are any, only these may be read.
    pub allowed: BTreeSet<String>,
    pub denied: BTreeSet<String>,
}

impl Scope {
    /// Whether a secret may be read.
    pub fn allows(&self, secret: &str) -> bool {
        if !self.allowed.is_empty() {
            return self.allowed.contains(secret);
        }
        self.default_access == Access::Allow && !self.denied.contains(secret)
    }
}

/// The rules by the name of the store; everything may be read from a store without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeMap<String, Scope>);

impl Scopes {
    /// Whether a secret of a store may be read.
    pub fn allows(&self, store: &str, secret: &str) -> bool {
        self.0.get(store).is_none_or(|scope| scope.allows(secret))
    }

    /// Names of the stores that have rules.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(String, Scope)> for Scopes {
    fn from_iter<I: IntoIterator<Item = (String, Scope)>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(default_access: Access, allowed: &[&str], denied: &[&str]) -> Scope {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Scope { default_access, allowed: set(allowed), denied: set(denied) }
    }

    #[test]
    fn the_allowed_list_wins_over_the_denied_one_and_over_the_default() {
        for (scope, allows) in [
            (scope(Access::Allow, &[], &[]), [true, true]),
            (scope(Access::Deny, &[], &[]), [false, false]),
            (scope(Access::Allow, &["a"], &[]), [true, false]),
            (scope(Access::Deny, &["a"], &["a"]), [true, false]),
            (scope(Access::Allow, &[], &["a"]), [false, true]),
            (scope(Access::Deny, &[], &["a"]), [false, false]),
        ] {
            assert_eq!([scope.allows("a"), scope.allows("b")], allows, "{scope:?}");
        }
    }

    #[test]
    fn a_store_without_rules_is_open() {
        let scopes: Scopes = [("closed".to_owned(), scope(Access::Deny, &[], &[]))].into_iter().collect();
        assert!(scopes.allows("open", "a"));
        assert!(!scopes.allows("closed", "a"));
    }
}
