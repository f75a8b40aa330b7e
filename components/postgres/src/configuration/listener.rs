//! A connection that listens to a channel.
use crate::database::translate;
use component_api::{Error, Kind, Result};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::future::ready;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long it may take to begin to listen.
const DEADLINE: Duration = Duration::from_secs(20);

/// What to listen to, and where.
pub(super) struct Listener {
    pub(super) config: Config,
    pub(super) connector: MakeRustlsConnect,
    pub(super) channel: String,
}

/// A connection that listens.
pub(super) struct Listening {
    /// The connection ends without it.
    _client: Client,
    /// Texts that the channel was notified with; it ends with the connection.
    pub(super) texts: BoxStream<'static, String>,
}

impl Listener {
    /// Begins to listen.
    pub(super) async fn listen(&self) -> Result<Listening> {
        let listening = timeout(DEADLINE, self.connect()).await;
        listening.unwrap_or_else(|_| Err(Error::new(Kind::Timeout, "the database did not answer in time")))
    }

    async fn connect(&self) -> Result<Listening> {
        let connected = self.config.connect(self.connector.clone()).await;
        let (client, mut connection) = connected.map_err(|error| translate(&error))?;
        let messages = stream::poll_fn(move |context| connection.poll_message(context));
        // The first error is the end of the connection.
        let messages = messages.map(std::result::Result::ok).take_while(|message| ready(message.is_some()));
        let mut messages = messages.filter_map(ready).boxed();
        let command = format!("LISTEN {}", self.channel);
        let mut early = Vec::new();
        let begun = {
            let mut begin = std::pin::pin!(client.batch_execute(&command));
            // The connection does its work when it is asked for messages.
            loop {
                tokio::select! {
                    begun = &mut begin => break begun,
                    Some(message) = messages.next() => early.push(message),
                }
            }
        };
        begun.map_err(|error| translate(&error))?;
        let texts = stream::iter(early).chain(messages).filter_map(|message| async { text(message) }).boxed();
        Ok(Listening { _client: client, texts })
    }
}

fn text(message: AsyncMessage) -> Option<String> {
    match message {
        AsyncMessage::Notification(notification) => Some(notification.payload().to_owned()),
        _ => None,
    }
}
