//! Limits that hold: who may still do how much, asked before a call and inside its answer.
//!
//! [`policy`] finds whose limits a call comes under, and what those are. The engine keeps the state in memory and knows
//! no config, no store and no network: it is told who is asked about and by which rules, and what was spent before it
//! was there. The [`Gate`] is the way to both.

mod bucket;
mod engine;
mod gate;
mod limited;
mod overview;
pub mod policy;
pub mod roster;
pub mod shared;
mod spent;

pub use bucket::EASE;
pub use engine::{
    Admitted, Ask, Charge, Denied, Engine, Holder, Holders, Lease, MeterView, Now, Origin, Period,
    Reason, Refusal, Short, Shortage, Source, Swept, Unknown, Unready, Used,
};
pub use gate::{Books, Denial, Gate};
pub use limited::Limited;
pub use overview::{Figure, LINE, Line, Lookout};
pub use policy::{Policy, Subject};
pub use roster::{Part, Roster};
pub use spent::spent;
