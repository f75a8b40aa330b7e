//! `middleware.http.oauth2clientcredentials`: adds a token of this application itself to requests.
use crate::descriptor::descriptor;
use crate::oauth2::list;
use crate::path_filter::PathFilter;
use crate::response::refusal;
use crate::together::Together;
use crate::token_endpoint::{AuthStyle, Grant, TokenEndpoint};
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Properties, Registry, Result, Status};
use form_urlencoded::parse;
use foundation_metadata::Secret;
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SCOPE: &str = "dapr.middleware.http.oauth2clientcredentials";
/// So long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a token is used whose server does not say how long it is good.
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);

/// Metadata of `middleware.http.oauth2clientcredentials`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Required. Id of this application at the authorization server.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Required. Secret of this application at the authorization server.
    pub client_secret: Secret,
    /// Required. Scopes to ask for, between commas.
    pub scopes: String,
    /// Required. Where tokens are had.
    #[serde(rename = "tokenURL")]
    pub token_url: String,
    /// Required. Header that gets the token, such as `authorization`.
    pub header_name: String,
    /// More parameters for the authorization server, as in a query: `resource=a&tenant=b`.
    pub endpoint_params_query: String,
    /// How this application says who it is: 1 in parameters, 2 in a header, 0 by trying.
    pub auth_style: u8,
    /// Regular expression of the paths that get the token; the others pass without. Without it all paths do.
    pub path_filter: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Adds a token of this application itself to requests.";
    let descriptor = descriptor::<Metadata>(&["http.oauth2clientcredentials"], Status::Alpha, summary);
    registry
        .middleware
        .add(descriptor, async |config| Ok(Arc::new(ClientCredentials::new(&config.properties)?) as Arc<dyn Http>));
}

struct ClientCredentials {
    filter: PathFilter,
    header: HeaderName,
    source: Arc<Source>,
    fetch: Together<Outcome>,
}

/// Where tokens come from.
struct Source {
    endpoint: TokenEndpoint,
    grant: Grant,
    /// The token in use and its end.
    current: ArcSwapOption<(HeaderValue, Instant)>,
}

/// What an attempt for a token came to, with the reason in words.
type Outcome = std::result::Result<HeaderValue, String>;

impl ClientCredentials {
    fn new(properties: &Properties) -> Result<Self> {
        let metadata: Metadata = properties.decode()?;
        metadata.check()?;
        let style = match metadata.auth_style {
            1 => AuthStyle::Parameters,
            2 => AuthStyle::Header,
            _ => AuthStyle::Automatic,
        };
        let parameters = parse(metadata.endpoint_params_query.as_bytes()).into_owned().collect();
        let (header, secret) = (metadata.header_name.parse(), metadata.client_secret.expose());
        let source = Source {
            endpoint: TokenEndpoint::new(&metadata.token_url, &metadata.client_id, secret, style)?,
            grant: Grant::Credentials { scopes: list(&metadata.scopes), parameters },
            current: ArcSwapOption::empty(),
        };
        Ok(Self {
            filter: PathFilter::new(&metadata.path_filter)?,
            header: header.map_err(|_| Error::invalid("headerName is no header, check it"))?,
            source: Arc::new(source),
            fetch: Together::default(),
        })
    }

    /// All who come while a token is asked for share the outcome, as a server that hangs would keep each of them waiting
    /// for those before it.
    async fn authorization(&self) -> Outcome {
        if let Some(authorization) = self.source.current() {
            return Ok(authorization);
        }
        let outcome = self.fetch.outcome(|| Arc::clone(&self.source).fetch()).await;
        outcome.unwrap_or_else(|| Err("the request for it broke off".to_owned()))
    }
}

impl Source {
    fn current(&self) -> Option<HeaderValue> {
        let current = self.current.load();
        let (authorization, end) = current.as_deref()?;
        (*end > Instant::now()).then(|| authorization.clone())
    }

    async fn fetch(self: Arc<Self>) -> Outcome {
        if let Some(authorization) = self.current() {
            return Ok(authorization);
        }
        let token = self.endpoint.request(&self.grant).await.map_err(|error| error.to_string())?;
        let lifetime = token.lifetime.unwrap_or(USUAL_LIFETIME).saturating_sub(MARGIN);
        self.current.store(Some(Arc::new((token.authorization.clone(), Instant::now() + lifetime))));
        Ok(token.authorization)
    }
}

impl Metadata {
    fn check(&self) -> Result<()> {
        let required = [
            ("headerName", self.header_name.as_str()),
            ("clientID", &self.client_id),
            ("clientSecret", self.client_secret.expose()),
            ("scopes", &self.scopes),
            ("tokenURL", &self.token_url),
        ];
        let missing = required.iter().filter(|(_, value)| value.is_empty());
        let mut problems: Vec<_> = missing.map(|(name, _)| format!("Parameter '{name}' needs to be set.")).collect();
        if self.auth_style > 2 {
            let style = self.auth_style;
            problems.push(format!("Parameter 'authStyle' can only have the values 0,1,2. Received: '{style}'."));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(format!("metadata errors: {}", problems.join(" "))))
        }
    }
}

#[async_trait]
impl Http for ClientCredentials {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        if !self.filter.fits(request.uri()) {
            return next.run(request).await;
        }
        match self.authorization().await {
            Ok(authorization) => {
                request.headers_mut().append(&self.header, authorization);
                next.run(request).await
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "Error acquiring token: {error}");
                refusal(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}
