//! What comes back first on a connection in the open: the other end may want it secured.
use std::io;

/// Begins a TLS alert (RFC 8446, section 5.1), and no HTTP/2 connection.
const ALERT: u8 = 0x15;
const ADVICE: &str = "what listens there seems to expect TLS; check that both have mTLS on (--enable-mtls), or neither";

/// Looks at the first bytes. Go's servers close such a connection without a word.
///
/// # Errors
/// What to check, where it is not HTTP/2 that begins.
pub(super) fn greeting(first: &[u8]) -> io::Result<()> {
    match first.first() {
        None | Some(&ALERT) => Err(io::Error::new(io::ErrorKind::InvalidData, ADVICE)),
        Some(_) => Ok(()),
    }
}
