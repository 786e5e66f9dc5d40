//! What every store does, whichever database keeps it.

use super::fixture::{Fixture, fixture};
use super::{Connection, Db, Error, Kind, Mode, Table, Transaction, Value, connect};
use crate::domain::Place;
use std::thread;

async fn run(db: &Db, sql: &'static str) -> Result<(), Error> {
    db.transact(Mode::Write, |tx| tx.run(sql)).await
}

async fn numbers(db: &Db, sql: &str) -> Vec<i64> {
    let rows = db.query(sql, Vec::new()).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Every column of every table.
fn columns(place: &Place) -> Vec<String> {
    let sql = match place {
        Place::Sqlite(_) => {
            "SELECT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
        Place::Postgres(_) => {
            "SELECT (table_name || '.' || column_name)::text COLLATE \"C\" FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name <> 'store_version' ORDER BY 1"
        }
    };
    let rows = connect(place).unwrap().query(sql, &[]).unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_columns() {
    let place = fixture!();
    let found = columns(place.place());
    assert!(found.contains(&"entry.started_at".to_owned()), "{found:?}");
    let sqlite = Fixture::sqlite().unwrap();
    assert_eq!(found, columns(sqlite.place()));
}

#[tokio::test]
async fn a_second_open_finds_what_the_first_one_left() {
    let place = fixture!();
    let first = Db::open(place.place()).unwrap();
    run(
        &first,
        "CREATE TABLE t (x BIGINT); INSERT INTO t VALUES (7)",
    )
    .await
    .unwrap();
    drop(first);
    let second = Db::open(place.place()).unwrap();
    assert_eq!(numbers(&second, "SELECT x FROM t").await, [7]);
    assert!(second.is_open().await);
}

#[test]
fn processes_that_start_at_once_all_get_a_finished_store() {
    for _ in 0..8 {
        let place = fixture!();
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let mut conn = connect(place.place()).unwrap();
                    conn.query("SELECT id FROM api_key", &[]).unwrap()
                });
            }
        });
    }
}

#[tokio::test]
async fn a_job_that_panics_fails_alone_and_leaves_no_transaction() {
    let place = fixture!();
    let db = Db::open(place.place()).unwrap();
    let dies = |tx: &mut Transaction<'_>| -> Result<(), Error> {
        tx.run("CREATE TABLE t (x BIGINT)")?;
        panic!("a bug");
    };
    let died = db.transact(Mode::Alone, dies).await;
    assert!(matches!(died, Err(Error::NoAnswer)));
    run(&db, "CREATE TABLE t (y BIGINT)").await.unwrap();
}

#[tokio::test]
async fn what_fails_leaves_nothing_behind() {
    let place = fixture!();
    let db = Db::open(place.place()).unwrap();
    run(&db, "CREATE TABLE t (x BIGINT PRIMARY KEY)")
        .await
        .unwrap();
    let fails = |tx: &mut Transaction<'_>| {
        tx.run("INSERT INTO t VALUES (1)")?;
        tx.run("INSERT INTO t VALUES (1)")
    };
    assert!(db.transact(Mode::Write, fails).await.is_err());
    assert!(numbers(&db, "SELECT x FROM t").await.is_empty());
}

#[tokio::test]
async fn a_question_names_its_values_in_any_order_and_sees_what_was_committed() {
    let place = fixture!();
    let db = Db::open(place.place()).unwrap();
    let blob = match place.place() {
        Place::Sqlite(_) => "BLOB",
        Place::Postgres(_) => "BYTEA",
    };
    let make = format!("CREATE TABLE t (n BIGINT, s TEXT, b {blob})");
    db.transact(Mode::Write, move |tx| {
        tx.run(&make)?;
        let row = |n: i64, s: Option<&str>, b: Option<Vec<u8>>| [n.into(), s.into(), b.into()];
        let sql = "INSERT INTO t VALUES ($1, $2, $3)";
        tx.execute(sql, &row(7, Some("x"), Some(vec![1, 2])))?;
        tx.execute(sql, &row(8, None, None))
    })
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
    assert!(db.query(sql, vec![8_i64.into()]).await.is_err());
    let sums = "SELECT sum(n), sum(-n), sum(n * 100000), count(*), sum(n) FILTER (WHERE n > 9), min(n) > $1 FROM t";
    let sums = db.query(sums, vec![6_i64.into()]).await.unwrap();
    let expected = [15_i64, -15, 1_500_000, 2].map(Value::from);
    assert_eq!(sums[0].values()[..4], expected);
    assert_eq!(sums[0].values()[4..], [Value::Null, Value::Int(1)]);
}

