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

/// Expressions of time over the event `e`, and what they are.
const TIMES: [(&str, bool); 22] = [
    ("timestamp(e.time) > timestamp('2024-02-29T12:00:00Z')", true),
    ("timestamp(e.time) >= timestamp('2024-03-01T00:30:00.5+01:00')", true),
    ("timestamp(e.time) == timestamp('2024-03-01T00:30:00.5+01:00')", true),
    ("timestamp(e.time) < timestamp('2024-02-29T23:30:00Z')", false),
    ("timestamp(e.time) - timestamp('2024-02-29T22:30:00Z') > duration('1h')", true),
    ("timestamp(e.time) + duration('-1h') < timestamp(e.time)", true),
    ("duration('1h') + timestamp(e.time) - duration('3600s') == timestamp(timestamp(e.time))", true),
    ("duration('1.5h') == duration('90m') && duration('1m') != duration(duration('1s'))", true),
    ("duration('1h') - duration('1m') + duration('60s') <= duration('1h')", true),
    ("timestamp(1709249400) <= timestamp(e.time) && int(timestamp(e.time)) == 1709249400", true),
    ("string(timestamp(0)) == '1970-01-01T00:00:00Z' && string(duration('1m0.5s')) == '60.5s'", true),
    ("timestamp(e.time).getFullYear() == 2024 && timestamp(e.time).getMonth() == 1", true),
    ("timestamp(e.time).getDate() == 29 && timestamp(e.time).getDayOfMonth() == 28", true),
    ("timestamp(e.time).getDayOfYear() == 59 && timestamp(e.time).getDayOfWeek() == 4", true),
    ("timestamp(e.time).getHours() == 23 && timestamp(e.time).getMinutes() == 30", true),
    ("timestamp(e.time).getSeconds() == 0 && timestamp(e.time).getMilliseconds() == 500", true),
    ("timestamp(e.time).getHours('+02:00') == 1 && timestamp(e.time).getDate('+02:00') == 1", true),
    ("timestamp(e.time).getDayOfWeek('UTC') == 4", true),
    ("duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90", true),
    ("duration('90m').getSeconds() == 5400 && duration('1s').getMilliseconds() == 1000", true),
    ("type(timestamp(e.time)) == google.protobuf.Timestamp && type(duration('1s')) != type(1)", true),
    ("timestamp(e.time) in [timestamp(e.time)] && [duration('1s')].exists(d, d == duration('1s'))", true),
];

fn about_time(text: &str) -> Result<bool, Failure> {
    let budget = Budget::unlimited();
    let event = HashMap::from([("time".to_owned(), Value::from("2024-02-29T23:30:00.5Z"))]);
    Expression::parse(text).unwrap().is_true(&Variables::new(&budget).with("e", event))
}

#[test]
fn times_are_compared_and_taken_apart() {
    for (text, result) in TIMES {
        assert_eq!(about_time(text), Ok(result), "{text}");
    }
}

#[test]
fn what_is_no_time_is_an_error() {
    for text in [
        "timestamp('yesterday') > timestamp(0)",
        "duration('1 hour') > duration('1s')",
        "duration('--1s') > duration('1s')",
        "timestamp(e.time) > 5",
        "timestamp(e.time) > duration('1s')",
        "timestamp(e.time) + timestamp(e.time) == timestamp(0)",
        "timestamp(e.time).getHours('Mars') == 1",
        "timestamp(9223372036854775807) > timestamp(0)",
        "timestamp('9999-12-30T00:00:00Z') + duration('9999h') > timestamp(0)",
        "duration('2562047h') + duration('2562047h') < duration('0')",
        "size(timestamp(e.time)) == 1",
    ] {
        assert!(matches!(about_time(text), Err(Failure::Failed(_))), "{text}: {:?}", about_time(text));
    }
    for text in ["timestamp(e.time)", "duration('1s')"] {
        assert!(about_time(text).is_err(), "{text}");
    }
}

#[test]
fn functions_that_are_not_there_are_refused_at_once() {
    for (text, told) in [
        ("event.data.lower() == 'a'", "there is no function lower;"),
        ("[1].all(a, now() > a)", "there is no function now;"),
        ("event.kind.startWith('a')", "startsWith was probably meant"),
        ("{'a': strip(event)}['a'] == 1", "there is no function strip;"),
        ("startsWith(event.kind, 'a')", "startsWith cannot be called as a function"),
        ("event.time.timestamp() == 1", "timestamp cannot be called as a method"),
        ("size() == 0", "the function size does not take 0 arguments"),
        ("has(event.kind, 1)", "has is not called as it should be"),
        ("math.greatest(1, 2) == 2", "there is no function greatest;"),
    ] {
        let refused = Expression::parse(text).unwrap_err();
        assert!(refused.contains(told), "{text}: {refused}");
    }
}

#[test]
fn functions_that_are_there_are_those_of_the_library() {
    for text in [
        "bool('true')",
        "bytes('a') == b'a'",
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')",
        "double('1.5') == 1.5 && int('1') == 1 && uint('1') == 1u && string(1) == '1'",
        "dyn(1) == 1 && type(1) == int",
        "matches('abc', 'b') && 'abc'.matches('b')",
        "size('a') == 1 && [1].size() == 1 && size({}) == 0",
        "[1].map(a, a) == [1] && [1].filter(a, true).exists_one(a, a == 1)",
    ] {
        assert_eq!(is_true(text, 1, &Budget::unlimited()), Ok(true), "{text}");
    }
}
