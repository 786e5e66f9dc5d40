//! What a call costs: the prices of the config, and below them the lists that Weir comes with.
//!
//! A price is looked up by the exact name of a model, or by a pattern that somebody wrote. It is never guessed from a
//! similar name, and a model without a price has none: `None` is not zero.
//!
//! ```text
//! let prices = Prices::new(&config.prices); // with every snapshot of the config
//! let day = Day::of(SystemTime::now());
//! let price = prices.find(&target.upstream, "gpt-4o-2024-08-06", Tier::Standard, day);
//! let cost = price.map(|price| price.cost(&usage)); // what goes into the row …
//! let text = price.map(PriceTag::text); // … and the price that made it
//! ```

mod table;

#[cfg(test)]
mod tests;

use crate::{
    config::{OwnPrice, Upstream},
    domain::{Day, PriceTag, Tier, matches},
};
use std::{cmp::Reverse, sync::Arc};

/// Every price that is known, as one config has it.
pub struct Prices {
    /// Those of the config, the one that counts first.
    own: Vec<OwnPrice>,
}

impl Prices {
    /// The prices of a config, and those that Weir comes with.
    pub fn new(own: &[OwnPrice]) -> Self {
        let mut own = own.to_vec();
        // What says more counts first: an upstream before none, a name before a pattern, a long pattern before a
        // short one. The latest comes first of those that say the same.
        own.sort_by_cached_key(|price| {
            let is_pattern = price.model.contains('*');
            let breadth = (price.upstream.is_none(), is_pattern);
            let length = Reverse(price.model.len());
            (
                breadth,
                length,
                price.model.clone(),
                Reverse(price.valid_from),
            )
        });
        Self { own }
    }

    /// What `upstream` asks for `model`, by the name over there, on a day. None if nobody has said.
    pub fn find(
        &self,
        upstream: &Upstream,
        model: &str,
        tier: Tier,
        day: Day,
    ) -> Option<&PriceTag> {
        let holds = |price: &&OwnPrice| {
            let is_here = |name: &Arc<str>| *name == upstream.name;
            price.valid_from <= day
                && price.tier == tier
                && price.upstream.as_ref().is_none_or(is_here)
                && matches(&price.model, model)
        };
        let own = self.own.iter().find(holds).map(|own| &own.price);
        own.or_else(|| table::shipped().find(upstream.price_list?, model, tier, day))
    }
}
