//! All that this node has of shared meters.

use super::{
    answer::{Drawn, Question, Stand},
    away::{Part, Share},
    key::key,
    round::{Ask, Base, Meter, Need, Reply, Round, Verdict},
    stake::Stake,
};
use crate::{
    domain::Kind,
    limits::engine::{Holder, Now, Period},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// One turn in so many is each budget's and rate's; every one is that of calls in the air, whose next one may wait.
const TURNS: usize = 4;

#[derive(Default)]
pub(super) struct Stakes {
    by_key: HashMap<String, Stake>,
    turn: usize,
}

/// A budget of which the server does not know what was spent.
pub(super) struct Lacking {
    pub(super) key: String,
    pub(super) holder: Arc<Holder>,
    pub(super) kind: Kind,
    pub(super) period: Period,
    /// What had been settled here by now.
    pub(super) settled: u64,
    /// What the server knows to be spent; less than nothing if it knows nothing.
    pub(super) over: i64,
}

impl Stakes {
    /// A round of what `questions` need, where there are so many `nodes`. Those whose limits are no more are granted: the engine knows better.
    pub(super) fn draft(&mut self, questions: Vec<Question>, nodes: u64) -> (Round, Vec<Question>) {
        let mut round = Round::default();
        let mut places = HashMap::new();
        let mut asking = Vec::with_capacity(questions.len());
        for question in questions {
            let mut needs = Vec::with_capacity(question.shortage.meters.len());
            for short in &question.shortage.meters {
                let key = key(&short.holder, short.kind, short.period);
                let Some(stake) = self.stake(&key, short) else {
                    continue;
                };
                let meter = *places.entry(key).or_insert_with(|| {
                    round.meters.push(stake.ask());
                    round.meters.len() - 1
                });
                needs.push(Need {
                    meter,
                    least: short.needed,
                    want: short.wanted,
                });
            }
            match needs.len() == question.shortage.meters.len() {
                true => {
                    let has_begun = question.shortage.has_begun;
                    round.asks.push(Ask { needs, has_begun });
                    asking.push(question);
                }
                false => question.tell(Drawn::Granted),
            }
        }
        let mut asks = vec![0; round.meters.len()];
        for need in round.asks.iter().flat_map(|ask| &ask.needs) {
            asks[need.meter] += 1;
        }
        for (meter, asking) in round.meters.iter_mut().zip(asks) {
            let stake = self.by_key.get(&meter.key);
            meter.parts = stake.map_or(1, |stake| stake.parts(asking, nodes));
        }
        (round, asking)
    }

    /// What there is to tell in this turn.
    pub(super) fn due(&mut self) -> Vec<Meter> {
        self.turn = (self.turn + 1) % TURNS;
        let mut due = Vec::new();
        for (at, stake) in self.by_key.values_mut().enumerate() {
            if stake.kind == Kind::InFlight || at % TURNS == self.turn {
                due.extend(stake.turn(false));
            }
        }
        self.forget_idle_rates();
        due
    }

    /// Everything that there is to tell; with all that is held, for the last time.
    pub(super) fn all(&mut self, is_last: bool) -> Vec<Meter> {
        let stakes = self.by_key.values_mut();
        let all = stakes.filter_map(|stake| stake.turn(is_last)).collect();
        self.forget_idle_rates();
        all
    }

    /// Of a rate there is nothing to tell at its end.
    fn forget_idle_rates(&mut self) {
        self.by_key
            .retain(|_, stake| !(stake.is_rate() && stake.is_idle()));
    }

    /// The server's answer to a round that was on its way.
    pub(super) fn hear(&mut self, round: &Round, reply: &Reply) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        for (meter, told) in round.meters.iter().zip(&reply.meters) {
            let Some(stake) = self.by_key.get_mut(&meter.key) else {
                continue;
            };
            stake.hear(told);
            if told.lacks_base {
                lacking.extend(lacks(&meter.key, stake, told.spent));
            } else if stake.is_idle() {
                self.by_key.remove(&meter.key);
            }
        }
        lacking
    }

    /// What the server's verdict means for who asked; none if it has to be asked again.
    pub(super) fn verdict(
        &self,
        at: usize,
        question: &Question,
        (round, reply): (&Round, &Reply),
        now: Now,
    ) -> Option<Drawn> {
        let needs = &round.asks[at].needs;
        let (by, wait) = match reply.verdicts[at] {
            Verdict::Granted => return Some(Drawn::Granted),
            Verdict::Unready => return None,
            Verdict::Refused { by, wait_micros } => (by, wait_micros.map(Duration::from_micros)),
        };
        let stand = |need: &Need| {
            let stake = self.by_key.get(&round.meters[need.meter].key)?;
            let told = &reply.meters[need.meter];
            let full_in = Duration::from_micros(told.full_micros);
            Some(Stand::new(stake, told.left, full_in))
        };
        let stands: Option<Vec<_>> = needs.iter().map(stand).collect();
        let by = needs.iter().position(|need| need.meter == by)?;
        Some(question.refusal(by, &stands?, wait, now))
    }

    /// Answers in the server's place, out of this node's share; or says what would have to be known for it.
    pub(super) fn alone(
        &mut self,
        question: &Question,
        nodes: u64,
        now: Now,
    ) -> Result<Drawn, Vec<Lacking>> {
        let (shorts, has_begun) = (&question.shortage.meters, question.shortage.has_begun);
        let keys: Vec<_> = (shorts.iter())
            .map(|short| key(&short.holder, short.kind, short.period))
            .collect();
        let mut lacking = Vec::new();
        let mut parts = Vec::with_capacity(keys.len());
        for (key, short) in keys.iter().zip(shorts) {
            let Some(stake) = self.stake(key, short) else {
                return Ok(Drawn::Granted);
            };
            if stake.share.is_none() {
                stake.share = Share::new(stake, nodes, now.mono);
            }
            match &mut stake.share {
                Some(share) => parts.push(share.look(short.needed, has_begun, now.mono)),
                None => lacking.extend(lacks(key, stake, -1)),
            }
        }
        if parts.len() < keys.len() {
            return Err(lacking);
        }
        let weight = |at: &usize| match (parts[*at], shorts[*at].kind) {
            (Part::Enough, _) => None,
            (Part::Short(_), Kind::InFlight) => Some((0, Duration::ZERO)),
            (Part::Short(wait), Kind::Rate(..)) => Some((1, wait.unwrap_or(Duration::MAX))),
            (Part::Short(_), Kind::Budget(..)) => Some((2, Duration::ZERO)),
        };
        let by = (0..parts.len())
            .filter(|at| weight(at).is_some())
            .max_by_key(weight);
        let mut stands = Vec::with_capacity(keys.len());
        for ((key, short), part) in keys.iter().zip(shorts).zip(&parts) {
            let Some(stake) = self.by_key.get_mut(key) else {
                continue;
            };
            let Some(mut share) = stake.share.take() else {
                continue;
            };
            match (by, part) {
                (None, _) => {
                    stake.receive(share.take(short.needed, short.wanted, stake.parts(1, 1)))
                }
                (Some(_), Part::Short(_)) if !has_begun => share.promise(short.needed),
                (Some(_), _) => {}
            }
            stands.push(Stand::new(stake, share.left(), share.full_in()));
            stake.share = Some(share);
        }
        let Some(by) = by else {
            return Ok(Drawn::Granted);
        };
        let wait = match parts[by] {
            Part::Short(wait) => wait,
            Part::Enough => None,
        };
        Ok(question.refusal(by, &stands, wait, now))
    }

    /// What the ledger says was spent; or that it does not say.
    pub(super) fn learn(&mut self, key: &str, base: Option<Base>) {
        if let Some(stake) = self.by_key.get_mut(key) {
            stake.base = base;
            stake.is_asking = false;
        }
    }

    /// The server may have lost what it was told: it is told everything anew.
    pub(super) fn forget_told(&mut self) {
        for stake in self.by_key.values_mut() {
            stake.forget_told();
        }
    }

    /// The server has been away for so long that others may be given what this node has not used.
    pub(super) fn let_go(&mut self) {
        for stake in self.by_key.values_mut() {
            stake.collect();
            stake.take_back();
        }
    }

    fn stake(&mut self, key: &str, short: &crate::limits::engine::Short) -> Option<&mut Stake> {
        if !self.by_key.contains_key(key) {
            self.by_key.insert(key.to_owned(), Stake::new(short)?);
        }
        let stake = self.by_key.get_mut(key)?;
        stake.renew(short);
        Some(stake)
    }
}

/// What has to be asked of the ledger, unless it is asked already.
fn lacks(key: &str, stake: &mut Stake, over: i64) -> Option<Lacking> {
    let period = stake.period?;
    if std::mem::replace(&mut stake.is_asking, true) {
        return None;
    }
    stake.collect();
    Some(Lacking {
        key: key.to_owned(),
        holder: Arc::clone(&stake.holder),
        kind: stake.kind,
        period,
        settled: stake.settled(),
        over,
    })
}
