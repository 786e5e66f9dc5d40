use super::{Actor, Entry, Event, Origin, Wanted, append, examine, page};
use crate::domain::KeyId;
use crate::store::fixture::fixture;
use crate::store::{Connection, Error, Mode, Side, connect};
use serde_json::{Value, json};

fn origins() -> [Origin; 3] {
    let key = KeyId::parse(b"0123456789abcdef").unwrap();
    let user = Actor::User {
        id: "user-1".to_owned(),
        email: "ana@example.com".to_owned(),
    };
    let address = "192.0.2.7".parse().unwrap();
    [
        Origin::request(Actor::AdminKey(key), address, Some("curl/8\n")),
        Origin::request(user, address, None),
        Actor::CommandLine("root".to_owned()).into(),
    ]
}

fn write(conn: &mut Connection, by: &Origin, kind: &'static str, project: &str) {
    let entry = Entry {
        event: Event::of(kind),
        project: Some(project),
        resource: Some(project),
        before: Value::Null,
        after: json!({"name": "a \u{1F600} project"}),
    };
    conn.transact(Mode::Alone, |tx| append(tx, by, &entry))
        .unwrap();
}

/// A log of six entries: three of each project, one by each origin.
fn filled(conn: &mut Connection) {
    for project in ["proj_a", "proj_b"] {
        for by in origins() {
            write(conn, &by, "project.created", project);
        }
    }
}

fn ids(conn: &mut Connection, wanted: &Wanted) -> (Vec<String>, bool) {
    let read = |tx: &mut crate::store::Transaction<'_>| page(tx, wanted);
    let page = conn.transact(Mode::Read, read).unwrap().unwrap();
    let ids = page.items.into_iter().map(|record| record.id);
    (ids.collect(), page.has_more)
}

fn all() -> Wanted {
    Wanted {
        limit: 100,
        ..Wanted::default()
    }
}

#[test]
fn a_log_that_nobody_touched_agrees_with_itself() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    assert_eq!(examine(&mut conn).unwrap().1, [""; 0]);
    filled(&mut conn);
    let (facts, differences) = examine(&mut conn).unwrap();
    assert!(
        facts[0].contains("6 entries, the last is audit_log-"),
        "{facts:?}"
    );
    assert_eq!(differences, [""; 0]);
}

#[test]
fn the_store_refuses_to_change_or_delete_an_entry() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    filled(&mut conn);
    for sql in ["UPDATE audit_log SET event = 'x'", "DELETE FROM audit_log"] {
        let outcome: Result<(), Error> = conn.transact(Mode::Write, |tx| tx.run(sql));
        assert!(outcome.is_err(), "{sql}");
    }
    assert_eq!(examine(&mut conn).unwrap().1, [""; 0]);
}

#[test]
fn nothing_is_written_in_before_the_first_entry() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    filled(&mut conn);
    let forge = |tx: &mut crate::store::Transaction<'_>| -> Result<(), Error> {
        tx.run(
            "INSERT INTO audit_log (number, id, at, type, event, actor, change, previous, hash)
            SELECT 0, 'audit_log-0', at, type, event, actor, change, previous, hash FROM audit_log WHERE number = 1",
        )
    };
    assert!(conn.transact(Mode::Write, forge).is_err());
    let off = match place.place() {
        crate::domain::Place::Sqlite(_) => "DROP TRIGGER audit_log_counts_up",
        crate::domain::Place::Postgres(_) => {
            "ALTER TABLE audit_log DROP CONSTRAINT audit_log_counts_up"
        }
    };
    let tamper = |tx: &mut crate::store::Transaction<'_>| tx.run(off).and_then(|()| forge(tx));
    conn.transact(Mode::Write, tamper).unwrap();
    let (_, differences) = examine(&mut conn).unwrap();
    assert_eq!(differences, ["audit log: number 0 is not one of Weir's"]);
}

#[test]
fn whoever_gets_round_the_store_is_found_out() {
    for (sql, found) in [
        (
            "UPDATE audit_log SET actor_id = 'somebody' WHERE number = 2",
            "number 2 was rewritten",
        ),
        (
            "UPDATE audit_log SET id = 'x' WHERE number = 2",
            "number 2 was rewritten",
        ),
        (
            "DELETE FROM audit_log WHERE number = 3",
            "1 entries before number 4 are gone",
        ),
        (
            "UPDATE audit_log SET previous = hash WHERE number = 5",
            "number 5 does not follow",
        ),
    ] {
        let place = fixture!();
        let mut conn = connect(place.place()).unwrap();
        filled(&mut conn);
        let tamper = |tx: &mut crate::store::Transaction<'_>| -> Result<(), Error> {
            let off = match place.place() {
                crate::domain::Place::Sqlite(_) => {
                    "DROP TRIGGER audit_log_keeps_rows; DROP TRIGGER audit_log_keeps_words"
                }
                crate::domain::Place::Postgres(_) => "ALTER TABLE audit_log DISABLE TRIGGER ALL",
            };
            tx.run(off)?;
            tx.run(sql)
        };
        conn.transact(Mode::Write, tamper).unwrap();
        let (_, differences) = examine(&mut conn).unwrap();
        assert!(
            differences
                .iter()
                .any(|difference| difference.contains(found)),
            "{differences:?}"
        );
    }
}

#[test]
fn pages_go_both_ways_and_meet() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    filled(&mut conn);
    let (everything, more) = ids(&mut conn, &all());
    assert_eq!((everything.len(), more), (6, false));
    let two = |side| Wanted {
        side: Some(side),
        limit: 2,
        ..Wanted::default()
    };
    let (after, more) = ids(&mut conn, &two(Side::After(everything[1].clone())));
    assert_eq!((&after[..], more), (&everything[2..4], true));
    let (before, more) = ids(&mut conn, &two(Side::Before(everything[2].clone())));
    assert_eq!((&before[..], more), (&everything[0..2], false));
    let unknown = two(Side::After("audit_log-0".to_owned()));
    let none = conn.transact(Mode::Read, |tx| page(tx, &unknown)).unwrap();
    assert_eq!(none, None);
}

#[test]
fn every_filter_leaves_out_what_it_should() {
    let place = fixture!();
    let mut conn = connect(place.place()).unwrap();
    filled(&mut conn);
    write(&mut conn, &Origin::system(), "project.archived", "proj_a");
    let text = |text: &str| vec![text.to_owned()];
    for (wanted, found) in [
        (
            Wanted {
                projects: text("proj_a"),
                ..all()
            },
            4,
        ),
        (
            Wanted {
                kinds: text("project.archived"),
                ..all()
            },
            1,
        ),
        (
            Wanted {
                actors: text("key_0123456789abcdef"),
                ..all()
            },
            2,
        ),
        (
            Wanted {
                emails: text("ana@example.com"),
                ..all()
            },
            2,
        ),
        (
            Wanted {
                resources: text("proj_b"),
                projects: text("proj_a"),
                ..all()
            },
            0,
        ),
        (
            Wanted {
                from: Some(1),
                ..all()
            },
            7,
        ),
        (
            Wanted {
                until: Some(1),
                ..all()
            },
            0,
        ),
        (
            Wanted {
                from: Some(u64::MAX),
                ..all()
            },
            0,
        ),
    ] {
        assert_eq!(ids(&mut conn, &wanted).0.len(), found, "{wanted:?}");
    }
}

#[test]
fn an_agent_is_noted_without_what_would_spoil_a_listing() {
    let [by, ..] = origins();
    assert_eq!(by.agent.as_deref(), Some("curl/8"));
}
