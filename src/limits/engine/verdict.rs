//! Which limit is in the way of a call, and for how long.

use super::{
    ask::{Denied, Reason, Refusal, Short, Shortage, Source},
    load::Load,
    locked::{Locked, Place},
    meter::Meter,
    period::{Now, Period},
};
use crate::{
    domain::{Kind, Level},
    limits::bucket::until,
};
use std::time::Duration;

/// After how long to ask again for what others hold, and may give back.
const HELD: Duration = Duration::from_secs(1);

/// What whoever asks for a load would do with, and has.
pub(super) struct Want {
    /// With less it cannot go on.
    pub(super) least: Load,
    /// More would do it good, if this node has to draw anyway.
    pub(super) most: Load,
    /// It holds this already; none where it has yet to begin. Who has begun goes before all who were told to come
    /// back, is promised nothing and is told what the level alone says: those who were refused would otherwise cut the
    /// answers of all who were let in.
    pub(super) own: Option<Load>,
}

impl Locked<'_> {
    /// Whether all of `load` may be taken; otherwise, what is in the way.
    pub(super) fn check(&mut self, load: &Load, want: &Want, now: Now) -> Result<(), Denied> {
        let Some((place, reason)) = self.obstacle(load, want) else {
            return Ok(());
        };
        if self.source() == Source::Drawn && reason == Reason::Short {
            return Err(Denied::Short(self.shortage(load, want)));
        }
        let standing = self.standing();
        let (level, leases, wall) = (place.0, self.leases(place.0), self.wall());
        let due = match self.meter(place).kind() {
            Kind::Rate(..) if reason == Reason::Short && want.own.is_none() => {
                self.promise(load, want)
            }
            Kind::Rate(..) if reason == Reason::Short => self.due(load, want),
            _ => None,
        };
        let meter = self.meter(place);
        let of = |load: &Load| load.of(meter.kind());
        let (least, own) = (of(&want.least), want.own.as_ref().map_or(0, of));
        let wait = match reason == Reason::Short && meter.is_only_held(least, own, wall) {
            true => Some(HELD),
            false => due.map(|due| until(due, now.mono)),
        };
        Err(Denied::Refused(Refusal {
            level: Level::ALL[level],
            kind: meter.kind(),
            amount: meter.rule().amount,
            left: u64::try_from(meter.left(leases, wall)).unwrap_or(0),
            wait,
            resets_in: meter.resets_in(wall, now),
            reason,
            standing,
        }))
    }

    /// The meter that says most about why `load` may not be taken: one that never lets it pass before one that has
    /// spent its budget, that before a rate, the slowest first, and last one that cannot say when.
    fn obstacle(&self, load: &Load, want: &Want) -> Option<(Place, Reason)> {
        let mut worst = None;
        for (place, leases, meter) in self.meters() {
            let count = load.of(meter.kind());
            let is_unpriced = load.nanos.is_none() && meter.is_in_dollars();
            if !is_unpriced && meter.fits(count, leases, self.wall()) {
                continue;
            }
            let reason = match is_unpriced {
                true => Reason::Unpriced,
                false => meter.reason(want.least.of(meter.kind())),
            };
            let due = meter.due(count, want.own.is_some());
            let weight = (reason != Reason::Short, meter.is_budget(), due);
            if worst.is_none_or(|(known, _)| known < weight) {
                worst = Some((weight, (place, reason)));
            }
        }
        worst.map(|(_, found)| found)
    }

    /// Promises `load` to whoever was refused it, from the time on when all rates let it pass. That is the answer.
    fn promise(&mut self, load: &Load, want: &Want) -> Option<i64> {
        let due = self.due(load, want)?;
        for meter in self.meters_mut() {
            let count = load.of(meter.kind());
            if let Some((speed, bucket)) = meter.bucket_mut().filter(|_| count > 0) {
                bucket.promise(speed, count, due);
            }
        }
        Some(due)
    }

    /// From when on all rates let `load` pass.
    fn due(&self, load: &Load, want: &Want) -> Option<i64> {
        let due = |(_, _, meter): (Place, u32, &Meter)| {
            let count = load.of(meter.kind());
            let has_begun = want.own.is_some();
            meter.due(count, has_begun).filter(|_| count > 0)
        };
        self.meters().filter_map(due).max()
    }

    /// What each meter lacks that this node has drawn too little for.
    fn shortage(&self, load: &Load, want: &Want) -> Shortage {
        let lacks = |((level, _), leases, meter): (Place, u32, &Meter)| {
            let kind = meter.kind();
            if meter.fits(load.of(kind), leases, self.wall()) {
                return None;
            }
            let period = match kind {
                Kind::Budget(_, span) => Some(Period::of(span, self.wall())),
                Kind::Rate(..) | Kind::InFlight => None,
            };
            Some(Short {
                holder: self.holder(level)?,
                kind,
                period,
                needed: meter.lacks(load.of(kind), leases, self.wall()),
                wanted: meter.lacks(want.most.of(kind), leases, self.wall()),
            })
        };
        Shortage {
            meters: self.meters().filter_map(lacks).collect(),
            has_begun: want.own.is_some(),
        }
    }
}

impl Meter {
    /// When a rate that refills here lets `count` pass: somebody who `has_begun` by its level, and everybody else after
    /// those to whom it was promised.
    fn due(&self, count: u64, has_begun: bool) -> Option<i64> {
        let (speed, bucket) = self.bucket()?;
        match has_begun {
            true => bucket.filled(speed, count),
            false => bucket.due(speed, count),
        }
    }
}
