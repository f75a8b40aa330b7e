//! What every binding must show (components.md 4.3). What it says of itself decides which trials run.
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
use crate::patience::within;
use crate::trial::trial;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::{Error, Kind, Metadata, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Events that wait to be looked at.
const QUEUE: usize = 16;

/// A binding and what it is to be tried with.
pub struct Subject<'a> {
    pub binding: &'a dyn Binding,
    /// Metadata that a request needs to name one thing outside, such as a file.
    pub thing: Metadata,
}

/// Runs all trials that fit the binding, and prints their names.
///
/// # Panics
/// When the binding fails a trial; the last name printed is that trial's.
pub async fn run(subject: &Subject<'_>) {
    if subject.binding.is_input() {
        trial("binding: events", events(subject)).await;
    } else {
        trial("binding: input is absent", no_input(subject.binding)).await;
    }
    let operations = subject.binding.operations();
    let has = |wanted: &[&str]| wanted.iter().all(|wanted| operations.iter().any(|operation| operation == wanted));
    if operations.is_empty() {
        trial("binding: output is absent", no_output(subject.binding)).await;
    } else {
        trial("binding: unknown operation", unknown_operation(subject.binding)).await;
    }
    if has(&["create", "get", "delete", "list"]) {
        trial("binding: create, get, list, delete", things(subject)).await;
    }
}

/// An app that fails to handle the first event, and the events that it got.
pub fn forgetful() -> (Arc<dyn Handle>, UnboundedReceiver<Event>) {
    let (sender, events) = unbounded_channel();
    (Arc::new(Forgetful(sender, AtomicBool::new(true))), events)
}

struct Forgetful(UnboundedSender<Event>, AtomicBool);

#[async_trait]
impl Handle for Forgetful {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        self.0.send(event).ok();
        if self.1.swap(false, Ordering::Relaxed) { Err(Error::other("not now")) } else { Ok(Bytes::new()) }
    }
}

/// Asks a binding of a database for an operation with a statement.
///
/// # Errors
/// Those of the binding.
pub async fn sql(binding: &dyn Binding, operation: &str, sql: &str, parameters: &str) -> Result<Response> {
    let pairs = [("sql", sql), ("params", parameters)];
    let metadata = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    binding.invoke(Request { operation: operation.to_owned(), metadata, ..Request::default() }).await
}

/// What goes out comes in again, where both are there.
async fn events(subject: &Subject<'_>) {
    let goes_out = subject.binding.operations().iter().any(|operation| operation == "create");
    for _ in 0..2 {
        let (sender, mut events) = mpsc::channel(QUEUE);
        let subscription = subject.binding.read(Arc::new(Noted(sender))).await.expect("reading begins");
        if goes_out {
            perform(subject, "create", Bytes::from_static(b"event")).await;
        }
        within(events.recv()).await.expect("an event");
        within(subscription.close()).await;
        while events.recv().await.is_some() {}
    }
}

/// Notes events and is content with all of them.
struct Noted(mpsc::Sender<Event>);

#[async_trait]
impl Handle for Noted {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        self.0.try_send(event).ok();
        Ok(Bytes::new())
    }
}

async fn no_input(binding: &dyn Binding) {
    let (sender, _) = mpsc::channel(QUEUE);
    let read = binding.read(Arc::new(Noted(sender))).await;
    assert_eq!(read.expect_err("nothing to read").kind(), Kind::Unsupported);
}

async fn no_output(binding: &dyn Binding) {
    let request = Request { operation: "create".to_owned(), ..Request::default() };
    assert_eq!(binding.invoke(request).await.expect_err("no operation").kind(), Kind::Unsupported);
}

async fn unknown_operation(binding: &dyn Binding) {
    let request = Request { operation: "frobnicate".to_owned(), ..Request::default() };
    assert!(binding.invoke(request).await.is_err(), "an unknown operation is an error");
}

async fn things(subject: &Subject<'_>) {
    let data = Bytes::from_static(br#"[{"id": 1}]"#);
    perform(subject, "create", data.clone()).await;
    assert_eq!(perform(subject, "get", Bytes::new()).await.data, Some(data));
    assert!(perform(subject, "list", Bytes::new()).await.data.is_some_and(|listed| !listed.is_empty()));
    perform(subject, "delete", Bytes::new()).await;
    let gone = subject.binding.invoke(request(subject, "get", Bytes::new())).await;
    assert!(gone.is_err() || gone.is_ok_and(|answer| answer.data.is_none_or(|data| data.is_empty())), "it is gone");
}

async fn perform(subject: &Subject<'_>, operation: &str, data: Bytes) -> Response {
    subject.binding.invoke(request(subject, operation, data)).await.expect(operation)
}

fn request(subject: &Subject<'_>, operation: &str, data: Bytes) -> Request {
    // What is listed is all there is.
    let metadata = if operation == "list" { Metadata::new() } else { subject.thing.clone() };
    Request { operation: operation.to_owned(), data, metadata }
}
