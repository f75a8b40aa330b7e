//! An order of the service, and the bytes in which it goes out to all streams that get it.
use bytes::Bytes;
use foundation_grpc::framed;
use std::sync::OnceLock;
use wire::placement::v1::PlacementOrder;

/// The operation that begins a round.
pub(crate) const LOCK: &str = "lock";

/// An order. A thousand hosts get the same tables, which are a hundred kilobytes then: they are encoded once, for all of them.
#[derive(Debug)]
pub struct Order {
    /// What it says.
    pub message: PlacementOrder,
    frame: OnceLock<Bytes>,
}

impl Order {
    pub(crate) fn new(message: PlacementOrder) -> Self {
        Self { message, frame: OnceLock::new() }
    }

    /// Whether it is the first of its round.
    pub(crate) fn begins_round(&self) -> bool {
        self.message.operation == LOCK
    }

    /// The order as gRPC frames it. All that ask share the same bytes.
    pub(crate) fn frame(&self) -> Bytes {
        self.frame.get_or_init(|| framed(&self.message)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_share_a_frame() {
        let order = Order::new(PlacementOrder { operation: "lock".to_owned(), version: 7, tables: None });
        let frame = order.frame();
        assert_eq!(frame.as_ptr(), order.frame().as_ptr());
        assert_eq!(frame, framed(&order.message));
    }
}
