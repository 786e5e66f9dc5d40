//! What a million keys cost: to look one up, in memory, to load, and to list.
//!
//! `cargo bench --bench keys`; `WEIR_KEYS` sets how many, `TMPDIR` on which disk, `WEIR_BENCH_POSTGRES_URL` a Postgres
//! server in place of SQLite, where the schema `weir_bench` is made anew. It prints, and asserts nothing but that every
//! key opens what it should.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, prints, and is no gateway"
)]

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use sha2::{Digest, Sha256};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use weir::{
    auth::Keys,
    directory::{Cursor, Directory, Side},
    domain::{KeyId, Place, Postgres, Secret},
    store::{Db, Error, Kind, Mode, Table, Transaction, Value},
};

/// Rows that are written at a time.
const BATCH: u64 = 10_000;
/// One project has half of all keys, so that its list is a long one; these share the others.
const PROJECTS: u64 = 1000;
/// Keys of one service account.
const KEYS_EACH: u64 = 10;
const LOOKUPS: u64 = 2_000_000;
const PAGE: usize = 100;

fn main() -> anyhow::Result<()> {
    let keys = std::env::var("WEIR_KEYS").map_or(Ok(1_000_000), |keys| keys.parse())?;
    let dir = tempfile::tempdir()?;
    let place = store(dir.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let began = Instant::now();
    fill(&place, keys)?;
    println!("filled with {keys} keys in {:.1?}", began.elapsed());

    let db = Db::open(&place)?;
    let before = resident();
    let began = Instant::now();
    let known = runtime.block_on(Keys::open(db.clone()))?;
    println!("load: {:.2?}", began.elapsed());
    let taken = resident() - before;
    let texts: u64 = (0..keys / KEYS_EACH)
        .map(|owner| {
            let number = owner * KEYS_EACH;
            (project(number).len() + account(number).len()) as u64
        })
        .sum();
    println!(
        "memory: {} bytes a key beyond the owners' names ({} bytes with them)",
        taken.saturating_sub(texts) / keys,
        taken / keys
    );
    look_up(&known, keys);
    let directory = runtime.block_on(Directory::open(db, known))?;
    pages(&runtime, &directory, keys)
}

/// A new store in a file, or on a server.
fn store(dir: &Path) -> anyhow::Result<Place> {
    let Ok(url) = std::env::var("WEIR_BENCH_POSTGRES_URL") else {
        return Ok(Place::Sqlite(dir.join("weir.db")));
    };
    let place = Place::Postgres(Postgres {
        url: Secret::new(url),
        shown: "the server".to_owned(),
        schema: "weir_bench".to_owned(),
        tls: false,
        authorities: None,
    });
    let clear = |tx: &mut Transaction<'_>| tx.run("DROP SCHEMA weir_bench CASCADE");
    weir::store::connect(&place)?.transact(Mode::Write, clear)?;
    Ok(place)
}

/// The project of a key's owner: every other owner is of the first one.
fn project(number: u64) -> String {
    let owner = number / KEYS_EACH;
    let project = if owner.is_multiple_of(2) {
        0
    } else {
        owner % PROJECTS
    };
    format!("proj_{project:024}")
}

fn account(number: u64) -> String {
    format!("svc_acct_{:024}", number / KEYS_EACH)
}

fn id(number: u64) -> String {
    format!("benchkey{number:08}")
}

fn secret(number: u64) -> String {
    format!("{number:043}")
}

fn fill(place: &Place, keys: u64) -> anyhow::Result<()> {
    let mut conn = weir::store::connect(place)?;
    let projects = Table {
        name: "project",
        columns: &[
            ("id", Kind::Text),
            ("name", Kind::Text),
            ("created_at", Kind::Int),
        ],
        key: 1,
    };
    let accounts = Table {
        name: "service_account",
        columns: &[
            ("id", Kind::Text),
            ("project_id", Kind::Text),
            ("name", Kind::Text),
            ("role", Kind::Text),
            ("created_at", Kind::Int),
        ],
        key: 1,
    };
    let of_keys = Table {
        name: "api_key",
        columns: &[
            ("id", Kind::Text),
            ("kind", Kind::Text),
            ("name", Kind::Text),
            ("hash", Kind::Bytes),
            ("project_id", Kind::Text),
            ("user_id", Kind::Text),
            ("created_at", Kind::Int),
            ("version", Kind::Int),
        ],
        key: 1,
    };
    let now = || Value::Int(1_790_000_000_000);
    let row = |number| {
        vec![
            format!("proj_{number:024}").into(),
            "a project".into(),
            now(),
        ]
    };
    let rows: Vec<_> = (0..PROJECTS).map(row).collect();
    conn.transact(Mode::Write, |tx| tx.add_new(&projects, &rows).map(drop))?;
    for first in (0..keys).step_by(BATCH as usize) {
        let batch = first..(first + BATCH).min(keys);
        let row = |number: u64| {
            vec![
                account(number).into(),
                project(number).into(),
                "ci".into(),
                "member".into(),
                now(),
            ]
        };
        let owners: Vec<_> = batch.clone().step_by(KEYS_EACH as usize).map(row).collect();
        let row = |number: u64| {
            let hash: [u8; 32] = Sha256::digest(secret(number)).into();
            vec![
                id(number).into(),
                "api".into(),
                "a key".into(),
                hash.into(),
                project(number).into(),
                account(number).into(),
                now(),
                (number + 1).into(),
            ]
        };
        let rows: Vec<_> = batch.map(row).collect();
        conn.transact(Mode::Write, |tx| {
            tx.add_new(&accounts, &owners)?;
            tx.add_new(&of_keys, &rows)?;
            Ok::<_, Error>(())
        })?;
    }
    conn.transact(Mode::Write, |tx| tx.run("ANALYZE"))?;
    Ok(())
}

/// Bytes of memory that this process has.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// From the header to the caller, in an order that no cache can guess.
fn look_up(known: &Keys, keys: u64) {
    const DIFFERENT: u64 = 100_000;
    let headers: Vec<HeaderMap> = (0..DIFFERENT)
        .map(|number| {
            let number = number * 7_919_993 % keys;
            let key = format!("Bearer sk-weir-{}_{}", id(number), secret(number));
            let value = HeaderValue::try_from(key).expect("letters and digits");
            HeaderMap::from_iter([(AUTHORIZATION, value)])
        })
        .collect();
    let began = Instant::now();
    for number in 0..LOOKUPS {
        let caller = known.authenticate(&headers[(number % DIFFERENT) as usize]);
        assert!(caller.is_ok(), "the key is known");
    }
    let each = began.elapsed().as_nanos() as u64 / LOOKUPS;
    println!("lookup: {each} ns, its hash and its header read too");
}

/// The slowest of several pages of each list, as the control plane asks for them.
fn pages(runtime: &Runtime, directory: &Directory, keys: u64) -> anyhow::Result<()> {
    let after = |id: String| Cursor {
        side: Some(Side::After(id)),
        limit: PAGE,
        ..Cursor::default()
    };
    let first = || Cursor {
        limit: PAGE,
        ..Cursor::default()
    };
    let of_key = |number: u64| {
        let id = KeyId::parse(id(number).as_bytes()).expect("16 letters and digits");
        after(id.public())
    };
    let large = project(0);
    let timed =
        |what: &str, ask: &dyn Fn(Cursor) -> anyhow::Result<usize>, cursors: Vec<Cursor>| {
            let mut slowest = Duration::ZERO;
            for cursor in cursors {
                let began = Instant::now();
                anyhow::ensure!(ask(cursor)? == PAGE, "a whole page of {what}");
                slowest = slowest.max(began.elapsed());
            }
            println!("a page of {PAGE} {what}: {:.2?} at most", slowest);
            Ok(())
        };
    let middle = keys / 2 / (2 * KEYS_EACH) * (2 * KEYS_EACH);
    let last = middle * 2 - 40 * KEYS_EACH;
    timed(
        "keys of one project",
        &|cursor| {
            let page = runtime.block_on(directory.project_keys(large.clone(), cursor))?;
            Ok(page.0.items.len())
        },
        vec![first(), of_key(middle), of_key(last)],
    )?;
    timed(
        "service accounts",
        &|cursor| {
            Ok(runtime
                .block_on(directory.accounts(large.clone(), cursor))?
                .items
                .len())
        },
        vec![first(), after(account(middle))],
    )?;
    timed(
        "projects",
        &|cursor| {
            Ok(runtime
                .block_on(directory.projects(cursor, false))?
                .items
                .len())
        },
        vec![first(), after(format!("proj_{:024}", PROJECTS / 2))],
    )
}
