//! `middleware.http.oauth2`: sends people to an authorization server to sign in, and keeps who has done so in a session.
mod session;

use crate::descriptor::descriptor;
use crate::path_filter::PathFilter;
use crate::response::{message, redirect, refusal};
use crate::token_endpoint::{AuthStyle, Grant, TokenEndpoint};
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Properties, Registry, Result, Status};
use form_urlencoded::parse;
use foundation_metadata::{Secret, is_truthy};
use http::header::{HOST, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderName, StatusCode, Uri};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, EndpointSet, RedirectUrl, Scope};
use schemars::JsonSchema;
use serde::Deserialize;
use session::{Session, Sessions};
use std::sync::Arc;

const SCOPE: &str = "dapr.middleware.http.oauth2";
/// Bytes of a place to come back to.
const LONGEST_LOCATION: usize = 2048;

/// Metadata of `middleware.http.oauth2`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Id of this application at the authorization server.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Secret of this application at the authorization server.
    pub client_secret: Secret,
    /// Required. Where people sign in.
    #[serde(rename = "authURL")]
    pub auth_url: String,
    /// Required. Where a token is had for the code that comes back.
    #[serde(rename = "tokenURL")]
    pub token_url: String,
    /// Scopes to ask for, between commas.
    pub scopes: String,
    /// Where the authorization server sends people back to: a path of this sidecar.
    #[serde(rename = "redirectURL")]
    pub redirect_url: String,
    /// Required. Header in which requests that pass carry the token.
    pub auth_header_name: String,
    /// Send people back to where they came from with HTTPS, for a sidecar behind a proxy that ends it.
    #[serde(rename = "forceHTTPS")]
    pub force_https: String,
    /// Regular expression of the paths that need a session; the others pass. Without it all paths do.
    pub path_filter: String,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "Sends people to an authorization server to sign in, and keeps who has done so in a session.";
    registry.middleware.add(descriptor::<Metadata>(&["http.oauth2"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(OAuth2::new(&config.properties)?) as Arc<dyn Http>)
    });
}

struct OAuth2 {
    filter: PathFilter,
    client: BasicClient<EndpointSet>,
    scopes: Vec<Scope>,
    redirect_url: Option<RedirectUrl>,
    header: HeaderName,
    force_https: bool,
    tokens: TokenEndpoint,
    sessions: Sessions,
}

/// What the authorization server sends people back with.
#[derive(Default)]
struct Return {
    state: String,
    code: String,
}

impl OAuth2 {
    fn new(properties: &Properties) -> Result<Self> {
        let metadata: Metadata = properties.decode()?;
        let secret = metadata.client_secret.expose();
        let invalid = |what: &str| Error::invalid(format!("{what}, check it"));
        let auth_url = AuthUrl::new(metadata.auth_url).map_err(|_| invalid("authURL is no URL"))?;
        let redirect_url = Some(metadata.redirect_url).filter(|url| !url.is_empty()).map(RedirectUrl::new).transpose();
        let redirect_url = redirect_url.map_err(|_| invalid("redirectURL is no URL"))?;
        let client = BasicClient::new(ClientId::new(metadata.client_id.clone())).set_auth_uri(auth_url);
        Ok(Self {
            filter: PathFilter::new(&metadata.path_filter)?,
            scopes: list(&metadata.scopes).into_iter().map(Scope::new).collect(),
            client: redirect_url.iter().cloned().fold(client, BasicClient::set_redirect_uri),
            redirect_url,
            header: metadata.auth_header_name.parse().map_err(|_| invalid("authHeaderName is no header"))?,
            force_https: is_truthy(&metadata.force_https),
            tokens: TokenEndpoint::new(&metadata.token_url, &metadata.client_id, secret, AuthStyle::Automatic)?,
            sessions: Sessions::default(),
        })
    }

    /// To the authorization server, which is told where to send people back to.
    fn sign_in(&self, session: &Session, request: &Request) -> Response {
        let state = CsrfToken::new_random();
        session.leave(state.secret().clone(), self.location(request));
        let scopes = self.scopes.iter().cloned();
        let authorization = self.client.authorize_url(|| state).add_scopes(scopes);
        redirect(authorization.add_extra_param("access_type", "offline").url().0.as_str())
    }

    /// Back from the authorization server: to where the session began, with a token.
    async fn signed_in(&self, session: &Session, back: Return) -> Response {
        let Some(location) = session.location_of(&back.state) else {
            return message(StatusCode::BAD_REQUEST, "invalid state");
        };
        if back.code.is_empty() {
            return message(StatusCode::BAD_REQUEST, "code not found");
        }
        match self.tokens.request(&Grant::Code { code: back.code, redirect_url: self.redirect_url.clone() }).await {
            Ok(token) => {
                session.sign_in(token.authorization);
                redirect(&location)
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "Failed to exchange token: {error}");
                refusal(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn location(&self, request: &Request) -> String {
        let path = way_back(request.uri());
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
        match host {
            Some(host) if self.force_https => format!("https://{host}{path}"),
            _ => path,
        }
    }
}

/// Path and query on this host: browsers take a backslash for a slash, and two of those begin the name of a host. What is
/// too long to be kept for everybody who has not signed in is left out.
fn way_back(uri: &Uri) -> String {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let shortest = [whole, uri.path()].into_iter().find(|path| path.len() <= LONGEST_LOCATION);
    let path = shortest.unwrap_or_default().replace('\\', "%5C");
    format!("/{}", path.trim_start_matches('/'))
}

#[async_trait]
impl Http for OAuth2 {
    async fn handle(&self, mut request: Request, next: Next<'_>) -> Response {
        if !self.filter.fits(request.uri()) {
            return next.run(request).await;
        }
        let (session, cookie) = self.sessions.of(request.headers());
        if let Some(authorization) = session.authorization() {
            request.headers_mut().append(&self.header, authorization);
            return next.run(request).await;
        }
        let back = Return::of(&request);
        let mut response =
            if back.state.is_empty() { self.sign_in(&session, &request) } else { self.signed_in(&session, back).await };
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

impl Return {
    fn of(request: &Request) -> Self {
        let mut back = Self::default();
        for (name, value) in parse(request.uri().query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "state" => back.state = value.into_owned(),
                "code" => back.code = value.into_owned(),
                _ => {}
            }
        }
        back
    }
}

/// The parts of a list between commas.
pub(crate) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
