//! Times what operators ask of a year.

use crate::calls::{DAY, DAYS, END, HOUR, KEYS, key_id};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use weir::{
    domain::{Day, KeyId, Place},
    ledger::{Ask, Column, Reports, Sum, Width},
    store::Db,
};

/// Times that each question is asked. The first answer is told apart: what it reads may not be in memory yet.
const TIMES: usize = 11;
const START: u64 = END - DAYS * DAY;

/// Asks the store at `path`.
pub(crate) fn ask(path: PathBuf) -> anyhow::Result<()> {
    let reports = Reports::new(Db::open(&Place::Sqlite(path))?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let chat = || {
        let endpoints = ["chat", "completions", "responses"].map(str::to_owned);
        vec![(Column::Endpoint, endpoints.to_vec())]
    };
    let question = |from, until, width, by: &[Column], only| Ask {
        from,
        until,
        width,
        by: by.to_vec(),
        only,
        sums: &[
            Sum::Requests,
            Sum::Input,
            Sum::Cached,
            Sum::CacheWrite,
            Sum::Output,
            Sum::AudioInput,
            Sum::AudioOutput,
        ],
        lines_max: 1_000_000,
    };
    let days = |from: u64, count: u64, by: &[Column]| {
        let from = START + from * DAY;
        question(from, from + count * DAY, Width::Day, by, chat())
    };
    let year = |width, by: &[Column]| question(START, END, width, by, Vec::new());
    let last = END - DAY;
    let minutes = question(last, last + HOUR, Width::Minute, &[Column::Model], chat());
    println!(
        "{:<46} {:>8} {:>9} {:>9} {:>9}",
        "", "lines", "first", "median", "most"
    );
    for (what, ask) in [
        (
            "by day and key, a page of 31 days",
            days(0, 31, &[Column::Key]),
        ),
        ("the page after it", days(31, 31, &[Column::Key])),
        (
            "by day and key, the whole year at once",
            days(0, DAYS, &[Column::Key]),
        ),
        (
            "by day, key and model, 31 days",
            days(62, 31, &[Column::Key, Column::Model]),
        ),
        ("costs by day and project, 180 days", {
            let from = START + 93 * DAY;
            question(
                from,
                from + 180 * DAY,
                Width::Day,
                &[Column::Project],
                Vec::new(),
            )
        }),
        ("by day and model, 31 days", days(124, 31, &[Column::Model])),
        ("by key, the whole year", year(Width::Whole, &[Column::Key])),
        ("by day, the whole year", year(Width::Day, &[])),
        (
            "by model, the whole year",
            year(Width::Whole, &[Column::Model]),
        ),
        ("by hour and model, 24 hours", {
            question(last, END, Width::Hour, &[Column::Model], chat())
        }),
        ("by minute and model, 60 minutes", minutes),
    ] {
        let lines = || Ok(runtime.block_on(reports.usage(&ask))?.lines.len());
        time(what, lines)?;
    }
    let key = KeyId::parse(key_id(KEYS / 3).as_bytes()).expect("16 letters and digits");
    let (first, today) = (Day::of_millis(END - 30 * DAY), Day::of_millis(last));
    let own = || {
        Ok(runtime
            .block_on(reports.days_of_key(key, first, today))?
            .len())
    };
    time("what a key asks about itself, 30 days", own)
}

fn time(what: &str, mut answer: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<()> {
    let mut lines = 0;
    let mut once = || {
        let began = Instant::now();
        lines = answer()?;
        anyhow::Ok(began.elapsed())
    };
    let first = once()?;
    let mut spans = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        spans.push(once()?);
    }
    spans.sort_unstable();
    let millis = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1000.0);
    let (median, most) = (spans[TIMES / 2], spans[TIMES - 1]);
    println!(
        "{what:<46} {lines:>8} {:>9} {:>9} {:>9}",
        millis(first),
        millis(median),
        millis(most)
    );
    Ok(())
}
