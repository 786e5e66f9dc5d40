//! What the ledger, prices and counting add to a call and to each event of its stream.
//!
//! `cargo bench --bench metering`; `WEIR_SECONDS` sets how long each row takes. A small gateway is served in two ways at
//! once: through the pipeline, and by the same server, client and tap with nothing behind the tap. Streams of both
//! stay open, and in turn, for a fifth of a second each, one side's get events or requests. Events come to a gateway at
//! rest, which wakes for each, and to one under load, which takes half the time for one. What is compared is the CPU of
//! all of Weir's threads, pair by pair, so whatever else the machine does meets both alike. Linux only. It prints, and
//! asserts nothing but that all came through.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, prints, and is no gateway"
)]

mod cpu;
mod gateway;
#[path = "../common/texts.rs"]
mod texts;
mod world;

use anyhow::Context;
use std::{thread, time::Duration};
use world::{Pace, Side, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What one measurement lasts, about.
const SPAN: Duration = Duration::from_millis(200);
/// How many sets of streams and clients measure a row, one after the other.
const WORLDS: usize = 16;
/// Models whose text is counted exactly, and by estimate.
const MODELS: [&str; 2] = ["gpt-4o", "somebodys-model"];

fn main() -> anyhow::Result<()> {
    let seconds = std::env::var("WEIR_SECONDS").map_or(Ok(15), |seconds| seconds.parse::<u64>())?;
    let pairs = (Duration::from_secs(seconds).as_millis() / (2 * SPAN).as_millis()) as usize;
    let dir = tempfile::tempdir()?;
    let upstream = world::upstream()?;
    let address = gateway::start(dir.path(), upstream.address, &MODELS)?;
    let listener = world::listener()?;
    for model in MODELS {
        let open = |order| World::new(address, &upstream, &listener, model, order);
        for (kind, pieces) in texts::TEXTS {
            for pace in Pace::ALL {
                let events = compare(pairs, open, |world, side| {
                    world.events(side, pieces, pace, SPAN)
                })?;
                println!("{model}: an event with {kind} {} {events}", pace.as_str());
            }
        }
        let requests = compare(pairs, open, |world, side| world.requests(side, SPAN))?;
        println!("{model}: a request {requests}");
    }
    Ok(())
}

/// CPU of one thing on both sides.
struct Compared {
    without: f64,
    with: f64,
    /// The quartiles and the median of how much more it is, pair by pair.
    more: [f64; 3],
    ratio: [f64; 3],
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([low, more, high], [least, ratio, most]) = (self.more, self.ratio);
        write!(
            f,
            "{:.2} us without, {:.2} with: {more:+.2} us ({low:+.2} to {high:+.2}), ratio {ratio:.3} ({least:.3} to {most:.3})",
            self.without, self.with
        )
    }
}

/// Measures both sides in turn, about as often as `pairs`, in several worlds: where a stream happens to lie in memory
/// makes it cheaper or dearer for as long as it lasts. The first pair of each warms it up.
fn compare(
    pairs: usize,
    open: impl Fn([Side; 2]) -> anyhow::Result<World>,
    mut measure: impl FnMut(&mut World, Side) -> anyhow::Result<u64>,
) -> anyhow::Result<Compared> {
    let mut found = Vec::new();
    for number in 0..WORLDS {
        let mut world = open(Side::both(number))?;
        let mut each = |side| -> anyhow::Result<f64> {
            let before = settled()?;
            let things = measure(&mut world, side)?;
            Ok((settled()? - before).as_secs_f64() * 1e6 / things as f64)
        };
        for pair in 0..=pairs.div_ceil(WORLDS) {
            let mut taken = [0.0; 2];
            for side in Side::both(pair) {
                taken[side as usize] = each(side)?;
            }
            let [with, without] = taken;
            if pair > 0 {
                found.push((without, with));
            }
        }
    }
    let of = |figure: fn(&(f64, f64)) -> f64| quartiles(found.iter().map(figure).collect());
    Ok(Compared {
        without: of(|pair| pair.0)[1],
        with: of(|pair| pair.1)[1],
        more: of(|pair| pair.1 - pair.0),
        ratio: of(|pair| pair.1 / pair.0),
    })
}

fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}

/// The CPU that Weir's threads have taken once they rest: rows are committed, text is counted.
fn settled() -> anyhow::Result<Duration> {
    let mut before = cpu::taken()?;
    for _ in 0..1000 {
        thread::sleep(Duration::from_millis(15));
        let now = cpu::taken()?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    None.context("Weir's threads do not come to rest")
}
