//! Work that breaks off, and files that go away.
use super::*;
use tempfile::TempDir;

async fn open(folder: &TempDir) -> Database {
    let connection_string = folder.path().join("data.db").to_string_lossy().into_owned();
    let steps = vec!["CREATE TABLE IF NOT EXISTS numbers (number INTEGER)".to_owned()];
    let migrations = Migrations { table: "metadata".to_owned(), key: "migrations", steps };
    Database::open(ConnectionMetadata { connection_string, ..<_>::default() }, migrations).await.unwrap()
}

async fn insert(database: &Database, number: i64) {
    let insert = move |connection: &Connection| Ok(connection.execute("INSERT INTO numbers VALUES (?1)", [number])?);
    database.write(insert).await.unwrap();
}

async fn numbers(database: &Database) -> Vec<i64> {
    let read = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    };
    database.read(read).await.unwrap()
}

#[tokio::test]
async fn a_panic_ends_only_its_own_work() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    let write = |connection: &Connection| -> Outcome<()> {
        connection.execute("INSERT INTO numbers VALUES (1)", [])?;
        panic!("a test");
    };
    assert!(database.write(write).await.unwrap_err().to_string().contains("panicked"));
    insert(&database, 2).await;
    assert_eq!(numbers(&database).await, [2]);
}

/// As an operator does it by mistake: the file alone, or with those beside it.
#[cfg(unix)]
#[tokio::test]
async fn a_deleted_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    for (number, files) in [(1, &["data.db", "data.db-wal", "data.db-shm"] as &[_]), (2, &["data.db"])] {
        insert(&database, 0).await;
        assert_eq!(numbers(&database).await, [0]);
        for file in files {
            std::fs::remove_file(folder.path().join(file)).unwrap();
        }
        insert(&database, number).await;
        assert_eq!(numbers(&database).await, [number]);
        assert_eq!(numbers(&open(&folder).await).await, [number], "others see it too");
        std::fs::remove_file(folder.path().join("data.db")).unwrap();
        assert!(numbers(&database).await.is_empty(), "a look is enough");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_deleted_before_the_first_look_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    insert(&database, 1).await;
    for file in ["data.db", "data.db-wal", "data.db-shm"] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    assert!(numbers(&database).await.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_gone_is_an_error_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    insert(&database, 1).await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    let refused = database.write(|connection| Ok(connection.execute("DELETE FROM numbers", [])?)).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Denied);
    std::fs::create_dir(folder.path()).unwrap();
    insert(&database, 2).await;
    assert_eq!(numbers(&database).await, [2]);
}

/// Lets the file grow to so many pages at most, in place of a disk that is full.
async fn limit(database: &Database, pages: i64) {
    let limit = move |connection: &Connection| {
        Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
    };
    database.write(limit).await.unwrap();
}

fn fill(connection: &Connection) -> Outcome<()> {
    connection.execute("INSERT INTO numbers VALUES (zeroblob(1000000))", [])?;
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    insert(&database, 1).await;
    limit(&database, 1).await;
    let refused = database.write(fill).await.unwrap_err();
    assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("full"), "{refused}");
    limit(&database, 1 << 20).await;
    insert(&database, 2).await;
    assert_eq!(numbers(&database).await, [1, 2]);
}

#[tokio::test]
async fn a_full_disk_is_told_to_all_that_were_to_be_committed_together() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder).await;
    limit(&database, 1).await;
    let ((begin, begun), (release, released)) = (oneshot::channel(), oneshot::channel());
    let hold = database.write(move |_| {
        begin.send(()).ok();
        released.blocking_recv().ok();
        Ok(())
    });
    let small = || database.write(|connection| Ok(connection.execute("INSERT INTO numbers VALUES (1)", [])?));
    let together = async {
        begun.await.unwrap();
        let go = async { release.send(()).unwrap() };
        tokio::join!(small(), database.write(fill), small(), go)
    };
    let (held, (first, full, last, ())) = tokio::join!(hold, together);
    held.unwrap();
    for refused in [first.unwrap_err(), full.unwrap_err(), last.unwrap_err()] {
        assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("full"), "{refused}");
    }
    assert!(numbers(&database).await.is_empty());
}
