//! Brings a schema up to date: makes it if there is none, and applies the migrations that it lacks.

use super::Connection;
use crate::store::{Error, Mode, Row};

/// The twins of SQLite's, number by number; what is said there of applied ones holds here.
pub(in crate::store) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres/0001_keys.sql"),
    include_str!("../migrations/postgres/0002_ledger.sql"),
    include_str!("../migrations/postgres/0003_charges.sql"),
    include_str!("../migrations/postgres/0004_hangup.sql"),
    include_str!("../migrations/postgres/0005_rollup_day_key.sql"),
    include_str!("../migrations/postgres/0006_people.sql"),
    include_str!("../migrations/postgres/0007_directory.sql"),
    include_str!("../migrations/postgres/0008_invites.sql"),
    include_str!("../migrations/postgres/0009_audit_numbers.sql"),
    include_str!("../migrations/postgres/0010_known_projects.sql"),
    include_str!("../migrations/postgres/0011_alert_firings.sql"),
    include_str!("../migrations/postgres/0012_user_tiers.sql"),
    include_str!("../migrations/postgres/0013_project_hangup.sql"),
];

pub(super) fn migrate(conn: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    let known = migrations.len() as u32;
    loop {
        // Without the lock: nearly every start finds nothing to do.
        conn.begin(Mode::Read)?;
        let found = version(conn);
        conn.roll_back();
        let found = found?;
        if found > known {
            return Err(Error::Newer {
                place: conn.schema.clone(),
                found,
                known,
            });
        }
        if found == known {
            return Ok(());
        }
        apply_next(conn, migrations).map_err(|source| Error::Migrate {
            place: conn.schema.clone(),
            version: found + 1,
            source: Box::new(source),
        })?;
    }
}

/// One migration and the new version, in one transaction that other nodes wait for.
fn apply_next(conn: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    conn.begin(Mode::Alone)?;
    let outcome = apply(conn, migrations);
    match outcome {
        Ok(()) => conn.commit(),
        Err(error) => {
            conn.roll_back();
            Err(error)
        }
    }
}

fn apply(conn: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    // Read again under the lock: another node may have applied it meanwhile.
    let done = version(conn)?;
    let Some(sql) = migrations.get(done as usize) else {
        return Ok(());
    };
    if done == 0 {
        let there = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
        let schema = conn.schema.clone();
        // Asked first, for somebody may have made it who may, for a Weir that may not.
        if !get(conn, there, &schema)? {
            conn.run(&format!("CREATE SCHEMA \"{schema}\""))?;
        }
        conn.run("CREATE TABLE store_version (version BIGINT NOT NULL); INSERT INTO store_version VALUES (0)")?;
    }
    conn.run(sql)?;
    conn.execute("UPDATE store_version SET version = version + 1", &[])
        .map(drop)
}

fn version(conn: &mut Connection) -> Result<u32, Error> {
    let there = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'store_version')";
    let schema = conn.schema.clone();
    if !get(conn, there, &schema)? {
        return Ok(0);
    }
    let mut version = 0;
    conn.for_each("SELECT version FROM store_version", &[], |row| {
        version = u32::try_from(row.get::<i64>(0)?).unwrap_or(u32::MAX);
        Ok(())
    })?;
    Ok(version)
}

fn get(conn: &mut Connection, sql: &str, value: &str) -> Result<bool, Error> {
    let mut truth = false;
    conn.for_each(sql, &[value.into()], |row: Row| {
        truth = row.get(0)?;
        Ok(())
    })?;
    Ok(truth)
}
