//! Space that is kept for a full disk: a deletion has to be written before it frees anything.
use std::fs::File;
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "store.reserve";
/// Room for some commits: what they free is used by the next ones.
const SIZE: usize = 512 << 10;
const BLOCK: usize = 4 << 10;

/// A file of no use but the space that it takes.
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.join(NAME))
    }

    /// Takes the space, or as much of it as there is. Returns whether it is all there.
    pub(crate) fn keep(&self) -> bool {
        let length = std::fs::metadata(&self.0).map_or(0, |file| file.len());
        length >= SIZE as u64 || self.fill().is_ok()
    }

    /// Leaves the space to whoever writes next.
    pub(crate) fn give_up(&self) {
        std::fs::remove_file(&self.0).ok();
    }

    fn fill(&self) -> Result<(), Error> {
        let mut file = File::create(&self.0)?;
        for _ in 0..SIZE / BLOCK {
            file.write_all(&[0; BLOCK])?;
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_kept_until_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (reserve, file) = (Reserve::of(folder.path()), folder.path().join(NAME));
        assert!(reserve.keep() && reserve.keep());
        assert_eq!(std::fs::metadata(&file).unwrap().len(), SIZE as u64);
        reserve.give_up();
        assert!(!file.exists());
        assert!(!Reserve::of(&folder.path().join("none")).keep());
    }
}