#[tokio::test]
async fn a_question_changes_nothing_and_waits_for_no_change() {
    let place = fixture!();
    let db = Db::open(place.place()).unwrap();
    assert!(db.query("DELETE FROM api_key", Vec::new()).await.is_err());

    let (go, held) = std::sync::mpsc::channel::<()>();
    let hold = move |_: &mut Transaction<'_>| {
        held.recv().unwrap();
        Ok::<_, Error>(())
    };
    let change = db.transact(Mode::Alone, hold);
    let question = async {
        let rows = db.query("SELECT 1", Vec::new()).await.unwrap();
        go.send(()).unwrap();
        rows.len()
    };
    let (changed, found) = tokio::join!(change, question);
    changed.unwrap();
    assert_eq!(found, 1);
}

#[test]
fn rows_are_added_once_and_sums_grow_by_what_is_new() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    let run = |conn: &mut Connection, sql: &str| conn.transact(Mode::Write, |tx| tx.run(sql));
    run(
        &mut conn,
        "CREATE TABLE t (k TEXT PRIMARY KEY, n BIGINT); CREATE TABLE s (a TEXT, b BIGINT, n BIGINT, PRIMARY KEY (a, b))",
    )
    .unwrap();
    let rows = Table {
        name: "t",
        columns: &[("k", Kind::Text), ("n", Kind::Int)],
        key: 1,
    };
    let sums = Table {
        name: "s",
        columns: &[("a", Kind::Text), ("b", Kind::Int), ("n", Kind::Int)],
        key: 2,
    };
    let row = |k: &str, n: Option<i64>| vec![Value::from(k), n.into()];
    let sum = |a: &str, b: i64, n: i64| vec![Value::from(a), b.into(), n.into()];
    // Postgres knows no text with a zero in it, and must not choke on two that become one.
    let first = [row("a", Some(1)), row("b\0", None), row("b\0", Some(3))];
    let second = [row("a", Some(9)), row("c", Some(4))];
    let more = vec![sum("x\0", 1, 5), sum("x\0", 1, 6), sum("w", 1, 1)];
    let mut add = |rows_of: &[Vec<Value>], sums_of: Vec<Vec<Value>>| {
        conn.transact(Mode::Write, |tx| {
            let is_new = tx.add_new(&rows, rows_of)?;
            tx.add_up(&sums, sums_of)?;
            Ok::<_, Error>(is_new)
        })
        .unwrap()
    };
    assert_eq!(add(&first, more.clone()), [true, true, false]);
    assert_eq!(add(&second, more), [false, true]);
    assert_eq!(add(&[], Vec::new()), [false; 0]);
    let found = conn.query("SELECT n FROM t ORDER BY k", &[]).unwrap();
    let found: Vec<Option<i64>> = found.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(found, [Some(1), None, Some(4)]);
    let found = conn.query("SELECT a, n FROM s ORDER BY a", &[]).unwrap();
    let found: Vec<(String, i64)> = found
        .iter()
        .map(|row| (row.get(0).unwrap(), row.get(1).unwrap()))
        .collect();
    assert_eq!(found, [("w".to_owned(), 2), ("x\u{fffd}".to_owned(), 22)]);
}

#[test]
fn those_who_write_alone_take_turns() {
    let place = fixture!();
    let count = |conn: &mut Connection| {
        conn.transact(Mode::Alone, |tx| {
            let row = tx.first("SELECT max(since) FROM entries_kept", &[])?;
            let since: i64 = row.map_or(Ok(0), |row| row.get(0))?;
            tx.execute("UPDATE entries_kept SET since = $1", &[(since + 1).into()])
        })
        .unwrap()
    };
    connect(place.place()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut conn = connect(place.place()).unwrap();
                (0..25).for_each(|_| assert_eq!(count(&mut conn), 1));
            });
        }
    });
    let mut conn = connect(place.place()).unwrap();
    let rows = conn.query("SELECT since FROM entries_kept", &[]).unwrap();
    assert_eq!(rows[0].get::<i64>(0).unwrap(), 100);
}
