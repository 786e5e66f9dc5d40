//! From a model's name, or a path, to the upstreams that serve it.

use crate::{
    config::{Config, Model, Provider, Target, Upstream},
    domain::matches,
};
use std::{collections::HashMap, sync::Arc};

/// Where names and paths lead, as one config has it.
pub struct Routes {
    models: Vec<Model>,
    /// Its keys are the config's words, so that a quick hash will do.
    exact: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    /// Indices of the patterns, those that say most first.
    patterns: Vec<usize>,
    /// Longest path first.
    forwards: Vec<(String, Option<Arc<Upstream>>)>,
    /// Who serves the paths that no `[[forward]]` names.
    default: Option<Arc<Upstream>>,
}

impl Routes {
    /// The routes of a config.
    pub fn new(config: &Config) -> Self {
        let models = config.models.clone();
        let (patterns, exact): (Vec<_>, Vec<_>) =
            (0..models.len()).partition(|&i| models[i].name.contains('*'));
        let exact = exact
            .into_iter()
            .map(|i| (Arc::clone(&models[i].name), i))
            .collect();
        let mut patterns = patterns;
        patterns.sort_by_key(|&i| std::cmp::Reverse(models[i].name.len()));
        let mut forwards: Vec<_> = config
            .forwards
            .iter()
            .map(|forward| (forward.path.clone(), forward.to.clone()))
            .collect();
        forwards.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let default = config
            .upstreams
            .iter()
            .find(|upstream| upstream.provider == Provider::OpenAi)
            .cloned();
        Self {
            models,
            exact,
            patterns,
            forwards,
            default,
        }
    }

    /// The entry that covers a model: its own name, else the pattern that says most.
    pub fn model(&self, name: &str) -> Option<&Model> {
        let index = self.exact.get(name).copied().or_else(|| {
            self.patterns
                .iter()
                .copied()
                .find(|&i| matches(&self.models[i].name, name))
        })?;
        Some(&self.models[index])
    }

    /// All entries, in the order of the config.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Whether the config names `path` itself, if only to close it.
    pub fn names(&self, path: &str) -> bool {
        self.forwards.iter().any(|(prefix, _)| covers(prefix, path))
    }

    /// Who serves a path that Weir does not read.
    pub fn forward(&self, path: &str) -> Option<&Arc<Upstream>> {
        match self
            .forwards
            .iter()
            .find(|(prefix, _)| covers(prefix, path))
        {
            Some((_, to)) => to.as_ref(),
            None => self.default.as_ref(),
        }
    }
}

fn covers(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The targets in the order in which to try them.
///
/// Those with a weight come first, one of them picked by `dice` in proportion; all others keep the order written.
pub fn plan(targets: &[Target], dice: u64) -> Vec<Target> {
    let mut plan = targets.to_vec();
    let total: u64 = targets.iter().map(|target| u64::from(target.weight)).sum();
    if total > 0 {
        let mut left = dice % total;
        let picked = plan.iter().position(|target| {
            let weight = u64::from(target.weight);
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        });
        let picked = plan.remove(picked.expect("the dice are less than the total"));
        plan.insert(0, picked);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Timeouts;
    use std::time::Duration;

    fn target(name: &str, weight: u32) -> Target {
        let timeouts = Timeouts::each(Duration::from_secs(1));
        let place = "http://127.0.0.1:1".to_owned();
        Target {
            upstream: Arc::new(Upstream::bare(name.into(), place, timeouts)),
            timeouts,
            model: None,
            tokenizer: None,
            weight,
        }
    }

    #[test]
    fn weights_are_kept_in_proportion_and_the_rest_in_order() {
        let targets = [target("a", 1), target("b", 3), target("c", 0)];
        let first = |dice| plan(&targets, dice)[0].upstream.name.to_string();
        assert_eq!((0..4).map(first).collect::<Vec<_>>(), ["a", "b", "b", "b"]);
        let names = |dice| {
            plan(&targets, dice)
                .iter()
                .map(|t| t.upstream.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(1), ["b", "a", "c"]);
    }

    #[test]
    fn without_weights_the_order_is_the_config_s() {
        let targets = [target("a", 0), target("b", 0)];
        assert!((0..9).all(|dice| &*plan(&targets, dice)[0].upstream.name == "a"));
    }

    #[test]
    fn a_prefix_covers_whole_segments() {
        assert!(covers("/v1/files", "/v1/files"));
        assert!(covers("/v1/files", "/v1/files/x"));
        assert!(!covers("/v1/files", "/v1/filesystem"));
        assert!(covers("/v1/", "/v1/anything"));
    }
}
