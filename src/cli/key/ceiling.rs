//! How fast, how much and in which class a key may be used: the options that `weir key create` and `change` share.

use crate::{
    auth::KeyChange,
    cli::{
        Ending,
        amount::{Amount, NONE, amount},
    },
    domain::{Budget, KeyLimits, Span, Terms},
};
use clap::Args;

#[derive(Args)]
#[group(id = "ceiling", multiple = true)]
pub(super) struct Ceiling {
    /// The class of service that it belongs to; `none` for none, as in all of these
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    /// Requests a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_minute: Option<Amount>,
    /// Tokens a minute
    #[arg(long, value_name = "N", value_parser = amount)]
    tokens_per_minute: Option<Amount>,
    /// Requests a day
    #[arg(long, value_name = "N", value_parser = amount)]
    requests_per_day: Option<Amount>,
    /// Tokens a day
    #[arg(long, value_name = "N", value_parser = amount)]
    tokens_per_day: Option<Amount>,
    /// Requests at the same time
    #[arg(long, value_name = "N", value_parser = amount)]
    concurrent_requests: Option<Amount>,
    /// What it may spend, in cents
    #[arg(long, value_name = "CENTS", value_parser = amount)]
    budget: Option<Amount>,
    /// In which time: hour, day, month or life [default: that of the budget before it, else month]
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "budget")]
    budget_interval: Option<Span>,
}

fn span(text: &str) -> Result<Span, String> {
    match text {
        "hour" => Ok(Span::Hour),
        "day" => Ok(Span::Day),
        "month" => Ok(Span::Month),
        "life" => Ok(Span::Life),
        _ => Err("expected hour, day, month or life".to_owned()),
    }
}

impl Ceiling {
    /// What changes of a key with these terms.
    pub(super) fn change(self, terms: &Terms) -> Result<KeyChange, Ending> {
        let limits = [
            self.requests_per_minute,
            self.tokens_per_minute,
            self.requests_per_day,
            self.tokens_per_day,
            self.concurrent_requests,
        ];
        let budget = match (self.budget, self.budget_interval) {
            (Some(Amount(None)), Some(_)) => {
                let why = "a budget of `none` has no interval";
                return Err(Ending::Mistake(why.to_owned()));
            }
            (Some(Amount(Some(threshold_amount))), interval) => {
                let before = terms.budget.map(|budget| budget.interval);
                Some(Some(Budget {
                    threshold_amount,
                    interval: interval.or(before).unwrap_or(Span::Month),
                }))
            }
            (none, _) => none.map(|_| None),
        };
        Ok(KeyChange {
            tier: self
                .tier
                .map(|tier| Some(tier.into_boxed_str()).filter(|tier| &**tier != NONE)),
            limits: limits.map(|limit| limit.map(|Amount(limit)| limit)),
            budget,
            ..KeyChange::default()
        })
    }

    /// The same for a key to be made.
    pub(super) fn terms(self) -> Result<Terms, Ending> {
        let mut terms = Terms::default();
        let change = self.change(&terms)?;
        terms.tier = change.tier.flatten();
        terms.limits = KeyLimits::from(change.limits.map(Option::flatten));
        terms.budget = change.budget.flatten();
        Ok(terms)
    }
}
