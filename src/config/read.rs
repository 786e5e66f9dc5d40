//! Typed reading of a tree: what is asked for is known, and what nobody asked for is reported.
//!
//! A value that is missing or wrong comes back as a stand-in, and the [`Report`] holds a problem: reading goes on to
//! find the other mistakes, and nothing that was read is used.

use super::{
    report::{Report, Stray},
    tree::{Entries, Node, Place, Value, join},
};
use std::collections::BTreeMap;

/// A table that is being read. When it goes, the keys that nobody asked for are reported.
pub(super) struct Section<'r> {
    place: Place,
    key: String,
    schema: String,
    entries: Entries,
    asked: BTreeMap<&'static str, Option<Place>>,
    report: &'r Report,
}

impl<'r> Section<'r> {
    /// The table that holds all others.
    pub(super) fn root(node: Node, report: &'r Report) -> Self {
        let at = At {
            node,
            key: String::new(),
            schema: String::new(),
            report,
        };
        at.section().expect("a document is a table")
    }

    /// The value of `key` if there is one and `read` accepts it.
    pub(super) fn may<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'r>) -> Option<T>,
    ) -> Option<T> {
        self.take(key).and_then(read)
    }

    /// As [`Section::may`], and it is a mistake if there is none.
    pub(super) fn must<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'r>) -> Option<T>,
    ) -> Option<T> {
        let at = self.take(key);
        if at.is_none() {
            self.refuse(key, "is missing");
        }
        at.and_then(read)
    }

    /// As [`Section::must`], with an empty stand-in.
    pub(super) fn need<T: Default>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(At<'r>) -> Option<T>,
    ) -> T {
        self.must(key, read).unwrap_or_default()
    }

    /// The table in `key`; without one, an empty table.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r> {
        self.may(key, At::section).unwrap_or_else(|| Section {
            place: self.place.clone(),
            key: join(&self.key, key),
            schema: join(&self.schema, key),
            entries: Entries::new(),
            asked: BTreeMap::new(),
            report: self.report,
        })
    }

    /// The tables written as `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'r>> {
        let Some(at) = self.take(key) else {
            return Vec::new();
        };
        let items = match at.is_table() {
            true => at.refuse(format!("expected an array of tables, each under [[{key}]]")),
            false => at.items(),
        };
        let sections = items.into_iter().flatten().filter_map(At::section);
        sections.collect()
    }

    /// Every entry, whatever its key.
    pub(super) fn all(&mut self) -> Vec<(String, At<'r>)> {
        let at = |(name, node): (String, Node)| {
            let key = join(&self.key, &name);
            (
                name,
                At {
                    node,
                    key,
                    schema: self.schema.clone(),
                    report: self.report,
                },
            )
        };
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(at)
            .collect()
    }

    /// Notes that the value of `key` does not go with another one.
    pub(super) fn refuse(&self, key: &'static str, message: impl Into<String>) {
        let place = self
            .asked
            .get(key)
            .and_then(Option::as_ref)
            .unwrap_or(&self.place);
        self.report.refuse(place, &join(&self.key, key), message);
    }

    /// Whether `key`, which was asked for, was written anywhere.
    pub(super) fn has(&self, key: &str) -> bool {
        self.asked.get(key).is_some_and(Option::is_some)
    }

    /// Whether `key`, which was asked for, was written by the operator.
    pub(super) fn is_own(&self, key: &str) -> bool {
        let place = self.asked.get(key).and_then(Option::as_ref);
        place.is_some_and(|place| !matches!(place, Place::Shipped(_)))
    }

    fn take(&mut self, key: &'static str) -> Option<At<'r>> {
        let node = self.entries.remove(key);
        self.asked
            .insert(key, node.as_ref().map(|node| node.place.clone()));
        let schema = join(&self.schema, key);
        self.report.knows(schema.clone());
        Some(At {
            node: node?,
            key: join(&self.key, key),
            schema,
            report: self.report,
        })
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for (name, node) in std::mem::take(&mut self.entries) {
            for place in origins(node) {
                self.report.stray(Stray {
                    place,
                    key: join(&self.key, &name),
                    name: name.clone(),
                    siblings: self.asked.keys().copied().collect(),
                });
            }
        }
    }
}

