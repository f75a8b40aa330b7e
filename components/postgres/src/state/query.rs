//! Documents of the query API as SQL over a `jsonb` column.
use component_api::state::{Comparison, Filter, Query, Sorting};
use serde_json::Value;
use tokio_postgres::types::ToSql;

/// A condition and an order, with the parameters that both of them name by their numbers.
#[derive(Debug, Default)]
pub(super) struct Search {
    condition: String,
    order: String,
    parameters: Vec<Parameter>,
}

/// What a statement does not have in its text.
#[derive(Debug)]
enum Parameter {
    /// The way to a member, one name for each step.
    Path(Vec<String>),
    Text(String),
    Json(Value),
}

impl Search {
    pub(super) fn new(query: &Query) -> Self {
        let mut search = Self::default();
        search.condition = query.filter.as_ref().map_or("true".to_owned(), |filter| search.condition(filter));
        let order: Vec<String> = query.sort.iter().map(|sorting| search.sorted(sorting)).collect();
        search.order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        search
    }

    /// The statement, after the one that selects all that lives.
    pub(super) fn sql(&self, select: &str, limit: usize, skip: u64) -> String {
        let Self { condition, order, .. } = self;
        let limit = if limit == 0 { String::new() } else { format!(" LIMIT {limit}") };
        format!("{select} AND {condition}{order}{limit} OFFSET {skip}")
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let borrowed: fn(&Parameter) -> &(dyn ToSql + Sync) = |parameter| match parameter {
            Parameter::Path(names) => names,
            Parameter::Text(text) => text,
            Parameter::Json(json) => json,
        };
        self.parameters.iter().map(borrowed).collect()
    }

    fn condition(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::Compare(comparison, key, value) if comparison.is_order() => self.ordered(*comparison, key, value),
            Filter::Compare(comparison, key, value) => {
                let path = self.path(key);
                let equal = self.equal(&path, value);
                if *comparison == Comparison::Equal { equal } else { format!("NOT {equal}") }
            }
            Filter::In(key, values) => {
                let path = self.path(key);
                let any: Vec<String> = values.iter().map(|value| self.equal(&path, value)).collect();
                format!("({})", any.join(" OR "))
            }
            Filter::And(filters) => self.joined(filters, " AND "),
            Filter::Or(filters) => self.joined(filters, " OR "),
        }
    }

    fn joined(&mut self, filters: &[Filter], word: &str) -> String {
        let all: Vec<String> = filters.iter().map(|filter| self.condition(filter)).collect();
        format!("({})", all.join(word))
    }

    /// A text equals a member that prints so, as in Dapr's component; numbers are equal however they are written.
    fn equal(&mut self, path: &str, value: &Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = self.parameter(Parameter::Text(text));
        if value.is_string() {
            return format!("(t.value #>> {path}::text[] = {text}::text)");
        }
        let json = self.parameter(Parameter::Json(value.clone()));
        format!("(t.value #> {path}::text[] = {json}::jsonb OR t.value #>> {path}::text[] = {text}::text)")
    }

    /// Numbers are compared with numbers.
    fn ordered(&mut self, comparison: Comparison, key: &str, value: &Value) -> String {
        let (path, json) = (self.path(key), self.parameter(Parameter::Json(value.clone())));
        let member = format!("t.value #> {path}::text[]");
        let operator = match comparison {
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            _ => "<=",
        };
        format!("(jsonb_typeof({member}) = jsonb_typeof({json}::jsonb) AND {member} {operator} {json}::jsonb)")
    }

    fn sorted(&mut self, sorting: &Sorting) -> String {
        let path = self.path(&sorting.key);
        let direction = if sorting.is_descending { "DESC" } else { "ASC" };
        format!("NULLIF(t.value #> {path}::text[], 'null'::jsonb) {direction}")
    }

    fn path(&mut self, key: &str) -> String {
        self.parameter(Parameter::Path(key.split('.').map(str::to_owned).collect()))
    }

    fn parameter(&mut self, parameter: Parameter) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_of_a_query_is_in_the_statement() {
        let query = Query::read(&json!({
            "filter": {"OR": [{"EQ": {"a'.b": "x'"}}, {"AND": [{"GT": {"n": 1.5}}, {"IN": {"c": [true, 2]}}]}]},
            "sort": [{"key": "d'", "order": "DESC"}, {"key": "e"}],
            "page": {"limit": 2, "token": "4"},
        }));
        let query = query.unwrap();
        let search = Search::new(&query);
        let sql = search.sql("SELECT", query.limit, query.skip);
        assert!(!sql.contains("a'") && !sql.contains("x'") && !sql.contains("d'"), "{sql}");
        assert!(sql.ends_with(" DESC, NULLIF(t.value #> $11::text[], 'null'::jsonb) ASC LIMIT 2 OFFSET 4"), "{sql}");
        assert_eq!(search.parameters().len(), 11);
        let all = Search::new(&Query::default());
        assert_eq!(all.sql("SELECT", 0, 0), "SELECT AND true OFFSET 0");
    }
}
