//! `weir doctor`: does what is kept agree with itself? Whether or not the gateway runs.

use super::{Ending, mistake, must_exist, say};
use crate::{
    audit, auth,
    config::{Flags, load_limits, load_store},
    domain::printable,
    ledger, people,
    store::{self, Connection},
};
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;

pub(super) fn run(flags: &Flags) -> Result<(), Ending> {
    let place = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    must_exist(&place)?;
    let mut conn = store::connect_to_read(&place.at).map_err(|error| mistake(&place, error))?;
    let mut examined = ledger::examine(&mut conn, &place.flight)?;
    let (facts, differences) = audit::examine(&mut conn).context("the audit log cannot be read")?;
    examined.facts.extend(facts);
    examined.differences.extend(differences);
    examined.facts.extend(stray_tiers(flags, &mut conn)?);
    let facts = examined.facts.iter();
    facts.for_each(|fact| say(&printable(fact)));
    if examined.differences.is_empty() {
        say("all agree");
        return Ok(());
    }
    examined
        .differences
        .iter()
        .for_each(|difference| say(&format!("DIFFERS  {}", printable(difference))));
    let found = examined.differences.len();
    Err(Ending::Failure(anyhow!("{found} differences")))
}

/// Tiers that keys and users carry and the configuration does not know: they limit nothing.
fn stray_tiers(flags: &Flags, conn: &mut Connection) -> Result<Option<String>, Ending> {
    let Ok((limits, _)) = load_limits(flags) else {
        // It is about what is kept, which may be whole all the same.
        let why = "not compared with the configuration: `weir check` names its mistakes";
        return Ok(Some(format!("tiers          {why}")));
    };
    let by_keys = auth::tiers(conn).context("the keys cannot be read")?;
    let by_users = people::tiers(conn).context("the users cannot be read")?;
    let mut strays: BTreeMap<Box<str>, Vec<String>> = BTreeMap::new();
    for (carried, who) in [(by_keys, "keys"), (by_users, "users")] {
        for (tier, count) in carried {
            if !limits.tiers.contains_key(&tier) {
                strays
                    .entry(tier)
                    .or_default()
                    .push(format!("{count} {who}"));
            }
        }
    }
    let strays: Vec<String> = strays
        .iter()
        .map(|(tier, carried)| format!("`{tier}` ({})", carried.join(", ")))
        .collect();
    Ok((!strays.is_empty()).then(|| {
        format!(
            "tiers          not in the configuration, so they limit nothing: {}",
            strays.join(", ")
        )
    }))
}
