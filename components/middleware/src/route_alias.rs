//! `middleware.http.routeralias`: gives endpoints of the API other paths.
mod pattern;

use crate::descriptor::descriptor;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Properties, Registry, Result, Status};
use form_urlencoded::{Serializer, parse};
use http::Uri;
use http::uri::PathAndQuery;
use pattern::Pattern;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const SCOPE: &str = "dapr.middleware.http.routeralias";
/// What a path cannot hold as it is.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'#')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// Metadata of `middleware.http.routeralias`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Metadata {
    /// JSON or YAML object of paths and what is called in their place, such as
    /// `{"/mall/{id}": "/v1.0/invoke/mall/method/item"}`. A part in braces matches one segment, or what a regular
    /// expression behind a colon matches, and becomes a parameter of the query. (Paths as names of metadata, in place of
    /// `routes`, are deprecated.)
    pub routes: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Gives endpoints of the API other paths.";
    registry.middleware.add(descriptor::<Metadata>(&["http.routeralias"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(RouteAlias::new(&config.properties)?) as Arc<dyn Http>)
    });
}

struct RouteAlias(Vec<Route>);

struct Route {
    pattern: Pattern,
    target: String,
}

impl RouteAlias {
    fn new(properties: &Properties) -> Result<Self> {
        let mut routes: Vec<Route> = routes(properties)?.into_iter().filter_map(Route::new).collect();
        // Where several match, the one with the fewest variables is meant.
        routes.sort_by_key(|route| route.pattern.variables());
        Ok(Self(routes))
    }

    /// The URI that is meant by this one.
    fn resolve(&self, uri: &Uri) -> Option<Uri> {
        let path = percent_decode_str(uri.path()).decode_utf8_lossy();
        let (route, values) = self.0.iter().find_map(|route| Some((route, route.pattern.find(&path)?)))?;
        let query = with_values(uri.query().unwrap_or_default(), values);
        with_path_and_query(uri, &route.target, &query)
    }
}

impl Route {
    fn new((path, target): (String, String)) -> Option<Self> {
        match Pattern::new(&path) {
            Ok(pattern) => Some(Self { pattern, target }),
            Err(reason) => {
                tracing::warn!(target: SCOPE, "route {path} never matches: {reason}");
                None
            }
        }
    }
}

fn routes(properties: &Properties) -> Result<BTreeMap<String, String>> {
    let (metadata, given): (Metadata, Vec<_>) = (properties.decode()?, properties.iter().collect());
    match metadata.routes.as_str() {
        routes if given.len() == 1 && !routes.is_empty() => parse_routes(routes),
        _ => {
            if !given.is_empty() {
                tracing::warn!(target: SCOPE, "routes as names of metadata are deprecated: list them in the property routes");
            }
            given.into_iter().map(named_route).collect()
        }
    }
}

fn parse_routes(text: &str) -> Result<BTreeMap<String, String>> {
    let json = serde_json::from_str(text);
    json.or_else(|_| serde_saphyr::from_str(text))
        .map_err(|error| Error::invalid(format!("failed to decode 'routes' property as JSON or YAML: {error}")))
}

fn named_route((name, value): (&str, &str)) -> Result<(String, String)> {
    if name.is_empty() || value.is_empty() {
        return Err(Error::invalid("invalid key/value pair in metadata: must not be empty"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The query with values added, in the order of its names.
fn with_values(query: &str, values: Vec<(&str, String)>) -> String {
    if values.is_empty() {
        return query.to_owned();
    }
    let mut pairs: Vec<(String, String)> = parse(query.as_bytes()).into_owned().collect();
    pairs.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn with_path_and_query(uri: &Uri, path: &str, query: &str) -> Option<Uri> {
    let mut text = utf8_percent_encode(path, UNSAFE).to_string();
    if !query.is_empty() {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[async_trait]
impl Http for RouteAlias {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        if let Some(uri) = self.resolve(request.uri()) {
            *request.uri_mut() = uri;
        }
        next.run(request).await
    }
}
