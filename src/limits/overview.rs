//! How limits stand, for whoever wants to see them: in this process if it enforces them, else by the ledger alone.

use super::{
    Engine, MeterView, Now, Period, Source,
    limited::Limited,
    policy::{Policy, project_and_model},
    spent::spent_each,
};
use crate::domain::{Coin, KeyId, Kind, Level, NanoDollars, Rule, Span};
use crate::ledger::{ReportError, Reports, Spent};
use crate::wire::schema::{Schema, Shape};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::time::Duration;

/// One limit, and how it stands. What is not known is none: away from a running gateway, only budgets are.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Whose it is, in a word.
    pub level: &'static str,
    /// The id of that, of a key in its public form; none for the organization.
    pub id: Option<String>,
    /// What people call it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model, or the pattern of models, that it is for.
    pub model: Option<String>,
    /// What it counts, in a word.
    pub limit: &'static str,
    /// The span of a budget.
    pub per: Option<&'static str>,
    /// How much there is: dollars of a budget in dollars, else a whole number.
    pub amount: Figure,
    /// How much of a rate may be used at once.
    pub burst: Option<Figure>,
    /// How much is used, what calls in the air hold included.
    pub used: Option<Figure>,
    /// How much calls in the air hold.
    pub held: Option<Figure>,
    /// How much is left.
    pub left: Option<Figure>,
    /// In how many milliseconds it is whole again.
    pub resets_in_ms: Option<u64>,
}

/// What the document of the API says of a [`Line`].
pub const LINE: Shape = Shape::new("Limit", || {
    let figure = || Schema::number().at_least(0);
    Schema::object()
        .with("level", Schema::text())
        .with("id", Schema::text().or_null())
        .may(
            "name",
            Schema::text().says("What people call it, in the list of all"),
        )
        .with("model", Schema::text().or_null())
        .with("limit", Schema::text())
        .with("per", Schema::text().or_null().says("The span of a budget"))
        .with("amount", figure().says("In dollars of a budget in dollars"))
        .with("burst", figure().or_null())
        .with("used", figure().or_null())
        .with("held", figure().or_null().says("By calls in the air"))
        .with("left", figure().or_null())
        .with("resets_in_ms", Schema::count().or_null())
});

/// A number, digit for digit.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Figure(Box<RawValue>);

/// Where it is found out how limits stand.
#[derive(Clone, Copy)]
pub struct Lookout<'a> {
    /// The limits.
    pub policy: &'a Policy,
    /// What was spent.
    pub reports: &'a Reports,
    /// What is in the air and how rates stand; none away from a running gateway.
    pub engine: Option<&'a Engine>,
    /// When.
    pub now: Now,
}

/// What was spent, by whom and in which span; who is left out has spent nothing.
type Sums = HashMap<(Level, Span), HashMap<String, Spent>>;

