//! Routes of a subscription: the first rule whose expression is true gets the event (protocols.md 7.2).
use foundation_app::{Envelope, Rule};
use foundation_expression::{Budget, Expression, Failure, Value as Cel, Variables, apart};
use serde_json::Value;
use std::cell::LazyCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Levels of an event that a rule can look into; the library takes much stack for each.
const LEVELS: usize = 100;

/// An expression that is not CEL, or too large.
#[derive(Debug, thiserror::Error)]
#[error("invalid expression \"{expression}\" of a subscription: {reason}")]
pub struct InvalidRule {
    pub expression: String,
    pub reason: String,
}

/// Compiled rules in the order they are tried.
#[derive(Clone)]
pub struct Rules(Arc<[Compiled]>);

struct Compiled {
    rule: Rule,
    expression: Option<Expression>,
}

impl Rules {
    /// # Errors
    /// The first expression that is not CEL.
    pub fn compile(rules: &[Rule]) -> Result<Self, InvalidRule> {
        Ok(Self(rules.iter().map(compiled).collect::<Result<_, _>>()?))
    }

    /// The path for an event; none when no rule wants it.
    ///
    /// # Errors
    /// An expression that cannot be evaluated for this event: then it goes nowhere, not even to the default.
    pub(crate) async fn path(&self, event: &Envelope) -> Result<Option<&str>, String> {
        let place = if self.have_loops() {
            let (rules, event) = (self.clone(), map(event, LEVELS));
            apart(move |budget| rules.place(budget, || event)).await.map_err(|late| self.about_loops(&late))?
        } else {
            self.place(&Budget::unlimited(), || map(event, LEVELS))
        }?;
        Ok(place.map(|place| self.0[place].rule.path.as_str()))
    }

    fn have_loops(&self) -> bool {
        self.loops().next().is_some()
    }

    fn loops(&self) -> impl Iterator<Item = &Compiled> {
        let has_loops = |compiled: &&Compiled| compiled.expression.as_ref().is_some_and(|one| one.loops() > 0);
        self.0.iter().filter(has_loops)
    }

