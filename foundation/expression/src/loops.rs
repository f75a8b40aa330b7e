//! Loops of expressions, each of whose steps is made to read [`STEP`].
use crate::budget::STEP;
use crate::presence::soften;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, operators};
use cel::parser::Expression as Node;

/// Loops within each other or in a row: each can make a value several times as large.
pub(crate) const MOST: usize = 8;

/// Binds all loops below a node, and makes each `has` the one that is wanted. Returns how many there are on the way to its deepest one.
pub(crate) fn bind(node: &mut Node) -> usize {
    let deepest = children(&mut node.expr).into_iter().map(bind).max().unwrap_or_default();
    soften(node);
    let Expr::Comprehension(comprehension) = &mut node.expr else { return deepest };
    guard(comprehension);
    deepest + 1
}

/// The library adds to lists in place only when it knows the shape of a loop, so the shape is kept: a loop with a
/// condition asks in it, another one asks in its step.
fn guard(comprehension: &mut ComprehensionExpr) {
    let ComprehensionExpr { loop_cond, loop_step, .. } = comprehension;
    let in_step = matches!(loop_cond.expr, Expr::Literal(_)).then(|| of_step(loop_step)).flatten();
    let (node, otherwise) = in_step.unwrap_or((loop_cond, LiteralValue::Boolean(false.into())));
    ask(node, otherwise);
}

/// The condition of a step, or else what it adds to a list; and a value of its kind.
fn of_step(step: &mut Node) -> Option<(&mut Node, LiteralValue)> {
    let Expr::Call(CallExpr { func_name, args, .. }) = &mut step.expr else { return None };
    match args.as_mut_slice() {
        [condition, ..] if func_name == operators::CONDITIONAL => {
            Some((condition, LiteralValue::Boolean(false.into())))
        }
        [_, Node { expr: Expr::List(added), .. }] => Some((added.elements.first_mut()?, LiteralValue::Null)),
        _ => None,
    }
}

/// `node` becomes `STEP ? node : otherwise`, which is an error when the budget is spent.
fn ask(node: &mut Node, otherwise: LiteralValue) {
    let id = node.id;
    let of = |expr| Node { id, expr };
    let args = vec![of(Expr::Ident(STEP.to_owned())), std::mem::take(node), of(Expr::Literal(otherwise))];
    *node = of(Expr::Call(CallExpr { func_name: operators::CONDITIONAL.to_owned(), target: None, args }));
}

/// The nodes right below one.
pub(crate) fn children(expr: &mut Expr) -> Vec<&mut Node> {
    match expr {
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(parts) => {
            let ComprehensionExpr { iter_range, accu_init, loop_cond, loop_step, result, .. } = &mut **parts;
            vec![iter_range, accu_init, loop_cond, loop_step, result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(parts).collect(),
        Expr::Select(select) => vec![&mut select.operand],
        Expr::Struct(of) => of.entries.iter_mut().flat_map(parts).collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn parts(entry: &mut IdedEntryExpr) -> Vec<&mut Node> {
    match &mut entry.expr {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}
