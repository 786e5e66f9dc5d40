//! What it costs to find whose limits a call comes under, where few were written and where many were.

use crate::rules;
use std::{collections::BTreeMap, hint::black_box, sync::Arc, time::Duration, time::Instant};
use weir::{
    config::{LimitSet, Limits, Unpriced, WithoutRedis},
    domain::{Caller, KeyId, Kind, Level, ModelRule, Owner, Rule},
    limits::{Policy, Subject},
};

const BATCHES: usize = 200;
const BATCH: u32 = 100;

pub(crate) fn few_and_many() {
    for count in [10, 10_000] {
        println!(
            "whose limits a call comes under, of {count} that were written for users: {} ns",
            find(&policy(count)).as_nanos()
        );
    }
}

/// As many patterns as names.
fn policy(count: u32) -> Policy {
    let set = |number: u32| LimitSet {
        on: Level::User,
        name: match number % 2 {
            0 => format!("user_{number:024}").into(),
            _ => format!("team_{number:024}_*").into(),
        },
        rules: rules(&[Rule::new(Kind::InFlight, 4)]),
    };
    Policy::new(&Limits {
        slice: 256,
        output_reserve: 4096,
        reasoning_factor: 4,
        unpriced: Unpriced::Refuse,
        pause: Duration::ZERO,
        without_redis: WithoutRedis::Share,
        nodes: 1,
        tiers: BTreeMap::new(),
        sets: (0..count).map(set).collect(),
    })
}

/// The median for a caller that none of them is for.
fn find(policy: &Policy) -> Duration {
    let caller = Caller {
        key: KeyId::parse(b"policykey0000001").expect("it is one"),
        models: ModelRule::All,
        on_hangup: None,
        owner: Some(Arc::new(Owner {
            project: None,
            user: Some("user_nobody_wrote_of".into()),
        })),
        terms: None,
    };
    let subject = Subject {
        caller: &caller,
        model: Some("gpt-5"),
        organization: &Arc::default(),
        project: None,
        user: None,
    };
    let mut times = [Duration::ZERO; BATCHES];
    for time in &mut times {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(policy).each(black_box(&subject), |_| panic!("none is for it"));
        }
        *time = began.elapsed() / BATCH;
    }
    times.sort_unstable();
    times[BATCHES / 2]
}
