//! A request and its response, as a guest sees them.
use bytes::{Buf, Bytes, BytesMut};
use component_api::middleware::{Body, ClientAddress, Request, Response};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode, request};

/// The guest reads the request's body and the next handler gets it all the same.
pub(super) const BUFFER_REQUEST: u32 = 1;
/// The guest changes the response of the next handler.
pub(super) const BUFFER_RESPONSE: u32 = 2;
/// Bytes of a body that is held in memory.
const LARGEST: usize = 16 << 20;

/// One request on its way, and what is answered.
pub(super) struct Exchange {
    pub(super) features: u32,
    pub(super) request: request::Parts,
    pub(super) request_body: Content,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) response_body: Content,
    /// Whether the next handler has answered.
    pub(super) after_next: bool,
}

/// A body: passed unread, or read into memory for the guest.
#[derive(Default)]
pub(super) struct Content {
    unread: Option<Body>,
    held: Bytes,
    read: usize,
    written: Option<BytesMut>,
}

impl Exchange {
    /// Holds the body in memory when the guest may ask for it.
    pub(super) async fn begin(request: Request, features: u32, reads_body: bool) -> Result<Self, String> {
        let (request, body) = request.into_parts();
        let request_body = if reads_body { Content::read(body).await? } else { Content::unread(body) };
        let (status, headers, response_body) = (StatusCode::OK, HeaderMap::new(), Content::default());
        Ok(Self { features, request, request_body, status, headers, response_body, after_next: false })
    }

    /// The request for the next handler.
    pub(super) fn take_request(&mut self) -> Request {
        let keeps_all = self.features & BUFFER_REQUEST != 0;
        if self.request_body.is_changed(keeps_all) {
            self.request.headers.remove(CONTENT_LENGTH);
        }
        let body = std::mem::take(&mut self.request_body).into_body(keeps_all);
        Request::from_parts(self.request.clone(), body)
    }

    /// Takes the answer of the next handler.
    pub(super) async fn answered(&mut self, response: Response) -> Result<(), String> {
        let (head, body) = response.into_parts();
        (self.status, self.after_next) = (head.status, true);
        // What the guest has set before is kept, as it is with Go's response writer.
        let before = std::mem::replace(&mut self.headers, head.headers);
        for (name, value) in before {
            let Some(name) = name else { continue };
            self.headers.entry(name).or_insert(value);
        }
        let buffers = self.features & BUFFER_RESPONSE != 0;
        self.response_body = if buffers { Content::read(body).await? } else { Content::unread(body) };
        Ok(())
    }

    /// What is answered in the end.
    pub(super) fn response(mut self) -> Response {
        if self.response_body.written.is_some() {
            self.headers.remove(CONTENT_LENGTH);
        }
        let mut response = Response::new(self.response_body.into_body(true));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// Address and port of the client.
    pub(super) fn source_address(&self) -> String {
        self.request.extensions.get::<ClientAddress>().map(|client| client.0.to_string()).unwrap_or_default()
    }
}

impl Content {
    fn unread(body: Body) -> Self {
        Self { unread: Some(body), ..Self::default() }
    }

    async fn read(body: Body) -> Result<Self, String> {
        let held = body.read(LARGEST).await.map_err(|error| format!("cannot read a body for the guest: {error}"))?;
        Ok(Self { held, ..Self::default() })
    }

    /// The next bytes, and whether they are the last.
    pub(super) fn next(&mut self, most: usize) -> (Bytes, bool) {
        let mut rest = self.held.slice(self.read.min(self.held.len())..);
        rest.truncate(most);
        self.read += rest.len();
        (rest, self.read >= self.held.len())
    }

    /// Writes: the first time over what was there, then behind it.
    ///
    /// # Errors
    /// More than is held in memory.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = self.written.get_or_insert_default();
        if written.len() + bytes.len() > LARGEST {
            return Err("the body that the guest writes is too large".to_owned());
        }
        written.extend_from_slice(bytes);
        Ok(())
    }

    fn is_changed(&self, keeps_all: bool) -> bool {
        self.written.is_some() || (self.read > 0 && !keeps_all)
    }

    /// Without `keeps_all`, what the guest has read is gone.
    fn into_body(self, keeps_all: bool) -> Body {
        let Self { unread, mut held, read, written } = self;
        match (written, unread) {
            (Some(written), _) => Body::from(written.freeze()),
            (None, Some(body)) => body,
            (None, None) => {
                if !keeps_all {
                    held.advance(read.min(held.len()));
                }
                Body::from(held)
            }
        }
    }
}
