//! Files that are damaged are told by their name, and nothing is made of less than there was.
use super::{PATIENCE, World, prefix, settings};
use crate::{Error, Settings, Store};
use foundation_drain::Drain;
use std::path::{Path, PathBuf};
use wire::etcd::etcdserverpb::PutRequest;
use wire::etcd::mvccpb::KeyValue;

const RECORDS: i64 = 60;
const VALUE: [u8; 200] = [7; 200];
/// Of the library.
const PAGE: usize = 4096;

/// The file of a store that was closed in good order.
async fn written(folder: &Path) -> (PathBuf, Vec<u8>) {
    let drain = Drain::new();
    let store = Store::open(settings(folder), &drain).await.unwrap();
    for number in 0..RECORDS {
        let (key, value) = (format!("job-{number}").into(), VALUE.to_vec().into());
        store.put(PutRequest { key, value, ..PutRequest::default() }).await.unwrap();
    }
    drop(store);
    assert!(drain.close(PATIENCE).await);
    let file = folder.join("store.redb");
    (file.clone(), std::fs::read(file).unwrap())
}

/// Opens a store and counts its records, if they are as they were; it may be refused, or found damaged.
async fn count(settings: Settings) -> Result<i64, String> {
    let drain = Drain::new();
    let opened = Store::open(settings, &drain).await;
    let counted = match opened {
        Ok(store) => store.range(prefix("")).await,
        Err(error) => Err(error),
    };
    drain.close(PATIENCE).await;
    let is_as_it_was = |kv: &KeyValue| kv.value[..] == VALUE;
    let count = counted.map(|found| found.kvs.into_iter().filter(is_as_it_was).count());
    count.map(|count| i64::try_from(count).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_file_that_is_cut_or_empty_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (file, whole) = written(folder.path()).await;
    for length in [0, 100, whole.len() / 2, whole.len() / 2 / PAGE * PAGE, whole.len() - PAGE] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let refused = count(settings(folder.path())).await.unwrap_err();
        let is_told = refused.contains(&file.display().to_string()) && refused.contains("restore it");
        assert!(is_told, "{length} of {}: {refused}", whole.len());
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(count(settings(folder.path())).await, Ok(RECORDS));
}

#[tokio::test]
async fn a_page_that_is_damaged_is_told_or_was_not_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (file, whole) = written(folder.path()).await;
    let damages: [fn(&mut [u8]); 2] = [|page| page.fill(0), |page| page[PAGE / 2] ^= 1];
    for damage in damages {
        let mut refusals = 0;
        for page in 0..whole.len() / PAGE {
            let mut damaged = whole.clone();
            damage(&mut damaged[page * PAGE..(page + 1) * PAGE]);
            std::fs::write(&file, &damaged).unwrap();
            match count(settings(folder.path())).await {
                Ok(count) => assert_eq!(count, RECORDS, "with page {page}"),
                Err(refused) => {
                    assert!(refused.contains(&file.display().to_string()), "{refused}");
                    refusals += 1;
                }
            }
        }
        assert!(refusals > 3, "{refusals} of {} pages", whole.len() / PAGE);
    }
}

#[tokio::test]
async fn damage_under_an_open_store_ends_the_process_with_a_reason() {
    let world = World::new().await;
    let value = vec![7; 200_000];
    for number in 0..100 {
        let (key, value) = (format!("job-{number}").into(), value.clone().into());
        world.store.put(PutRequest { key, value, ..PutRequest::default() }).await.unwrap();
    }
    let file = world.folder.path().join("store.redb");
    let length = std::fs::metadata(&file).unwrap().len();
    let zeros = vec![0; usize::try_from(length).unwrap() - 2 * PAGE];
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::File::options().write(true).open(&file).unwrap(),
        &zeros,
        2 * PAGE as u64,
    )
    .unwrap();
    // What is in the library's cache can still be read and written.
    let failed = async {
        while !world.drain.is_stopped() {
            world.store.range(prefix("")).await.ok();
            let put = PutRequest { key: "job".into(), value: vec![1; 100].into(), ..PutRequest::default() };
            world.store.put(put).await.ok();
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
    let reason = world.drain.failure().unwrap();
    assert!(reason.contains(&file.display().to_string()) && reason.contains("restore it"), "{reason}");
    let refused = world.store.put(super::put("a", "1")).await.unwrap_err();
    assert!(matches!(refused, Error::Stopped | Error::Damaged(_)), "{refused}");
}