/// Where a stray comes from. A table that only variables fill has as many origins as variables.
fn origins(node: Node) -> Vec<Place> {
    match (node.place, node.value) {
        (Place::Environment(_), Value::Table(entries)) if !entries.is_empty() => {
            entries.into_values().flat_map(origins).collect()
        }
        (place, _) => vec![place],
    }
}

/// A value that is being read.
pub(super) struct At<'r> {
    node: Node,
    key: String,
    schema: String,
    report: &'r Report,
}

impl<'r> At<'r> {
    /// Notes a mistake in this value. Nothing comes back, in the type that the reader needs.
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.report.refuse(&self.node.place, &self.key, message);
        None
    }

    /// A string. It stays readable for [`At::refuse`].
    pub(super) fn text(&self) -> Option<String> {
        match &self.node.value {
            Value::Text(text) | Value::Raw(text) => Some(text.clone()),
            _ => self.mismatch("a string"),
        }
    }

    /// A string, or an integer as it would be written in one.
    pub(super) fn text_or_integer(&self) -> Option<String> {
        match &self.node.value {
            Value::Integer(number) => Some(number.to_string()),
            _ => self.text(),
        }
    }

    /// A number as it was written, digit for digit, in quotes or not.
    pub(super) fn decimal(&self) -> Option<String> {
        match &self.node.value {
            Value::Integer(number) => Some(number.to_string()),
            Value::Fraction(text) | Value::Text(text) | Value::Raw(text) => Some(text.clone()),
            _ => self.mismatch("a number"),
        }
    }

    /// A date as it was written, in quotes or not.
    pub(super) fn date(&self) -> Option<String> {
        match &self.node.value {
            Value::Date(text) | Value::Text(text) | Value::Raw(text) => Some(text.clone()),
            _ => self.mismatch("a date"),
        }
    }

    /// An integer.
    pub(super) fn integer(&self) -> Option<i64> {
        match self.node.clone().resolved().value {
            Value::Integer(number) => Some(number),
            _ => self.mismatch("an integer"),
        }
    }

    /// A boolean.
    pub(super) fn switch(self) -> Option<bool> {
        match self.node.clone().resolved().value {
            Value::Switch(switch) => Some(switch),
            _ => self.mismatch("true or false"),
        }
    }

    /// Whether an environment variable says it.
    pub(super) fn is_variable(&self) -> bool {
        matches!(self.node.place, Place::Environment(_))
    }

    /// Whether a table was written.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.node.value, Value::Table(_))
    }

    /// The items of an array.
    pub(super) fn items(&self) -> Option<Vec<At<'r>>> {
        let Value::List(items) = self.node.clone().resolved().value else {
            return self.mismatch("an array");
        };
        let at = |(i, node): (usize, Node)| {
            let name = node.label().map_or_else(|| i.to_string(), str::to_owned);
            let (key, schema) = (join(&self.key, &name), self.schema.clone());
            At {
                node,
                key,
                schema,
                report: self.report,
            }
        };
        Some(items.into_iter().enumerate().map(at).collect())
    }

    /// The table.
    pub(super) fn section(self) -> Option<Section<'r>> {
        let Value::Table(entries) = self.node.clone().resolved().value else {
            return self.mismatch("a table");
        };
        Some(Section {
            place: self.node.place,
            key: self.key,
            schema: self.schema,
            entries,
            asked: BTreeMap::new(),
            report: self.report,
        })
    }

    fn mismatch<T>(&self, wanted: &str) -> Option<T> {
        self.refuse(format!(
            "expected {wanted}, found {}",
            self.node.value.kind()
        ))
    }
}
