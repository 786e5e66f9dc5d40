//! `weir doctor`: does what is kept agree with itself? Whether or not the gateway runs.

use super::{Ending, mistake, say};
use crate::{
    audit,
    config::{Flags, load_store},
    ledger, store,
};
use anyhow::{Context, anyhow};

pub(super) fn run(flags: &Flags) -> Result<(), Ending> {
    let place = load_store(flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let mut conn = store::connect_to_read(&place.at).map_err(|error| mistake(&place, error))?;
    let mut examined = ledger::examine(&mut conn, &place.flight)?;
    let (facts, differences) = audit::examine(&mut conn).context("the audit log cannot be read")?;
    examined.facts.extend(facts);
    examined.differences.extend(differences);
    examined.facts.iter().for_each(|fact| say(fact));
    if examined.differences.is_empty() {
        say("all agree");
        return Ok(());
    }
    examined
        .differences
        .iter()
        .for_each(|difference| say(&format!("DIFFERS  {difference}")));
    let found = examined.differences.len();
    Err(Ending::Failure(anyhow!("{found} differences")))
}
