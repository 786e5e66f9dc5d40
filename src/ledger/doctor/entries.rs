//! Is each entry whole? Two that were changed so that their sums stayed the same are seen by nothing else.

use super::Examined;
use crate::{
    domain::{Endpoint, PriceTag, Usage},
    ledger::{
        entry::{EntryId, Source},
        judge::charge,
    },
    store::{Error, Row, Transaction},
};
use std::collections::HashMap;

const SQL: &str = "SELECT id, started_at, endpoint, source, quantity, cost, price,
    input, cached, cache_write, output, reasoning, audio_input, audio_output
    FROM entry WHERE started_at >= ";

/// The prices that entries were charged at, by their text; none for a text that is no price.
type Prices = HashMap<String, Option<PriceTag>>;

/// Compares what each entry since `kept` says twice: when it began, and what it cost.
pub(super) fn compare(
    tx: &mut Transaction<'_>,
    kept: i64,
    examined: &mut Examined,
) -> Result<(), Error> {
    let mut prices = Prices::new();
    let mut found = examined.of_a_kind();
    tx.for_each(&format!("{SQL}{kept}"), &[], |row| {
        let EntryId(id) = EntryId(row.get(0)?);
        for what in faults(id, &row, &mut prices)? {
            found.name(|| Ok(format!("entry {:032x}: {what}", u128::from_be_bytes(id))))?;
        }
        Ok(())
    })?;
    found.end(|more| format!("entry: {more} more"));
    Ok(())
}

fn faults(
    id: [u8; 16],
    row: &Row,
    prices: &mut Prices,
) -> Result<impl Iterator<Item = &'static str>, Error> {
    let started: i64 = row.get(1)?;
    let began = u128::from_be_bytes(id) >> 80;
    let moved = (began != u128::from(started.unsigned_abs()))
        .then_some("its id is of another time than its start");
    let cost: Option<i64> = row.get(5)?;
    let price: Option<String> = row.get(6)?;
    let is_charged = match price {
        None => cost.is_none(),
        Some(text) => {
            let price = prices
                .entry(text)
                .or_insert_with_key(|text| text.parse().ok());
            match price {
                Some(price) => cost.is_some() && cost == charged(price, row)?,
                None => false,
            }
        }
    };
    let charged = (!is_charged).then_some("its cost is not what its price makes of its figures");
    Ok(moved.into_iter().chain(charged))
}

/// What an entry has to cost at its price.
fn charged(price: &PriceTag, row: &Row) -> Result<Option<i64>, Error> {
    let endpoint: String = row.get(2)?;
    let mut endpoints = Endpoint::ALL.into_iter();
    let endpoint = endpoints.find(|known| known.as_str() == endpoint);
    let source: Option<String> = row.get(3)?;
    let mut sources = Source::ALL.into_iter();
    let source = sources.find(|known| source.as_deref() == Some(known.as_str()));
    // A stranger's figure may be negative, and is none then.
    let figure = |column| {
        let figure: Option<i64> = row.get(column)?;
        Ok::<_, Error>(figure.and_then(|figure| figure.try_into().ok()))
    };
    let usage = Usage {
        input: figure(7)?,
        cached: figure(8)?,
        cache_write: figure(9)?,
        output: figure(10)?,
        reasoning: figure(11)?,
        audio_input: figure(12)?,
        audio_output: figure(13)?,
    };
    let quantity = figure(4)?;
    let cost =
        endpoint.and_then(|endpoint| charge(Some(&**price), endpoint, &usage, source, quantity));
    Ok(cost.map(|cost| cost.nanos()))
}
