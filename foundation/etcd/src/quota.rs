//! How much space records may take.
use crate::Error;
use crate::database::Numbers;

/// The quota, in bytes of keys and values with a little more for each record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota(pub(crate) u64);

impl Quota {
    /// Whether so much more may be written. Once it may not, nothing may until the alarm is put out.
    ///
    /// # Errors
    /// No space.
    pub(crate) fn admit(self, more: u64, numbers: &mut Numbers) -> Result<(), Error> {
        if more == 0 {
            return Ok(());
        }
        numbers.no_space |= numbers.size.saturating_add(more) > self.0;
        if numbers.no_space { Err(Error::NoSpace) } else { Ok(()) }
    }
}
