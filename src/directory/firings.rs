//! Which alerts have gone off: each once a month for one threshold, whoever looks and how often.

use super::rows::ORGANIZATION;
use super::{Directory, Error};
use crate::store::{Millis, Mode};
use std::time::SystemTime;

/// An alert that has not gone off yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The alert's public name.
    pub id: String,
    /// Whose spending it watches; none: the organization's.
    pub project: Option<String>,
    /// When it goes off, in cents a month.
    pub threshold: u64,
}

impl Directory {
    /// The alerts that have not gone off in the month from `period` to `until`, in milliseconds since 1970, and were
    /// there before it was over.
    pub async fn armed_alerts(&self, period: u64, until: u64) -> Result<Vec<Armed>, Error> {
        let sql = "SELECT id, project_id, threshold FROM spend_alert AS alert
            WHERE created_at < $2 AND NOT EXISTS (
            SELECT 1 FROM alert_firing WHERE alert_id = alert.id AND period = $1
            AND alert_firing.threshold >= alert.threshold) ORDER BY number";
        let rows = self
            .db
            .query(sql, vec![period.into(), until.into()])
            .await?;
        let read = |row: &crate::store::Row| {
            let project: String = row.get(1)?;
            Ok::<_, Error>(Armed {
                id: row.get(0)?,
                project: Some(project).filter(|project| project != ORGANIZATION),
                threshold: row.get(2)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Notes that an alert goes off, unless it has already, or is another one by now. True for one of all who try.
    pub async fn fire(&self, alert: &Armed, period: u64, nanos: u64) -> Result<bool, Error> {
        let Armed { id, threshold, .. } = alert.clone();
        self.db
            .transact(Mode::Write, move |tx| {
                let sql = "INSERT INTO alert_firing (alert_id, period, threshold, spent, fired_at)
                    SELECT id, CAST($2 AS BIGINT), threshold, CAST($4 AS BIGINT), CAST($5 AS BIGINT)
                    FROM spend_alert AS alert WHERE id = $1 AND threshold = $3 AND NOT EXISTS (
                        SELECT 1 FROM alert_firing WHERE alert_id = alert.id AND period = $2
                        AND alert_firing.threshold >= alert.threshold)
                    ON CONFLICT DO NOTHING";
                let values = [
                    id.into(),
                    period.into(),
                    threshold.into(),
                    nanos.into(),
                    Millis::of(SystemTime::now()).into(),
                ];
                Ok(tx.execute(sql, &values)? == 1)
            })
            .await
    }
}
