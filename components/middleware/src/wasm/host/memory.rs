//! What guest and host hand each other through the guest's memory.
use super::{Guest, Outcome};
use wasmi::{Error, Extern, Memory};

/// Reads bytes.
pub(in crate::wasm) fn read(guest: &Guest<'_>, at: u32, length: u32) -> Outcome<Vec<u8>> {
    let (memory, at) = (memory(guest)?, at as usize);
    let bytes = memory.data(guest).get(at..at.saturating_add(length as usize));
    Ok(bytes.ok_or_else(outside)?.to_vec())
}

/// Reads a text.
pub(in crate::wasm) fn text(guest: &Guest<'_>, at: u32, length: u32) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&read(guest, at, length)?).into_owned())
}

/// Writes bytes.
pub(in crate::wasm) fn write(guest: &mut Guest<'_>, at: u32, bytes: &[u8]) -> Outcome<()> {
    memory(guest)?.write(guest, at as usize, bytes).map_err(|_| outside())
}

/// Writes bytes if they fit; the length, by which the guest sees whether they did.
pub(super) fn write_within(guest: &mut Guest<'_>, at: u32, limit: u32, bytes: &[u8]) -> Outcome<u32> {
    let length = u32::try_from(bytes.len()).map_err(|_| outside())?;
    if length <= limit {
        write(guest, at, bytes)?;
    }
    Ok(length)
}

/// Writes items if they fit, with a zero behind each; their number and, in the lower half, their length.
pub(super) fn listed(guest: &mut Guest<'_>, at: u32, limit: u32, items: &[Vec<u8>]) -> Outcome<u64> {
    let bytes: Vec<u8> = items.iter().flat_map(|item| item.iter().copied().chain([0])).collect();
    let length = write_within(guest, at, limit, &bytes)?;
    Ok((items.len() as u64) << 32 | u64::from(length))
}

fn memory(guest: &Guest<'_>) -> Outcome<Memory> {
    guest.get_export("memory").and_then(Extern::into_memory).ok_or_else(|| Error::new("the guest has no memory"))
}

fn outside() -> Error {
    Error::new("an address is outside of the guest's memory")
}
