//! How many files and sockets the process may have open.
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as the system lets the user: every connection is one. Go does so in all its
/// processes, so that nobody is used to setting it for Dapr.
pub fn allow_many_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, it stays what it is.
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok();
}
