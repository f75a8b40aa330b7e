//! Files that are damaged: the library panics over some of what is wrong in them, and whoever runs the store is to hear which file it is.
use crate::{Error, replica};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Does something with a file of a store. What is damaged is told with its name, and a panic is damage.
///
/// # Errors
/// Those of the work.
pub(crate) fn guarded<T>(file: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nobody goes on with what the work leaves half-done: the process ends.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Err(Error::Damaged(reason))) => Err(damaged(file, &reason)),
        Ok(done) => done,
        Err(_) => Err(damaged(file, "its pages do not go together")),
    }
}

fn damaged(file: &Path, reason: &str) -> Error {
    let is_of_member = file.parent().is_some_and(replica::is_in);
    let advice = if is_of_member {
        "move the folder of this member away, and it gets all from the others"
    } else {
        "restore it from a copy, or move it away to begin without its jobs"
    };
    Error::Damaged(format!("the file {} is damaged ({reason}): {advice}", file.display()))
}
