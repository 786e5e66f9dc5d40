//! A configuration as written: values that remember where they come from, laid over one another.
//!
//! Knows TOML and none of Weir's keys.

use super::report::{Problem, Report};
use std::{collections::BTreeMap, fmt, rc::Rc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Where a value was written. The order is that of precedence, and of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A line of the file that Weir was built with.
    Shipped(usize),
    /// A line of the operator's file.
    File(Rc<str>, usize),
    /// An environment variable.
    Environment(String),
    /// A command-line flag.
    Flag(&'static str),
}

impl Place {
    /// How `instead` of the key `name` is written here.
    pub(super) fn spell(&self, name: &str, instead: &str) -> String {
        match self {
            Self::Environment(variable) => {
                let segment = |key: &str| format!("__{}", shout(key));
                variable.replacen(&segment(name), &segment(instead), 1)
            }
            _ => instead.to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(line) => write!(f, "shipped config.toml:{line}"),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// How a key or name is spelled in an environment variable.
pub(super) fn shout(key: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    key.chars().map(letter).collect()
}

/// A value and the place that it was written.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What was written.
#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// As it was written: money must not pass through a binary fraction.
    Fraction(String),
    Date(String),
    Switch(bool),
    List(Vec<Node>),
    Table(Entries),
    /// Of an environment variable or a flag: text or TOML, by what the key holds.
    Raw(String),
    /// What no key takes, by its name.
    Other(&'static str),
}

/// The contents of a table.
pub(super) type Entries = BTreeMap<String, Node>;

impl Value {
    /// What a value is called in a problem.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Fraction(_) => "a fraction",
            Self::Date(_) => "a date",
            Self::Switch(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
            Self::Raw(_) => "something else",
            Self::Other(kind) => kind,
        }
    }
}

impl Node {
    /// What the item of an array of tables is called.
    pub(super) fn label(&self) -> Option<&str> {
        let Value::Table(entries) = &self.value else {
            return None;
        };
        let name = entries.get("name").or_else(|| entries.get("path"))?;
        match &name.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this table has `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(&self.value, Value::Table(entries) if entries.contains_key(key))
    }

    /// Takes `key` out of this table.
    pub(super) fn remove(&mut self, key: &str) {
        if let Value::Table(entries) = &mut self.value {
            entries.remove(key);
        }
    }

    /// Reads bare text as TOML. Anything else stays what it is.
    pub(super) fn resolved(self) -> Self {
        let Value::Raw(text) = &self.value else {
            return self;
        };
        let place = |_| self.place.clone();
        match DeValue::parse(text) {
            Ok(value) => convert(value.into_inner(), 0, &place),
            Err(_) => self,
        }
    }

    /// Takes the values of `over` where it has any, and its tables key by key.
    ///
    /// A section cannot be replaced by something that is none: the keys in it would lose their defaults.
    pub(super) fn lay_over(&mut self, over: Node, key: &str, report: &Report) {
        match (&mut self.value, over.value) {
            (Value::Table(entries), Value::Table(above)) => {
                for (name, node) in above {
                    let key = join(key, &name);
                    match entries.get_mut(&name) {
                        Some(below) => below.lay_over(node, &key, report),
                        None => _ = entries.insert(name, node),
                    }
                }
            }
            (Value::Table(_), other) => {
                let message = format!("expected a table, found {}", other.kind());
                report.refuse(&over.place, key, message);
            }
            (_, value) => {
                *self = Node {
                    place: over.place,
                    value,
                }
            }
        }
    }
}

/// The path of `name` in the table `key`.
pub(super) fn join(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}

/// Reads a document. `place` says where a line is; `file` is what a syntax error calls the document.
pub(super) fn parse(
    text: &str,
    file: &str,
    place: impl Fn(usize) -> Place,
) -> Result<Node, Problem> {
    let before = |offset| text.get(..offset).unwrap_or(text);
    let line = |offset| before(offset).matches('\n').count() + 1;
    match DeTable::parse(text) {
        Ok(table) => {
            let value = DeValue::Table(table.into_inner());
            Ok(convert(value, 0, &|offset| place(line(offset))))
        }
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let column = before(offset)
                .chars()
                .rev()
                .take_while(|c| *c != '\n')
                .count()
                + 1;
            Err(Problem {
                place: format!("{file}:{}:{column}", line(offset)),
                key: String::new(),
                // Its `Display` would quote the line, and the line may hold a secret.
                message: format!("not TOML: {}", error.message()),
            })
        }
    }
}

fn convert(value: DeValue<'_>, offset: usize, place: &dyn Fn(usize) -> Place) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("an enormous integer"), Value::Integer),
        DeValue::Boolean(switch) => Value::Switch(switch),
        DeValue::Float(number) => Value::Fraction(number.as_str().to_owned()),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => {
            let item = |item: Spanned<DeValue<'_>>| {
                let start = item.span().start;
                convert(item.into_inner(), start, place)
            };
            Value::List(items.into_iter().map(item).collect())
        }
        DeValue::Table(entries) => {
            // The line of a key is where an editor should go, also when its value begins further down.
            let entry = |(key, value): (Spanned<_>, Spanned<_>)| {
                let node = convert(value.into_inner(), key.span().start, place);
                (std::borrow::Cow::into_owned(key.into_inner()), node)
            };
            Value::Table(entries.into_iter().map(entry).collect())
        }
    };
    Node {
        place: place(offset),
        value,
    }
}
