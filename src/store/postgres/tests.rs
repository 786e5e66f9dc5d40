use super::{Connection, MIGRATIONS};
use crate::domain::{Place, Postgres, Secret};
use crate::store::fixture::Fixture;
use crate::store::{self, Db, Error, Mode, Value};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn server(place: &Fixture) -> &Postgres {
    match place.place() {
        Place::Postgres(server) => server,
        Place::Sqlite(_) => unreachable!("the fixture is one of Postgres"),
    }
}

#[test]
fn a_store_from_a_newer_weir_is_refused() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let mut conn = store::connect(place.place()).unwrap();
    let rows = conn
        .query("SELECT version FROM store_version", &[])
        .unwrap();
    assert_eq!(rows[0].get::<u64>(0).unwrap(), MIGRATIONS.len() as u64);
    conn.transact(Mode::Write, |tx| {
        tx.run("UPDATE store_version SET version = 1000")
    })
    .unwrap();
    let error = Db::open(place.place()).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 1000, .. }));
    assert!(error.to_string().contains("use a newer weir"));
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let good = "CREATE TABLE a (x BIGINT);";
    let broken = "CREATE TABLE b (x BIGINT); CREATE TABLE a (x BIGINT);";
    let open = |migrations: &[&str]| {
        let mut conn = Connection::new(server(&place), PATIENCE).unwrap();
        conn.open(migrations).map(|()| conn)
    };
    let error = open(&[good, broken]).map(drop).unwrap_err();
    assert!(matches!(error, Error::Migrate { version: 2, .. }));
    let mut conn = open(&[good, "CREATE TABLE b (x BIGINT);"]).unwrap();
    conn.begin(Mode::Read).unwrap();
    conn.run("SELECT x FROM a; SELECT x FROM b").unwrap();
}

#[test]
fn other_schemas_are_left_alone() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let mut conn = store::connect(place.place()).unwrap();
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'entry' AND table_schema = 'public'";
    assert_eq!(conn.query(sql, &[]).unwrap()[0].get::<i64>(0).unwrap(), 0);
    let path = conn.query("SELECT current_schemas(false)::text", &[]);
    let path: String = path.unwrap()[0].get(0).unwrap();
    assert_eq!(path, format!("{{{}}}", server(&place).schema));
}

#[test]
fn a_connection_that_was_cut_is_made_anew() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let mut conn = store::connect(place.place()).unwrap();
    let mut other = store::connect(place.place()).unwrap();
    let number = |conn: &mut store::Connection| {
        let rows = conn.query("SELECT pg_backend_pid()", &[]).unwrap();
        rows[0].get::<i64>(0).unwrap()
    };
    let first = number(&mut conn);
    // Cut while it is idle: nobody notices.
    let cut = "SELECT pg_terminate_backend(CAST($1 AS INTEGER))";
    other.query(cut, &[first.into()]).unwrap();
    let second = number(&mut conn);
    assert_ne!(first, second);
    // Cut in the middle: the transaction fails, and the next one is well.
    let failed = conn.transact(Mode::Write, |tx| {
        tx.run("UPDATE entries_kept SET since = 9")?;
        other.query(cut, &[second.into()])?;
        tx.run("UPDATE entries_kept SET since = 8")
    });
    assert!(failed.is_err());
    let kept = conn.query("SELECT since FROM entries_kept", &[]).unwrap();
    assert_eq!(kept[0].get::<i64>(0).unwrap(), 0);
}

#[test]
fn a_failed_statement_that_was_overlooked_is_never_committed() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let mut conn = store::connect(place.place()).unwrap();
    let outcome = conn.transact(Mode::Write, |tx| {
        tx.run("UPDATE entries_kept SET since = 9")?;
        assert!(tx.run("SELECT nonsense").is_err());
        Ok::<_, Error>(())
    });
    assert!(matches!(outcome, Err(Error::Spoiled)));
}

#[test]
fn a_server_that_falls_silent_is_given_up_and_comes_back() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    store::connect(place.place()).unwrap();
    let mut conn = Connection::new(server(&place), Duration::from_millis(200)).unwrap();
    conn.begin(Mode::Read).unwrap();
    assert!(matches!(conn.run("SELECT pg_sleep(60)"), Err(Error::Slow)));
    assert!(matches!(conn.run("SELECT 1"), Err(Error::Away)));
    conn.begin(Mode::Read).unwrap();
    conn.run("SELECT 1").unwrap();
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_tells_no_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = Postgres {
        url: Secret::new(format!("postgres://u:hush-hush@127.0.0.1:{port}/d")),
        shown: format!("postgres://127.0.0.1:{port}/d"),
        schema: "weir".to_owned(),
        tls: false,
        authorities: None,
    };
    let place = Place::Postgres(server);
    let error = Db::open(&place).unwrap_err();
    assert!(matches!(error, Error::Connect(_)));
    let debug = format!("{place:?} {error:?}");
    let text = format!("{place} {debug} {:#}", anyhow::Error::new(error));
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn keys_of_an_older_store_all_come_to_a_project() {
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let older = MIGRATIONS
        .iter()
        .take_while(|sql| !sql.contains("CREATE TABLE project"));
    let older: Vec<&str> = older.copied().collect();
    let mut conn = Connection::new(server(&place), PATIENCE).unwrap();
    conn.open(&older).unwrap();
    conn.begin(Mode::Write).unwrap();
    conn.run(
        "INSERT INTO api_key (id, kind, name, hash, created_at, version, project_id) VALUES
            ('aaaaaaaaaaaaaaaa', 'api', 'a', sha256(''), 5, 1, NULL),
            ('bbbbbbbbbbbbbbbb', 'api', 'b', sha256(''), 6, 2, 'Any Text'),
            ('cccccccccccccccc', 'api', 'c', sha256(''), 7, 3, 'Any Text'),
            ('dddddddddddddddd', 'admin', 'd', sha256(''), 8, 4, NULL)",
    )
    .unwrap();
    conn.commit().unwrap();
    let mut conn = store::connect(place.place()).unwrap();
    let mut texts = |sql: &str| -> Vec<Option<String>> {
        let rows = conn.query(sql, &[]).unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
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
    let Some(place) = Fixture::postgres() else {
        return;
    };
    let older = MIGRATIONS
        .iter()
        .take_while(|sql| !sql.contains("person ADD COLUMN tier"));
    let older: Vec<&str> = older.copied().collect();
    let mut conn = Connection::new(server(&place), PATIENCE).unwrap();
    conn.open(&older).unwrap();
    conn.begin(Mode::Write).unwrap();
    conn.run(
        "INSERT INTO person (id, email, name, role, added_at, version) VALUES
            ('user-aaaaaaaaaaaaaaaa', 'a@x', 'a', 'reader', 5, 1)",
    )
    .unwrap();
    conn.commit().unwrap();
    let mut conn = store::connect(place.place()).unwrap();
    let rows = conn.query("SELECT id, tier FROM person", &[]).unwrap();
    assert_eq!(
        rows[0].values(),
        ["user-aaaaaaaaaaaaaaaa".into(), Value::Null]
    );
}
