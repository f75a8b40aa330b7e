//! Configuration: values that the app reads and follows.
