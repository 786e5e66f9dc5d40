//! What a project may do, as a request needs it: a value in memory that never changes, replaced project by project.

use super::alerts::Alert;
use super::rows::ORGANIZATION;
use crate::domain::{OnHangup, matches};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What all projects may do, and the organization as a whole. Read without a lock; a change replaces one value.
#[derive(Debug, Default)]
pub struct Allowances {
    organization: ArcSwap<Allowance>,
    /// By the project's id: all that there are, archived ones too. Only admins choose ids, so that a quick hash will do.
    projects: papaya::HashMap<Box<str>, Arc<Allowance>, foldhash::fast::RandomState>,
}

/// What a project, or the organization, may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// The project was archived: nobody may use it any more.
    pub is_archived: bool,
    /// What becomes of an answer whose client hangs up, where the key says nothing; none: as the config says.
    pub on_hangup: Option<OnHangup>,
    /// What it may spend in a month, in cents.
    pub spend_limit: Option<u64>,
    /// Who is to be told when it has spent how much.
    pub alerts: Vec<Alert>,
    /// Which models it may use; none: all.
    pub models: Option<ModelPermissions>,
    /// How fast it may use a model, by the model's name.
    pub rate_limits: BTreeMap<Box<str>, RateLimit>,
    /// How long what it says may be kept; none: as usual.
    pub retention: Option<Retention>,
}

impl Allowances {
    /// What all projects together may do.
    pub fn organization(&self) -> Arc<Allowance> {
        self.organization.load_full()
    }

    /// What a project may do.
    pub fn of(&self, project: &str) -> Option<Arc<Allowance>> {
        self.projects.pin().get(project).map(Arc::clone)
    }

    /// Whether a project may use a model.
    pub fn allows(&self, project: &str, model: &str) -> bool {
        let denies = |models: &ModelPermissions| !models.allow(model);
        !self.has(project, |allowance| {
            allowance.models.as_ref().is_some_and(denies)
        })
    }

    /// Whether a project is there, archived or not.
    pub fn is_there(&self, project: &str) -> bool {
        self.has(project, |_| true)
    }

    /// Whether a project was archived, and what it says of clients that hang up: what every request asks, in one look.
    pub fn at_the_door(&self, project: &str) -> (bool, Option<OnHangup>) {
        let projects = self.projects.pin();
        let allowance = projects.get(project);
        allowance.map_or((false, None), |one| (one.is_archived, one.on_hangup))
    }

    /// Whether a project may use some models only.
    pub fn restricts(&self, project: &str) -> bool {
        self.has(project, |allowance| allowance.models.is_some())
    }

    fn has(&self, project: &str, test: impl Fn(&Allowance) -> bool) -> bool {
        let projects = self.projects.pin();
        projects
            .get(project)
            .is_some_and(|allowance| test(allowance))
    }

    /// Replaces what a project may do, or the organization, whose id is empty.
    pub(super) fn set(&self, project: Box<str>, allowance: Allowance) {
        let allowance = Arc::new(allowance);
        match &*project {
            ORGANIZATION => self.organization.store(allowance),
            _ => drop(self.projects.pin().insert(project, allowance)),
        }
    }
}

/// Which models a project may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelPermissions {
    /// Whether those that are listed are allowed, and no others; otherwise they are denied.
    pub is_allow_list: bool,
    /// Names of models; in each one `*` may stand for any text.
    pub models: Vec<Box<str>>,
}

impl ModelPermissions {
    /// Whether a model may be used.
    pub fn allow(&self, model: &str) -> bool {
        self.models.iter().any(|name| matches(name, model)) == self.is_allow_list
    }
}

/// How fast a project may use a model; none: without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// Requests a minute.
    pub max_requests_per_1_minute: Option<u64>,
    /// Tokens a minute.
    pub max_tokens_per_1_minute: Option<u64>,
    /// Images a minute.
    pub max_images_per_1_minute: Option<u64>,
    /// Megabytes of audio a minute.
    pub max_audio_megabytes_per_1_minute: Option<u64>,
    /// Requests a day.
    pub max_requests_per_1_day: Option<u64>,
    /// Input tokens of batches a day.
    pub batch_1_day_max_input_tokens: Option<u64>,
}

impl RateLimit {
    /// The names of its figures: OpenAI's members and the store's columns alike.
    pub const NAMES: [&str; 6] = [
        "max_requests_per_1_minute",
        "max_tokens_per_1_minute",
        "max_images_per_1_minute",
        "max_audio_megabytes_per_1_minute",
        "max_requests_per_1_day",
        "batch_1_day_max_input_tokens",
    ];

    /// Its figures in the order of their names.
    pub fn figures(&self) -> [Option<u64>; 6] {
        [
            self.max_requests_per_1_minute,
            self.max_tokens_per_1_minute,
            self.max_images_per_1_minute,
            self.max_audio_megabytes_per_1_minute,
            self.max_requests_per_1_day,
            self.batch_1_day_max_input_tokens,
        ]
    }
}

impl From<[Option<u64>; 6]> for RateLimit {
    fn from([requests, tokens, images, audio, daily, batch]: [Option<u64>; 6]) -> Self {
        Self {
            max_requests_per_1_minute: requests,
            max_tokens_per_1_minute: tokens,
            max_images_per_1_minute: images,
            max_audio_megabytes_per_1_minute: audio,
            max_requests_per_1_day: daily,
            batch_1_day_max_input_tokens: batch,
        }
    }
}

/// How long what a project says may be kept, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A project does as the organization does.
    OrganizationDefault,
    /// A project has no rule of its own or of the organization's.
    None,
    /// Nothing is kept.
    ZeroDataRetention,
    /// Only what an inquiry into abuse needs.
    ModifiedAbuseMonitoring,
    /// Nothing is kept, with further safeguards.
    EnhancedZeroDataRetention,
    /// Only what an inquiry into abuse needs, with further safeguards.
    EnhancedModifiedAbuseMonitoring,
}

impl Retention {
    /// All of them with OpenAI's words; the first two are for projects only.
    pub const WORDS: [(&str, Self); 6] = [
        ("organization_default", Self::OrganizationDefault),
        ("none", Self::None),
        ("zero_data_retention", Self::ZeroDataRetention),
        ("modified_abuse_monitoring", Self::ModifiedAbuseMonitoring),
        (
            "enhanced_zero_data_retention",
            Self::EnhancedZeroDataRetention,
        ),
        (
            "enhanced_modified_abuse_monitoring",
            Self::EnhancedModifiedAbuseMonitoring,
        ),
    ];

    /// OpenAI's word.
    pub fn as_str(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, retention)| *retention == self);
        found.map_or("none", |(word, _)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::ModelPermissions;

    #[test]
    fn a_list_allows_what_it_names_or_denies_it() {
        let mut permissions = ModelPermissions {
            is_allow_list: true,
            models: vec!["gpt-5".into(), "o3*".into()],
        };
        let allowed = |permissions: &ModelPermissions| {
            ["gpt-5", "gpt-5-mini", "o3-mini"].map(|model| permissions.allow(model))
        };
        assert_eq!(allowed(&permissions), [true, false, true]);
        permissions.is_allow_list = false;
        assert_eq!(allowed(&permissions), [false, true, false]);
        permissions.models.clear();
        assert_eq!(allowed(&permissions), [true; 3]);
    }
}
