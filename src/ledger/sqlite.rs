//! Entries and rollups as rows. A transaction holds both, so neither is ever without the other.

use super::entry::{Entry, EntryId, Source};
use crate::domain::{KeyId, NanoDollars, Outcome};
use rusqlite::{
    Connection, Result, ToSql, Transaction, TransactionBehavior, named_params, params,
    params_from_iter,
};
use std::collections::HashMap;

/// The tables of sums, and the span that a row of each is about.
pub(super) const ROLLUPS: [(&str, u64); 2] =
    [("rollup_hour", 3_600_000), ("rollup_day", 86_400_000)];
/// What is summed up, in the order of the columns.
pub(super) const SUMS: &str = "requests, unreported, unpriced, input, cached, cache_write, output, reasoning, audio_input, audio_output, cost, quantity";
/// What an entry satisfies that used something whose price nobody knows.
pub(super) const UNPRICED: &str = "cost IS NULL AND (source IS NOT NULL OR quantity IS NOT NULL)";
/// What it is summed up by.
pub(super) const GROUP: &str =
    "start, key_id, project_id, user_id, model, upstream, endpoint, outcome";
/// Entries deleted in one transaction: the writer waits behind it.
const PRUNED_AT_ONCE: u32 = 500;

/// What entries have in common that are summed up together.
#[derive(PartialEq, Eq, Hash)]
struct Group<'a> {
    start: u64,
    key: KeyId,
    project: &'a str,
    user: &'a str,
    model: &'a str,
    upstream: &'a str,
    endpoint: &'static str,
    outcome: Outcome,
}

/// As many sums as `SUMS` names.
type Sums = [i64; 12];

/// Writes entries and adds them to the rollups. An entry that is there already is left alone and added to nothing.
pub(super) fn write(conn: &mut Connection, entries: &[Entry]) -> Result<usize> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut written = 0;
    let mut groups: [HashMap<Group<'_>, Sums>; ROLLUPS.len()] = Default::default();
    for entry in entries {
        if !insert(&tx, entry)? {
            continue;
        }
        written += 1;
        for (groups, (_, span)) in groups.iter_mut().zip(ROLLUPS) {
            let sums = groups.entry(group(entry, span)).or_default();
            for (sum, more) in sums.iter_mut().zip(figures(entry)) {
                *sum += more;
            }
        }
    }
    for (groups, (table, _)) in groups.iter().zip(ROLLUPS) {
        add(&tx, table, groups)?;
    }
    tx.commit()?;
    Ok(written)
}

fn group(entry: &Entry, span: u64) -> Group<'_> {
    Group {
        start: entry.started / span * span,
        key: entry.key,
        project: entry.project.as_deref().unwrap_or_default(),
        user: entry.user.as_deref().unwrap_or_default(),
        model: &entry.model,
        upstream: entry.upstream.as_deref().unwrap_or_default(),
        endpoint: entry.endpoint.as_str(),
        outcome: entry.outcome,
    }
}

fn figures(entry: &Entry) -> Sums {
    let usage = &entry.usage;
    // The ledger bounds them far below this.
    let count = |tokens: Option<u64>| tokens.unwrap_or(0) as i64;
    [
        1,
        i64::from(entry.source != Some(Source::Provider)),
        entry.is_unpriced().into(),
        count(usage.input),
        count(usage.cached),
        count(usage.cache_write),
        count(usage.output),
        count(usage.reasoning),
        count(usage.audio_input),
        count(usage.audio_output),
        entry.cost.map_or(0, NanoDollars::nanos),
        count(entry.quantity),
    ]
}

