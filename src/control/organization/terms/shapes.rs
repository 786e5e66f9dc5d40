//! What the member looks like.

use super::{LIFE_MAX_SECONDS, OVERLAP_MAX_SECONDS, SPANS};
use crate::{
    auth::{METADATA_MAX, MODELS_MAX, NAME_MAX_CHARS, NETWORKS_MAX, NUMBER_MAX},
    domain::{KeyLimits, Priority},
    wire::schema::{Schema, Shape},
};

/// What is asked for in a request that makes a key.
pub(in crate::control::organization) const ASKED: Shape =
    Shape::new("KeyTermsAsked", || asked(note()));
/// What changes of a key.
pub(in crate::control::organization) const CHANGED: Shape =
    Shape::new("KeyTermsChanged", || asked(note().or_null()));
/// The same where a key may take another's place.
pub(in crate::control::organization) const ASKED_OR_HEIR: Shape =
    Shape::new("KeyTermsAskedOrHeir", || {
        let replaces = "The id of a key whose place the new one takes, with its name and its terms";
        asked(note())
            .may("replaces", Schema::text().or_null().says(replaces))
            .may(
                "overlap_seconds",
                Schema::count()
                    .at_most(OVERLAP_MAX_SECONDS)
                    .or_null()
                    .says("How long the old key goes on working"),
            )
    });
/// What is told of a key.
pub(in crate::control::organization) const TOLD: Shape = Shape::new("KeyTerms", || {
    agreed(note())
        .with("state", Schema::words(["live", "expired", "revoked"]))
        .with("expires_at", Schema::time().or_null())
        .with("replaced_by", Schema::text().or_null())
});
/// OpenAI's scopes, which no key here has.
pub(in crate::control::organization) fn scopes() -> Schema {
    Schema::list(Schema::text())
        .items(0, 0)
        .or_null()
        .says("Not served: `weir.models` says what a key may use")
}

/// The name of a tier, or none.
pub(in crate::control::organization) fn named_tier() -> Schema {
    Schema::text().length(1, NAME_MAX_CHARS as u64).or_null()
}

/// What becomes of an answer whose client hangs up, or nothing about it.
pub(in crate::control::organization) fn hangup_policy() -> Schema {
    Schema::text()
        .or_null()
        .says("`cancel`, `finish` or `finish-up-to=TOKENS`")
}

/// A text of the metadata.
fn note() -> Schema {
    Schema::text().length(0, METADATA_MAX.2 as u64)
}

fn asked(note: Schema) -> Schema {
    let life = Schema::count().at_least(1).at_most(LIFE_MAX_SECONDS);
    agreed(note)
        .may("expires_at", Schema::time().or_null())
        .may("expires_in_seconds", life.or_null())
}

/// The members that requests and answers have alike.
fn agreed(note: Schema) -> Schema {
    let limits = KeyLimits::NAMES.into_iter();
    let number = || Schema::count().at_most(NUMBER_MAX).or_null();
    let (pairs, name, _) = METADATA_MAX;
    Schema::object()
        .may("tier", named_tier())
        .may(
            "priority",
            Schema::words(Priority::NAMES.map(|(word, _)| word))
                .or_null()
                .says("How urgent it is among the keys of its project, where requests wait"),
        )
        .may(
            "models",
            Schema::list(Schema::text())
                .items(1, MODELS_MAX as u64)
                .or_null(),
        )
        .may("on_hangup", hangup_policy())
        .may(
            "limits",
            limits
                .fold(Schema::object(), |all, name| all.may(name, number()))
                .or_null(),
        )
        .may("budget", budget_of().or_null())
        .may(
            "allowed_ips",
            Schema::list(Schema::text())
                .items(0, NETWORKS_MAX as u64)
                .or_null(),
        )
        .may(
            "metadata",
            Schema::map(note).or_null().says(&format!(
                "At most {pairs} texts, with names of up to {name} characters"
            )),
        )
}

fn budget_of() -> Schema {
    Schema::object()
        .with(
            "threshold_amount",
            Schema::count().at_most(NUMBER_MAX).says("In cents"),
        )
        .with("currency", Schema::word("USD"))
        .with("interval", Schema::words(SPANS.map(|(word, _)| word)))
}
