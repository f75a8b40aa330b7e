//! Reports as they come in on a stream, which keeps no room for the next one.
use bytes::Bytes;
use foundation_grpc::Frames;
use futures_util::Stream;
use http_body::Body;
use prost::Message;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;
use wire::placement::v1::Host;

/// Bytes of a report, as gRPC's servers take them.
const LIMIT: usize = 4 << 20;

/// The reports that a body holds. Nothing comes after one that cannot be read.
pub(crate) struct Reports<B> {
    body: B,
    frames: Frames,
    is_over: bool,
}

impl<B> Reports<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, frames: Frames::new(LIMIT), is_over: false }
    }
}

impl<B: Body<Data = Bytes, Error: Display> + Unpin> Reports<B> {
    fn poll_report(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Host>, Status>> {
        loop {
            if let Some(message) = self.frames.next_message()? {
                return Poll::Ready(decode(message).map(Some));
            }
            if !ready!(self.poll_more(context))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Takes more of the body in; whether there was more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Status>> {
        match ready!(Pin::new(&mut self.body).poll_frame(context)).transpose() {
            Ok(Some(frame)) => {
                frame.into_data().into_iter().for_each(|data| self.frames.push(data));
                Poll::Ready(Ok(true))
            }
            Ok(None) if self.frames.is_empty() => Poll::Ready(Ok(false)),
            Ok(None) => Poll::Ready(Err(Status::internal("unexpected EOF"))),
            Err(error) => Poll::Ready(Err(Status::cancelled(format!("error receiving message: {error}")))),
        }
    }
}

impl<B: Body<Data = Bytes, Error: Display> + Unpin> Stream for Reports<B> {
    type Item = Result<Host, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let report = ready!(self.poll_report(context)).transpose();
        self.is_over = !matches!(report, Some(Ok(_)));
        Poll::Ready(report)
    }
}

fn decode(message: Bytes) -> Result<Host, Status> {
    Host::decode(message).map_err(|error| Status::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use foundation_grpc::framed;
    use futures_util::StreamExt;
    use futures_util::stream::iter;

    async fn read(data: &[u8], piece: usize) -> Vec<Result<String, Status>> {
        let pieces: Vec<_> = data.chunks(piece).map(|piece| Ok::<_, Status>(Bytes::copy_from_slice(piece))).collect();
        Reports::new(axum::body::Body::from_stream(iter(pieces))).map(|host| host.map(|host| host.name)).collect().await
    }

    #[tokio::test]
    async fn reports_are_read_however_they_are_cut() {
        let hosts = ["a", "b", "c"].map(|name| Host { name: name.to_owned(), ..Host::default() });
        let data: Vec<u8> = hosts.iter().flat_map(framed).collect();
        for piece in 1..=data.len() {
            let names: Vec<String> = read(&data, piece).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(names, ["a", "b", "c"]);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told() {
        for data in [&[0, 0, 0, 0, 9, 1][..], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 1, 0xff], &[0, 9, 0, 0, 0]] {
            let reports = read(data, data.len()).await;
            assert!(reports.len() == 1 && reports[0].is_err(), "{reports:?}");
        }
    }
}
