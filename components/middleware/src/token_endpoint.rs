//! The token endpoint of an OAuth 2.0 authorization server (RFC 6749, section 3.2).
mod answer;

use crate::client::Client;
use answer::Refusal;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use component_api::{Error, Kind, Result};
use form_urlencoded::{Serializer, byte_serialize};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use oauth2::{ClientSecret, RedirectUrl, TokenUrl};
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
pub(crate) struct TokenEndpoint {
    url: Uri,
    client_id: String,
    client_secret: ClientSecret,
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

impl TokenEndpoint {
    /// # Errors
    /// `url` is none.
    pub(crate) fn new(url: &str, client_id: &str, client_secret: &str, style: AuthStyle) -> Result<Self> {
        let invalid = || Error::invalid("tokenURL is no URL, check it");
        let url = TokenUrl::new(url.to_owned()).map_err(|error| invalid().with_source(error))?;
        let url = url.url().as_str().parse().map_err(|error: http::uri::InvalidUri| invalid().with_source(error))?;
        let (client_id, client_secret) = (client_id.to_owned(), ClientSecret::new(client_secret.to_owned()));
        Ok(Self { url, client_id, client_secret, style, http: Client::new()? })
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub(crate) async fn request(&self, grant: &Grant) -> Result<Token> {
        let answered = match self.style {
            AuthStyle::Parameters => self.try_request(grant, false).await?,
            AuthStyle::Header => self.try_request(grant, true).await?,
            AuthStyle::Automatic => match self.try_request(grant, true).await? {
                Err(_) => self.try_request(grant, false).await?,
                token => token,
            },
        };
        answered.map_err(|refusal| Error::new(kind(&refusal), refusal.to_string()))
    }

    async fn try_request(&self, grant: &Grant, in_header: bool) -> Result<std::result::Result<Token, Refusal>> {
        let request = self.asking(grant, in_header)?;
        Ok(answer::read(&self.http.send(request).await?))
    }

    fn asking(&self, grant: &Grant, in_header: bool) -> Result<Request<Bytes>> {
        let mut form = grant.form();
        let mut request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if in_header {
            request = request.header(AUTHORIZATION, self.basic());
        } else {
            form.append_pair("client_id", &self.client_id).append_pair("client_secret", self.client_secret.secret());
        }
        let request = request.body(Bytes::from(form.finish()));
        request.map_err(|_| Error::invalid("clientID and clientSecret make no header, check them"))
    }

    /// Both are escaped first (RFC 6749, section 2.3.1).
    fn basic(&self) -> String {
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", escaped(&self.client_id), escaped(self.client_secret.secret()));
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }
}

impl Grant {
    fn form(&self) -> Serializer<'static, String> {
        let mut form = Serializer::new(String::new());
        match self {
            Self::Code { code, redirect_url } => {
                form.append_pair("grant_type", "authorization_code").append_pair("code", code);
                form.extend_pairs(redirect_url.iter().map(|url| ("redirect_uri", url.as_str())));
            }
            Self::Credentials { scopes, parameters } => {
                form.append_pair("grant_type", "client_credentials").append_pair("scope", &scopes.join(" "));
                form.extend_pairs(parameters);
            }
        }
        form
    }
}

fn kind(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::Refused { .. } | Refusal::Unexplained { .. } => Kind::Denied,
        Refusal::NoToken { .. } => Kind::Other,
    }
}
