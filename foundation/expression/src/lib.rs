//! CEL expressions of resources, which come to an end whatever they are given.
//!
//! The library has neither a limit of steps nor a way to interrupt it. So each loop, which is what macros such as `all` and
//! `map` become, is made to ask a [`Budget`] before it goes on, and [`apart`] keeps what has loops off the workers.
mod apart;
mod budget;
mod declared;
mod library;
mod limits;
mod loops;
mod presence;
mod time;

pub use apart::{Late, apart};
pub use budget::Budget;
pub use cel::Value;

use cel::Context;
use cel::parser::Expression as Node;
use library::ENVIRONMENT;
use presence::{HAS_MEMBERS, has_members};
use std::sync::Arc;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: Node,
    loops: usize,
}

/// Why an expression has no truth value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The budget was spent before it had one.
    #[error("it loops for too long; check its macros (all, exists, map, filter) against long lists")]
    Spent,
    /// It has a value of another kind.
    #[error("its result is not a boolean")]
    NotBoolean,
    /// It does not fit what it was given.
    #[error("{0}")]
    Failed(String),
}

impl Expression {
    /// # Errors
    /// What is wrong with an expression that is not CEL, too large, or calls what is no function.
    pub fn parse(text: &str) -> Result<Self, String> {
        limits::check(text)?;
        let mut root = ENVIRONMENT.compile(text).map_err(|error| error.to_string())?.expression().clone();
        declared::check(&mut root)?;
        let loops = loops::bind(&mut root);
        if loops > loops::MOST {
            return Err(format!("it has more than {} macros such as map within each other or in a row", loops::MOST));
        }
        Ok(Self { root, loops })
    }

    /// Macros such as `all` and `map` within each other or in a row. Without any, an expression takes no longer than its
    /// text and what it looks at are long.
    pub fn loops(&self) -> usize {
        self.loops
    }

    /// # Errors
    /// A [`Failure`] of an expression that has no truth value.
    pub fn is_true(&self, variables: &Variables<'_>) -> Result<bool, Failure> {
        let result = Value::resolve(&self.root, &variables.context);
        match result {
            // An error in a loop may be overruled around it.
            _ if variables.budget.is_spent() => Err(Failure::Spent),
            Ok(Value::Bool(result)) => Ok(result),
            Ok(_) => Err(Failure::NotBoolean),
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }
}

/// What expressions look at, and what they may spend together.
pub struct Variables<'b> {
    context: Context<'b, 'b>,
    budget: &'b Budget,
}

impl<'b> Variables<'b> {
    /// No variables yet.
    pub fn new(budget: &'b Budget) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(budget);
        // The name is nobody else's.
        context.add_function(HAS_MEMBERS, has_members).ok();
        Self { context, budget }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.add_variable_from_value(name, value);
        self
    }
}

#[cfg(test)]
mod tests;
