//! Rules, windows and the state machines, on a clock of their own.
use super::Metadata;
use super::breaker::Breaker;
use super::entry::Outcome;
use super::flow::Flow;
use super::guard::Blocked;
use super::rules::{BreakerRule, FlowRule, Rules};
use super::system::System;
use super::window::Window;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn flow_metadata(rules: &str) -> Metadata {
    Metadata { flow_rules: rules.to_owned(), ..Metadata::default() }
}

fn breaker_metadata(rules: &str) -> Metadata {
    Metadata { circuit_breaker_rules: rules.to_owned(), ..Metadata::default() }
}

fn flow_rule(fields: &str) -> FlowRule {
    let rules = Rules::parse(&flow_metadata(&format!(r#"[{{"resource":"r",{fields}}}]"#)));
    rules.unwrap().flow.remove(0)
}

fn breaker(fields: &str) -> Breaker {
    let common = r#""resource":"r","retryTimeoutMs":3000,"statIntervalMs":1000,"#;
    let mut rules: Vec<BreakerRule> =
        Rules::parse(&breaker_metadata(&format!("[{{{common}{fields}}}]"))).unwrap().breakers;
    Breaker::new(rules.remove(0))
}

/// How many of many requests pass at this moment.
fn pass(flow: &mut Flow, now: Duration) -> usize {
    let passes = |_: &i32| {
        let passes = !flow.is_full(now);
        if passes {
            flow.count(now);
        }
        passes
    };
    (0..1000).filter(passes).count()
}

#[test]
fn a_window_forgets_bucket_by_bucket() {
    let mut window = Window::<u64>::new(ms(1000), 2);
    for now in [0, 400, 600] {
        *window.current(ms(now)) += 1;
    }
    let sum = |window: &Window<u64>, now| window.now(ms(now)).sum::<u64>();
    assert_eq!([600, 1100, 1600, 9000].map(|now| sum(&window, now)), [3, 1, 0, 0]);
    assert_eq!([0, 600, 1100].map(|now| window.before(ms(now)).sum::<u64>()), [0, 2, 3]);
    *window.current(ms(5000)) += 1;
    assert_eq!(sum(&window, 5000), 1);
}

#[test]
fn a_rate_is_a_rate() {
    let mut flow = Flow::new(&flow_rule(r#""threshold":10"#));
    assert_eq!([0, 500, 1000, 1600].map(|now| pass(&mut flow, ms(now))), [10, 0, 10, 0]);
    let mut flow = Flow::new(&flow_rule(r#""threshold":3,"statIntervalInMs":60000"#));
    assert_eq!([0, 59_999, 60_000].map(|now| pass(&mut flow, ms(now))), [3, 0, 3]);
    let mut flow = Flow::new(&flow_rule(r#""threshold":0.5"#));
    assert_eq!(pass(&mut flow, ms(0)), 0);
}

#[test]
fn a_queue_is_even_and_bounded() {
    let mut flow = Flow::new(&flow_rule(r#""threshold":10,"controlBehavior":1,"maxQueueingTimeMs":250"#));
    let waits = [0; 4].map(|now| flow.queue(ms(now)));
    assert_eq!(waits, [Ok(ms(0)), Ok(ms(100)), Ok(ms(200)), Err(Blocked::Flow)]);
    assert_eq!([flow.queue(ms(260)), flow.queue(ms(900))], [Ok(ms(40)), Ok(ms(0))]);
    let mut none = Flow::new(&flow_rule(r#""threshold":0,"controlBehavior":1"#));
    assert_eq!(none.queue(ms(0)), Err(Blocked::Flow));
}

#[test]
fn a_cold_resource_warms_up() {
    let rule = r#""threshold":90,"tokenCalculateStrategy":1,"warmUpPeriodSec":10"#;
    let mut flow = Flow::new(&flow_rule(rule));
    let seconds: Vec<_> = (0..30).map(|second| pass(&mut flow, ms(second * 1000))).collect();
    assert_eq!(seconds[0], 30, "{seconds:?}");
    assert!(seconds.is_sorted(), "{seconds:?}");
    assert_eq!(seconds[29], 90, "{seconds:?}");
    assert_eq!(pass(&mut flow, ms(300_000)), 30, "cold again");
    let mut tiny = Flow::new(&flow_rule(r#""threshold":0,"tokenCalculateStrategy":1,"warmUpPeriodSec":1"#));
    assert_eq!(pass(&mut tiny, ms(0)), 0);
}

#[test]
fn errors_open_a_breaker_and_a_success_closes_it() {
    let mut breaker = breaker(r#""strategy":1,"threshold":0.5,"minRequestAmount":4"#);
    for outcome in [Outcome::Failed, Outcome::Succeeded, Outcome::Failed, Outcome::Succeeded] {
        assert!(breaker.lets_pass(ms(1)));
        breaker.complete(ms(1), ms(0), outcome);
    }
    assert_eq!([2, 3000, 3001].map(|now| breaker.lets_pass(ms(now))), [false, false, true]);
    breaker.pass();
    assert!(!breaker.lets_pass(ms(3002)), "one is tried at a time");
    breaker.complete(ms(3100), ms(0), Outcome::Failed);
    assert_eq!([6099, 6100].map(|now| breaker.lets_pass(ms(now))), [false, true]);
    breaker.pass();
    breaker.complete(ms(6200), ms(0), Outcome::Abandoned);
    assert!(breaker.lets_pass(ms(6200)), "nothing was learned");
    breaker.pass();
    breaker.complete(ms(6300), ms(0), Outcome::Succeeded);
    breaker.complete(ms(6300), ms(0), Outcome::Failed);
    assert!(breaker.lets_pass(ms(6300)), "its counts begin anew");
}

#[test]
fn slow_requests_and_numbers_of_errors_count() {
    let mut slow = breaker(r#""threshold":1,"maxAllowedRtMs":50"#);
    slow.complete(ms(0), ms(50), Outcome::Failed);
    assert!(slow.lets_pass(ms(0)));
    slow.complete(ms(1000), ms(51), Outcome::Succeeded);
    assert!(!slow.lets_pass(ms(1000)));
    let mut errors = breaker(r#""strategy":2,"threshold":2,"statSlidingWindowBucketCount":10"#);
    errors.complete(ms(0), ms(0), Outcome::Failed);
    errors.complete(ms(1000), ms(0), Outcome::Failed);
    assert!(errors.lets_pass(ms(1000)), "the first is forgotten");
    errors.complete(ms(1100), ms(0), Outcome::Failed);
    assert!(!errors.lets_pass(ms(1100)));
}

#[test]
fn several_probes_may_be_asked_for() {
    let mut breaker = breaker(r#""strategy":2,"threshold":1,"probeNum":2"#);
    breaker.complete(ms(0), ms(0), Outcome::Failed);
    breaker.pass();
    assert!(breaker.lets_pass(ms(3000)));
    for _ in 0..2 {
        breaker.complete(ms(3000), ms(0), Outcome::Succeeded);
    }
    breaker.complete(ms(3000), ms(0), Outcome::Failed);
    assert!(!breaker.lets_pass(ms(3000)), "it was closed, and is open again");
}

#[test]
fn the_whole_is_bounded() {
    for (rule, passed) in [
        (r#"{"metricType":3,"triggerCount":2}"#, [true, true, false]),
        (r#"{"metricType":2,"triggerCount":1}"#, [true, false, false]),
        (r#"{"metricType":2,"triggerCount":9}"#, [true, true, true]),
    ] {
        let metadata = Metadata { system_rules: format!("[{rule}]"), ..Metadata::default() };
        let mut system = System::new(Rules::parse(&metadata).unwrap().system);
        let mut passes = || system.check(ms(0)).map(|()| system.enter(ms(0))).is_ok();
        assert_eq!([passes(), passes(), passes()], passed, "{rule}");
    }
    let metadata =
        Metadata { system_rules: r#"[{"metricType":1,"triggerCount":20}]"#.to_owned(), ..Metadata::default() };
    let mut system = System::new(Rules::parse(&metadata).unwrap().system);
    system.leave(ms(0), ms(10));
    assert!(system.check(ms(0)).is_ok());
    system.leave(ms(0), ms(30));
    assert!(system.check(ms(0)).is_err());
    assert!(system.check(ms(1000)).is_ok());
}

#[test]
fn rules_that_cannot_be_kept_are_refused() {
    let flow = |rule: &str| Rules::parse(&flow_metadata(rule)).err().map(|error| error.to_string());
    for (rules, reason) in [
        ("{}", "flowRules must be a JSON array of rules: "),
        (r#"[{"threshold":1}]"#, "flowRules: rule 1: resource is missing"),
        (r#"[{"resource":"a","treshold":1}]"#, "flowRules: rule 1: there is no field treshold; a rule has id, "),
        (r#"[{"resource":"a","statIntervalInMs":-1}]"#, "flowRules: rule 1: invalid value: integer `-1`"),
        (r#"[{"resource":"a","threshold":-1}]"#, "flowRules: rule 1: threshold must not be negative"),
        (
            r#"[{"resource":"a"},{"resource":"a","controlBehavior":2}]"#,
            "flowRules: rule 2: controlBehavior 2 is unknown",
        ),
        (r#"[{"resource":"a","relationStrategy":1}]"#, "flowRules: rule 1: refResource is missing"),
        (r#"[{"resource":"a","tokenCalculateStrategy":2}]"#, "flowRules: rule 1: tokenCalculateStrategy 2 (by memory)"),
        (r#"[{"resource":"a","tokenCalculateStrategy":1}]"#, "flowRules: rule 1: warmUpPeriodSec must be greater"),
    ] {
        let error = flow(rules).unwrap();
        assert!(error.starts_with(reason), "{error}");
    }
    for rules in ["", "[]", "null", r#"[{"Resource":"a","STATINTERVALINMS":null,"lowMemUsageThreshold":0}]"#] {
        assert_eq!(flow(rules), None, "{rules}");
    }
    for (rule, reason) in [
        (r#"{"resource":"a"}"#, "retryTimeoutMs must be greater than 0"),
        (r#"{"resource":"a","retryTimeoutMs":1}"#, "statIntervalMs must be greater than 0"),
        (r#"{"resource":"a","threshold":2}"#, "threshold is a ratio, which is at most 1"),
        (r#"{"resource":"a","maxSlowRequestRatio":0.5}"#, "there is no field maxSlowRequestRatio"),
        (
            r#"{"resource":"a","statIntervalMs":10,"statSlidingWindowBucketCount":3}"#,
            "statIntervalMs must be a multiple",
        ),
    ] {
        let error = Rules::parse(&breaker_metadata(&format!("[{rule}]"))).err().unwrap().to_string();
        assert!(error.starts_with(&format!("circuitBreakerRules: rule 1: {reason}")), "{error}");
    }
}

#[test]
fn other_kinds_are_checked_as_well() {
    let [mut isolation, mut system, mut hot] = [(); 3].map(|()| Metadata::default());
    isolation.isolation_rules = r#"[{"resource":"a"}]"#.to_owned();
    system.system_rules = r#"[{"metricType":4,"triggerCount":1}]"#.to_owned();
    hot.hot_spot_param_rules = r#"[{"resource":"a"}]"#.to_owned();
    for (metadata, reason) in [
        (isolation, "isolationRules: rule 1: threshold must be greater than 0"),
        (system, "systemRules: rule 1: metricType 4 (use of the processor) is not supported; use 0 (load)"),
        (hot, "hotSpotParamRules cannot be kept: "),
    ] {
        let error = Rules::parse(&metadata).err().unwrap().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

const FIELDS: [&str; 12] = [
    "resource",
    "threshold",
    "controlBehavior",
    "tokenCalculateStrategy",
    "warmUpPeriodSec",
    "warmUpColdFactor",
    "statIntervalInMs",
    "maxQueueingTimeMs",
    "strategy",
    "retryTimeoutMs",
    "statIntervalMs",
    "statSlidingWindowBucketCount",
];

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_u32).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..u32::MAX).prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
    ]
}

proptest! {
    #[test]
    fn any_rule_is_kept_or_refused(text in "\\PC{0,20}", fields in prop::collection::btree_map(select(&FIELDS[..]), number(), 0..8), times in prop::collection::vec(any::<u32>(), 0..8)) {
        Rules::parse(&flow_metadata(&text)).ok();
        let mut rule = json!(fields);
        rule["resource"] = "r".into();
        let rules = json!([rule]).to_string();
        let mut now = Duration::ZERO;
        for rule in Rules::parse(&flow_metadata(&rules)).map(|rules| rules.flow).unwrap_or_default() {
            let mut flow = Flow::new(&rule);
            for time in &times {
                now += ms((*time).into());
                if flow.queue(now).is_ok() && !flow.is_full(now) {
                    flow.count(now);
                }
            }
        }
        for rule in Rules::parse(&breaker_metadata(&rules)).map(|rules| rules.breakers).unwrap_or_default() {
            let mut breaker = Breaker::new(rule);
            for time in &times {
                now += ms((*time).into());
                if breaker.lets_pass(now) {
                    breaker.pass();
                    breaker.complete(now, ms((time % 5000).into()), Outcome::Failed);
                }
            }
        }
    }
}
