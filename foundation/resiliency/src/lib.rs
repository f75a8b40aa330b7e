//! Timeouts, retries and circuit breakers around calls.
