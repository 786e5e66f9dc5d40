//! What limits cost: to find a call's, to ask for all of them, while two threads do, over Redis, and in memory for a
//! million keys.
//!
//! `cargo bench --bench limits`; `WEIR_KEYS` sets how many keys, `WEIR_BENCH_REDIS_URL` which Redis, by default
//! redis://127.0.0.1:6379/0. It prints, and asserts that nothing is allocated for a key that is known, and that a sweep
//! gives the memory back.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unsafe_code,
    reason = "it measures, prints, counts what is allocated, and is no gateway"
)]

mod policy;
mod shared;

use mimalloc::MiMalloc;
use std::{
    alloc::{GlobalAlloc, Layout},
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use weir::{
    domain::{Coin, Flow, Kind, Level, Pace, Rule, Rules, Span, Standing},
    limits::{Admitted, Ask, Charge, Engine, Holders, Now, Origin, Source, Used},
};

/// The median of so many batches says what a call costs when nothing else has the core.
const BATCHES: u64 = 2000;
const BATCH: u64 = 1000;
/// Of those who ask at the same time, together.
const CALLS_A_SECOND: u64 = 50_000;
const THREADS: u64 = 2;
const SECONDS: u64 = 5;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: it is the allocator that Weir has; counting changes nothing about it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        LIVE_BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: what the caller promises is what it asks for.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Two clocks, read once a call.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            mono: self.0.elapsed().as_nanos() as u64,
            wall: wall.map_or(0, |since| since.as_millis() as u64),
        }
    }
}

fn rate(flow: Flow, pace: Pace) -> Rule {
    // More than one machine can ask for, though that makes for slow divisions.
    Rule::new(Kind::Rate(flow, pace), 1_000_000_000_000)
}

/// Eight limits of five.
fn limits() -> [(Level, Vec<Rule>); 5] {
    let dollars = Rule::new(Kind::Budget(Coin::Dollars, Span::Month), i64::MAX as u64);
    [
        (Level::Organization, vec![dollars]),
        (
            Level::Project,
            vec![rate(Flow::Tokens, Pace::Minute), dollars],
        ),
        (
            Level::ProjectModel,
            vec![rate(Flow::Requests, Pace::Minute)],
        ),
        (Level::User, vec![Rule::new(Kind::InFlight, 1_000_000)]),
        (
            Level::Key,
            vec![
                rate(Flow::Requests, Pace::Minute),
                rate(Flow::Tokens, Pace::Minute),
                rate(Flow::Requests, Pace::Day),
            ],
        ),
    ]
}

fn rules(rules: &[Rule]) -> Rules {
    let mut all = Rules::default();
    rules.iter().for_each(|rule| all.add(*rule));
    all
}

/// What a caller's holders are called: all have the first in common.
fn name(level: Level, caller: u64) -> String {
    match level {
        Level::Organization => "organization".to_owned(),
        level => format!("{}_{caller:024}", level.as_str()),
    }
}

struct Caller {
    names: Vec<(Level, String)>,
    origin: Origin,
}

impl Caller {
    /// One whose holders are known, and have spent nothing.
    fn new(engine: &Engine, number: u64, now: Now) -> Self {
        let origin = Origin::default();
        let mut names = Vec::new();
        for (level, limits) in limits() {
            let name = name(level, number);
            let holder = engine.set(level, &name, origin.clone(), &rules(&limits), now);
            let mut holders = Holders::default();
            holders.push(holder);
            if let Some(unready) = engine.unready(&holders, now) {
                unready.budgets.iter().for_each(|unknown| unknown.tell(0));
            }
            names.push((level, name));
        }
        Self { names, origin }
    }

    /// A call from its holders' names to its end, which is what limits cost it.
    fn call(&self, engine: &Engine, clock: &Clock) -> Standing {
        let mut holders = Holders::default();
        for (level, name) in &self.names {
            let known = engine.holder(*level, name, &self.origin);
            holders.push(known.expect("it was set"));
        }
        let ask = Ask {
            input: 1000,
            output: 256,
            output_least: 1,
            price: Some(Charge {
                input_nanos: 2_500_000,
                output_rate: 10_000_000_000,
            }),
            allows_unpriced: false,
            is_whole: false,
        };
        match engine.admit(&holders, &ask, clock.now()) {
            Admitted::Granted(lease, standing) => {
                let used = Used {
                    input: 900,
                    output: 200,
                    cost: Some(4_250_000),
                };
                lease.settle(used, clock.now());
                standing
            }
            other => panic!("{other:?}"),
        }
    }
}

