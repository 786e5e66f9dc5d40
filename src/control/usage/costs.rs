//! `GET /v1/organization/costs`: money, to the last decimal.

use super::{
    Asked, COMMON, answer,
    buckets::{Page, Widths},
    filters,
    kinds::Group,
    permit, shapes,
};
use crate::{
    body::Body,
    control::{Operation, Request, json_text, rights},
    domain::KeyId,
    error::Error,
    ledger::{Column, Line, Sum, Width},
    wire::{
        about::{About, Content},
        amount::{self, Amount},
        query::Query,
        schema::{Schema, Shape},
    },
};
use http::Response;
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

/// `GET /v1/organization/costs`.
pub const COSTS: Operation = Operation::new(
    |request| Box::pin(costs(request)),
    About::new("Usage", "What calls cost, by the day")
        .parameters(|| shapes::parameters(WIDTHS, &GROUPS))
        .gives(&[(200, Content::Json(&PAGE))])
        .refuses(&[503]),
);
const PAGE: Shape = Shape::new("CostsPage", || shapes::page(Schema::named(&COST)));
const COST: Shape = Shape::new("Cost", || {
    Schema::object()
        .with("object", Schema::word("organization.costs.result"))
        .with("amount", Schema::named(&amount::SHAPE))
        .with("line_item", Schema::text().or_null().says("The model"))
        .with("project_id", Schema::text().or_null())
        .with("api_key_id", Schema::text().or_null())
        .with("quantity", Schema::count().or_null())
        .with("quantity_unit", Schema::text().or_null())
});

async fn costs(request: Request) -> Result<Response<Body>, Error> {
    let app = &request.app;
    let actor = rights::who(app, request.headers())?;
    let query = Query::parse(request.query(), &COMMON)?;
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
            _ => cost.api_key_id = name.map(KeyId::published),
        }
    }
    cost
}
