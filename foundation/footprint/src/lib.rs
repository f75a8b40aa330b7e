//! Keeps the resident memory of a process to what it works with.
//!
//! What many things at once have needed stays with the allocator when they are gone, and resident: [`Freed`] gives it back.
//!
//! A start, or a burst, runs through much of the program once. The kernel maps those pages of the files of program and libraries, and
//! sixteen around each, and counts them as resident for the life of the process.
mod freed;
mod mappings;

pub use freed::Freed;

use mappings::Mapping;

/// Gives back the pages of program and libraries that are mapped now. Those that are used again are mapped again from the page cache,
/// at the price of a minor fault each: an idle process pays a tenth of a millisecond for that. Does nothing where the kernel does not
/// tell mappings.
pub fn forget_code() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    mappings::of_code(&maps).iter().for_each(give_back);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "no safe interface to madvise exists for mappings that the loader made")]
fn give_back(mapping: &Mapping) {
    let start = std::ptr::with_exposed_provenance_mut(mapping.start);
    // SAFETY: the range is a mapping of a program file or library that was never written, so that its pages hold what the file holds:
    // dropping them loses nothing, and an access maps them again.
    let given = unsafe { rustix::mm::madvise(start, mapping.end - mapping.start, rustix::mm::Advice::LinuxDontNeed) };
    given.ok();
}

#[cfg(not(target_os = "linux"))]
fn give_back(_: &Mapping) {}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on_after_its_code_is_forgotten() {
        let before = format!("{:?}", std::time::Duration::from_millis(1500));
        super::forget_code();
        assert_eq!(before, format!("{:?}", std::time::Duration::from_millis(1500)));
    }
}
