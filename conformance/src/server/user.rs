//! The users that Debian makes for servers which do not run as root.
use std::fs;
use std::os::unix::fs::MetadataExt;

/// User and group of that name, if we are root.
pub(crate) fn user_if_root(name: &str) -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self").expect("who we are").uid() == 0;
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let is_it = |line: &&str| line.split(':').next() == Some(name);
    let line = is_root.then(|| users.lines().find(is_it).unwrap_or_else(|| panic!("there is no user {name}")))?;
    let mut fields = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    Some((fields.next()?, fields.next()?))
}