    /// The place of the first rule that wants the event.
    fn place(&self, budget: &Budget, event: impl FnOnce() -> Cel) -> Result<Option<usize>, String> {
        let variables = LazyCell::new(|| Variables::new(budget).with("event", event()));
        for (place, Compiled { rule, expression }) in self.0.iter().enumerate() {
            let wanted = match expression {
                None => true,
                Some(expression) => expression.is_true(&variables).map_err(|failure| said_by(rule, &failure))?,
            };
            if wanted {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn about_loops(&self, late: &dyn fmt::Display) -> String {
        let texts: Vec<_> = self.loops().filter_map(|compiled| compiled.rule.expression.as_deref()).collect();
        format!("match expression {} has no result: {late}", texts.join(" or "))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|compiled| &compiled.rule)).finish()
    }
}

fn compiled(rule: &Rule) -> Result<Compiled, InvalidRule> {
    let compile =
        |text: &String| Expression::parse(text).map_err(|reason| InvalidRule { expression: text.clone(), reason });
    Ok(Compiled { expression: rule.expression.as_ref().map(compile).transpose()?, rule: rule.clone() })
}

fn said_by(rule: &Rule, failure: &Failure) -> String {
    let text = rule.expression.as_deref().unwrap_or_default();
    match failure {
        Failure::NotBoolean => format!("the result of match expression {text} was not a boolean"),
        Failure::Spent => format!("match expression {text} has no result: {failure}"),
        Failure::Failed(reason) => reason.clone(),
    }
}

fn map(members: &Envelope, levels: usize) -> Cel {
    let members: HashMap<String, Cel> =
        members.iter().map(|(name, member)| (name.clone(), value(member, levels))).collect();
    members.into()
}

/// Numbers are doubles, as Dapr reads them. What is below `levels` is null.
fn value(json: &Value, levels: usize) -> Cel {
    match json {
        Value::Array(_) | Value::Object(_) if levels == 0 => Cel::Null,
        Value::Null => Cel::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.as_f64().unwrap_or_default().into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(|item| value(item, levels - 1)).collect::<Vec<_>>().into(),
        Value::Object(members) => map(members, levels - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    #[tokio::main(flavor = "current_thread")]
    async fn path(expressions: &[Option<&str>], event: Value) -> Result<Option<String>, String> {
        let rule = |(number, text): (usize, &Option<&str>)| Rule {
            expression: text.map(str::to_owned),
            path: number.to_string(),
        };
        let rules = Rules::compile(&expressions.iter().enumerate().map(rule).collect::<Vec<_>>()).unwrap();
        let Value::Object(event) = event else { panic!("an object") };
        rules.path(&event).await.map(|path| path.map(str::to_owned))
    }

    #[tokio::main(flavor = "current_thread")]
    async fn decide(rules: &Rules, event: &Envelope) -> Result<(), String> {
        rules.path(event).await.map(drop)
    }

    #[test]
    fn a_rule_that_loops_without_end_is_an_error_that_names_it() {
        let list: Vec<_> = (0..20_000).collect();
        let rules = [Some("event.data.l.all(a, event.data.l.all(b, a >= 0))"), None];
        let failure = path(&rules, json!({"data": {"l": list}})).unwrap_err();
        assert!(failure.contains("event.data.l.all(b") && failure.contains("loops for too long"), "{failure}");
    }

    #[test]
    fn rules_that_are_too_deep_are_refused() {
        let deep = format!("{}true{}", "(".repeat(20_000), ")".repeat(20_000));
        assert!(Rules::compile(&[Rule { expression: Some(deep), path: String::new() }]).is_err());
    }

    #[test]
    fn the_first_true_rule_wins() {
        let rules = [Some("event.type == 'gold'"), Some("event.data.n > 10"), None];
        assert_eq!(path(&rules, json!({"type": "gold", "data": {"n": 11}})).unwrap().unwrap(), "0");
        assert_eq!(path(&rules, json!({"type": "x", "data": {"n": 11}})).unwrap().unwrap(), "1");
        assert_eq!(path(&rules, json!({"type": "x", "data": {"n": 1}})).unwrap().unwrap(), "2");
        assert_eq!(path(&rules[..1], json!({"type": "x"})).unwrap(), None);
    }

    #[test]
    fn a_rule_that_fails_stops_the_event() {
        assert!(path(&[Some("event.data.n > 10"), None], json!({"data": {"x": 1}})).is_err());
        assert!(path(&[Some("event.type"), None], json!({"type": "x"})).unwrap_err().contains("not a boolean"));
        assert!(path(&[Some("nobody.knows == 1"), None], json!({})).is_err());
    }

    #[test]
    fn an_event_may_be_deeper_than_a_rule_sees() {
        let deep = (0..2 * LEVELS).fold(json!(1), |inner, _| json!({"data": inner}));
        let rules = [Some("event.data.data.data == null"), Some("has(event.data.data.data)")];
        assert_eq!(path(&rules, deep).unwrap().unwrap(), "1");
    }

    #[test]
    fn common_expressions() {
        let event = json!({"type": "order.new", "data": {"n": 1, "tags": ["a", "b"], "deep": {"x": true}}});
        for text in [
            "event.data.n == 1",
            "event.data.n >= 1 && event.data.n < 2.5",
            "event.type.startsWith('order.')",
            "'a' in event.data.tags",
            "has(event.data.deep.x) && !has(event.data.none)",
            "size(event.data.tags) == 2",
            "event.type.matches('^order[.].*')",
            "event['type'] == \"order.new\"",
            "event.data.tags.exists(t, t == 'b')",
            "event.data.deep.x ? true : false",
            "int(event.data.n) % 2 == 1",
            "event.type in ['order.new', 'order.old']",
            "event.data.tags[0] == 'a'",
            "event.type.contains('new') || event.nothing == 1",
        ] {
            assert_eq!(path(&[Some(text)], event.clone()), Ok(Some("0".to_owned())), "{text}");
        }
        assert!(Rules::compile(&[Rule { expression: Some("event.type ==".to_owned()), path: String::new() }]).is_err());
    }

    const WORDS: [&str; 40] = [
        "event",
        ".type",
        ".data",
        ".n",
        "[0]",
        "[-1]",
        "[99]",
        "['n']",
        "has",
        "size",
        "int",
        "uint",
        "double",
        "string",
        "matches",
        ".startsWith",
        ".exists",
        ".map",
        ".all",
        "(",
        ")",
        "(x, x)",
        "{",
        "}",
        "'a'",
        "\"\\\\\"",
        "b'a'",
        "r'('",
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "1e308",
        "+",
        "-",
        "/",
        "%",
        "==",
        "in",
        "&&",
    ];

    proptest! {
        #[test]
        fn any_expression_is_decided_or_refused(words in prop::collection::vec(select(&WORDS[..]), 1..14), text in "\\PC{0,20}") {
            let Value::Object(event) = json!({"type": "a", "data": {"n": [1, -2.5, "x", null]}}) else { unreachable!() };
            for expression in [words.concat(), words.join(" "), text] {
                let rule = Rule { expression: Some(expression), path: String::new() };
                if let Ok(rules) = Rules::compile(&[rule]) {
                    decide(&rules, &event).ok();
                }
            }
        }
    }
}
