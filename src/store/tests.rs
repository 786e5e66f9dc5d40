use super::{Db, Error, MIGRATIONS, Value, sqlite};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn tables(conn: &Connection) -> Vec<String> {
    let mut rows = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    rows.query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn what_it_makes_is_for_the_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/weir.db");
    let db = Db::open(&path).unwrap();
    db.call_blocking(|conn| conn.execute_batch("CREATE TABLE t (x)"))
        .unwrap();

    assert_eq!(mode(&dir.path().join("a")), 0o700);
    assert_eq!(mode(&dir.path().join("a/b")), 0o700);
    for name in ["weir.db", "weir.db-wal", "weir.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_open_finds_what_the_first_one_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    let first = Db::open(&path).unwrap();
    first
        .call_blocking(|conn| conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (7)"))
        .unwrap();
    drop(first);

    let second = Db::open(&path).unwrap();
    let read = |conn: &mut Connection| {
        conn.query_row(
            "SELECT x, (SELECT user_version FROM pragma_user_version) FROM t",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?)),
        )
    };
    assert_eq!(
        second.call_blocking(read).unwrap(),
        (7, MIGRATIONS.len() as u32)
    );
}

#[test]
fn dropping_the_last_handle_finishes_the_queue_and_closes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    let db = Db::open(&path).unwrap();
    db.clone()
        .call_blocking(|conn| conn.execute_batch("CREATE TABLE t (x)"))
        .unwrap();
    drop(db);
    assert!(
        !path.with_file_name("weir.db-wal").exists(),
        "the log is folded in and removed on close"
    );
}

#[test]
fn processes_that_start_at_once_all_get_a_finished_store() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weir.db");
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    Db::open(&path)
                        .unwrap()
                        .call_blocking(|conn| conn.execute_batch("SELECT id FROM api_key"))
                        .unwrap()
                });
            }
        });
    }
}

#[test]
fn a_store_from_a_newer_weir_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    Db::open(&path)
        .unwrap()
        .call_blocking(|conn| conn.pragma_update(None, "user_version", 1000))
        .unwrap();

    let error = Db::open(&path).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 1000, .. }));
    assert!(error.to_string().contains("use a newer weir"));
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let mut conn = Connection::open_in_memory().unwrap();
    let good = "CREATE TABLE a (x);";
    let broken = "CREATE TABLE b (x); CREATE TABLE a (x);";
    let path = Path::new("memory");

    let error = sqlite::migrate(&mut conn, path, &[good, broken]).unwrap_err();
    assert!(matches!(error, Error::Migrate { version: 2, .. }));
    assert_eq!(tables(&conn), ["a"]);

    sqlite::migrate(&mut conn, path, &[good, "CREATE TABLE b (x);"]).unwrap();
    assert_eq!(tables(&conn), ["a", "b"]);
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "not a database, and longer than the header of one".repeat(10);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Db::open(&path), Err(Error::Open { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_job_that_panics_fails_alone_and_leaves_no_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path().join("weir.db")).unwrap();
    let dies = |conn: &mut Connection| -> rusqlite::Result<()> {
        let tx = conn.transaction()?;
        tx.execute_batch("CREATE TABLE t (x)")?;
        panic!("a bug");
    };
    assert!(matches!(db.call(dies).await, Err(Error::NoAnswer)));
    let left = db.call(|conn| Ok(tables(conn))).await.unwrap();
    assert!(!left.contains(&"t".to_owned()));
}

#[tokio::test]
async fn a_question_names_its_values_in_any_order_and_sees_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path().join("weir.db")).unwrap();
    db.call(|conn| conn.execute_batch("CREATE TABLE t (n INTEGER, s TEXT, b BLOB)"))
        .await
        .unwrap();
    db.call(|conn| conn.execute_batch("INSERT INTO t VALUES (7, 'x', x'0102'), (8, NULL, NULL)"))
        .await
        .unwrap();
    let sql = "SELECT n, s, b FROM t WHERE s = $2 OR n = $1 ORDER BY n";
    let rows = db.query(sql, vec![8_i64.into(), "x".into()]).await.unwrap();
    assert_eq!(rows[0].columns(), ["n", "s", "b"]);
    let one: (i64, String, [u8; 2]) = (
        rows[0].get(0).unwrap(),
        rows[0].get(1).unwrap(),
        rows[0].get(2).unwrap(),
    );
    assert_eq!(one, (7, "x".to_owned(), [1, 2]));
    assert_eq!(rows[1].values(), [8_i64.into(), Value::Null, Value::Null]);
    assert_eq!(rows[1].get::<Option<String>>(1).unwrap(), None);
    for (column, name) in [(0, "n"), (1, "s"), (3, "")] {
        let error = rows[1].get::<Vec<u8>>(column).unwrap_err();
        assert!(matches!(error, Error::Column { name: found } if found == name));
    }
    let short = db.query(sql, vec![8_i64.into()]).await.unwrap_err();
    assert!(matches!(short, Error::Placeholder { name } if name == "$2"));
}

#[tokio::test]
async fn a_question_changes_nothing_and_waits_for_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path().join("weir.db")).unwrap();
    let refused = db.query("DELETE FROM api_key", Vec::new()).await;
    assert!(matches!(refused, Err(Error::Sql(_))));

    let (go, held) = std::sync::mpsc::channel::<()>();
    let change = {
        let db = db.clone();
        let hold = move |_: &mut Connection| Ok(held.recv().unwrap());
        async move { db.call(hold).await }
    };
    let question = async {
        let rows = db.query("SELECT 1", Vec::new()).await.unwrap();
        go.send(()).unwrap();
        rows.len()
    };
    let (changed, found) = tokio::join!(change, question);
    changed.unwrap();
    assert_eq!(found, 1);
}
