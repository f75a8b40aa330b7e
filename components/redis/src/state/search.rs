//! Documents of the query API as searches of RediSearch.
use super::index::Index;
use component_api::state::{Comparison, Filter, Query, Sorting};
use component_api::{Error, Result};
use redis::Cmd;
use serde_json::Value;

/// Most entries of an answer that asks for no pages, which is what servers give at most.
pub(super) const MOST: usize = 10_000;

/// The command for a query, whose answer has whole documents.
///
/// # Errors
/// The query asks for members that the index does not have, or in a way that it cannot.
pub(super) fn command(index: &Index, query: &Query) -> Result<Cmd> {
    let condition = query.filter.as_ref().map_or(Ok("*".to_owned()), |filter| condition(index, filter))?;
    let mut search = redis::cmd("FT.SEARCH");
    search.arg(&index.name).arg(condition);
    add_order(&mut search, index, &query.sort)?;
    let limit = if query.limit == 0 { MOST } else { query.limit };
    search.arg("LIMIT").arg(query.skip).arg(limit).arg("RETURN").arg(1).arg("$");
    Ok(search)
}

fn add_order(search: &mut Cmd, index: &Index, sort: &[Sorting]) -> Result<()> {
    let [sorting] = sort else {
        let refusal = "multiple SORTBY steps are not allowed. Sort multiple fields in a single step";
        return if sort.is_empty() { Ok(()) } else { Err(Error::invalid(refusal)) };
    };
    search.arg("SORTBY").arg(index.field(&sorting.key)?.0);
    if sorting.is_descending {
        search.arg("DESC");
    }
    Ok(())
}

fn condition(index: &Index, filter: &Filter) -> Result<String> {
    match filter {
        Filter::Compare(Comparison::Equal, key, value) => equal(index, key, value),
        // What follows a minus without parentheses around it is denied along with it.
        Filter::Compare(Comparison::NotEqual, key, value) => Ok(format!("(-({}))", equal(index, key, value)?)),
        Filter::Compare(comparison, key, value) => range(index, *comparison, key, value),
        Filter::In(key, values) => joined(values, "|", |value| equal(index, key, value)),
        Filter::And(filters) => joined(filters, " ", |filter| condition(index, filter)),
        Filter::Or(filters) => joined(filters, "|", |filter| condition(index, filter)),
    }
}

fn joined<T>(parts: &[T], operator: &str, condition: impl Fn(&T) -> Result<String>) -> Result<String> {
    let part = |part| {
        let text = condition(part)?;
        Ok(if text.starts_with('(') { text } else { format!("({text})") })
    };
    let parts = parts.iter().map(part).collect::<Result<Vec<_>>>()?;
    Ok(format!("({})", parts.join(operator)))
}

/// Texts have all of the words; tags and numbers are the same.
fn equal(index: &Index, key: &str, value: &Value) -> Result<String> {
    let (alias, is_tag) = index.field(key)?;
    match value {
        Value::String(text) if is_tag => Ok(format!("@{alias}:{{{}}}", tag(key, text)?)),
        Value::Bool(truth) if is_tag => Ok(format!("@{alias}:{{{truth}}}")),
        Value::String(text) => Ok(format!("@{alias}:({})", words(key, text)?)),
        value => number(key, value).map(|number| format!("@{alias}:[{number} {number}]")),
    }
}

fn range(index: &Index, comparison: Comparison, key: &str, value: &Value) -> Result<String> {
    let (alias, number) = (index.field(key)?.0, number(key, value)?);
    Ok(match comparison {
        Comparison::Greater => format!("@{alias}:[({number} +inf]"),
        Comparison::GreaterOrEqual => format!("@{alias}:[{number} +inf]"),
        Comparison::Less => format!("@{alias}:[-inf ({number}]"),
        _ => format!("@{alias}:[-inf {number}]"),
    })
}

/// The server reads no exponents in all places.
fn number(key: &str, value: &Value) -> Result<String> {
    let text =
        value.as_i64().map(|whole| whole.to_string()).or_else(|| value.as_f64().map(|number| number.to_string()));
    text.ok_or_else(|| Error::invalid(format!("unsupported type of value {value} for \"{key}\": a text or a number")))
}

