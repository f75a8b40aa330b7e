//! JSON as apps might send it: members that mean something, with values that may be wrong.
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Number, Value};

const NAMES: [&str; 16] = [
    "pubsubName",
    "TOPIC",
    "metadata",
    "route",
    "routes",
    "rules",
    "match",
    "path",
    "default",
    "bulkSubscribe",
    "enabled",
    "maxMessagesCount",
    "status",
    "statuses",
    "entryId",
    "\u{212a}",
];

/// Values up to a few levels deep.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let text =
        prop_oneof![select(&["SUCCESS", "DROP", "", "/a", "event.x == 1"][..]).prop_map(str::to_owned), "\\PC{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| Value::Number(number.into())),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        text.prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((select(&NAMES[..]).prop_map(str::to_owned), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
