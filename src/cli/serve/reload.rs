//! What a running gateway does with a configuration that has changed.

use super::sharing;
use crate::{
    app::{App, Snapshot},
    config::{Flags, Loaded, Problems, reload},
    telemetry::metrics,
};
use std::{path::PathBuf, sync::Arc};

/// Watches the configuration from the call on, and takes it up for as long as it is polled.
pub(super) fn follow(
    flags: Flags,
    source: Option<PathBuf>,
    app: Arc<App>,
) -> impl Future<Output = ()> {
    reload::watch(flags, source, move |outcome| take_up(&app, outcome))
}

/// Puts a changed configuration in force, whole, or says why not.
fn take_up(app: &App, outcome: Result<Loaded, Problems>) {
    metrics::reloaded(outcome.is_ok());
    match outcome {
        Ok(loaded) => {
            let restart = reload::needs_restart(&app.snapshot.load().config, &loaded.config);
            if let Err(error) = app.people.take_up(&loaded.config.people) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "kept the old keys of access tokens");
            }
            // First, so that a call that goes by the new configuration finds its queue.
            app.queues
                .take_up(&loaded.config.upstreams, &loaded.config.queue);
            if let Some(shared) = app.gate.shared() {
                shared.set_fallback(sharing::fallback(&loaded.config));
            }
            app.snapshot.store(Arc::new(Snapshot::new(loaded.config)));
            tracing::info!("took up the changed configuration");
            if !restart.is_empty() {
                tracing::warn!(
                    keys = restart.join(", "),
                    "these keys change at the next start only"
                );
            }
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!(%problem, "kept the old configuration");
            }
        }
    }
}
