//! What this node has of one shared meter.

use super::{
    away::Share,
    key::key,
    round::{Base, Flow, Meter, Of, Stock, Told},
};
use crate::{
    domain::{Kind, Rule},
    limits::engine::{Holder, Period, Short},
};
use std::sync::Arc;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// What is kept of a total that nobody asks about. The ledger knows it for longer.
const TOTAL_LIFE_MS: u64 = 40 * DAY_MS;
/// What calls in the air hold is told again long before.
const IN_FLIGHT_LIFE_MS: u64 = 60 * 60 * 1000;
/// No more than this part of a limit is drawn ahead, so that a small one is drawn one by one.
const AHEAD_PART: u64 = 256;
/// In how many parts what is left is cut at least.
const PARTS_MIN: u64 = 16;
/// Parts for each call in the air, or that waits: all of them may go on, and as many may come.
const PARTS_A_CALL: u64 = 2;
/// How often nothing may have happened before nothing more is told.
const IDLE_TURNS: u32 = 50;
/// After how many turns what is held is told again though it is nothing new: the server may have lost it. That is half
/// a minute for calls in the air, and two for a budget.
const TOLD_TURNS: u32 = 600;

/// A meter of a holder here, and what came of the shared one.
pub(super) struct Stake {
    pub(super) holder: Arc<Holder>,
    pub(super) kind: Kind,
    pub(super) period: Option<Period>,
    rule: Rule,
    /// Drawn, and neither settled nor given back.
    held: i64,
    /// Settled since this stake began.
    settled: u64,
    /// What the server last heard: settled, held and used of that.
    told: Option<(u64, i64, u64)>,
    /// What it was about to hear.
    telling: (u64, i64, u64),
    /// Drawn since the last turn, and in the turn before.
    drawn: u64,
    drawn_before: u64,
    turns: u32,
    idle: u32,
    /// Turns since the server last heard of it.
    unheard: u32,
    /// What the server last said was left.
    pub(super) left: Option<i64>,
    /// What the ledger said was spent.
    pub(super) base: Option<Base>,
    pub(super) is_asking: bool,
    /// What stands in for the server while it is away.
    pub(super) share: Option<Share>,
}

impl Stake {
    /// None if the limit is no more.
    pub(super) fn new(short: &Short) -> Option<Self> {
        Some(Self {
            holder: Arc::clone(&short.holder),
            kind: short.kind,
            period: short.period,
            rule: short.holder.rule(short.kind)?,
            held: 0,
            settled: 0,
            told: None,
            telling: (0, 0, 0),
            drawn: 0,
            drawn_before: 0,
            turns: 0,
            idle: 0,
            unheard: 0,
            left: None,
            base: None,
            is_asking: false,
            share: None,
        })
    }

    /// The holder is looked at anew: its rules may be others, and it may be another one of the same name.
    pub(super) fn renew(&mut self, short: &Short) {
        if !Arc::ptr_eq(&self.holder, &short.holder) {
            self.collect();
            self.take_back();
            self.holder = Arc::clone(&short.holder);
        }
        if let Some(rule) = short.holder.rule(short.kind) {
            self.rule = rule;
        }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    pub(super) fn is_budget(&self) -> bool {
        self.period.is_some()
    }

    pub(super) fn is_rate(&self) -> bool {
        matches!(self.kind, Kind::Rate(..))
    }

    /// Takes in what calls have settled here.
    pub(super) fn collect(&mut self) {
        if let Some(period) = self.period {
            let settled = self.holder.take_settled(self.kind, period);
            self.settled = self.settled.saturating_add(settled);
            self.held = self.held.saturating_sub_unsigned(settled);
        }
    }

    /// Takes what calls here have not used.
    pub(super) fn take_back(&mut self) -> u64 {
        let back = self.holder.take_back(self.kind, self.period, 0);
        if !self.is_rate() {
            self.held = self.held.saturating_sub_unsigned(back);
        }
        if let Some(share) = &mut self.share {
            share.free(back);
        }
        back
    }

    /// What is to be told when calls ask for more.
    pub(super) fn ask(&mut self) -> Meter {
        self.collect();
        // Also where it is only refused, it is of use to somebody.
        self.idle = 0;
        self.meter(0, false)
    }

    /// What is to be told when it is this one's turn; none if there is nothing new. `all` gives back even what was
    /// drawn a moment ago.
    pub(super) fn turn(&mut self, all: bool) -> Option<Meter> {
        self.turns = self.turns.wrapping_add(1);
        self.unheard = self.unheard.saturating_add(1);
        self.collect();
        // Somebody was granted it and may not have come for it yet; but not for ever.
        let may_wait = self.drawn > 0 && !self.turns.is_multiple_of(4) && !all;
        let back = if may_wait { 0 } else { self.take_back() };
        let debt = match self.is_rate() {
            true => self.holder.take_debt(self.kind),
            false => 0,
        };
        self.drawn_before = std::mem::take(&mut self.drawn);
        let rule = self.holder.rule(self.kind);
        self.rule = rule.unwrap_or(self.rule);
        let is_gone = match (rule, self.period) {
            (None, _) => true,
            (Some(_), Some(period)) => self.holder.held(self.kind, period).is_none(),
            (Some(_), None) => false,
        };
        if is_gone {
            self.held = 0;
        }
        let back = i64::try_from(back).unwrap_or(i64::MAX);
        let back = back.saturating_sub_unsigned(debt);
        let news = match self.is_rate() {
            true => back != 0,
            false => {
                let may_be_lost = self.held > 0 && self.unheard >= TOLD_TURNS;
                self.told != Some(self.state()) || self.base.is_some() || may_be_lost
            }
        };
        let is_idle = !news && self.held == 0 && self.drawn_before == 0;
        self.idle = if is_idle { self.idle + 1 } else { 0 };
        let forget = is_gone || all || self.is_idle();
        (news || forget && !self.is_rate()).then(|| self.meter(back, forget))
    }

    /// Whether nothing has come of it for so long that it need not be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.idle > IDLE_TURNS
    }

