//! What a budget's holder has spent in a period, by the ledger.

use super::{Period, policy::Policy};
use crate::domain::Level;
use crate::ledger::{Payer, ReportError, Reports, Spent};

/// What a holder has spent in a period, as far as it is committed.
///
/// What a project has spent on a model, and an address on anything, nobody asks: neither has a budget.
pub async fn spent(
    reports: &Reports,
    policy: &Policy,
    (level, name): (Level, &str),
    period: Period,
) -> Result<Spent, ReportError> {
    let (from, until) = (period.start(), period.end().unwrap_or(u64::MAX));
    let payer = match level {
        Level::Organization => Payer::Organization,
        Level::Project => Payer::Project(name.to_owned()),
        Level::User => Payer::User(name.to_owned()),
        Level::Key => Payer::Key(name.to_owned()),
        Level::Model => {
            let all = reports.spent_on_models(from, until).await?;
            let mut sum = Spent::default();
            for (model, spent) in all {
                if policy.model(&model) == Some(name) {
                    sum.add(spent);
                }
            }
            return Ok(sum);
        }
        Level::ProjectModel | Level::Address => return Ok(Spent::default()),
    };
    reports.spent(&payer, from, until).await
}
