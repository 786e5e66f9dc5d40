//! The room in a queue: how many wait for a model, and who has to go when there is no more.

use crate::domain::Priority;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Who waits for what, by the order in which they would have to go.
#[derive(Debug, Default)]
pub(super) struct Room(BTreeMap<Arc<str>, Model>);

#[derive(Debug, Default)]
struct Model {
    waiting: usize,
    projects: BTreeMap<Arc<str>, BTreeSet<Standing>>,
}

/// A priority and a number in the order of arrival. The last one of a project is the first to go.
pub(super) type Standing = (Priority, u64);

/// Whose request it is that finds no room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer<'a> {
    pub(super) project: &'a str,
    pub(super) weight: u32,
    pub(super) priority: Priority,
}

impl Room {
    /// How many wait for `model`.
    pub(super) fn waiting(&self, model: &str) -> usize {
        self.0.get(model).map_or(0, |model| model.waiting)
    }

    pub(super) fn add(&mut self, model: &Arc<str>, project: &Arc<str>, standing: Standing) {
        let model = self.0.entry(Arc::clone(model)).or_default();
        let project = model.projects.entry(Arc::clone(project)).or_default();
        model.waiting += usize::from(project.insert(standing));
    }

    pub(super) fn remove(&mut self, model: &str, project: &str, standing: Standing) {
        let Some(of_model) = self.0.get_mut(model) else {
            return;
        };
        if let Some(of_project) = of_model.projects.get_mut(project) {
            of_model.waiting -= usize::from(of_project.remove(&standing));
            if of_project.is_empty() {
                of_model.projects.remove(project);
            }
        }
        if of_model.waiting == 0 {
            self.0.remove(model);
        }
    }

    /// Who gives up their room to `newcomer`: the newest of the lowest priority, of the project that waits with the
    /// most requests for its weight. None if that is the newcomer.
    ///
    /// Room is shared as turns are. Else whoever sends more than is served would shut everybody else out.
    pub(super) fn yields(
        &self,
        model: &str,
        newcomer: Newcomer<'_>,
        weight: impl Fn(&str) -> u32,
    ) -> Option<(&Arc<str>, Standing)> {
        let projects = &self.0.get(model)?.projects;
        let own = projects.get_key_value(newcomer.project);
        let mine = (own.map_or(0, |(_, all)| all.len()) + 1, newcomer.weight);
        let others = (projects.iter()).filter(|(name, _)| ***name != *newcomer.project);
        let fullest = others
            .map(|(name, all)| (name, all, (all.len(), weight(name))))
            .max_by(|(.., a), (.., b)| by_share(*a, *b));
        let (project, all) = match fullest {
            Some((name, all, share)) if by_share(share, mine).is_gt() => (name, all),
            _ => own.filter(|(_, all)| {
                let last = all.last();
                last.is_some_and(|(priority, _)| *priority > newcomer.priority)
            })?,
        };
        Some((project, *all.last()?))
    }
}

/// Compares numbers of requests for weights.
fn by_share((a, weight_a): (usize, u32), (b, weight_b): (usize, u32)) -> Ordering {
    let [left, right] =
        [(a, weight_b), (b, weight_a)].map(|(n, weight)| n as u128 * u128::from(weight));
    left.cmp(&right)
}