fn main() {
    let keys = std::env::var("WEIR_KEYS").map_or(1_000_000, |keys| keys.parse().expect("a number"));
    let clock = Clock(Instant::now());
    alone(&clock);
    together(&clock);
    policy::few_and_many();
    shared::beside_alone();
    memory(keys);
}

fn alone(clock: &Clock) {
    let engine = Engine::new(Source::Own);
    let caller = Caller::new(&engine, 1, clock.now());
    black_box(caller.call(&engine, clock));
    let before = ALLOCATIONS.load(Relaxed);
    let mut times = [0; BATCHES as usize];
    for time in &mut times {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(caller.call(&engine, clock));
        }
        *time = began.elapsed().as_nanos() as u64 / BATCH;
    }
    let allocated = ALLOCATIONS.load(Relaxed) - before;
    assert_eq!(allocated, 0, "a known key allocates nothing");
    times.sort_unstable();
    println!(
        "admit and settle, eight limits of five holders: {} ns, 0 allocations",
        times[times.len() / 2]
    );
}

/// Two threads with callers of their own, who share an organization, at a steady pace.
fn together(clock: &Clock) {
    const CALLERS: u64 = 1000;
    let engine = Engine::new(Source::Own);
    let callers: Vec<Caller> = (0..CALLERS)
        .map(|number| Caller::new(&engine, number, clock.now()))
        .collect();
    let pace = Duration::from_secs(1) * THREADS as u32 / CALLS_A_SECOND as u32;
    let work = |thread: u64| {
        let mut times = Vec::with_capacity((CALLS_A_SECOND * SECONDS / THREADS) as usize);
        let began = Instant::now();
        for number in 0..CALLS_A_SECOND * SECONDS / THREADS {
            let due = pace * number as u32;
            while began.elapsed() < due {
                std::hint::spin_loop();
            }
            let caller = &callers[(number * THREADS + thread) as usize * 7919 % callers.len()];
            let began = Instant::now();
            black_box(caller.call(&engine, clock));
            times.push(began.elapsed());
        }
        times
    };
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.flat_map(|times| times.expect("it ends")).collect()
    });
    times.sort_unstable();
    let at = |thousandth: usize| times[(times.len() - 1) * thousandth / 1000];
    println!(
        "at {CALLS_A_SECOND} a second on {THREADS} threads: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, slowest {:.1?}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}

fn memory(keys: u64) {
    let now = |mono| Now {
        mono,
        wall: 1_790_000_000_000 + mono / 1_000_000,
    };
    let engine = Engine::new(Source::Own);
    let limits = rules(&[
        rate(Flow::Requests, Pace::Minute),
        rate(Flow::Tokens, Pace::Minute),
        Rule::new(Kind::Budget(Coin::Dollars, Span::Month), 1_000_000_000),
    ]);
    let before = LIVE_BYTES.load(Relaxed);
    let began = Instant::now();
    for number in 0..keys {
        let name = format!("{number:016}");
        engine.set(Level::Key, &name, Origin::default(), &limits, now(0));
    }
    let each = began.elapsed().as_nanos() as u64 / keys;
    let taken = LIVE_BYTES.load(Relaxed) - before;
    println!(
        "{keys} keys with three limits: {} bytes a key, {each} ns to make one",
        taken / keys
    );
    let later = now(20 * 60 * 1_000_000_000);
    let mut sweeps = Vec::new();
    while engine.holders() > 0 {
        let began = Instant::now();
        assert!(engine.sweep(true, later).gone > 0, "all of them are idle");
        sweeps.push(began.elapsed());
    }
    // What readers might still have looked at is freed a little later, with what others put away.
    for number in 0..1000 {
        let name = number.to_string();
        engine.set(Level::Key, &name, Origin::default(), &limits, later);
    }
    engine.sweep(true, now(40 * 60 * 1_000_000_000));
    let left = LIVE_BYTES.load(Relaxed) - before;
    sweeps.sort_unstable();
    println!(
        "{} sweeps, {:.1?} at the median and {:.1?} at most, leave {} bytes a key",
        sweeps.len(),
        sweeps[sweeps.len() / 2],
        sweeps[sweeps.len() - 1],
        left / keys
    );
    assert!(left < taken / 4, "the memory is given back");
}
