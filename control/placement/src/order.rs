//! An order of the service, and the bytes in which it goes out to all streams that get it.
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use std::sync::OnceLock;
use wire::placement::v1::PlacementOrder;

/// Of a gRPC message: whether it is compressed, and its length.
const PREFIX: usize = 5;

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

    /// The order as gRPC frames it. All that ask share the same bytes.
    pub(crate) fn frame(&self) -> Bytes {
        self.frame.get_or_init(|| frame(&self.message)).clone()
    }
}

fn frame(message: &PlacementOrder) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // There is room for all of it, and nothing else can fail.
    message.encode(&mut frame).ok();
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_streams_share_a_frame() {
        let order = Order::new(PlacementOrder { operation: "lock".to_owned(), version: 7, tables: None });
        let frame = order.frame();
        assert_eq!(frame.as_ptr(), order.frame().as_ptr());
        assert_eq!(frame[..PREFIX], [0, 0, 0, 0, u8::try_from(frame.len() - PREFIX).unwrap()]);
        assert_eq!(PlacementOrder::decode(&frame[PREFIX..]).unwrap(), order.message);
    }
}
