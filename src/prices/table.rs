//! The lists that Weir comes with, read once from `prices.csv`.

use crate::domain::{
    Day, Long, NanoDollars, Price, PriceList, PriceTag, Rate, Rates, Tier, matches, parse_image,
};
use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

pub(super) const SHIPPED: &str = include_str!("prices.csv");

/// What `prices.csv` says.
pub(super) fn shipped() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&rows(SHIPPED)));
    &TABLE
}

/// Prices of one model and the day from which each holds, the latest first.
type Dated = Vec<(Day, PriceTag)>;

/// Prices by list and tier, and then by the names of models.
pub(super) struct Table(HashMap<(PriceList, Tier), Models>);

#[derive(Default)]
struct Models {
    exact: HashMap<&'static str, Dated>,
    /// The longest name first.
    patterns: Vec<(&'static str, Dated)>,
}

impl Table {
    fn new(rows: &[Row]) -> Self {
        let mut table: HashMap<_, Models> = HashMap::new();
        for row in rows {
            let models = table.entry((row.list, row.tier)).or_default();
            for name in row.models.split('|') {
                add(models.exact.entry(name).or_default(), row);
            }
        }
        table.values_mut().for_each(Models::sort);
        Self(table)
    }

    pub(super) fn find(
        &self,
        list: PriceList,
        model: &str,
        tier: Tier,
        day: Day,
    ) -> Option<&PriceTag> {
        let dated = self.0.get(&(list, tier))?.find(model)?;
        let held = dated.iter().find(|(from, _)| *from <= day);
        held.map(|(_, price)| price)
    }
}

impl Models {
    /// Takes the patterns out of what was collected, and puts the order in.
    fn sort(&mut self) {
        for dated in self.exact.values_mut() {
            dated.sort_by_key(|(from, _)| Reverse(*from));
        }
        let patterns = self.exact.extract_if(|name, _| name.contains('*'));
        self.patterns = patterns.collect();
        self.patterns
            .sort_by_key(|(name, _)| (Reverse(name.len()), *name));
    }

    fn find(&self, model: &str) -> Option<&Dated> {
        let covers = |(name, _): &&(&str, Dated)| matches(name, model);
        let by_pattern = || self.patterns.iter().find(covers);
        self.exact
            .get(model)
            .or_else(|| by_pattern().map(|(_, dated)| dated))
    }
}

/// Adds a row to its model's prices. One for long prompts belongs to the row before it.
fn add(dated: &mut Dated, row: &Row) {
    match (row.above, dated.last_mut()) {
        (Some(above), Some((_, price))) => {
            let long = Some(Long {
                above,
                rates: row.rates,
            });
            *price = Price { long, ..**price }.into();
        }
        _ => dated.push((
            row.valid_from,
            PriceTag::from(Price {
                rates: row.rates,
                long: None,
                image: row.image,
            }),
        )),
    }
}

/// A line of the file.
pub(super) struct Row {
    pub(super) list: PriceList,
    pub(super) models: &'static str,
    pub(super) tier: Tier,
    pub(super) valid_from: Day,
    /// It holds for prompts with more tokens than this.
    pub(super) above: Option<u64>,
    pub(super) rates: Rates,
    pub(super) image: Option<NanoDollars>,
}

/// The lines of the file, without the header.
pub(super) fn rows(csv: &'static str) -> Vec<Row> {
    let row = |line| row(line).expect("a test reads every line");
    csv.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Option<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    let [list, models, tier, valid_from, above, rates @ .., image] = &*cells else {
        return None;
    };
    let [
        input,
        cached_input,
        cache_write,
        output,
        reasoning,
        audio_input,
        audio_output,
    ] = rates
    else {
        return None;
    };
    Some(Row {
        list: PriceList::named(list)?,
        models,
        tier: Tier::of_answer(tier)?,
        valid_from: Day::parse(valid_from)?,
        above: maybe(above, |text| text.parse().ok())?,
        rates: Rates {
            input: Rate::parse(input)?,
            cached_input: maybe(cached_input, Rate::parse)?,
            cache_write: maybe(cache_write, Rate::parse)?,
            audio_input: maybe(audio_input, Rate::parse)?,
            output: Rate::parse(output)?,
            reasoning: maybe(reasoning, Rate::parse)?,
            audio_output: maybe(audio_output, Rate::parse)?,
        },
        image: maybe(image, parse_image)?,
    })
}

/// An empty cell is fine, a wrong one is not.
fn maybe<T>(cell: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match cell {
        "" => Some(None),
        text => read(text).map(Some),
    }
}
