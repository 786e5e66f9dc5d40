//! What a gateway does besides answering, for as long as it runs.

use crate::{alerts, app::App, limits::Engine, tasks};
use std::{sync::Arc, time::Duration};

/// How often samples are folded into histograms.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often memory of limits is given back, and how many parts of it at a time.
const SWEEP: Duration = Duration::from_secs(10);
const SWEEPS: usize = 64;

/// Begins all of it.
pub(super) fn start(app: &Arc<App>) {
    tasks::spawn(app.keys.clone().follow());
    tasks::spawn(app.people.users.clone().follow());
    app.people.watch_issuers();
    tasks::spawn(app.directory.clone().follow());
    tasks::spawn(alerts(app));
    tasks::spawn(upkeep(Arc::clone(app)));
    tasks::spawn(sweep_limits(Arc::clone(app)));
}

/// Has spend alerts go off.
fn alerts(app: &Arc<App>) -> impl Future<Output = ()> + use<> {
    let told = Arc::clone(app);
    alerts::follow(
        app.directory.clone(),
        app.reports.clone(),
        app.ledger.commits(),
        move |alert| told.events.publish_alert(alert),
    )
}

async fn upkeep(app: Arc<App>) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        app.metrics.upkeep();
    }
}

/// Gives back the memory of those whose limits nobody has asked about for long.
async fn sweep_limits(app: Arc<App>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let holders = || app.gate.engines().map(Engine::holders).sum::<usize>();
        if holders() == 0 {
            continue;
        }
        // What a budget has spent must be to be had again, and while the store is away it is not.
        let can_reload = app.reports.is_open().await;
        for engine in app.gate.engines() {
            for _ in 0..SWEEPS {
                if engine.sweep(can_reload, app.gate.now()).gone == 0 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        app.metrics.limit_holders.set(holders() as f64);
    }
}
