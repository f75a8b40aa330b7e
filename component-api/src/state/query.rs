//! Documents of the query API: a filter over members of values, an order, and a page.
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Which entries; all of them without one.
    pub filter: Option<Filter>,
    /// Members of the value, the first counts most.
    pub sort: Vec<Sorting>,
    /// Most entries of an answer; 0 is any number.
    pub limit: usize,
    /// Number of entries that earlier pages had.
    pub skip: u64,
}

/// Which entries are asked for. A key names a member of the value; a dot goes into a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Compare(Comparison, String, Value),
    /// The member is one of these.
    In(String, Vec<Value>),
    /// All of at least two.
    And(Vec<Self>),
    /// Any of at least two.
    Or(Vec<Self>),
}

/// How a member is compared. Only numbers have an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A member that entries are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorting {
    pub key: String,
    pub is_descending: bool,
}

impl Query {
    /// Reads a document.
    ///
    /// # Errors
    /// In Dapr's words, what of it is wrong.
    pub fn read(document: &Value) -> Result<Self> {
        let document = Document::deserialize(document).map_err(|error| Error::invalid(error.to_string()))?;
        let token = document.page.token.unwrap_or_default();
        let skip = if token.is_empty() { Ok(0) } else { token.parse::<u64>() };
        let skip = skip.map_err(|_| Error::invalid(format!("the token '{token}' is none of an earlier answer")))?;
        let filter = document.filter.unwrap_or_default();
        Ok(Self {
            filter: if filter.is_empty() { None } else { Some(Filter::read(&Value::Object(filter))?) },
            sort: document.sort.unwrap_or_default().into_iter().map(Order::read).collect(),
            limit: usize::try_from(document.page.limit.unwrap_or_default()).unwrap_or_default(),
            skip,
        })
    }

    /// What the next query goes on from, after an answer with that many entries. Empty where there are no pages.
    pub fn next_token(&self, count: usize) -> String {
        if self.limit == 0 { String::new() } else { (self.skip + count as u64).to_string() }
    }
}

impl Filter {
    fn read(document: &Value) -> Result<Self> {
        let unit = document.as_object().ok_or_else(|| Error::invalid("filter unit must be a map"))?;
        let (name, operand) = single(unit).ok_or_else(|| Error::invalid("filter unit must have a single element"))?;
        let comparison = match name.as_str() {
            "AND" => return Self::all(name, operand).map(Self::And),
            "OR" => return Self::all(name, operand).map(Self::Or),
            "IN" => return Self::one_of(name, operand),
            "EQ" => Comparison::Equal,
            "NEQ" => Comparison::NotEqual,
            "GT" => Comparison::Greater,
            "GTE" => Comparison::GreaterOrEqual,
            "LT" => Comparison::Less,
            "LTE" => Comparison::LessOrEqual,
            other => return Err(Error::invalid(format!("unsupported filter \"{other}\""))),
        };
        let (key, value) = pair(name, operand)?;
        if comparison.is_order() && value.is_string() {
            let refusal = format!("unsupported type of value {value}; string type not permitted");
            return Err(Error::invalid(refusal));
        }
        Ok(Self::Compare(comparison, key.clone(), value.clone()))
    }

    fn one_of(name: &str, operand: &Value) -> Result<Self> {
        let (key, value) = pair(name, operand)?;
        let values = value.as_array().ok_or_else(|| Error::invalid("IN filter value must be an array"))?;
        if values.is_empty() {
            return Err(Error::invalid(format!("empty IN operator for key \"{key}\"")));
        }
        Ok(Self::In(key.clone(), values.clone()))
    }

    fn all(name: &str, operand: &Value) -> Result<Vec<Self>> {
        let filters = operand.as_array().ok_or_else(|| Error::invalid(format!("{name} filter must be an array")))?;
        if filters.len() < 2 {
            return Err(Error::invalid(format!("{name} filter must contain at least two entries")));
        }
        filters.iter().map(Self::read).collect()
    }
}

impl Comparison {
    /// Whether only numbers can be compared so.
    pub fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

#[derive(Deserialize)]
struct Document {
    filter: Option<Map<String, Value>>,
    sort: Option<Vec<Order>>,
    #[serde(default)]
    page: Page,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    key: String,
    #[serde(default)]
    order: String,
}

impl Order {
    fn read(self) -> Sorting {
        Sorting { key: self.key, is_descending: self.order == "DESC" }
    }
}

#[derive(Default, Deserialize)]
struct Page {
    limit: Option<i64>,
    token: Option<String>,
}

fn pair<'a>(name: &str, operand: &'a Value) -> Result<(&'a String, &'a Value)> {
    let members = operand.as_object().ok_or_else(|| Error::invalid(format!("{name} filter must be a map")))?;
    single(members).ok_or_else(|| Error::invalid(format!("{name} filter must contain a single key/value pair")))
}

fn single(members: &Map<String, Value>) -> Option<(&String, &Value)> {
    members.iter().next().filter(|_| members.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_of_dapr() {
        let query = Query::read(&json!({
            "filter": {"OR": [
                {"EQ": {"person.org": "A"}},
                {"AND": [{"NEQ": {"n": 1.5}}, {"IN": {"state": ["CA", "WA"]}}]},
            ]},
            "sort": [{"key": "state", "order": "DESC"}, {"key": "person.name"}],
            "page": {"limit": 2, "token": "4"},
        }));
        let compare = |comparison, key: &str, value| Filter::Compare(comparison, key.to_owned(), value);
        let states = Filter::In("state".to_owned(), vec![json!("CA"), json!("WA")]);
        let both = Filter::And(vec![compare(Comparison::NotEqual, "n", json!(1.5)), states]);
        let sorting = |key: &str, is_descending| Sorting { key: key.to_owned(), is_descending };
        let expected = Query {
            filter: Some(Filter::Or(vec![compare(Comparison::Equal, "person.org", json!("A")), both])),
            sort: vec![sorting("state", true), sorting("person.name", false)],
            limit: 2,
            skip: 4,
        };
        assert_eq!(query.unwrap(), expected);
        assert_eq!(expected.next_token(2), "6");
        assert_eq!(Query::read(&json!({})).unwrap(), Query::default());
        assert_eq!(Query::default().next_token(2), "");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases = [
            (json!({"EQ": 1}), "EQ filter must be a map"),
            (json!({"EQ": {"a": 1, "b": 2}}), "EQ filter must contain a single key/value pair"),
            (json!({"EQ": {"a": 1}, "NEQ": {"b": 2}}), "filter unit must have a single element"),
            (json!({"AND": [{"EQ": {"a": 1}}]}), "AND filter must contain at least two entries"),
            (json!({"OR": {}}), "OR filter must be an array"),
            (json!({"OR": [1, 2]}), "filter unit must be a map"),
            (json!({"IN": {"a": 1}}), "IN filter value must be an array"),
            (json!({"IN": {"a": []}}), "empty IN operator for key \"a\""),
            (json!({"GT": {"a": "x"}}), "unsupported type of value \"x\"; string type not permitted"),
            (json!({"LIKE": {"a": "x"}}), "unsupported filter \"LIKE\""),
        ];
        for (filter, expected) in cases {
            assert_eq!(Query::read(&json!({"filter": filter})).unwrap_err().to_string(), expected);
        }
        assert!(Query::read(&json!({"page": {"token": "x"}})).is_err());
        assert!(Query::read(&json!({"filter": 1})).is_err() && Query::read(&json!({"page": {"limit": "1"}})).is_err());
    }
}