    /// What the server does not have from this node: settled, held, used of that.
    fn state(&self) -> (u64, i64, u64) {
        let used = self
            .period
            .and_then(|period| self.holder.held(self.kind, period));
        (self.settled, self.held, used.unwrap_or(0))
    }

    fn meter(&mut self, back: i64, forget: bool) -> Meter {
        let (settled, held, used) = self.state();
        self.telling = (settled, held, used);
        let pace = match self.kind {
            Kind::Rate(_, pace) => Some(pace.seconds() * 1_000_000),
            _ => None,
        };
        let of = match pace {
            Some(span_micros) => Of::Flow(Flow {
                burst: self.rule.burst,
                span_micros,
                back,
            }),
            None => Of::Stock(Stock {
                life_millis: self.life(),
                has_base: self.is_budget(),
                settled,
                held,
                used,
                forget,
                base: self.base,
            }),
        };
        Meter {
            key: key(&self.holder, self.kind, self.period),
            amount: self.rule.amount,
            ahead: self.ahead(),
            parts: PARTS_MIN,
            of,
        }
    }

    /// In how many parts what is left is cut, if `asking` calls ask here at one time and other nodes are as busy.
    pub(super) fn parts(&self, asking: u64, nodes: u64) -> u64 {
        let calls = self.holder.calls().saturating_add(asking);
        PARTS_MIN.max(calls.saturating_mul(nodes).saturating_mul(PARTS_A_CALL))
    }

    /// As much as was drawn lately, which was in a tenth of a second or so.
    fn ahead(&self) -> u64 {
        match self.kind {
            Kind::InFlight => 0,
            Kind::Rate(..) => self.drawn_before.min(self.rule.amount / AHEAD_PART),
            Kind::Budget(..) => self.drawn_before,
        }
    }

    /// For how long after its last use the server keeps the meter.
    fn life(&self) -> u64 {
        let Some(period) = self.period else {
            return IN_FLIGHT_LIFE_MS;
        };
        let whole = period.end().map(|end| end - period.start() + DAY_MS);
        whole.unwrap_or(TOTAL_LIFE_MS)
    }

    /// The server has heard what it was told, and answered.
    pub(super) fn hear(&mut self, told: &Told) {
        self.unheard = 0;
        let (settled, held, used) = self.telling;
        let granted = i64::try_from(told.granted).unwrap_or(i64::MAX);
        self.told = Some((settled, held.saturating_add(granted), used));
        // Taken, or too old for what the server has found out meanwhile.
        self.base = None;
        if !told.lacks_base {
            // Nothing stands in for it any more. Not before: to be cut off again gives no other share.
            (self.left, self.share) = (Some(told.left), None);
        }
        self.receive(told.granted);
        if self.is_rate() {
            let left = u64::try_from(told.left).unwrap_or(0);
            self.holder.note_elsewhere(self.kind, left);
        }
    }

    /// Hands on what was granted.
    pub(super) fn receive(&mut self, granted: u64) {
        // A limit that is no more takes nothing, and so nothing is held.
        if granted > 0 && self.holder.grant(self.kind, self.period, granted) {
            // What is drawn of a rate is used when it is taken; nothing more is known of it.
            if !self.is_rate() {
                self.held = self.held.saturating_add_unsigned(granted);
            }
            self.drawn = self.drawn.saturating_add(granted);
        }
    }

    /// The server may have lost what it was told, or never heard it.
    pub(super) fn forget_told(&mut self) {
        self.told = None;
    }
}
