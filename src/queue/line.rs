//! Who waits for an upstream, and who is next. No clock, no lock and no thread: only the rules.
//!
//! Turns are given by start-time fair queueing. Each project stands at a number of [`Rounds`], the one that stands
//! lowest is next, and a turn moves it on by one over its weight. Who has had nobody waiting comes in where the last
//! turn was given, so that nothing is saved up by staying away, and nothing is forgiven by leaving for a moment.

use super::{
    room::{Newcomer, Room, Standing},
    rounds::Rounds,
};
use crate::domain::Priority;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Of so many turns of a project, at least one goes to whoever has waited longest in it, whatever the priority.
const OLDEST_EVERY: u32 = 8;

/// Those who wait for one upstream; a `T` each, by which they are told.
#[derive(Debug)]
pub(super) struct Line<T> {
    projects: BTreeMap<Arc<str>, Project<T>>,
    /// All projects by where they stand, then by who came there first.
    order: BTreeSet<(Rounds, u64, Arc<str>)>,
    /// Where the project stood that had the last turn.
    last: Rounds,
    room: Room,
    waiting: usize,
    /// Counts arrivals, of requests and of projects at where they stand.
    arrivals: u64,
}

/// A project that somebody waits for, or that has had more than its share.
#[derive(Debug)]
struct Project<T> {
    weight: u32,
    at: Rounds,
    /// Where it is in the order of those who stand equal.
    arrived: u64,
    /// It has had a turn since it came in, so that where it stands must be remembered.
    has_had_turn: bool,
    classes: [BTreeMap<u64, Waiter<T>>; Priority::NAMES.len()],
    /// Turns in a row in which whoever has waited longest was passed over.
    passed_over: u32,
}

#[derive(Debug)]
struct Waiter<T> {
    model: Arc<str>,
    it: T,
}

/// Somebody's place in the line, to leave it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    project: Arc<str>,
    standing: Standing,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) project: &'a str,
    pub(super) model: &'a Arc<str>,
    pub(super) priority: Priority,
}

/// Somebody waits now.
#[derive(Debug)]
pub(super) struct Joined<T> {
    pub(super) ticket: Ticket,
    /// Who had to leave for it.
    pub(super) pushed_out: Option<T>,
}

impl<T> Line<T> {
    pub(super) fn new() -> Self {
        Self {
            projects: BTreeMap::new(),
            order: BTreeSet::new(),
            last: Rounds::NONE,
            room: Room::default(),
            waiting: 0,
            arrivals: 0,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Lines somebody up, if there is room among the `max` of a model. `it` is dropped if not.
    pub(super) fn join(
        &mut self,
        wish: Wish<'_>,
        max: usize,
        weight: impl Fn(&str) -> u32,
        it: T,
    ) -> Option<Joined<T>> {
        let Wish {
            project,
            model,
            priority,
        } = wish;
        let pushed_out = match self.room.waiting(model) < max {
            true => None,
            false => {
                let newcomer = Newcomer {
                    project,
                    weight: weight(project),
                    priority,
                };
                let (of, standing) = self.room.yields(model, newcomer, &weight)?;
                let ticket = Ticket {
                    project: Arc::clone(of),
                    standing,
                };
                self.leave(&ticket)
            }
        };
        let name = self.come_in(project, weight(project));
        let standing = (priority, self.next_arrival());
        self.room.add(model, &name, standing);
        let project = self.projects.get_mut(&name).expect("it has come in");
        let waiter = Waiter {
            model: Arc::clone(model),
            it,
        };
        project.classes[priority as usize].insert(standing.1, waiter);
        self.waiting += 1;
        Some(Joined {
            ticket: Ticket {
                project: name,
                standing,
            },
            pushed_out,
        })
    }

    /// Takes somebody out who waits no more; none if they have had their turn.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> Option<T> {
        let Ticket { project, standing } = ticket;
        let of = self.projects.get_mut(project)?;
        let waiter = of.classes[standing.0 as usize].remove(&standing.1)?;
        self.room.remove(&waiter.model, project, *standing);
        if of.is_empty() && !of.has_had_turn {
            let key = (of.at, of.arrived, Arc::clone(project));
            self.order.remove(&key);
            self.projects.remove(project);
        }
        self.one_less();
        Some(waiter.it)
    }

    /// Takes out whoever is next.
    pub(super) fn next(&mut self) -> Option<T> {
        while let Some((at, _, name)) = self.order.pop_first() {
            let project = self.projects.get_mut(&name).expect("who is in order is in");
            let Some((standing, waiter)) = project.next() else {
                // The line has come to where it stands, so there is nothing left to remember.
                self.projects.remove(&name);
                continue;
            };
            self.last = at;
            project.at = at.after_a_turn();
            project.has_had_turn = true;
            self.arrivals += 1;
            project.arrived = self.arrivals;
            self.order
                .insert((project.at, project.arrived, Arc::clone(&name)));
            self.room.remove(&waiter.model, &name, standing);
            self.one_less();
            return Some(waiter.it);
        }
        None
    }

    /// Weighs every project anew.
    pub(super) fn reweigh(&mut self, weight: impl Fn(&str) -> u32) {
        self.order.clear();
        for (name, project) in &mut self.projects {
            project.weight = weight(name);
            project.at = project.at.at_weight(project.weight);
            self.order
                .insert((project.at, project.arrived, Arc::clone(name)));
        }
    }

    /// The name of a project that is in from now on.
    fn come_in(&mut self, project: &str, weight: u32) -> Arc<str> {
        if let Some((name, _)) = self.projects.get_key_value(project) {
            return Arc::clone(name);
        }
        let name: Arc<str> = project.into();
        let at = self.last.at_weight(weight);
        let arrived = self.next_arrival();
        self.order.insert((at, arrived, Arc::clone(&name)));
        let new = Project {
            weight,
            at,
            arrived,
            has_had_turn: false,
            classes: Default::default(),
            passed_over: 0,
        };
        self.projects.insert(Arc::clone(&name), new);
        name
    }

    fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// A line with nobody in it has nothing to remember: nobody had to wait for what others had too much.
    fn one_less(&mut self) {
        self.waiting -= 1;
        if self.waiting == 0 {
            self.projects.clear();
            self.order.clear();
            self.last = Rounds::NONE;
        }
    }
}

impl<T> Project<T> {
    fn is_empty(&self) -> bool {
        self.classes.iter().all(BTreeMap::is_empty)
    }

    /// Takes out the first of the highest priority, or now and then whoever has waited longest.
    fn next(&mut self) -> Option<(Standing, Waiter<T>)> {
        let first = |class: &BTreeMap<u64, _>| class.first_key_value().map(|(number, _)| *number);
        let heads = self.classes.iter().enumerate();
        let heads = heads.filter_map(|(class, all)| Some((first(all)?, class)));
        let (_, oldest) = heads.clone().min()?;
        let (_, highest) = heads.min_by_key(|(_, class)| *class)?;
        self.passed_over = match highest == oldest {
            true => 0,
            false => (self.passed_over + 1) % OLDEST_EVERY,
        };
        let class = match self.passed_over {
            0 => oldest,
            _ => highest,
        };
        let (number, waiter) = self.classes[class].pop_first()?;
        Some(((Priority::NAMES[class].1, number), waiter))
    }
}

#[cfg(test)]
mod tests;
