//! The process environment, read in this one place, and `WEIR__SECTION__KEY` laid over the file.

use super::{
    report::Report,
    tree::{Entries, Node, Place, Value, join, shout},
};
use std::collections::BTreeMap;

/// Variables by name.
pub(super) type Environment = BTreeMap<String, String>;

const PREFIX: &str = "WEIR__";

/// The environment of this process.
pub(super) fn read() -> Environment {
    // What is not Unicode becomes so, visibly wrong: dropping it would read as "not set".
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    };
    std::env::vars_os().map(text).collect()
}

/// Lays every `WEIR__…` over `root`. One that fits no key ends up as an unknown key, and is reported like one.
pub(super) fn lay_over(root: &mut Node, environment: &Environment, report: &Report) {
    for (variable, value) in environment {
        if let Some(path) = variable.strip_prefix(PREFIX) {
            let place = Place::Environment(variable.clone());
            let over = Node {
                place,
                value: Value::Raw(value.clone()),
            };
            put(root, Some(path), over, "", report);
        }
    }
}

/// Whether a variable sets all of `key`.
pub(super) fn sets(environment: &Environment, key: &str) -> bool {
    environment.contains_key(&format!("{PREFIX}{}", shout(key)))
}

/// Puts `over` at `path` below `node`, or in its stead if the path ends here.
fn put(node: &mut Node, path: Option<&str>, over: Node, key: &str, report: &Report) {
    let Some(path) = path else {
        return match node.value {
            Value::Table(_) => node.lay_over(over.resolved(), key, report),
            _ => *node = over,
        };
    };
    if matches!(node.value, Value::Raw(_)) {
        *node = node.clone().resolved();
    }
    match &mut node.value {
        Value::Table(entries) => put_entry(entries, path, over, key, report),
        Value::List(items) => put_item(items, path, over, key, report),
        _ => report.refuse(&over.place, key, "has no keys of its own"),
    }
}

fn put_entry(entries: &mut Entries, path: &str, over: Node, key: &str, report: &Report) {
    let (segment, rest) = match path.split_once("__") {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    };
    let known = entries.keys().find(|key| shout(key) == segment).cloned();
    let name = known.unwrap_or_else(|| segment.to_ascii_lowercase());
    let key = join(key, &name);
    let below = entries.entry(name).or_insert_with(|| Node {
        place: over.place.clone(),
        value: match rest {
            Some(_) => Value::Table(Entries::new()),
            None => Value::Other("nothing"),
        },
    });
    put(below, rest, over, &key, report);
}

/// Finds the item by its name, or by its number from 0.
fn put_item(items: &mut [Node], path: &str, over: Node, key: &str, report: &Report) {
    let fits = |name: &str| {
        let rest = path.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with("__")).then_some(name.len())
    };
    let fit = |(i, item): (usize, &Node)| {
        let name = item.label().map(shout).unwrap_or_default();
        let fit = fits(&name).filter(|length| *length > 0);
        Some((fit.or_else(|| fits(&i.to_string()))?, i))
    };
    // `gpt-*` is spelled `GPT__`: of two names that fit, the longer one is meant.
    let found: Vec<_> = items.iter().enumerate().filter_map(fit).collect();
    let longest = found.iter().map(|(length, _)| *length).max();
    let mut best = found.iter().filter(|(length, _)| Some(*length) == longest);
    match (best.next(), best.next()) {
        (Some((length, i)), None) => {
            let rest = path[*length..].strip_prefix("__");
            let key = join(key, &i.to_string());
            put(&mut items[*i], rest, over, &key, report);
        }
        (Some(_), Some(_)) => {
            report.refuse(
                &over.place,
                key,
                "fits more than one name; write the number instead, from 0",
            );
        }
        (None, _) => report.refuse(&over.place, key, "has no item of this name or number"),
    }
}
