//! What a call in the air holds.

use super::{
    ask::{Ask, Charge, Denied, Used},
    holder::Holders,
    load::Load,
    locked::{Givens, Locked},
    period::Now,
    verdict::Want,
};

/// What a call holds of its limits. Dropped before it is settled, it gives everything back but the request.
#[derive(Debug)]
#[must_use = "a lease that is dropped gives back what it holds"]
pub struct Lease {
    holders: Holders,
    given: Givens,
    /// When the call began: it is paid from the budgets of that time.
    wall: u64,
    input: u64,
    covered: u64,
    price: Option<Charge>,
    is_over: bool,
}

impl Lease {
    pub(super) fn new(holders: Holders, given: Givens, wall: u64, ask: &Ask, covered: u64) -> Self {
        Self {
            holders,
            given,
            wall,
            input: ask.input,
            covered,
            price: ask.price,
            is_over: false,
        }
    }

    /// How many tokens of the answer may pass so far.
    pub fn covered(&self) -> u64 {
        self.covered
    }

    /// Tokens of the prompt that are held.
    pub fn input(&self) -> u64 {
        self.input
    }

    /// Pays for the answer up to `to` tokens, and for up to `ahead` more as far as there is plenty. All or nothing
    /// over every limit; refused, the lease is as it was.
    pub fn extend(&mut self, to: u64, ahead: u64, now: Now) -> Result<(), Denied> {
        let goal = to.saturating_add(ahead);
        if goal <= self.covered {
            return Ok(());
        }
        let mut locked = Locked::new(&self.holders, Some(self.given), self.wall);
        locked.refill(now.mono);
        let least = to.max(self.covered);
        let needed = self.more(least);
        let slice = locked.slice(&needed, self.price, false);
        let covered = goal.min(least.saturating_add(slice)).max(least);
        let load = self.more(covered);
        let want = Want {
            least: needed,
            most: self.more(goal),
            own: Some(self.held()),
        };
        locked.check(&load, &want, now)?;
        locked.take(&load);
        drop(locked);
        self.covered = covered;
        Ok(())
    }

    /// What it takes to have paid for `covered` tokens of the answer.
    fn more(&self, covered: u64) -> Load {
        let output = |price: Charge| {
            price
                .output(covered)
                .saturating_sub(price.output(self.covered))
        };
        Load {
            output: covered.saturating_sub(self.covered),
            nanos: Some(self.price.map_or(0, output)),
            ..Load::default()
        }
    }

    /// The prompt was counted: holds what it really is, even where that is more than is left. What it costs stays as
    /// it was where nobody knows better.
    pub fn correct_input(&mut self, tokens: u64, nanos: Option<u64>, now: Now) {
        let held = self.price.map_or(0, |price| price.input_nanos);
        let cost = nanos.filter(|_| self.price.is_some()).unwrap_or(held);
        let difference = |from: u64, to: u64, nanos_from: u64, nanos_to: u64| Load {
            input: to.saturating_sub(from),
            nanos: Some(nanos_to.saturating_sub(nanos_from)),
            ..Load::default()
        };
        let mut locked = Locked::new(&self.holders, Some(self.given), self.wall);
        locked.refill(now.mono);
        locked.take(&difference(self.input, tokens, held, cost));
        locked.give(&difference(tokens, self.input, cost, held));
        drop(locked);
        self.input = tokens;
        if let Some(price) = &mut self.price {
            price.input_nanos = cost;
        }
    }

    /// What the call costs is known by now: holds that from here on, even where it is more than is left.
    pub fn reprice(&mut self, price: Charge, now: Now) {
        let of = |price: Charge| {
            let output = price.output(self.covered);
            price.input_nanos.saturating_add(output)
        };
        let (held, due) = (self.price.map_or(0, of), of(price));
        let nanos = |nanos: u64| Load {
            nanos: Some(nanos),
            ..Load::default()
        };
        let mut locked = Locked::new(&self.holders, Some(self.given), self.wall);
        locked.refill(now.mono);
        locked.take(&nanos(due.saturating_sub(held)));
        locked.give(&nanos(held.saturating_sub(due)));
        drop(locked);
        self.price = Some(price);
    }

    /// The call is over, and this is what it came to.
    pub fn settle(mut self, used: Used, now: Now) {
        let cost = || {
            let cost = |price: Charge| price.input_nanos.saturating_add(price.output(used.output));
            self.price.map_or(0, cost)
        };
        let load = Load {
            requests: 0,
            input: used.input,
            output: used.output,
            nanos: Some(used.cost.unwrap_or_else(cost)),
        };
        self.end(&Load::default(), &load, Some(now.mono));
    }

    /// Nothing went upstream: gives everything back, the request too.
    pub fn cancel(mut self) {
        let request = Load {
            requests: 1,
            ..Load::default()
        };
        self.end(&request, &Load::default(), None);
    }

    /// What it holds.
    fn held(&self) -> Load {
        Load {
            requests: 0,
            input: self.input,
            output: self.covered,
            nanos: self.price.map(|price| {
                let output = price.output(self.covered);
                price.input_nanos.saturating_add(output)
            }),
        }
    }

    /// Ends it once: gives `extra` back with what it holds, and takes what it has used.
    fn end(&mut self, extra: &Load, used: &Load, mono: Option<u64>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let held = Load {
            requests: extra.requests,
            ..self.held()
        };
        for (at, holder) in self.holders.0.iter().enumerate() {
            if let Some(holder) = holder {
                // One after another: what is given back need not be seen at once.
                holder
                    .state()
                    .end(self.given[at], self.wall, &held, used, mono);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end(&Load::default(), &Load::default(), None);
    }
}
