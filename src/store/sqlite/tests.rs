use super::{MIGRATIONS, migrate};
use crate::domain::Place;
use crate::store::{Db, Error, Mode};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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

#[tokio::test]
async fn what_it_makes_is_for_the_owner_only_and_folded_in_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/weir.db");
    let db = Db::open(&Place::Sqlite(path.clone())).unwrap();
    db.transact(Mode::Write, |tx| tx.run("CREATE TABLE t (x)"))
        .await
        .unwrap();

    assert_eq!(mode(&dir.path().join("a")), 0o700);
    assert_eq!(mode(&dir.path().join("a/b")), 0o700);
    for name in ["weir.db", "weir.db-wal", "weir.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    drop(db.clone());
    assert!(path.with_file_name("weir.db-wal").exists());
    drop(db);
    assert!(!path.with_file_name("weir.db-wal").exists());
}

#[test]
fn a_store_from_a_newer_weir_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    let place = Place::Sqlite(path.clone());
    drop(Db::open(&place).unwrap());
    let conn = Connection::open(path).unwrap();
    let found: u32 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(found, MIGRATIONS.len() as u32);
    conn.pragma_update(None, "user_version", 1000).unwrap();

    let error = Db::open(&place).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 1000, .. }));
    assert!(error.to_string().contains("use a newer weir"));
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let mut conn = Connection::open_in_memory().unwrap();
    let good = "CREATE TABLE a (x);";
    let broken = "CREATE TABLE b (x); CREATE TABLE a (x);";
    let path = Path::new("memory");

    let error = migrate(&mut conn, path, &[good, broken]).unwrap_err();
    assert!(matches!(error, Error::Migrate { version: 2, .. }));
    assert_eq!(tables(&conn), ["a"]);

    migrate(&mut conn, path, &[good, "CREATE TABLE b (x);"]).unwrap();
    assert_eq!(tables(&conn), ["a", "b"]);
}

#[test]
fn a_file_that_is_no_database_is_an_error_and_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "not a database, and longer than the header of one".repeat(10);
    std::fs::write(&path, &text).unwrap();
    let opened = Db::open(&Place::Sqlite(path.clone()));
    assert!(matches!(opened, Err(Error::Open { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn keys_of_an_older_store_all_come_to_a_project() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    let older = MIGRATIONS
        .iter()
        .take_while(|sql| !sql.contains("CREATE TABLE project"));
    let older: Vec<&str> = older.copied().collect();
    let conn = super::open(&path, &older).unwrap();
    conn.execute_batch(
        "INSERT INTO api_key (id, kind, name, hash, created_at, version, project_id) VALUES
            ('aaaaaaaaaaaaaaaa', 'api', 'a', zeroblob(32), 5, 1, NULL),
            ('bbbbbbbbbbbbbbbb', 'api', 'b', zeroblob(32), 6, 2, 'Any Text'),
            ('cccccccccccccccc', 'api', 'c', zeroblob(32), 7, 3, 'Any Text'),
            ('dddddddddddddddd', 'admin', 'd', zeroblob(32), 8, 4, NULL)",
    )
    .unwrap();
    drop(conn);
    let conn = super::open(&path, MIGRATIONS).unwrap();
    let texts = |sql: &str| {
        let mut statement = conn.prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.map(Result::unwrap).collect::<Vec<Option<String>>>()
    };
    let some = |text: &str| Some(text.to_owned());
    let projects = texts("SELECT id FROM project ORDER BY number");
    assert_eq!(projects, [some("proj_default"), some("Any Text")]);
    let of_keys = texts("SELECT project_id FROM api_key ORDER BY number");
    assert_eq!(
        of_keys,
        [
            some("proj_default"),
            some("Any Text"),
            some("Any Text"),
            None
        ]
    );
}

#[test]
fn users_of_an_older_store_have_no_tier() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.db");
    let older = MIGRATIONS
        .iter()
        .take_while(|sql| !sql.contains("person ADD COLUMN tier"));
    let older: Vec<&str> = older.copied().collect();
    let conn = super::open(&path, &older).unwrap();
    conn.execute_batch(
        "INSERT INTO person (id, email, name, role, added_at, version) VALUES
            ('user-aaaaaaaaaaaaaaaa', 'a@x', 'a', 'reader', 5, 1)",
    )
    .unwrap();
    drop(conn);
    let conn = super::open(&path, MIGRATIONS).unwrap();
    let sql = "SELECT id, tier FROM person";
    let found: (String, Option<String>) = conn
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(found, ("user-aaaaaaaaaaaaaaaa".to_owned(), None));
}
