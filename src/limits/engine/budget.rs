//! What may be spent in a span of the calendar.

use super::period::Period;
use crate::domain::Span;

/// How long before a period somebody must have been there to know that nothing was spent in it: longer than clocks
/// are commonly wrong, so that a process that died after the border, by a better clock, is not forgotten.
const MARGIN_MS: u64 = 120_000;

/// Two periods: the one that it is by the clock, and one before or after it. So a clock may go back over a border and
/// return, and a call that began before the border ends in its own period.
#[derive(Debug)]
pub(super) struct Budget {
    /// Since when all that is spent is counted here.
    since: u64,
    /// The beginning of the latest period that was ever asked for.
    newest: u64,
    accounts: [Account; 2],
    /// Which was asked for last. The other one makes room.
    latest: usize,
}

/// One period's.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Before which it begins, and before which it ends; the first of all has neither.
    start: u64,
    end: u64,
    pub(super) spent: u64,
    /// By calls in the air.
    pub(super) held: u64,
    /// What the shared store gave, less what was settled since; below nothing where calls cost more than they held.
    pub(super) granted: i64,
    /// Whether somebody has told what was spent before.
    is_known: bool,
    /// Leases before this know nothing of it.
    pub(super) born: u32,
}

/// What an account had settled at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which account: another one of the same period knows nothing of it.
    born: u32,
    spent: u64,
}

impl Account {
    /// What is left of `limit`; below nothing if more is spent.
    pub(super) fn left(&self, limit: i128) -> i128 {
        limit - i128::from(self.spent) - i128::from(self.held)
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    pub(super) fn end(&self) -> Option<u64> {
        (self.end < u64::MAX).then_some(self.end)
    }

    /// What is settled by now.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            born: self.born,
            spent: self.spent,
        }
    }

    fn contains(&self, wall: u64) -> bool {
        self.start <= wall && wall < self.end
    }

    /// Takes what somebody found to be spent who asked after `mark`, in place of what was settled until then. Whoever
    /// tells first is believed: what was settled since is here, however old the figure.
    pub(super) fn learn(&mut self, mark: Mark, spent: u64) {
        if !self.is_known && self.born == mark.born {
            self.is_known = true;
            let since = self.spent.saturating_sub(mark.spent);
            self.spent = since.saturating_add(spent);
        }
    }
}

impl Budget {
    pub(super) fn new(wall: u64) -> Self {
        Self {
            since: wall,
            newest: 0,
            accounts: Default::default(),
            latest: 0,
        }
    }

    /// The account of a moment, if it is still kept.
    pub(super) fn find(&self, wall: u64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.contains(wall))
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, wall: u64) -> Option<&mut Account> {
        self.accounts
            .iter_mut()
            .find(|account| account.contains(wall))
    }

    /// Opens the account of a moment if there is none. `born` numbers the accounts of a holder; `is_drawn` if a shared
    /// store knows what was spent.
    pub(super) fn open(&mut self, span: Span, wall: u64, born: &mut u32, is_drawn: bool) {
        if self.accounts[self.latest].contains(wall) {
            return;
        }
        self.latest = 1 - self.latest;
        if self.accounts[self.latest].contains(wall) {
            return;
        }
        let period = Period::of(span, wall);
        let start = period.start();
        // Everything in a period that is new and began while this was there has come through here.
        let was_there = self.since.saturating_add(MARGIN_MS) < start && self.newest < start;
        self.newest = self.newest.max(start);
        *born += 1;
        self.accounts[self.latest] = Account {
            start,
            end: period.end().unwrap_or(u64::MAX),
            is_known: was_there || is_drawn,
            born: *born,
            ..Account::default()
        };
    }

    /// What is spent may not all be counted here: somebody has to tell.
    pub(super) fn doubt(&mut self) {
        self.accounts
            .iter_mut()
            .for_each(|account| account.is_known = false);
    }

    /// The drawn account of a period that somebody knows more about, unless calls have moved on to others.
    pub(super) fn of_period(&mut self, period: Period, born: &mut u32) -> Option<&mut Account> {
        let is_new = self.accounts.iter().all(|account| account.end == 0);
        if is_new {
            self.open(period.span(), period.start(), born, true);
        }
        self.find_mut(period.start())
    }

    /// Whether nothing would be lost without it where a shared store knows what was spent.
    pub(super) fn is_drained(&self) -> bool {
        let is_drained =
            |account: &Account| account.spent == 0 && account.held == 0 && account.granted == 0;
        self.accounts.iter().all(is_drained)
    }
}