impl Lookout<'_> {
    /// How the limits of some stand, in their order.
    pub async fn lines(&self, all: &[Limited]) -> Result<Vec<Line>, ReportError> {
        let mut seen = Vec::new();
        for limited in all {
            let views = self
                .engine
                .and_then(|engine| engine.view(limited.level, &limited.name, self.now));
            let views = views.unwrap_or_default();
            for rule in limited.rules.iter() {
                let view = views.iter().find(|view| view.kind == rule.kind);
                let view = view.filter(|view| view.amount == rule.amount && !view.is_unknown);
                // Of a budget that nodes share, this one knows its own part alone.
                let view = view.filter(|_| !(self.is_shared() && rule.is_budget()));
                seen.push((limited, rule, view.map(Stand::of)));
            }
        }
        let unseen = seen.iter().filter(|(.., stand)| stand.is_none());
        let sums = self
            .sums(unseen.map(|(limited, rule, _)| (*limited, *rule)))
            .await?;
        let lines = seen.into_iter().map(|(limited, rule, stand)| {
            let stand = stand.or_else(|| self.stand(limited, rule, &sums));
            line(limited, rule, stand)
        });
        Ok(lines.collect())
    }

    fn is_shared(&self) -> bool {
        self.engine
            .is_some_and(|engine| engine.source() == Source::Drawn)
    }

    /// What was spent of budgets, by the ledger: one question for all of a level and a span.
    async fn sums<'a>(
        &self,
        of: impl Iterator<Item = (&'a Limited, &'a Rule)>,
    ) -> Result<Sums, ReportError> {
        let mut names: HashMap<(Level, Span), Vec<String>> = HashMap::new();
        for (limited, rule) in of {
            if let Kind::Budget(_, span) = rule.kind {
                let names = names.entry((limited.level, span)).or_default();
                // One may have a budget in dollars and one in tokens.
                if names.last() != Some(&limited.name) {
                    names.push(limited.name.clone());
                }
            }
        }
        let mut sums = Sums::new();
        for ((level, span), names) in names {
            let period = Period::of(span, self.now.wall);
            let each = spent_each(self.reports, self.policy, (level, names), period).await?;
            sums.insert((level, span), each);
        }
        Ok(sums)
    }

    /// How a limit stands that nobody has asked about of late.
    fn stand(&self, limited: &Limited, rule: &Rule, sums: &Sums) -> Option<Stand> {
        let Kind::Budget(coin, span) = rule.kind else {
            let whole = Stand {
                used: 0,
                held: 0,
                left: rule.burst,
                resets_in: None,
            };
            return self.engine.map(|_| whole);
        };
        let sums = sums.get(&(limited.level, span));
        let spent = sums.and_then(|sums| sums.get(&limited.name));
        let used = spent.map_or(0, |spent| spent.of(coin));
        let end = Period::of(span, self.now.wall).end();
        Some(Stand {
            used,
            held: 0,
            left: rule.amount.saturating_sub(used),
            resets_in: end.map(|end| Duration::from_millis(end.saturating_sub(self.now.wall))),
        })
    }
}

struct Stand {
    used: u64,
    held: u64,
    left: u64,
    resets_in: Option<Duration>,
}

impl Stand {
    fn of(view: &MeterView) -> Self {
        Self {
            used: view.used,
            held: view.held,
            left: view.left,
            resets_in: view.resets_in,
        }
    }
}

impl Figure {
    fn of(kind: Kind, amount: u64) -> Self {
        let text = match kind {
            Kind::Budget(Coin::Dollars, _) => NanoDollars::new(amount.into()).to_string(),
            _ => amount.to_string(),
        };
        Self(RawValue::from_string(text).expect("a decimal is JSON"))
    }
}

fn line(limited: &Limited, rule: &Rule, stand: Option<Stand>) -> Line {
    let figure = |amount| Figure::of(rule.kind, amount);
    let stand = stand.as_ref();
    let (id, model) = names(limited);
    let is_rate = matches!(rule.kind, Kind::Rate(..));
    // Only these are held and given back.
    let is_held = !is_rate;
    Line {
        level: limited.level.label(),
        id,
        name: limited.called.clone(),
        model,
        limit: rule.kind.as_str(),
        per: match rule.kind {
            Kind::Budget(_, span) => Some(word(span)),
            _ => None,
        },
        amount: figure(rule.amount),
        burst: is_rate.then(|| figure(rule.burst)),
        used: stand.map(|stand| figure(stand.used)),
        held: stand.filter(|_| is_held).map(|stand| figure(stand.held)),
        left: stand.map(|stand| figure(stand.left)),
        resets_in_ms: stand.and_then(|stand| {
            // Rounded up: it is whole by then.
            let millis = stand.resets_in?.as_nanos().div_ceil(1_000_000);
            u64::try_from(millis).ok()
        }),
    }
}

fn names(limited: &Limited) -> (Option<String>, Option<String>) {
    let name = &limited.name;
    match limited.level {
        Level::Organization => (None, None),
        Level::Model => (None, Some(name.clone())),
        Level::ProjectModel => match project_and_model(name) {
            Some((project, model)) => (Some(project.to_owned()), Some(model.to_owned())),
            None => (Some(name.clone()), None),
        },
        Level::Key => {
            let id = KeyId::parse(name.as_bytes());
            (
                Some(id.map_or_else(|| name.clone(), |id| id.public())),
                None,
            )
        }
        Level::Project | Level::User | Level::Address => (Some(name.clone()), None),
    }
}

/// The word of the config.
fn word(span: Span) -> &'static str {
    match span {
        Span::Hour => "hour",
        Span::Day => "day",
        Span::Month => "month",
        Span::Life => "total",
    }
}
