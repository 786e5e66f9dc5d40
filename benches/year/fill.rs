//! Writes the year as the ledger would have: every entry, and the same sums. Nobody else may use the store meanwhile.

use crate::calls::{
    Call, DAY, DAYS, Dice, END, HOUR, KEYS, MODELS, PROJECTS, USERS, call, hours, key_id,
    project_id, user_id,
};
use rusqlite::{Connection, Statement, ToSql, params_from_iter};
use std::{collections::BTreeMap, path::Path};
use weir::domain::Place;

/// What is summed up, in the order of the columns.
type Sums = [i64; 12];
/// Key, model, upstream and outcome.
type Group = (u64, usize, Option<usize>, &'static str);

const ENTRY: [&str; 27] = [
    "id",
    "started_at",
    "request_id",
    "key_id",
    "project_id",
    "user_id",
    "endpoint",
    "model",
    "served_model",
    "provider",
    "upstream",
    "stream",
    "input",
    "cached",
    "output",
    "reasoning",
    "source",
    "quantity",
    "cost",
    "price",
    "first_us",
    "duration_us",
    "attempts",
    "outcome",
    "status",
    "finish_reason",
    "upstream_request_id",
];
const SUMS: &str = "requests, unreported, unpriced, input, cached, cache_write, output, reasoning, audio_input, audio_output, cost, quantity";
const OF_KEY: &str = "start, key_id, project_id, user_id, endpoint";

/// Fills a new store at `path`.
pub(crate) fn fill(path: &Path, requests: u64) -> anyhow::Result<()> {
    drop(weir::store::Db::open(&Place::Sqlite(path.to_owned()))?);
    let conn = Connection::open(path)?;
    // A store that is half filled is thrown away, so nothing has to be on the disk before the end.
    conn.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -262144;",
    )?;
    keys(&conn)?;
    let mut dice = Dice::new();
    let mut texts = Texts::new();
    let hours = hours(requests);
    for (number, of_day) in hours.chunks(24).enumerate() {
        conn.execute_batch("BEGIN")?;
        let midnight = END - (DAYS - number as u64) * DAY;
        let mut day = BTreeMap::new();
        for (hour, calls) in of_day.iter().enumerate() {
            let start = midnight + hour as u64 * HOUR;
            let sums = entries(&conn, &mut texts, &mut dice, start, *calls)?;
            rollup(&conn, "rollup_hour", start, &sums, &texts)?;
            for (group, more) in sums {
                add(day.entry(group).or_default(), more);
            }
        }
        rollup(&conn, "rollup_day", midnight, &day, &texts)?;
        rollup_of_key(&conn, midnight, &day, &texts)?;
        conn.execute_batch("COMMIT")?;
    }
    conn.execute_batch("PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL;")?;
    Ok(())
}

/// The keys, so that reports can name them. Nobody knows a secret that has their hash.
fn keys(conn: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO api_key (id, kind, name, hash, created_at, project_id, user_id, version)
        VALUES (?, 'api', ?, zeroblob(32), ?, ?, ?, ?)";
    let mut insert = conn.prepare(sql)?;
    for key in 0..KEYS {
        let (project, user) = (project_id(key % PROJECTS), user_id(key % USERS));
        let created = (END - DAYS * DAY) as i64;
        insert.execute((
            key_id(key),
            format!("team {key}"),
            created,
            project,
            user,
            key as i64 + 1,
        ))?;
    }
    Ok(())
}

/// Names, made once: there are fifty million rows to write.
struct Texts {
    keys: Vec<String>,
    projects: Vec<String>,
    users: Vec<String>,
    prices: Vec<Option<String>>,
}

