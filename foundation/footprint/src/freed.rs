//! Memory that was freed, and that the allocator keeps for the next one who asks.
use std::fs::read_to_string;

/// Growth that is worth a look, in pages: 16 MiB where they have 4 KiB.
const GROWTH: usize = 4096;

/// Looks from time to time whether there is freed memory to give back.
#[derive(Debug, Default)]
pub struct Freed {
    /// Resident pages when memory was last given back, or the fewest since then.
    resident: usize,
}

impl Freed {
    /// Whether so much more is resident than at the last time that some of it may be free.
    pub fn is_likely(&mut self) -> bool {
        let now = resident();
        self.resident = self.resident.min(now);
        now >= self.resident + GROWTH
    }

    /// Gives free memory back to the system. That takes some milliseconds for a hundred mebibytes, in which other threads wait that
    /// allocate: call it where nobody waits.
    pub fn give_back(&mut self) {
        trim();
        self.resident = resident();
    }
}

/// Resident pages of this process; 0 where the kernel does not tell.
fn resident() -> usize {
    let told = read_to_string("/proc/self/statm").unwrap_or_default();
    told.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "no safe interface to the allocator of glibc exists")]
fn trim() {
    // SAFETY: it takes no pointer, locks what it looks at, and gives back only pages that hold nothing that is allocated.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_given_back() {
        let mut freed = Freed::default();
        freed.give_back();
        let before = resident();
        // Every second small piece keeps its page from going by itself.
        let (mut pieces, mut kept) = (Vec::new(), Vec::new());
        for number in 0..400_000_usize {
            let piece = vec![u8::try_from(number % 256).unwrap(); 256];
            if number % 1000 == 0 { kept.push(piece) } else { pieces.push(piece) }
        }
        drop(pieces);
        assert!(freed.is_likely() && resident() > before + GROWTH, "{before} {}", resident());
        freed.give_back();
        assert!(!freed.is_likely() && resident() < before + GROWTH, "{before} {}", resident());
        assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), 400 * 256);
    }
}
