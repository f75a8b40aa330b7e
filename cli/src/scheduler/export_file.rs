//! The file of `dapr scheduler export`, which Dapr's CLI reads and writes too.
use super::gob;
use super::key::{COUNTERS, JOBS};
use anyhow::{Context as _, ensure};
use prost::Message;
use std::collections::BTreeMap;
use wire::etcd::cron::{Counter, StoredJob};

/// Stored bytes of jobs and counters by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportFile {
    pub(crate) jobs: BTreeMap<String, Vec<u8>>,
    pub(crate) counters: BTreeMap<String, Vec<u8>>,
}

impl ExportFile {
    pub(crate) fn encode(&self) -> Vec<u8> {
        gob::encode(&self.jobs, &self.counters)
    }

    /// Reads a file. All of it is checked, so that nothing of a bad one is imported.
    ///
    /// # Errors
    /// It is no such file, or has other records in it than jobs and counters.
    pub(crate) fn decode(file: &[u8]) -> anyhow::Result<Self> {
        let mut maps = gob::decode(file).context("decode import file: it is none of `dapr scheduler export`")?;
        let mut take = |name: &str| maps.remove(name).unwrap_or_default();
        let read = Self { jobs: take("Jobs"), counters: take("Counters") };
        for (key, value) in &read.jobs {
            ensure!(key.starts_with(JOBS), "{key:?} is no key of a job");
            StoredJob::decode(&value[..]).with_context(|| format!("unmarshal job {key:?}"))?;
        }
        for (key, value) in &read.counters {
            ensure!(key.starts_with(COUNTERS), "{key:?} is no key of a counter");
            Counter::decode(&value[..]).with_context(|| format!("unmarshal counter {key:?}"))?;
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, value: &[u8]) -> ExportFile {
        ExportFile { jobs: [(key.to_owned(), value.to_vec())].into(), counters: BTreeMap::new() }
    }

    #[test]
    fn files_are_checked_before_anything_is_imported() {
        let good = file(
            "dapr/jobs/app||default||a||b",
            &StoredJob { partition_id: 7, ..StoredJob::default() }.encode_to_vec(),
        );
        assert_eq!(ExportFile::decode(&good.encode()).unwrap(), good);
        let fault = |file: ExportFile| format!("{:#}", ExportFile::decode(&file.encode()).unwrap_err());
        assert!(fault(file("registry/secrets/x", &[])).contains("is no key of a job"));
        assert!(fault(file("dapr/jobs/x", &[0xff])).starts_with("unmarshal job \"dapr/jobs/x\""));
        assert!(format!("{:#}", ExportFile::decode(b"{}").unwrap_err()).contains("export"));
    }
}
