//! A connection to a server of Kafka that tells its clients another port.
//!
//! Answers are frames: their size in four bytes, and what they say. A place in them is a host and then a port in four bytes, so
//! that the port can be replaced without knowing more of the answer.
use std::io::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;

/// The host that servers of tests say they are at.
const HOST: &[u8] = b"127.0.0.1";
/// Bytes of a port.
const SIZE: usize = 4;

/// Passes everything on until one side ends; `ports` are the server's and the one that is told in its place.
pub(super) async fn pass(client: TcpStream, server: TcpStream, ports: (u16, u16)) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = answers(from_server, to_client, ports) => {}
    }
}

async fn answers(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    ports: (u16, u16),
) -> Result<()> {
    let (real, told) = (u32::from(ports.0).to_be_bytes(), u32::from(ports.1).to_be_bytes());
    loop {
        let size = from.read_u32().await?;
        let mut frame = vec![0; usize::try_from(size).unwrap_or_default()];
        from.read_exact(&mut frame).await?;
        retell(&mut frame, &real, &told);
        to.write_u32(size).await?;
        to.write_all(&frame).await?;
    }
}

fn retell(frame: &mut [u8], real: &[u8; SIZE], told: &[u8; SIZE]) {
    let mut start = 0;
    while let Some(place) =
        frame[start..].windows(HOST.len() + SIZE).position(|at| at.starts_with(HOST) && at.ends_with(real))
    {
        let port = start + place + HOST.len();
        frame[port..port + SIZE].copy_from_slice(told);
        start = port + SIZE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_anew() {
        let mut frame = b"..127.0.0.1\0\0\x01\x02..127.0.0.1\0\0\x01\x03.127.0.0.1\0\0\x01\x02".to_vec();
        retell(&mut frame, &[0, 0, 1, 2], &[0, 0, 9, 9]);
        assert_eq!(frame, b"..127.0.0.1\0\0\x09\x09..127.0.0.1\0\0\x01\x03.127.0.0.1\0\0\x09\x09");
    }
}
