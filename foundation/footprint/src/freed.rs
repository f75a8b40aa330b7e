//! Memory that was freed, and that the allocator keeps for the next one who asks.
use std::fs::read_to_string;

/// Growth that is worth a look, in pages: 16 MiB where they have 4 KiB.
const GROWTH: usize = 4096;

/// Looks that pass between two tries, at most.
const LONGEST: u32 = 4;

/// Looks from time to time whether there is freed memory to give back.
#[derive(Debug, Default)]
pub struct Freed {
    /// The fewest resident pages that there were.
    fewest: usize,
    /// Looks that pass before the next try, and how many passed before the last one that gave little.
    wait: u32,
    waited: u32,
}

impl Freed {
    /// Whether so much more is resident than there was that some of it may be free. What could not be given back in the midst of a
    /// burst can be soon after it: it is tried again, and again ever more rarely.
    pub fn is_likely(&mut self) -> bool {
        let now = resident();
        if self.fewest == 0 || now < self.fewest {
            self.fewest = now;
        }
        if now < self.fewest + GROWTH {
            (self.wait, self.waited) = (0, 0);
            return false;
        }
        self.wait = self.wait.saturating_sub(1);
        self.wait == 0
    }

    /// Gives free memory back to the system. That takes some milliseconds for a hundred mebibytes, in which other threads wait that
    /// allocate: call it where nobody waits.
    pub fn give_back(&mut self) {
        let before = resident();
        trim();
        let gave_much = before.saturating_sub(resident()) >= GROWTH / 4;
        self.waited = if gave_much { 0 } else { (2 * self.waited + 1).min(LONGEST) };
        self.wait = self.waited;
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
        trim();
        assert!(!freed.is_likely());
        let before = resident();
        // Some small pieces that stay keep what lies around them from going by itself.
        let (mut pieces, mut kept) = (Vec::new(), Vec::new());
        for number in 0..400_000_usize {
            let piece = vec![u8::try_from(number % 256).unwrap(); 256];
            if number % 1000 == 0 { kept.push(piece) } else { pieces.push(piece) }
        }
        // In the midst of it there is nothing to give, which is no reason not to try afterwards.
        assert!(freed.is_likely());
        freed.give_back();
        assert!(resident() > before + GROWTH);
        drop(pieces);
        assert!(freed.is_likely() && resident() > before + GROWTH, "{before} {}", resident());
        freed.give_back();
        assert!(!freed.is_likely() && resident() < before + GROWTH, "{before} {}", resident());
        assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), 400 * 256);
    }
}
