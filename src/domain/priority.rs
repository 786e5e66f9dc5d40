//! How urgent a key's requests are.

use serde::{Deserialize, Serialize};

/// Which of a project's own requests go first where requests have to wait. The first is the most urgent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Somebody waits for the answer.
    High,
    /// As all that say nothing.
    #[default]
    Normal,
    /// Work that can wait.
    Low,
}

impl Priority {
    /// All of them, by the names that they have in requests and in the store.
    pub const NAMES: [(&str, Self); 3] = [
        ("high", Self::High),
        ("normal", Self::Normal),
        ("low", Self::Low),
    ];
}
