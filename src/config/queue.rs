//! How requests wait for upstreams that have no room: `[queue]`.

use super::{
    read::{At, Section},
    values::{count, duration},
};
use crate::domain::Owner;
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
const WEIGHTS: RangeInclusive<u32> = 1..=1000;

/// How requests wait for their turn at an upstream with a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many may wait at an upstream for one model.
    pub max: usize,
    /// How long one may wait.
    pub wait: Duration,
    /// What projects weigh, by their ids; at least 1 each.
    pub weights: BTreeMap<String, u32>,
}

impl Queue {
    /// What a project weighs.
    pub fn weight(&self, project: &str) -> u32 {
        self.weights
            .get(project)
            .copied()
            .unwrap_or(*WEIGHTS.start())
    }
}

/// Reads `[queue]`.
pub(super) fn queue(mut written: Section<'_>) -> Queue {
    Queue {
        max: written.need("max", count(0..=1_000_000)),
        wait: written.need("wait", duration(WAIT)),
        weights: weights(written.section("weights")),
    }
}

fn weights(mut written: Section<'_>) -> BTreeMap<String, u32> {
    let read = |(project, at): (String, At<'_>)| {
        if project.is_empty() || project.len() > Owner::NAME_MAX_BYTES {
            return at.refuse("is not the id of a project");
        }
        Some((project, count(WEIGHTS)(at)?))
    };
    written.all().into_iter().filter_map(read).collect()
}
