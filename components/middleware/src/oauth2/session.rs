//! Sessions of browsers, told apart by a cookie and kept in memory.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use lru::LruCache;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const NAME: &str = "gosessionsid";
const LIFETIME: Duration = Duration::from_secs(2 * 3600);
/// The ones unused for longest go first.
const MOST_SESSIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);
const ID_BYTES: usize = 32;
/// Tabs of a browser in which somebody signs in at once; the oldest go first.
const MOST_TABS: usize = 8;
/// Bytes of all the places that a session keeps, unless it is a single one.
const MOST_BYTES: usize = 2048;

/// All sessions.
pub(super) struct Sessions(Mutex<LruCache<String, Session>>);

/// One session; clones are the same one.
#[derive(Clone)]
pub(super) struct Session(Arc<Mutex<State>>);

struct State {
    begun: Instant,
    /// What the authorization server is to send back, and where the person wanted to go, for each tab.
    left: VecDeque<(String, String)>,
    authorization: Option<HeaderValue>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST_SESSIONS)))
    }
}

impl Sessions {
    /// The session of a request, or a new one with the cookie to set for it. An id is only good if it was given out here.
    pub(super) fn of(&self, headers: &HeaderMap) -> (Session, Option<HeaderValue>) {
        let mut sessions = lock(&self.0);
        let known = cookie(headers).and_then(|id| sessions.get(id)).filter(|session| !session.is_over());
        if let Some(session) = known {
            return (session.clone(), None);
        }
        let (id, session) = (random_id(), Session::new());
        sessions.put(id.clone(), session.clone());
        let cookie = format!("{NAME}={id}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", LIFETIME.as_secs());
        (session, HeaderValue::from_str(&cookie).ok())
    }
}

impl Session {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(State { begun: Instant::now(), left: VecDeque::new(), authorization: None })))
    }

    fn is_over(&self) -> bool {
        lock(&self.0).begun.elapsed() > LIFETIME
    }

    /// The person goes to the authorization server.
    pub(super) fn leave(&self, state: String, location: String) {
        let left = &mut lock(&self.0).left;
        left.push_back((state, location));
        while left.len() > 1 && (left.len() > MOST_TABS || total(left) > MOST_BYTES) {
            left.pop_front();
        }
    }

    /// Where the person wanted to go, if it was this session that sent them away.
    pub(super) fn location_of(&self, state: &str) -> Option<String> {
        let session = lock(&self.0);
        let mut left = session.left.iter();
        left.find(|(left_with, _)| left_with == state).map(|(_, location)| location.clone())
    }

    pub(super) fn sign_in(&self, authorization: HeaderValue) {
        let mut state = lock(&self.0);
        state.left = VecDeque::new();
        state.authorization = Some(authorization);
    }

    /// The header of a person who has signed in.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        lock(&self.0).authorization.clone()
    }
}

fn total(left: &VecDeque<(String, String)>) -> usize {
    left.iter().map(|(_, location)| location.len()).sum()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
}

fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; ID_BYTES]>())
}

/// A poisoned lock holds what it held: no code panics while it has one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
