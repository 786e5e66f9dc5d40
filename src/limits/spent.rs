//! What a budget's holders have spent in a period, by the ledger.

use super::{Period, policy::Policy};
use crate::domain::Level;
use crate::ledger::{Payer, Payers, ReportError, Reports, Spent};
use std::collections::HashMap;

/// What a holder has spent in a period, as far as it is committed.
pub async fn spent(
    reports: &Reports,
    policy: &Policy,
    (level, name): (Level, &str),
    period: Period,
) -> Result<Spent, ReportError> {
    let each = spent_each(reports, policy, (level, vec![name.to_owned()]), period);
    Ok(each.await?.remove(name).unwrap_or_default())
}

/// The same of several holders of one level, in as few questions as can be; who is left out has spent nothing.
///
/// What a project has spent on a model, and an address on anything, nobody asks: neither has a budget.
pub(super) async fn spent_each(
    reports: &Reports,
    policy: &Policy,
    (level, names): (Level, Vec<String>),
    period: Period,
) -> Result<HashMap<String, Spent>, ReportError> {
    let (from, until) = (period.start(), period.end().unwrap_or(u64::MAX));
    let payers = match level {
        Level::Organization => {
            let all = reports.spent(&Payer::Organization, from, until).await?;
            return Ok(names.into_iter().map(|name| (name, all)).collect());
        }
        Level::Model => {
            let mut sums: HashMap<String, Spent> = HashMap::new();
            for (model, spent) in reports.spent_on_models(from, until).await? {
                if let Some(name) = policy.model(&model) {
                    sums.entry(name.to_owned()).or_default().add(spent);
                }
            }
            return Ok(sums);
        }
        Level::Project => Payers::Projects(names),
        Level::User => Payers::Users(names),
        Level::Key => Payers::Keys(names),
        Level::ProjectModel | Level::Address => return Ok(HashMap::new()),
    };
    let each = reports.spent_each(payers, from, until).await?;
    Ok(each.into_iter().collect())
}
