//! Expressions with and without loops.
use super::*;
use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;
use tokio::task::yield_now;

/// Loops of every kind over `l`, and what they are for three elements.
const LOOPS: [(&str, bool); 12] = [
    ("l.all(a, a > 0)", true),
    ("l.all(a, a > 1)", false),
    ("l.exists(a, a == 2)", true),
    ("l.exists_one(a, a == 2)", true),
    ("l.exists_one(a, a > 1)", false),
    ("l.map(a, a + 1) == [2, 3, 4]", true),
    ("l.map(a, a > 1, [a]) == [[2], [3]]", true),
    ("l.filter(a, a > 1) == [2, 3]", true),
    ("l.filter(a, a > 1).map(b, b * 2) == [4, 6]", true),
    ("l.all(a, l.exists(b, a == b))", true),
    ("{'k': [1].map(a, l)}.k[0] == l && !l.exists(a, a == 9)", true),
    ("(l.all(a, a > 0) ? l.filter(a, a > 2) : l)[0] == 3", true),
];

fn is_true(text: &str, list: i64, budget: &Budget) -> Result<bool, Failure> {
    let variables = Variables::new(budget).with("l", (1..=list).collect::<Vec<_>>());
    Expression::parse(text).unwrap().is_true(&variables)
}

#[test]
fn loops_are_what_they_were() {
    for (text, result) in LOOPS {
        for budget in [Budget::unlimited(), Budget::lasting(Duration::from_secs(3600))] {
            assert_eq!(is_true(text, 3, &budget), Ok(result), "{text}");
        }
    }
    assert!(matches!(is_true("l.all(a, a.b)", 3, &Budget::unlimited()), Err(Failure::Failed(_))));
    assert_eq!(is_true("l", 3, &Budget::unlimited()), Err(Failure::NotBoolean));
}

#[test]
fn every_loop_ends_with_its_budget() {
    for (text, _) in LOOPS {
        assert_eq!(is_true(text, 3, &Budget::lasting(Duration::ZERO)), Err(Failure::Spent), "{text}");
    }
    let overruled = "l.all(a, l.exists(b, l.all(c, c > 0))) || true";
    assert_eq!(is_true(overruled, 1 << 20, &Budget::lasting(Duration::from_millis(1))), Err(Failure::Spent));
    assert_eq!(is_true("1 + 1 == 2", 3, &Budget::lasting(Duration::ZERO)), Ok(true), "there is no loop");
}

#[test]
fn loops_are_counted_where_they_multiply() {
    let loops = |text: &str| Expression::parse(text).map(|expression| expression.loops());
    assert_eq!(loops("l[0] == 1 && has(m.k)"), Ok(0));
    assert_eq!(loops("l.all(a, true) && l.all(a, true)"), Ok(1));
    assert_eq!(loops("l.all(a, l.all(b, true))"), Ok(2));
    assert_eq!(loops("{'k': l.map(a, a).map(a, a)}.k == [l.filter(a, true)]"), Ok(2));
    let row = |number| format!("l{}", ".map(a, a + a)".repeat(number));
    assert_eq!(loops(&row(loops::MOST)), Ok(loops::MOST));
    assert!(loops(&row(loops::MOST + 1)).unwrap_err().contains("more than 8 macros"));
}

#[test]
fn a_step_cannot_be_written() {
    assert!(Expression::parse("@step").is_err());
}

#[tokio::test]
async fn work_apart_leaves_the_worker_to_others() {
    let work = |budget: &Budget| is_true("l.all(a, l.all(b, l.all(c, c > 0)))", 100_000, budget);
    let mut evaluation = pin!(apart(work));
    tokio::select! {
        biased;
        _ = evaluation.as_mut() => panic!("it has held up the worker"),
        () = yield_now() => {}
    }
    assert_eq!(evaluation.await, Ok(Err(Failure::Spent)));
}

#[tokio::test]
async fn a_panic_apart_is_an_error() {
    assert_eq!(apart(|_| assert!(std::hint::black_box(false))).await, Err(Late::BrokenOff));
}

#[test]
fn what_has_no_members_lacks_them() {
    let budget = Budget::unlimited();
    let has = |data: Value| {
        let variables = Variables::new(&budget).with("event", HashMap::from([("data".to_owned(), data)]));
        Expression::parse("has(event.data.kind) && event.data.kind == 'a'").unwrap().is_true(&variables)
    };
    let kind = |kind: &str| Value::from(HashMap::from([("kind".to_owned(), Value::from(kind))]));
    assert_eq!(
        [has(kind("a")), has(kind("b")), has(Value::from(HashMap::<String, Value>::new()))],
        [Ok(true), Ok(false), Ok(false)]
    );
    for data in [Value::from("text"), Value::from(5.0), Value::Null, Value::from(true)] {
        assert_eq!(has(data), Ok(false));
    }
    assert!(matches!(has(Value::from(vec![1_i64])), Err(Failure::Failed(_))));
}
