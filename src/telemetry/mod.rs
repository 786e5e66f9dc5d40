//! What Weir says about itself: the log on standard error and the metrics.
//!
//! Neither ever holds a credential, a prompt or a completion.

pub mod access;
mod log;
pub mod metrics;

pub use log::{Log, start};
