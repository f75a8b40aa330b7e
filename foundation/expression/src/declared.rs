//! Which functions there are. The library finds out at each evaluation only, and a rule that calls another one would fail for every
//! event.
use crate::loops::children;
use cel::common::ast::{CallExpr, Expr};
use cel::parser::Expression as Node;
use foundation_metadata::meant;

/// A function: its name, with how many values it is called as `f(a, b)`, and with how many as `a.f(b)`.
type Declared = (&'static str, &'static [usize], &'static [usize]);

const FUNCTIONS: [Declared; 25] = [
    ("bool", &[1], &[]),
    ("bytes", &[1], &[]),
    ("contains", &[], &[1]),
    ("double", &[1], &[]),
    ("duration", &[1], &[]),
    ("dyn", &[1], &[]),
    ("endsWith", &[], &[1]),
    ("getDate", &[], &[0, 1]),
    ("getDayOfMonth", &[], &[0, 1]),
    ("getDayOfWeek", &[], &[0, 1]),
    ("getDayOfYear", &[], &[0, 1]),
    ("getFullYear", &[], &[0, 1]),
    ("getHours", &[], &[0, 1]),
    ("getMilliseconds", &[], &[0, 1]),
    ("getMinutes", &[], &[0, 1]),
    ("getMonth", &[], &[0, 1]),
    ("getSeconds", &[], &[0, 1]),
    ("int", &[1], &[]),
    ("matches", &[2], &[1]),
    ("size", &[1], &[0]),
    ("startsWith", &[], &[1]),
    ("string", &[1], &[]),
    ("timestamp", &[1], &[]),
    ("type", &[1], &[]),
    ("uint", &[1], &[]),
];
/// What is a function only as long as it is called as it should be.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];

/// Looks whether all functions that an expression calls are there.
///
/// # Errors
/// Names the first one that is not.
pub(crate) fn check(node: &mut Node) -> Result<(), String> {
    if let Expr::Call(call) = &node.expr {
        check_call(call)?;
    }
    children(&mut node.expr).into_iter().try_for_each(check)
}

fn check_call(call: &CallExpr) -> Result<(), String> {
    let name = call.func_name.as_str();
    if !is_written(name) {
        return Ok(());
    }
    let Some((_, functions, methods)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(unknown(name));
    };
    let (forms, form) = if call.target.is_some() { (methods, "method") } else { (functions, "function") };
    match call.args.len() {
        _ if forms.is_empty() => Err(format!("{name} cannot be called as a {form}")),
        given if !forms.contains(&given) => Err(format!("the {form} {name} does not take {given} arguments")),
        _ => Ok(()),
    }
}

/// Operators are functions, too, with names that nobody can write.
fn is_written(name: &str) -> bool {
    name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
}

fn unknown(name: &str) -> String {
    if MACROS.contains(&name) {
        return format!("{name} is not called as it should be; check its arguments");
    }
    match meant(name, FUNCTIONS.iter().map(|(known, ..)| *known).chain(MACROS)) {
        Some(known) => format!("there is no function {name}; {known} was probably meant"),
        None => format!("there is no function {name}; check it against those of CEL"),
    }
}