/// The words of a text as the server divides it, so that nothing in it is read as part of the query.
fn words(key: &str, text: &str) -> Result<String> {
    let mut words = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '/' | '?' | '\\' | '`' | '|' => words.extend(['\\', letter]),
            letter if letter.is_ascii_punctuation() && letter != '_' => words.push(' '),
            letter => words.push(letter),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { Err(no_words(key)) } else { Ok(words) }
}

fn tag(key: &str, text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(no_words(key));
    }
    let literal = |letter: char| {
        let plain = !letter.is_ascii() || letter.is_ascii_alphanumeric() || letter == '_';
        (!plain).then_some('\\').into_iter().chain([letter])
    };
    Ok(text.chars().flat_map(literal).collect())
}

fn no_words(key: &str) -> Error {
    Error::invalid(format!("the value for \"{key}\" has no word that can be searched for"))
}

#[cfg(test)]
mod tests {
    use super::super::index::tests::example;
    use super::*;
    use serde_json::json;

    fn condition_of(filter: Value) -> Result<String> {
        let query = Query::read(&json!({"filter": filter}))?;
        query.filter.as_ref().map_or(Ok(String::new()), |filter| condition(&example(), filter))
    }

    #[test]
    fn filters_are_those_of_dapr() {
        let cases = [
            (json!({"EQ": {"person.org": "A"}}), "@var0:(A)"),
            (
                json!({"OR": [{"EQ": {"person.id": 123}}, {"AND": [
                    {"NEQ": {"person.org": "B"}}, {"IN": {"person.id": [567, 890.5]}},
                ]}]}),
                "((@var1:[123 123])|((-(@var0:(B))) ((@var1:[567 567])|(@var1:[890.5 890.5]))))",
            ),
            (json!({"LT": {"person.id": 1e20}}), "@var1:[-inf (100000000000000000000]"),
            (json!({"LTE": {"person.id": 2}}), "@var1:[-inf 2]"),
            (json!({"GT": {"person.id": -1.5}}), "@var1:[(-1.5 +inf]"),
            (json!({"GTE": {"person.id": 2}}), "@var1:[2 +inf]"),
            (json!({"NEQ": {"person.org": "B"}}), "(-(@var0:(B)))"),
        ];
        for (filter, expected) in cases {
            assert_eq!(condition_of(filter).unwrap(), expected);
        }
    }

    #[test]
    fn values_stay_values() {
        let cases = [
            (json!({"EQ": {"person.org": "a) | @var1:[0 9] -b_c/d"}}), r"@var0:(a \| var1 0 9 b_c\/d)"),
            (json!({"EQ": {"state": "New York} | {x"}}), r"@var2:{New\ York\}\ \|\ \{x}"),
            (json!({"EQ": {"state": true}}), "@var2:{true}"),
        ];
        for (filter, expected) in cases {
            assert_eq!(condition_of(filter).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_searched_for_is_told() {
        let cases = [
            (json!({"EQ": {"city": "A"}}), "\"city\" is not indexed"),
            (json!({"EQ": {"person.org": "()"}}), "no word"),
            (json!({"EQ": {"person.id": null}}), "unsupported type of value null"),
            (json!({"GT": {"person.id": [1]}}), "unsupported type of value [1]"),
        ];
        for (filter, expected) in cases {
            let error = condition_of(filter).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn order_and_pages() {
        let words = |document: Value| {
            let command = command(&example(), &Query::read(&document)?)?;
            Ok::<_, Error>(String::from_utf8_lossy(&command.get_packed_command()).replace("\r\n", " "))
        };
        let page = words(json!({"sort": [{"key": "person.id", "order": "DESC"}], "page": {"limit": 2, "token": "4"}}));
        let page = page.unwrap();
        assert!(page.contains("$1 * $6 SORTBY $4 var1 $4 DESC $5 LIMIT $1 4 $1 2 $6 RETURN $1 1 $1 $"), "{page}");
        assert!(words(json!({})).unwrap().contains("LIMIT $1 0 $5 10000"));
        let two = words(json!({"sort": [{"key": "person.id"}, {"key": "state"}]}));
        assert!(two.unwrap_err().to_string().contains("multiple SORTBY"));
    }
}
