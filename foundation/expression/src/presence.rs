//! `has`, as Dapr's library has it: what has no members at all lacks them, too, instead of being an error.
use cel::Value;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Expression as Node;

/// The function that each `has` asks first. No expression can be written that calls it.
pub(crate) const HAS_MEMBERS: &str = "@has_members";

/// Whether a value is one that members are looked up in.
pub(crate) fn has_members(value: Value) -> bool {
    matches!(value, Value::Map(_) | Value::List(_))
}

/// `has(a.b)` becomes `HAS_MEMBERS(a) ? has(a.b) : false`.
pub(crate) fn soften(node: &mut Node) {
    let Expr::Select(select) = &node.expr else { return };
    if !select.test {
        return;
    }
    let (id, operand) = (node.id, (*select.operand).clone());
    let of = |expr| Node { id, expr };
    let call = |name: &str, args| Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args });
    let asked = of(call(HAS_MEMBERS, vec![operand]));
    let args = vec![asked, std::mem::take(node), of(Expr::Literal(LiteralValue::Boolean(false.into())))];
    *node = of(call(operators::CONDITIONAL, args));
}
