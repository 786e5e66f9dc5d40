//! Following the store: what other processes change is looked for again and again.

use super::Error;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_millis(200); // a change is in force within a second; a look costs microseconds

/// Looks for changes to `what` for as long as it is polled. To be run once, in the background.
///
/// A failure is logged and tried again: what is known stays in force while the store is away.
pub async fn follow<L>(what: &str, look: impl Fn() -> L)
where
    L: Future<Output = Result<(), Error>>,
{
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        let outcome = look().await;
        // Five lines a second for as long as it lasts would tell no more than the first and the last.
        match &outcome {
            Err(error) if !failing => {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "changes to {what} cannot be followed, trying again");
            }
            Ok(()) if failing => tracing::info!("changes to {what} are followed again"),
            _ => {}
        }
        failing = outcome.is_err();
    }
}
