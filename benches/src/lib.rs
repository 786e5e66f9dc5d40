//! What the programs of the benchmark share: what a request asks for, what answers look like, and the two readings
//! that everything rests on, the clock and the scheduler's accounts.
//!
//! Nothing here knows Weir. It is one of the proxies that `run` starts.

pub mod order;
pub mod process;
pub mod report;
pub mod script;
pub mod stamp;
