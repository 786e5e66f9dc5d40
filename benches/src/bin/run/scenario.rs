//! What is measured, and which figures are shown of it. The first figure is what a scenario is about: ratios are of it.

use crate::measure::Sample;
use anyhow::bail;

/// One kind of load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) drive: Drive,
    pub(crate) columns: &'static [Column],
    /// How many times the bare hyper proxy's Weir may be.
    pub(crate) promise: Option<f64>,
    by_default: bool,
}

pub(crate) enum Drive {
    /// Only started.
    Start,
    /// With the client's arguments.
    Load { args: &'static str, seconds: f64 },
}

pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) decimals: usize,
    pub(crate) value: fn(&Sample) -> f64,
}

/// Those that are wanted; all that are measured by default if none is named.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    for name in names {
        if !SCENARIOS
            .iter()
            .any(|scenario| scenario.name.starts_with(name.as_str()))
        {
            let known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            bail!(
                "no scenario begins with `{name}`; there are {}",
                known.join(", ")
            );
        }
    }
    let is_chosen = |scenario: &&Scenario| match names {
        [] => scenario.by_default,
        names => names
            .iter()
            .any(|name| scenario.name.starts_with(name.as_str())),
    };
    Ok(SCENARIOS.iter().filter(is_chosen).collect())
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "plain",
        about: "16 connections ask for short answers, one after the other: what a request costs.",
        drive: Drive::Load {
            args: "--connections 16 --words 16 --warm 0.3",
            seconds: 1.5,
        },
        columns: REQUEST,
        promise: Some(1.3),
        by_default: true,
    },
    Scenario {
        name: "paced",
        about: "1,500 requests a second, due whether or not the last ones are answered: what is added to a request.",
        drive: Drive::Load {
            args: "--connections 64 --words 16 --rate 1500",
            seconds: 1.5,
        },
        columns: REQUEST,
        promise: None,
        by_default: false,
    },
    Scenario {
        name: "prompt",
        about: "As plain, with prompts of 32 KiB: what reading the request costs.",
        drive: Drive::Load {
            args: "--connections 16 --words 16 --prompt-bytes 32768 --warm 0.3",
            seconds: 1.5,
        },
        columns: REQUEST,
        promise: None,
        by_default: false,
    },
    stream(
        "stream",
        "100 streams, each 100 events a second, each event alone: what an event costs.",
        Drive::Load {
            args: "--connections 100 --stream --words 100 --gap-us 10000 --warm 0.5",
            seconds: 1.5,
        },
    ),
    stream(
        "stream-usage",
        "The same, usage in every event, and the client asked for it.",
        Drive::Load {
            args: "--connections 100 --stream --words 40 --gap-us 10000 --shape usage --usage --warm 0.4",
            seconds: 1.0,
        },
    ),
    stream(
        "stream-reasoning",
        "The same, three quarters of the events are reasoning.",
        Drive::Load {
            args: "--connections 100 --stream --words 40 --gap-us 10000 --shape reasoning --warm 0.4",
            seconds: 1.0,
        },
    ),
    stream(
        "stream-crlf",
        "The same, lines end with CRLF.",
        Drive::Load {
            args: "--connections 100 --stream --words 40 --gap-us 10000 --shape crlf --warm 0.4",
            seconds: 1.0,
        },
    ),
    stream(
        "stream-large",
        "The same, 2 KiB of text in every event.",
        Drive::Load {
            args: "--connections 100 --stream --words 40 --gap-us 10000 --shape large --warm 0.4",
            seconds: 1.0,
        },
    ),
    stream(
        "stream-split",
        "The same, every event arrives in two pieces, 5 ms apart.",
        Drive::Load {
            args: "--connections 100 --stream --words 40 --gap-us 10000 --shape split --warm 0.4",
            seconds: 1.0,
        },
    ),
    Scenario {
        name: "idle",
        about: "2,000 streams that have begun and wait: what an open stream holds.",
        drive: Drive::Load {
            args: "--connections 2000 --stream --hold --words 2 --gap-us 60000000 --warm 0.3",
            seconds: 0.7,
        },
        columns: IDLE,
        promise: Some(1.0),
        by_default: true,
    },
    Scenario {
        name: "start",
        about: "From the start of the process to its first answer from the upstream, and what it holds 300 ms later. \
                Weir is promised to stay below 100 ms and 20 MiB.",
        drive: Drive::Start,
        columns: START,
        promise: None,
        by_default: true,
    },
];

const fn stream(name: &'static str, about: &'static str, drive: Drive) -> Scenario {
    Scenario {
        name,
        about,
        drive,
        columns: STREAM,
        promise: Some(1.15),
        by_default: true,
    }
}

const REQUEST: &[Column] = &[
    column("CPU µs a request", 1, |s| {
        per(s.report.target_cpu_us, s.report.requests)
    }),
    column("requests/s", 0, |s| {
        s.report.requests as f64 / s.report.seconds
    }),
    column("p50 µs", 0, |s| s.report.latency_us.p50),
    column("p99 µs", 0, |s| s.report.latency_us.p99),
    ERRORS,
    OTHERS,
];

const STREAM: &[Column] = &[
    column("CPU µs an event", 2, |s| {
        per(s.report.target_cpu_us, s.report.events)
    }),
    column("events/s", 0, |s| s.report.events as f64 / s.report.seconds),
    column("event p50 µs", 0, |s| s.report.event_us.p50),
    column("event p99 µs", 0, |s| s.report.event_us.p99),
    column("first p50 µs", 0, |s| s.report.first_us.p50),
    ERRORS,
    OTHERS,
];

const IDLE: &[Column] = &[
    column("KiB a stream", 1, |s| {
        let held = s
            .report
            .rss_peak_bytes
            .saturating_sub(s.report.rss_before_bytes);
        held as f64 / 1024.0 / 2000.0
    }),
    column("RSS MiB", 1, |s| mib(s.report.rss_peak_bytes)),
    column("CPU ms a second", 2, |s| {
        s.report.target_cpu_us / 1e3 / s.report.seconds
    }),
    ERRORS,
    OTHERS,
];

const START: &[Column] = &[
    column("ms to first answer", 1, |s| s.start_ms),
    column("RSS MiB", 1, |s| mib(s.rss_bytes)),
    OTHERS,
];

const ERRORS: Column = column("errors", 0, |s| s.report.errors as f64);
const OTHERS: Column = column("others' cores", 2, |s| s.others);

const fn column(title: &'static str, decimals: usize, value: fn(&Sample) -> f64) -> Column {
    Column {
        title,
        decimals,
        value,
    }
}

fn per(total: f64, count: u64) -> f64 {
    if count == 0 {
        f64::NAN
    } else {
        total / count as f64
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
