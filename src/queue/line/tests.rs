//! The rules, held against what they promise.

use super::{Line, OLDEST_EVERY, Ticket, Wish};
use crate::domain::Priority;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const PROJECTS: [&str; 4] = ["a", "b", "c", "d"];
const MODELS: [&str; 2] = ["m", "n"];

/// A line of numbers, and all that is known of those who wait in it.
struct Watched {
    line: Line<usize>,
    weights: [u32; 4],
    max: usize,
    waiting: BTreeMap<usize, Waiter>,
    next_id: usize,
}

#[derive(Clone)]
struct Waiter {
    project: usize,
    model: usize,
    priority: Priority,
    ticket: Ticket,
}

impl Watched {
    fn new(weights: [u32; 4], max: usize) -> Self {
        Self {
            line: Line::new(),
            weights,
            max,
            waiting: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// Who is in, and who had to go.
    fn join(&mut self, project: usize, model: usize, priority: Priority) -> (bool, Option<usize>) {
        let id = self.next_id;
        self.next_id += 1;
        let model_name: Arc<str> = MODELS[model].into();
        let wish = Wish {
            project: PROJECTS[project],
            model: &model_name,
            priority,
        };
        let weights = self.weights;
        let weight = |name: &str| weights[PROJECTS.iter().position(|p| *p == name).unwrap()];
        let joined = self.line.join(wish, self.max, weight, id);
        let Some(joined) = joined else {
            return (false, None);
        };
        let waiter = Waiter {
            project,
            model,
            priority,
            ticket: joined.ticket,
        };
        self.waiting.insert(id, waiter);
        if let Some(out) = joined.pushed_out {
            self.waiting.remove(&out);
        }
        (true, joined.pushed_out)
    }

    fn leave(&mut self, nth: usize) {
        let Some(id) = self
            .waiting
            .keys()
            .nth(nth % self.waiting.len().max(1))
            .copied()
        else {
            return;
        };
        let waiter = self.waiting.remove(&id).unwrap();
        assert_eq!(self.line.leave(&waiter.ticket), Some(id));
        assert_eq!(self.line.leave(&waiter.ticket), None, "nobody leaves twice");
    }

    fn next(&mut self) -> Option<(usize, Waiter)> {
        let id = self.line.next()?;
        let waiter = self.waiting.remove(&id).expect("it waited");
        Some((id, waiter))
    }

    fn of(&self, project: usize) -> impl Iterator<Item = (usize, &Waiter)> {
        let all = self.waiting.iter().map(|(id, waiter)| (*id, waiter));
        all.filter(move |(_, waiter)| waiter.project == project)
    }

    /// How many of a project wait for a model.
    fn count(&self, project: usize, model: usize) -> usize {
        self.of(project).filter(|(_, w)| w.model == model).count()
    }

    fn check(&self) {
        assert_eq!(self.line.len(), self.waiting.len());
        if self.waiting.is_empty() {
            assert!(self.line.projects.is_empty() && self.line.order.is_empty());
        }
        assert_eq!(self.line.projects.len(), self.line.order.len());
        for (name, project) in &self.line.projects {
            assert!(!project.is_empty() || project.has_had_turn, "{name}");
        }
    }
}

/// What two projects get while both wait.
struct Pair {
    turns: [i64; 2],
    least: i64,
    most: i64,
}

/// Holds what every two projects get against their weights, over every span in which both wait.
#[derive(Default)]
struct Shares(BTreeMap<(usize, usize), Pair>);

impl Shares {
    fn turn(&mut self, of: usize) {
        for ((a, b), pair) in &mut self.0 {
            pair.turns[0] += i64::from(of == *a);
            pair.turns[1] += i64::from(of == *b);
        }
    }

    fn check(&mut self, line: &Watched) {
        for a in 0..PROJECTS.len() {
            for b in a + 1..PROJECTS.len() {
                if line.of(a).next().is_none() || line.of(b).next().is_none() {
                    self.0.remove(&(a, b));
                    continue;
                }
                let [weight_a, weight_b] = [a, b].map(|project| i64::from(line.weights[project]));
                let pair = self.0.entry((a, b)).or_insert(Pair {
                    turns: [0; 2],
                    least: 0,
                    most: 0,
                });
                // The difference of turns for weights, times both weights.
                let lead = pair.turns[0] * weight_b - pair.turns[1] * weight_a;
                (pair.least, pair.most) = (pair.least.min(lead), pair.most.max(lead));
                assert!(
                    pair.most - pair.least <= weight_a + weight_b,
                    "{a} and {b} are more than a turn each off their weights"
                );
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize, usize),
    Leave(usize),
    Next,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize, 0..2usize, 0..3usize).prop_map(|(p, m, c)| Step::Join(p, m, c)),
        1 => (0..100usize).prop_map(Step::Leave),
        3 => Just(Step::Next),
    ]
}

fn priority(class: usize) -> Priority {
    Priority::NAMES[class].1
}

proptest! {
    #[test]
    fn turns_follow_the_weights_and_nobody_is_lost(
        weights in prop::array::uniform4(1..=12u32),
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut line = Watched::new(weights, usize::MAX);
        let mut shares = Shares::default();
        // Turns of each project since the one that has waited longest in it has waited longest.
        let mut passed: [(Option<usize>, u32); 4] = [(None, 0); 4];
        for step in steps {
            match step {
                Step::Join(project, model, class) => {
                    assert_eq!(line.join(project, model, priority(class)), (true, None));
                }
                Step::Leave(nth) => line.leave(nth),
                Step::Next => {
                    let before = line.waiting.clone();
                    let Some((id, waiter)) = line.next() else {
                        assert!(before.is_empty(), "somebody waits, and nobody is next");
                        continue;
                    };
                    let own = || before.iter().filter(|(_, w)| w.project == waiter.project);
                    let oldest = *own().next().unwrap().0;
                    let highest = own().min_by_key(|(id, w)| (w.priority, **id)).unwrap();
                    assert!(id == *highest.0 || id == oldest);
                    let (known, turns) = &mut passed[waiter.project];
                    *turns = if *known == Some(oldest) { *turns + 1 } else { 1 };
                    *known = Some(oldest);
                    assert!(id == oldest || *turns < OLDEST_EVERY);
                    shares.turn(waiter.project);
                }
            }
            line.check();
            shares.check(&line);
        }
        while line.next().is_some() {
            line.check();
        }
        assert!(line.waiting.is_empty());
    }

    #[test]
    fn room_is_shared_by_weight_too(
        weights in prop::array::uniform4(1..=5u32),
        max in 0..6usize,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut line = Watched::new(weights, max);
        for step in steps {
            match step {
                Step::Join(project, model, class) => {
                    let before = line.waiting.clone();
                    let counts = [0, 1, 2, 3].map(|project| line.count(project, model));
                    let share = |project: usize, more: usize| {
                        // Out of 60, which all the weights divide.
                        (counts[project] + more) * 60 / weights[project] as usize
                    };
                    let (is_in, out) = line.join(project, model, priority(class));
                    let is_full = counts.iter().sum::<usize>() >= max;
                    assert!(is_full || is_in && out.is_none());
                    let most = (0..4).filter(|other| *other != project).map(|other| share(other, 0)).max().unwrap();
                    match out.map(|out| &before[&out]) {
                        Some(out) if out.project == project => {
                            assert!(out.priority > priority(class), "only for a higher class");
                            assert!(most <= share(project, 1));
                        }
                        Some(out) => {
                            assert_eq!(share(out.project, 0), most);
                            assert!(most > share(project, 1));
                            let last = before.iter().filter(|(_, w)| (w.project, w.model) == (out.project, model));
                            let last = last.map(|(id, w)| (w.priority, *id)).max();
                            assert_eq!(last, before.iter().find(|(_, w)| w.ticket == out.ticket).map(|(id, w)| (w.priority, *id)));
                        }
                        None if !is_in => {
                            assert!(most <= share(project, 1));
                            let own = before.values().filter(|w| (w.project, w.model) == (project, model));
                            assert!(own.into_iter().all(|w| w.priority <= priority(class)));
                        }
                        None => {}
                    }
                    assert!((0..4).map(|project| line.count(project, model)).sum::<usize>() <= max);
                }
                Step::Leave(nth) => line.leave(nth),
                Step::Next => drop(line.next()),
            }
            line.check();
        }
    }
}

/// The projects of the next turns.
fn turns(line: &mut Watched, many: usize) -> String {
    let project = |_| PROJECTS[line.next().expect("somebody waits").1.project];
    (0..many).map(project).collect()
}

#[test]
fn three_to_one_is_three_turns_to_one() {
    let mut line = Watched::new([3, 1, 1, 1], usize::MAX);
    for _ in 0..12 {
        line.join(0, 0, Priority::Normal);
    }
    for _ in 0..4 {
        line.join(1, 0, Priority::Normal);
    }
    assert_eq!(turns(&mut line, 16), "abaabaaabaaabaaa"[..16].to_owned());
}

#[test]
fn nothing_is_gained_by_coming_one_at_a_time() {
    let mut line = Watched::new([1, 3, 1, 1], usize::MAX);
    for _ in 0..100 {
        line.join(1, 0, Priority::Normal);
    }
    let mut one_at_a_time = 0;
    for _ in 0..40 {
        if line.of(0).next().is_none() {
            line.join(0, 0, Priority::Normal);
        }
        one_at_a_time += usize::from(line.next().unwrap().1.project == 0);
    }
    assert_eq!(one_at_a_time, 10);
}

#[test]
fn nothing_is_saved_up_by_staying_away() {
    let mut line = Watched::new([1, 1, 1, 1], usize::MAX);
    for _ in 0..100 {
        line.join(1, 0, Priority::Normal);
    }
    turns(&mut line, 50);
    for _ in 0..100 {
        line.join(0, 0, Priority::Normal);
    }
    let next = turns(&mut line, 20);
    assert_eq!(next.matches('a').count(), 10, "{next}");
}

#[test]
fn high_goes_first_and_low_is_not_starved() {
    let mut line = Watched::new([1; 4], usize::MAX);
    line.join(0, 0, Priority::Low);
    line.join(0, 0, Priority::Normal);
    for _ in 0..20 {
        line.join(0, 0, Priority::High);
    }
    let classes: String = std::iter::from_fn(|| line.next())
        .map(|(_, waiter)| match waiter.priority {
            Priority::High => 'h',
            Priority::Normal => 'n',
            Priority::Low => 'l',
        })
        .collect();
    assert_eq!(classes, "hhhhhhhlhhhhhhhnhhhhhh");
}

#[test]
fn new_weights_hold_for_those_who_wait() {
    let mut line = Watched::new([1; 4], usize::MAX);
    for _ in 0..40 {
        line.join(0, 0, Priority::Normal);
        line.join(1, 0, Priority::Normal);
    }
    assert_eq!(turns(&mut line, 10).matches('a').count(), 5);
    line.line.reweigh(|name| if name == "a" { 4 } else { 1 });
    let next = turns(&mut line, 20);
    assert_eq!(next.matches('a').count(), 16, "{next}");
}

#[test]
fn projects_that_come_and_go_leave_nothing_behind() {
    let mut line: Line<u32> = Line::new();
    let model: Arc<str> = "m".into();
    let join = |line: &mut Line<u32>, project: &str, i| {
        let wish = Wish {
            project,
            model: &model,
            priority: Priority::Normal,
        };
        line.join(wish, usize::MAX, |_| 1, i).unwrap()
    };
    let stays = join(&mut line, "stays", 0);
    for i in 1..1000 {
        let joined = join(&mut line, &format!("project {i}"), i);
        assert_eq!(line.leave(&joined.ticket), Some(i));
    }
    assert_eq!((line.projects.len(), line.order.len()), (1, 1));
    assert_eq!(line.leave(&stays.ticket), Some(0));
    assert_eq!((line.projects.len(), line.order.len()), (0, 0));
}
