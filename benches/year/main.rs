//! A year of usage, and how long it takes to ask about it.
//!
//! `cargo bench --bench year -- --requests 50000000 --store DIR` fills a new store in `DIR`, as that many calls would
//! have, and times what an operator asks of it. A store that is there already is only asked. `DIR` is then a data
//! directory: `weir --data-dir DIR usage`, `weir doctor` and `weir serve` work on it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, prints, and is no gateway"
)]

mod ask;
mod calls;
mod fill;

use clap::Parser;
use std::{path::PathBuf, time::Instant};

#[derive(Parser)]
struct Flags {
    /// Calls in the year
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    /// The data directory; one for this run only, if none is given
    #[arg(long)]
    store: Option<PathBuf>,
    /// Cargo's own word to whatever it benches
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let own = tempfile::tempdir()?;
    let dir = flags.store.unwrap_or_else(|| own.path().to_owned());
    let store = dir.join("weir.db");
    if !store.exists() {
        let began = Instant::now();
        std::fs::create_dir_all(&dir)?;
        fill::fill(&store, flags.requests)?;
        let took = began.elapsed().as_secs_f64();
        let requests = flags.requests;
        println!(
            "{requests} calls in {took:.0} s: {:.0} a second",
            requests as f64 / took
        );
    }
    println!(
        "the store has {} MiB",
        std::fs::metadata(&store)?.len() >> 20
    );
    ask::ask(store)
}
