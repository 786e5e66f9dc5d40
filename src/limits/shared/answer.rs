//! What a caller is told.

use super::stake::Stake;
use crate::{
    domain::{Flow, Kind, Rule, Side, Standing},
    limits::engine::{Now, Reason, Refusal, Shortage},
};
use std::time::Duration;
use tokio::sync::oneshot;

/// What came of drawing.
#[derive(Debug)]
pub enum Drawn {
    /// There is more here now: ask the engine again.
    Granted,
    /// A limit is in the way.
    Refused(Refusal),
    /// What the nodes share cannot be had, and nothing is to go on without it.
    Away,
}

/// Somebody who waits for more.
pub(super) struct Question {
    pub(super) shortage: Shortage,
    pub(super) answer: oneshot::Sender<Drawn>,
}

/// How one meter stands.
pub(super) struct Stand {
    pub(super) rule: Rule,
    pub(super) left: i64,
    /// Until a rate is full.
    pub(super) full_in: Duration,
}

impl Question {
    /// Tells it; nobody may be waiting any more.
    pub(super) fn tell(self, drawn: Drawn) {
        // Who gave up has gone; what was granted is given back in its time.
        let _ = self.answer.send(drawn);
    }

    /// Refused by the meter at `by` of its own.
    pub(super) fn refusal(
        &self,
        by: usize,
        stands: &[Stand],
        wait: Option<Duration>,
        now: Now,
    ) -> Drawn {
        let (short, stand) = (&self.shortage.meters[by], &stands[by]);
        let resets_in = match (short.kind, short.period) {
            (Kind::Rate(..), _) => Some(stand.full_in),
            (_, Some(period)) => {
                let millis = period.end().map(|end| end.saturating_sub(now.wall));
                millis.map(Duration::from_millis)
            }
            _ => None,
        };
        Drawn::Refused(Refusal {
            level: short.holder.level(),
            kind: short.kind,
            amount: stand.rule.amount,
            left: u64::try_from(stand.left).unwrap_or(0),
            wait,
            resets_in,
            reason: Reason::Short,
            standing: standing(stands),
        })
    }
}

impl Stand {
    pub(super) fn new(stake: &Stake, left: i64, full_in: Duration) -> Self {
        Self {
            rule: *stake.rule(),
            left,
            full_in,
        }
    }
}

/// How the tightest of these rates stand.
fn standing(stands: &[Stand]) -> Standing {
    let mut standing = Standing::default();
    for stand in stands {
        let side = match stand.rule.kind {
            Kind::Rate(Flow::Requests, _) => &mut standing.requests,
            Kind::Rate(..) => &mut standing.tokens,
            Kind::InFlight | Kind::Budget(..) => continue,
        };
        let remaining = u64::try_from(stand.left).unwrap_or(0);
        if side.is_none_or(|known: Side| remaining < known.remaining) {
            *side = Some(Side {
                limit: stand.rule.amount,
                remaining,
                reset: stand.full_in,
            });
        }
    }
    standing
}