/// Whether the entry was not there yet.
fn insert(tx: &Transaction<'_>, entry: &Entry) -> Result<bool> {
    let sql = "INSERT INTO entry (id, started_at, request_id, key_id, project_id, user_id, endpoint, model, served_model,
            provider, upstream, stream, input, cached, cache_write, output, reasoning, audio_input, audio_output,
            source, quantity, image_size, cost, price, first_us, duration_us, attempts, outcome, status,
            finish_reason, upstream_request_id, metadata)
        VALUES (:id, :started, :request, :key, :project, :user, :endpoint, :model, :served,
            :provider, :upstream, :stream, :input, :cached, :cache_write, :output, :reasoning, :audio_input, :audio_output,
            :source, :quantity, :image_size, :cost, :price, :first, :duration, :attempts, :outcome, :status,
            :finish, :upstream_request, :metadata)
        ON CONFLICT DO NOTHING";
    let count = |tokens: Option<u64>| tokens.map(|tokens| tokens as i64);
    let usage = &entry.usage;
    let rows = tx.prepare_cached(sql)?.execute(named_params! {
        ":id": entry.id.0,
        ":started": entry.started as i64,
        ":request": entry.request,
        ":key": entry.key.as_str(),
        ":project": entry.project,
        ":user": entry.user,
        ":endpoint": entry.endpoint.as_str(),
        ":model": entry.model,
        ":served": entry.served_model,
        ":provider": entry.provider,
        ":upstream": entry.upstream,
        ":stream": entry.stream,
        ":input": count(usage.input),
        ":cached": count(usage.cached),
        ":cache_write": count(usage.cache_write),
        ":output": count(usage.output),
        ":reasoning": count(usage.reasoning),
        ":audio_input": count(usage.audio_input),
        ":audio_output": count(usage.audio_output),
        ":source": entry.source.map(Source::as_str),
        ":quantity": count(entry.quantity),
        ":image_size": entry.image_size,
        ":cost": entry.cost.map(NanoDollars::nanos),
        ":price": entry.price,
        ":first": count(entry.first_us),
        ":duration": entry.duration_us as i64,
        ":attempts": entry.attempts,
        ":outcome": entry.outcome.as_str(),
        ":status": entry.status,
        ":finish": entry.finish_reason,
        ":upstream_request": entry.upstream_request,
        ":metadata": entry.metadata,
    })?;
    Ok(rows == 1)
}

fn add(tx: &Transaction<'_>, table: &str, groups: &HashMap<Group<'_>, Sums>) -> Result<()> {
    let sums = || SUMS.split(", ");
    let more: Vec<_> = sums()
        .map(|sum| format!("{sum} = {sum} + excluded.{sum}"))
        .collect();
    let sql = format!(
        "INSERT INTO {table} ({GROUP}, {SUMS}) VALUES (?{}) ON CONFLICT DO UPDATE SET {}",
        ", ?".repeat(GROUP.split(", ").count() + sums().count() - 1),
        more.join(", ")
    );
    let mut statement = tx.prepare_cached(&sql)?;
    for (group, sums) in groups {
        let start = group.start as i64;
        let (key, outcome) = (group.key.as_str(), group.outcome.as_str());
        // In the order of `GROUP`.
        let group: [&dyn ToSql; 8] = [
            &start,
            &key,
            &group.project,
            &group.user,
            &group.model,
            &group.upstream,
            &group.endpoint,
            &outcome,
        ];
        let sums = sums.iter().map(|sum| sum as &dyn ToSql);
        statement.execute(params_from_iter(group.into_iter().chain(sums)))?;
    }
    Ok(())
}

/// Deletes some entries that began before `oldest`, and says how many.
pub(super) fn prune(conn: &mut Connection, oldest: u64) -> Result<usize> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // First of all, so that whoever compares entries with rollups leaves these out from the first deletion on.
    tx.execute(
        "UPDATE entries_kept SET since = max(since, ?)",
        [oldest as i64],
    )?;
    let deleted = tx.execute(
        "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE id < ? ORDER BY id LIMIT ?)",
        params![EntryId::new(oldest, 0).0, PRUNED_AT_ONCE],
    )?;
    tx.commit()?;
    Ok(deleted)
}
