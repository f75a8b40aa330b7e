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

    /// Reads a file. Records that are damaged were so in the store already, and do not keep the others from where they are wanted: they are
    /// left out, and returned as what is wrong with each.
    ///
    /// # Errors
    /// It is no such file, or has other records in it than jobs and counters: then nothing of it is imported.
    pub(crate) fn decode(file: &[u8]) -> anyhow::Result<(Self, Vec<String>)> {
        let mut maps = gob::decode(file).context("decode import file: it is none of `dapr scheduler export`")?;
        let mut take = |name: &str| maps.remove(name).unwrap_or_default();
        let mut read = Self { jobs: take("Jobs"), counters: take("Counters") };
        for (records, start, kind) in [(&read.jobs, JOBS, "job"), (&read.counters, COUNTERS, "counter")] {
            let other = records.keys().find(|key| !key.starts_with(start));
            ensure!(other.is_none(), "{:?} is no key of a {kind}", other.map_or("", String::as_str));
        }
        let mut damaged = Vec::new();
        keep_whole::<StoredJob>(&mut read.jobs, "job", &mut damaged);
        keep_whole::<Counter>(&mut read.counters, "counter", &mut damaged);
        Ok((read, damaged))
    }
}

fn keep_whole<M: Message + Default>(records: &mut BTreeMap<String, Vec<u8>>, kind: &str, damaged: &mut Vec<String>) {
    records.retain(|key, value| {
        let read = M::decode(&value[..]).map_err(|error| damaged.push(format!("unmarshal {kind} {key:?}: {error}")));
        read.is_ok()
    });
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
        let mut some = good.clone();
        some.jobs.insert("dapr/jobs/x".to_owned(), vec![0xff]);
        some.counters.insert("dapr/counters/x".to_owned(), vec![0xff]);
        assert_eq!(ExportFile::decode(&good.encode()).unwrap(), (good.clone(), Vec::new()));
        let (whole, damaged) = ExportFile::decode(&some.encode()).unwrap();
        assert!(whole == good && damaged.len() == 2, "{damaged:?}");
        assert!(damaged[0].starts_with("unmarshal job \"dapr/jobs/x\""), "{damaged:?}");
        let fault = |file: ExportFile| format!("{:#}", ExportFile::decode(&file.encode()).unwrap_err());
        assert!(fault(file("registry/secrets/x", &[])).contains("is no key of a job"));
        assert!(format!("{:#}", ExportFile::decode(b"{}").unwrap_err()).contains("export"));
    }
}
