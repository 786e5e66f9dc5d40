//! Everyone's limits, a page at a time: by the running gateway if it can be asked, else by the store.

use super::{
    list::{by_the_ledger, untold, warn},
    show::Lines,
};
use crate::{
    cli::{Ending, gateway::Gateway, office::Office},
    limits::{Policy, Roster},
    people::Users,
    wire::percent,
};
use anyhow::Context;
use serde_json::Value;

/// Holders on a page.
const PAGE: usize = 1000;

/// Who tells.
enum Source<'a> {
    Gateway(Gateway),
    Store {
        office: &'a Office,
        policy: &'a Policy,
        users: Users,
    },
}

struct Page {
    lines: Value,
    next: Option<String>,
}

pub(super) async fn run(
    office: &Office,
    policy: &Policy,
    gateway: Result<Gateway, String>,
    as_json: bool,
) -> Result<(), Ending> {
    let (source, mut page) = open(office, policy, gateway).await?;
    let is_live = matches!(source, Source::Gateway(_));
    let mut shown = Lines::begin(as_json, is_live);
    loop {
        shown.add(&page.lines);
        let Some(next) = page.next else { break };
        // Whoever told the first page tells all of them: the figures of the other are not the same.
        page = source.page(Some(&next)).await?;
    }
    shown.end();
    Ok(())
}

/// Whoever can tell, and the first page.
async fn open<'a>(
    office: &'a Office,
    policy: &'a Policy,
    gateway: Result<Gateway, String>,
) -> Result<(Source<'a>, Page), Ending> {
    let why = match gateway.map(Source::Gateway) {
        Ok(source) => match source.page(None).await {
            Ok(page) => return Ok((source, page)),
            Err(error) => untold(&error),
        },
        Err(why) => why,
    };
    warn(&why);
    let users = Users::open(office.db.clone()).await;
    let source = Source::Store {
        office,
        policy,
        users: users.context("the users cannot be read")?,
    };
    let page = source.page(None).await?;
    Ok((source, page))
}

impl Source<'_> {
    async fn page(&self, after: Option<&str>) -> anyhow::Result<Page> {
        match self {
            Self::Gateway(gateway) => {
                let after = after.map_or_else(String::new, |after| {
                    format!("&after={}", percent::encode(after))
                });
                let mut found = gateway.get(&format!("/limits?limit={PAGE}{after}")).await?;
                Ok(Page {
                    lines: found["data"].take(),
                    next: found["next"].as_str().map(str::to_owned),
                })
            }
            Self::Store {
                office,
                policy,
                users,
            } => {
                let roster = Roster {
                    policy,
                    directory: &office.directory,
                    users,
                    keys: &office.keys,
                };
                let part = roster.part(after, PAGE).await;
                let part = part.context("who has limits cannot be read")?;
                Ok(Page {
                    lines: by_the_ledger(office, policy, &part.all).await?,
                    next: part.next,
                })
            }
        }
    }
}
