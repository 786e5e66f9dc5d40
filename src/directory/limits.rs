//! Changing what a project, or the organization, may do. Where a project is `None`, it is the organization.

use super::projects::{active, known};
use super::rows::{self, Names, ORGANIZATION};
use super::{
    Allowance, Directory, Error, ModelPermissions, RateLimit, Retention, check_name, is_sane,
};
use crate::audit::{self, Entry, Event, Origin};
use crate::auth;
use crate::store::Transaction;
use serde_json::{Value, json};

/// The project that a change is to; the organization is none.
type Scope = Option<String>;

impl Directory {
    /// What a project may do, as the store has it now.
    pub async fn allowance(&self, scope: Scope) -> Result<Allowance, Error> {
        self.read(move |tx| {
            if let Some(project) = &scope {
                known(tx, project)?;
            }
            Ok(rows::of(tx, id(&scope))?)
        })
        .await
    }

    /// Sets what may be spent in a month, in cents.
    pub async fn set_spend_limit(&self, by: Origin, scope: Scope, cents: u64) -> Result<(), Error> {
        self.change(move |tx| {
            let old = begin(tx, &scope)?;
            rows::set(tx, id(&scope), &[("spend_limit", cents.into())])?;
            let word = |cents: Option<u64>| {
                cents.map_or(Value::Null, |cents| json!({"spend_limit": cents}))
            };
            tell(
                tx,
                &by,
                &scope,
                "spend_limit.updated",
                word(old.spend_limit),
                word(Some(cents)),
            )
        })
        .await
    }

    /// Takes the spend limit away.
    pub async fn delete_spend_limit(&self, by: Origin, scope: Scope) -> Result<(), Error> {
        self.change(move |tx| {
            let old = begin(tx, &scope)?.spend_limit.ok_or(Error::NoSpendLimit)?;
            rows::set(tx, id(&scope), &[("spend_limit", None::<u64>.into())])?;
            let before = json!({"spend_limit": old});
            tell(tx, &by, &scope, "spend_limit.deleted", before, Value::Null)
        })
        .await
    }

    /// Sets which models a project may use; none: all.
    pub async fn set_model_permissions(
        &self,
        by: Origin,
        project: String,
        permissions: Option<ModelPermissions>,
    ) -> Result<(), Error> {
        if let Some(permissions) = &permissions {
            check_models(permissions)?;
        }
        self.change(move |tx| {
            let scope = Some(project);
            let old = begin(tx, &scope)?.models;
            let told = |permissions: &Option<ModelPermissions>| {
                let permissions = permissions.as_ref();
                permissions.map_or(
                    Value::Null,
                    |permissions| json!({"model_permissions": permissions}),
                )
            };
            let (before, after) = (told(&old), told(&permissions));
            let mode = permissions
                .as_ref()
                .map(|permissions| match permissions.is_allow_list {
                    true => "allow_list",
                    false => "deny_list",
                });
            let models = permissions.map(|permissions| Names(permissions.models));
            rows::set(
                tx,
                id(&scope),
                &[("models_mode", mode.into()), ("models", models.into())],
            )?;
            let event = match after {
                Value::Null => "model_permissions.deleted",
                _ => "model_permissions.updated",
            };
            tell(tx, &by, &scope, event, before, after)
        })
        .await
    }

    /// Sets how long what is said may be kept.
    pub async fn set_retention(
        &self,
        by: Origin,
        scope: Scope,
        retention: Retention,
    ) -> Result<(), Error> {
        self.change(move |tx| {
            let old = begin(tx, &scope)?.retention;
            rows::set(tx, id(&scope), &[("retention", retention.as_str().into())])?;
            let word = |retention: Option<Retention>| {
                retention.map_or(Value::Null, |one| json!({"data_retention": one.as_str()}))
            };
            tell(
                tx,
                &by,
                &scope,
                "data_retention.updated",
                word(old),
                word(Some(retention)),
            )
        })
        .await
    }

    /// Changes how fast a project may use a model: figures that are none stay as they are, `Some(None)` is no limit.
    pub async fn set_rate_limit(
        &self,
        by: Origin,
        project: String,
        model: String,
        figures: [Option<Option<u64>>; RateLimit::NAMES.len()],
    ) -> Result<RateLimit, Error> {
        check_name(&model)?;
        self.change(move |tx| {
            let scope = Some(project);
            let mut old = begin(tx, &scope)?;
            let old = old.rate_limits.remove(&*model).unwrap_or_default();
            let mut new = old.figures();
            for (old, new) in new.iter_mut().zip(figures) {
                *old = new.unwrap_or(*old);
            }
            let new = RateLimit::from(new);
            if new == old {
                return Ok(new);
            }
            rows::set_rate_limit(tx, id(&scope), &model, &new)?;
            let entry = Entry {
                event: Event::of("rate_limit.updated"),
                project: scope.as_deref(),
                resource: Some(&format!("rl-{model}")),
                before: told(&old),
                after: told(&new),
            };
            audit::append(tx, &by, &entry)?;
            Ok(new)
        })
        .await
    }
}

fn check_models(permissions: &ModelPermissions) -> Result<(), Error> {
    let is_pattern =
        |name: &str| is_sane(name, auth::NAME_MAX_CHARS) && name.matches('*').count() <= 1;
    let names = &permissions.models;
    let fits = names.len() <= auth::MODELS_MAX && names.iter().all(|name| is_pattern(name));
    fits.then_some(()).ok_or(Error::Models)
}

/// The figures that are limits.
fn told(limit: &RateLimit) -> Value {
    let figures = RateLimit::NAMES.into_iter().zip(limit.figures());
    let limits = figures.filter_map(|(name, figure)| Some((name.to_owned(), figure?.into())));
    Value::Object(limits.collect())
}

fn id(scope: &Scope) -> &str {
    scope.as_deref().unwrap_or(ORGANIZATION)
}

/// What may be done until now, by a project that may be changed.
pub(super) fn begin(tx: &mut Transaction<'_>, scope: &Scope) -> Result<Allowance, Error> {
    if let Some(project) = scope {
        active(tx, project)?;
    }
    Ok(rows::of(tx, id(scope))?)
}

/// Notes a change of what a project or the organization may do, for which OpenAI has one word each. What is as it was
/// is no change.
pub(super) fn tell(
    tx: &mut Transaction<'_>,
    by: &Origin,
    scope: &Scope,
    event: &'static str,
    before: Value,
    after: Value,
) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    let kind = match scope {
        Some(_) => "project.updated",
        None => "organization.updated",
    };
    let entry = Entry {
        event: Event::as_a(kind, event),
        project: scope.as_deref(),
        resource: scope.as_deref(),
        before,
        after,
    };
    Ok(audit::append(tx, by, &entry)?)
}
