//! Watches what is spent, and tells when it has come to where an alert was set.
//!
//! What has gone off is in the store, in the same transaction that decides it: no alert goes off twice in a month,
//! after a restart or with several nodes. Who is told of it here hears it once, or never if Weir dies in between.

use crate::{
    directory::{self, Armed, Directory},
    domain::{Day, NanoDollars},
    events::AlertFired,
    ledger::{Payer, ReportError, Reports},
    telemetry::metrics,
};
use std::time::{Duration, SystemTime};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// What a cent is in nano-dollars.
const CENT: u64 = 10_000_000;
/// The least time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// A look is followed by so many times its own length of rest, so that a long ledger is not read all the time.
const REST: u32 = 20;
/// The longest rest: what took so long may have been a store that is well again.
const REST_MAX: Duration = Duration::from_secs(60);
/// So far into a month the one before is looked at too: calls that began in it end, and are committed, after it.
const AFTERMATH: Duration = Duration::from_secs(6 * 3600);
/// How often it looks where nothing is committed: other nodes do, and alerts are made.
const AT_LEAST: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Directory(#[from] directory::Error),
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Watches for as long as it is polled. It looks when entries were committed, and calls `tell` for each alert that goes
/// off.
pub async fn follow(
    directory: Directory,
    reports: Reports,
    mut commits: watch::Receiver<u64>,
    tell: impl Fn(AlertFired) + Send,
) {
    let mut is_failing = false;
    loop {
        commits.mark_unchanged();
        let begun = Instant::now();
        let looked = look(&directory, &reports, SystemTime::now(), &tell).await;
        match &looked {
            Err(error) if !is_failing => {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "spend alerts cannot be looked after; trying again");
            }
            Ok(()) if is_failing => tracing::info!("spend alerts are looked after again"),
            _ => {}
        }
        is_failing = looked.is_err();
        sleep(rest(looked.is_ok(), begun.elapsed())).await;
        if let Ok(Err(_)) = timeout(AT_LEAST, commits.changed()).await {
            return; // the ledger is gone, and so is whoever spends
        }
    }
}

/// How long it rests after a look that took so long.
fn rest(has_looked: bool, took: Duration) -> Duration {
    if has_looked {
        took.saturating_mul(REST).clamp(PAUSE, REST_MAX)
    } else {
        PAUSE // nothing was read for so long, it was only waited for
    }
}

/// Looks once.
async fn look(
    directory: &Directory,
    reports: &Reports,
    now: SystemTime,
    tell: &impl Fn(AlertFired),
) -> Result<(), Error> {
    let month = Day::of(now).month();
    let before = Day::of(now - AFTERMATH).month();
    if before != month {
        look_at(directory, reports, before, tell).await?;
    }
    look_at(directory, reports, month, tell).await
}

/// Looks at the month that begins with this day.
async fn look_at(
    directory: &Directory,
    reports: &Reports,
    month: Day,
    tell: &impl Fn(AlertFired),
) -> Result<(), Error> {
    let (period, until) = (month.millis(), month.next_month().millis());
    let armed = directory.armed_alerts(period, until).await?;
    if armed.is_empty() {
        return Ok(());
    }
    let projects = reports.spent_by_projects(period, until).await?;
    for alert in armed {
        let spent = match &alert.project {
            None => {
                reports
                    .spent(&Payer::Organization, period, until)
                    .await?
                    .nanos
            }
            Some(project) => {
                let found = projects.iter().find(|(id, _)| id == project);
                found.map_or(0, |(_, spent)| spent.nanos)
            }
        };
        // Spending only grows, so that what is decided here still holds when it is written down.
        let is_due = spent >= alert.threshold.saturating_mul(CENT);
        if is_due && directory.fire(&alert, period, spent).await? {
            tell(fired(alert, period, spent));
        }
    }
    Ok(())
}

fn fired(alert: Armed, period: u64, spent: u64) -> AlertFired {
    let dollars = |nanos: u64| NanoDollars::new(nanos.into());
    metrics::alert_fired();
    tracing::warn!(
        alert.id = alert.id,
        project.id = alert.project,
        threshold_usd = %dollars(alert.threshold.saturating_mul(CENT)),
        spent_usd = %dollars(spent),
        "a spend alert went off"
    );
    AlertFired {
        id: alert.id.into(),
        project: alert.project.map(Into::into),
        threshold: alert.threshold,
        spent,
        period,
    }
}

// The same tests for each database.
#[cfg(test)]
#[path = "alerts/tests.rs"]
#[expect(clippy::duplicate_mod, reason = "it finds its database by its name")]
mod on_postgres;
#[cfg(test)]
#[path = "alerts/tests.rs"]
mod on_sqlite;