impl Texts {
    fn new() -> Self {
        // Dollars for a million tokens, as the ledger notes prices: a nano-dollar a token is a thousandth of that.
        let rate = |nanos: u64| {
            let text = format!("{}.{:03}", nanos / 1000, nanos % 1000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let price = |(input, output)| format!("i{} o{}", rate(input), rate(output));
        Self {
            keys: (0..KEYS).map(key_id).collect(),
            projects: (0..KEYS).map(|key| project_id(key % PROJECTS)).collect(),
            users: (0..KEYS).map(|key| user_id(key % USERS)).collect(),
            prices: MODELS.iter().map(|model| model.price.map(price)).collect(),
        }
    }

    fn upstream(group_model: usize, upstream: Option<usize>) -> Option<&'static str> {
        upstream.map(|upstream| MODELS[group_model].upstreams[upstream])
    }
}

/// Writes the entries of an hour and adds them up.
fn entries(
    conn: &Connection,
    texts: &mut Texts,
    dice: &mut Dice,
    start: u64,
    calls: u64,
) -> rusqlite::Result<BTreeMap<Group, Sums>> {
    let places = vec!["?"; ENTRY.len()].join(", ");
    let sql = format!("INSERT INTO entry ({}) VALUES ({places})", ENTRY.join(", "));
    let mut insert = conn.prepare_cached(&sql)?;
    let mut sums: BTreeMap<Group, Sums> = BTreeMap::new();
    for number in 0..calls {
        let call = call(dice, start + number * HOUR / calls);
        write(&mut insert, texts, &call, number)?;
        let group = (call.key, call.model, call.upstream, call.outcome);
        add(sums.entry(group).or_default(), figures(&call));
    }
    Ok(sums)
}

fn write(
    insert: &mut Statement<'_>,
    texts: &Texts,
    call: &Call,
    number: u64,
) -> rusqlite::Result<()> {
    let model = &MODELS[call.model];
    let key = call.key as usize;
    // The time, then the number within the hour: ids go up, as they nearly do in a gateway.
    let unique = u128::from(number) << 56 | u128::from(call.unique >> 8);
    let id = (u128::from(call.started) << 80 | unique & ((1 << 80) - 1)).to_be_bytes();
    let request = format!("req_{:032x}", u128::from_be_bytes(id));
    let upstream = Texts::upstream(call.model, call.upstream);
    let is_answer = call.status == 200 && upstream.is_some();
    let int = |count: Option<u64>| count.map(|count| count as i64);
    let (input, cached, output) = (int(call.input), int(call.cached), int(call.output));
    let (reasoning, quantity, cost) = (int(call.reasoning), int(call.quantity), int(call.cost));
    let price = call.cost.and(texts.prices[call.model].as_deref());
    let first = is_answer.then_some(80_000_i64);
    let provider = upstream.map(|_| "openai");
    let finish = (is_answer && call.outcome == "completed").then_some("stop");
    let served = is_answer.then_some(model.served);
    let upstream_request = upstream.map(|_| &request[4..]);
    let started = call.started as i64;
    let duration = call.duration_us as i64;
    // In the order of `ENTRY`.
    let values: [&dyn ToSql; ENTRY.len()] = [
        &id,
        &started,
        &request,
        &texts.keys[key],
        &texts.projects[key],
        &texts.users[key],
        &model.endpoint,
        &model.name,
        &served,
        &provider,
        &upstream,
        &call.stream,
        &input,
        &cached,
        &output,
        &reasoning,
        &call.source,
        &quantity,
        &cost,
        &price,
        &first,
        &duration,
        &1,
        &call.outcome,
        &call.status,
        &finish,
        &upstream_request,
    ];
    insert.execute(values)?;
    Ok(())
}

fn figures(call: &Call) -> Sums {
    let count = |count: Option<u64>| count.unwrap_or(0) as i64;
    let is_unpriced = call.cost.is_none() && (call.source.is_some() || call.quantity.is_some());
    [
        1,
        (call.source != Some("provider")).into(),
        is_unpriced.into(),
        count(call.input),
        count(call.cached),
        0,
        count(call.output),
        count(call.reasoning),
        0,
        0,
        count(call.cost),
        count(call.quantity),
    ]
}

fn add(sums: &mut Sums, more: Sums) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

fn rollup(
    conn: &Connection,
    table: &str,
    start: u64,
    groups: &BTreeMap<Group, Sums>,
    texts: &Texts,
) -> rusqlite::Result<()> {
    let places = vec!["?"; 8 + 12].join(", ");
    let sql = format!(
        "INSERT INTO {table} ({OF_KEY}, model, upstream, outcome, {SUMS}) VALUES ({places})"
    );
    let mut insert = conn.prepare_cached(&sql)?;
    let start = start as i64;
    for ((key, model, upstream, outcome), sums) in groups {
        let upstream = Texts::upstream(*model, *upstream).unwrap_or_default();
        let (key, model) = (*key as usize, &MODELS[*model]);
        let group: [&dyn ToSql; 8] = [
            &start,
            &texts.keys[key],
            &texts.projects[key],
            &texts.users[key],
            &model.endpoint,
            &model.name,
            &upstream,
            outcome,
        ];
        let sums = sums.iter().map(|sum| sum as &dyn ToSql);
        insert.execute(params_from_iter(group.into_iter().chain(sums)))?;
    }
    Ok(())
}

fn rollup_of_key(
    conn: &Connection,
    start: u64,
    groups: &BTreeMap<Group, Sums>,
    texts: &Texts,
) -> rusqlite::Result<()> {
    let mut of_key: BTreeMap<(usize, &str), Sums> = BTreeMap::new();
    for ((key, model, ..), sums) in groups {
        let group = (*key as usize, MODELS[*model].endpoint);
        add(of_key.entry(group).or_default(), *sums);
    }
    let places = vec!["?"; 5 + 12].join(", ");
    let sql = format!("INSERT INTO rollup_day_key ({OF_KEY}, {SUMS}) VALUES ({places})");
    let mut insert = conn.prepare_cached(&sql)?;
    let start = start as i64;
    for ((key, endpoint), sums) in &of_key {
        let group: [&dyn ToSql; 5] = [
            &start,
            &texts.keys[*key],
            &texts.projects[*key],
            &texts.users[*key],
            endpoint,
        ];
        let sums = sums.iter().map(|sum| sum as &dyn ToSql);
        insert.execute(params_from_iter(group.into_iter().chain(sums)))?;
    }
    Ok(())
}
