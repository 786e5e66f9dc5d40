//! What the ledger costs: on the path of a call, and in rows a second into the store.
//!
//! `cargo bench --bench ledger`; `WEIR_ROWS` sets how many rows, `TMPDIR` on which disk, `WEIR_BENCH_POSTGRES_URL` a
//! Postgres server in place of SQLite, where the schema `weir_bench` is made anew. It prints, and asserts nothing but
//! that every row is there.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, prints, and is no gateway"
)]

use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use weir::{
    domain::{Endpoint, KeyId, Outcome, Place, Postgres, PriceTag, Secret, Usage},
    ledger::{Admission, Answer, Ledger, Options, Settlement},
    store::Mode,
};

/// Pieces of each answer.
const CHUNKS: u64 = 100;
/// Calls in the order of a busy hour: some keys, some models.
const KEYS: u64 = 50;
const MODELS: [&str; 4] = ["gpt-5", "gpt-5-mini", "text-embedding-3-large", "o3"];

fn main() -> anyhow::Result<()> {
    let rows = std::env::var("WEIR_ROWS").map_or(Ok(200_000), |rows| rows.parse())?;
    let dir = tempfile::tempdir()?;
    let options = Options {
        table: dir.path().join("flight.table"),
        store: store(dir.path()),
        slots: 65_536,
        flush: Duration::from_secs(1),
        retention: Duration::ZERO,
    };
    let (ledger, threads) = Ledger::open(options.clone())?;
    path(&ledger);
    drain(&ledger);

    let began = Instant::now();
    let mut behind = 0;
    for number in 0..rows {
        while !call(&ledger, number, 1) {
            thread::yield_now();
        }
        behind = behind.max(ledger.slots().1);
    }
    drain(&ledger);
    let took = began.elapsed();
    println!(
        "{rows} rows in {took:.1?}: {:.0} rows/s, at most {behind} behind",
        rows as f64 / took.as_secs_f64()
    );
    threads.close();
    let mut conn = weir::store::connect(&options.store)?;
    let found: i64 = conn.query("SELECT count(*) FROM entry", &[])?[0].get(0)?;
    anyhow::ensure!(found as u64 == rows + PATH, "{found} rows");
    Ok(())
}

/// A new store in a file, or on a server.
fn store(dir: &Path) -> Place {
    let Ok(url) = std::env::var("WEIR_BENCH_POSTGRES_URL") else {
        return Place::Sqlite(dir.join("weir.db"));
    };
    let place = Place::Postgres(Postgres {
        url: Secret::new(url),
        shown: "the server".to_owned(),
        schema: "weir_bench".to_owned(),
        tls: false,
        authorities: None,
    });
    let clear = |tx: &mut weir::store::Transaction<'_>| tx.run("DROP SCHEMA weir_bench CASCADE");
    let cleared =
        weir::store::connect(&place).and_then(|mut conn| conn.transact(Mode::Write, clear));
    cleared.expect("the server lets the benchmark begin");
    place
}

/// Calls for the figures of the path.
const PATH: u64 = 20_000;

/// Times what a call does on its worker's thread, while the writer works beside it.
fn path(ledger: &Ledger) {
    let mut spans: Vec<Duration> = (0..PATH)
        .map(|number| {
            let began = Instant::now();
            assert!(call(ledger, number, CHUNKS), "a slot is free");
            began.elapsed()
        })
        .collect();
    spans.sort_unstable();
    let at = |share: f64| spans[(share * (spans.len() - 1) as f64) as usize];
    println!(
        "a call with {CHUNKS} chunks: p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, most {:.1?}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    let began = Instant::now();
    let flight = ledger.admit(&admission(0)).expect("a slot is free");
    const COUNTS: u64 = 10_000_000;
    (1..=COUNTS).for_each(|chunk| flight.count(chunk, chunk * 200, chunk, None));
    let chunk = began.elapsed().as_nanos() as f64 / COUNTS as f64;
    println!("a chunk: {chunk:.1} ns");
    drop(flight);
}

fn admission(number: u64) -> Admission<'static> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let key = format!("benchmarkkey{:04}", number % KEYS);
    Admission {
        started: since.as_millis() as u64,
        key: KeyId::parse(key.as_bytes()).expect("16 letters and digits"),
        project: Some("proj_0123456789abcdef01234567"),
        user: None,
        endpoint: Endpoint::Chat,
        stream: true,
        request: "req_0123456789abcdef0011223344556677",
        model: MODELS[number as usize % MODELS.len()],
        metadata: None,
    }
}

/// One call from its admission to its end; false if the table is full.
fn call(ledger: &Ledger, number: u64, chunks: u64) -> bool {
    let Ok(flight) = ledger.admit(&admission(number)) else {
        return false;
    };
    let price: PriceTag = "i1.25 c0.125 o10".parse().expect("a price");
    flight.answered(&Answer {
        status: 200,
        stream: true,
        upstream: "openai",
        provider: "openai",
        upstream_request: Some("req_0123456789abcdef0123456789abcdef"),
        price: Some(&price),
    });
    (1..=chunks).for_each(|chunk| flight.count(chunk, chunk * 200, chunk * 900, None));
    flight.settle(&Settlement {
        outcome: Outcome::Completed,
        status: 200,
        usage: Some(Usage {
            input: Some(800),
            output: Some(chunks),
            cached: Some(512),
            reasoning: Some(0),
            ..Usage::default()
        }),
        usage_is_running: false,
        usage_refused: false,
        counted: None,
        attempts: 1,
        first_us: Some(350_000),
        duration_us: chunks * 900,
        served_model: Some("gpt-5-2026-08-07"),
        finish_reason: Some("stop"),
        price: Some(&price),
        quantity: None,
    });
    true
}

/// Waits until the writer has committed everything.
fn drain(ledger: &Ledger) {
    while ledger.slots().1 > 0 {
        thread::sleep(Duration::from_millis(1));
    }
}
