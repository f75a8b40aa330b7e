//! The token endpoint of an OAuth 2.0 authorization server (RFC 6749, section 3.2).
use crate::client::Client;
use component_api::{Error, Kind, Result};
use futures_util::future::BoxFuture;
use http::HeaderValue;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RedirectUrl, RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use std::time::Duration;

/// How a client says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AuthStyle {
    /// In a header, or in parameters when the server does not take that.
    #[default]
    Automatic,
    Parameters,
    Header,
}

/// A client of an authorization server.
#[derive(Clone)]
pub(crate) struct TokenEndpoint {
    oauth2: BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>,
    style: AuthStyle,
    http: Client,
}

/// A token as a header has it.
pub(crate) struct Token {
    pub(crate) authorization: HeaderValue,
    /// How long it is good, if the server says so.
    pub(crate) lifetime: Option<Duration>,
}

/// What a token is asked for with.
#[derive(Clone, Debug)]
pub(crate) enum Grant {
    Code { code: String, redirect_url: Option<RedirectUrl> },
    Credentials { scopes: Vec<String>, parameters: Vec<(String, String)> },
}

type Refusal = RequestTokenError<Error, BasicErrorResponse>;

impl TokenEndpoint {
    /// # Errors
    /// `url` is none.
    pub(crate) fn new(url: &str, client_id: &str, client_secret: &str, style: AuthStyle) -> Result<Self> {
        let url = TokenUrl::new(url.to_owned());
        let url = url.map_err(|error| Error::invalid("tokenURL is no URL, check it").with_source(error))?;
        let oauth2 = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(client_secret.to_owned()))
            .set_token_uri(url);
        Ok(Self { oauth2, style, http: Client::new()? })
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub(crate) async fn request(&self, grant: &Grant) -> Result<Token> {
        let response = match self.style {
            AuthStyle::Parameters => self.try_request(grant, AuthType::RequestBody).await,
            AuthStyle::Header => self.try_request(grant, AuthType::BasicAuth).await,
            AuthStyle::Automatic => match self.try_request(grant, AuthType::BasicAuth).await {
                Err(Refusal::Request(error)) => Err(Refusal::Request(error)),
                Err(_) => self.try_request(grant, AuthType::RequestBody).await,
                token => token,
            },
        };
        token(&response.map_err(refused)?)
    }

    async fn try_request(
        &self,
        grant: &Grant,
        auth_type: AuthType,
    ) -> std::result::Result<BasicTokenResponse, Refusal> {
        let oauth2 = self.oauth2.clone().set_auth_type(auth_type);
        match grant.clone() {
            Grant::Code { code, redirect_url } => {
                let oauth2 = redirect_url.into_iter().fold(oauth2, |oauth2, url| oauth2.set_redirect_uri(url));
                oauth2.exchange_code(AuthorizationCode::new(code)).request_async(&self.http).await
            }
            Grant::Credentials { scopes, parameters } => {
                let request = oauth2.exchange_client_credentials().add_scopes(scopes.into_iter().map(Scope::new));
                let request =
                    parameters.into_iter().fold(request, |request, (name, value)| request.add_extra_param(name, value));
                request.request_async(&self.http).await
            }
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Client {
    type Error = Error;
    type Future = BoxFuture<'c, Result<HttpResponse>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { Ok(self.send(request.map(Into::into)).await?.map(|body| body.to_vec())) })
    }
}

fn token(response: &BasicTokenResponse) -> Result<Token> {
    let kind = match response.token_type() {
        BasicTokenType::Bearer => "Bearer",
        BasicTokenType::Mac => "MAC",
        BasicTokenType::Extension(kind) => kind,
    };
    let text = format!("{kind} {}", response.access_token().secret());
    let mut authorization = HeaderValue::from_str(&text)
        .map_err(|_| Error::other("the authorization server's token cannot be sent in a header"))?;
    authorization.set_sensitive(true);
    Ok(Token { authorization, lifetime: response.expires_in() })
}

/// The answer of the server is left out: it may hold a token.
fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Request(error) => error,
        Refusal::ServerResponse(response) => {
            Error::new(Kind::Denied, format!("the authorization server refuses: {}", response.error()))
        }
        Refusal::Parse(..) | Refusal::Other(_) => {
            Error::other("the authorization server's answer is no token; check tokenURL")
        }
    }
}
