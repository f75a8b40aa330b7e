//! Documents of the query API as filters of MongoDB.
use crate::value::bson;
use component_api::state::{Comparison, Filter, Sorting};
use mongodb::bson::{Bson, Document, doc};

/// The filter of `find`, which matches what has not expired.
pub(crate) fn filter(filter: Option<&Filter>) -> Document {
    match filter {
        Some(filter) => doc! {"$and": [condition(filter), alive()]},
        None => alive(),
    }
}

/// The order of `find`.
pub(crate) fn order(sort: &[Sorting]) -> Document {
    let direction = |sorting: &Sorting| Bson::Int32(if sorting.is_descending { -1 } else { 1 });
    sort.iter().map(|sorting| (member(&sorting.key), direction(sorting))).collect()
}

/// Documents expire some time before the server removes them. One without the field never does.
pub(crate) fn alive() -> Document {
    doc! {"$expr": {"$or": [
        {"$eq": [{"$ifNull": ["$_ttl", Bson::Null]}, Bson::Null]},
        {"$gte": ["$_ttl", "$$NOW"]},
    ]}}
}

fn condition(filter: &Filter) -> Document {
    match filter {
        Filter::Compare(comparison, key, value) => {
            doc! {member(key): {operator(*comparison): bson(value.clone())}}
        }
        Filter::In(key, values) => doc! {member(key): {"$in": values.iter().cloned().map(bson).collect::<Vec<_>>()}},
        Filter::And(filters) => doc! {"$and": filters.iter().map(condition).collect::<Vec<_>>()},
        Filter::Or(filters) => doc! {"$or": filters.iter().map(condition).collect::<Vec<_>>()},
    }
}

fn member(key: &str) -> String {
    format!("value.{key}")
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "$eq",
        Comparison::NotEqual => "$ne",
        Comparison::Greater => "$gt",
        Comparison::GreaterOrEqual => "$gte",
        Comparison::Less => "$lt",
        Comparison::LessOrEqual => "$lte",
    }
}

/// The regular expression for a LIKE pattern with `\` as escape.
pub(crate) fn expression(pattern: &str) -> String {
    let mut expression = "^".to_owned();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => expression.push_str(".*"),
            '_' => expression.push('.'),
            '\\' => literally(&mut expression, letters.next().unwrap_or('\\')),
            other => literally(&mut expression, other),
        }
    }
    expression + "$"
}

fn literally(expression: &mut String, letter: char) {
    if r"\.+*?()|[]{}^$".contains(letter) {
        expression.push('\\');
    }
    expression.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;
    use component_api::state::Query;
    use serde_json::json;

    #[test]
    fn filters_of_mongodb() {
        let query = Query::read(&json!({
            "filter": {"OR": [{"EQ": {"a.b": "x"}}, {"AND": [{"GT": {"n": 1}}, {"IN": {"c": [true, null]}}]}]},
            "sort": [{"key": "a.b", "order": "DESC"}, {"key": "c", "order": "ASC"}],
        }));
        let query = query.unwrap();
        let both = doc! {"$and": [{"value.n": {"$gt": 1.0}}, {"value.c": {"$in": [true, Bson::Null]}}]};
        let expected = doc! {"$and": [{"$or": [{"value.a.b": {"$eq": "x"}}, both]}, alive()]};
        assert_eq!(filter(query.filter.as_ref()), expected);
        assert_eq!(order(&query.sort), doc! {"value.a.b": -1, "value.c": 1});
    }

    #[test]
    fn patterns_are_expressions() {
        let cases =
            [("a%b_", "^a.*b.$"), (r"100\%", "^100%$"), (r"a\_b", "^a_b$"), ("a.b|", r"^a\.b\|$"), ("\\", r"^\\$")];
        for (pattern, expected) in cases {
            assert_eq!(expression(pattern), expected);
        }
    }
}
