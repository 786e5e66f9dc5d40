//! `GET /v1/organization/costs`: money, to the last decimal.

use super::{
    Asked, COMMON, answer,
    buckets::{Page, Widths},
    filters,
    kinds::Group,
    permit,
};
use crate::{
    app::App,
    body::Body,
    control::{json_text, rights},
    error::Error,
    ledger::{Column, Line, Sum, Width},
    wire::{amount::Amount, query::Query},
};
use http::{HeaderMap, Response};
use serde::Serialize;
use std::time::SystemTime;

const WIDTHS: Widths = &[("1d", Width::Day, 7, 180)];
const GROUPS: [(&str, Group); 3] = [
    ("project_id", Group::Project),
    ("line_item", Group::LineItem),
    ("api_key_id", Group::Key),
];
const FILTERS: [(&str, Column); 2] = [
    ("project_ids", Column::Project),
    ("api_key_ids", Column::Key),
];

#[derive(Serialize)]
struct Cost {
    object: &'static str,
    amount: Amount,
    line_item: Option<String>,
    project_id: Option<String>,
    api_key_id: Option<String>,
    /// A line item is a model with all that it did, for which there is no one unit.
    quantity: Option<u64>,
    quantity_unit: Option<&'static str>,
}

/// What calls cost, by the day.
pub async fn costs(
    app: &App,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Response<Body>, Error> {
    let actor = rights::who(app, headers)?;
    let query = Query::parse(query, &COMMON)?;
    permit(&actor, &query)?;
    let page = Page::read(&query, WIDTHS, SystemTime::now())?;
    let groups = query.words("group_by", &GROUPS)?;
    let only = filters(&query, &FILTERS)?;
    let asked = Asked {
        endpoints: &[],
        sums: &[Sum::Cost],
        groups: &groups,
        only: Some(only),
    };
    let answer = answer(app, page, asked, |line| cost(&groups, line));
    json_text(&answer.await?)
}

fn cost(groups: &[Group], line: Line) -> Cost {
    let mut cost = Cost {
        object: "organization.costs.result",
        amount: Amount::of(line.sums.cost),
        line_item: None,
        project_id: None,
        api_key_id: None,
        quantity: None,
        quantity_unit: None,
    };
    for (group, name) in groups.iter().zip(line.group) {
        match group {
            Group::Project => cost.project_id = name,
            Group::LineItem => cost.line_item = name,
            _ => cost.api_key_id = name,
        }
    }
    cost
}
