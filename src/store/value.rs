//! What goes into a statement and comes out of a row, whichever database keeps it.

use super::Error;
use std::{borrow::Cow, sync::Arc};

/// One value. There are no floats, for neither tokens nor money have any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum<'a> {
    /// Nobody knows, which is not zero.
    Null,
    /// A number; also a truth, as 0 or 1.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// One value that owns what it holds.
pub type Value = Datum<'static>;

/// One row of an answer.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The value, if it is one of this kind.
    fn read(value: &Value) -> Option<Self>;
}

impl Row {
    pub(super) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// The value in a column, counted from 0.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        let value = self.values.get(column).and_then(T::read);
        value.ok_or_else(|| Error::Column {
            name: self.columns.get(column).cloned().unwrap_or_default(),
        })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// All values, in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

impl FromValue for i64 {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn read(value: &Value) -> Option<Self> {
        i64::read(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    fn read(value: &Value) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone().into_owned()),
            _ => None,
        }
    }
}

impl FromValue for Box<str> {
    fn read(value: &Value) -> Option<Self> {
        String::read(value).map(String::into_boxed_str)
    }
}

impl FromValue for Vec<u8> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes.clone().into_owned()),
            _ => None,
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => bytes.as_ref().try_into().ok(),
            _ => None,
        }
    }
}

/// Null is none.
impl<T: FromValue> FromValue for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

impl From<i64> for Datum<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// What no column can hold becomes the most that one can.
impl From<u64> for Datum<'_> {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Datum<'_> {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Datum<'_> {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Datum<'_> {
    fn from(truth: bool) -> Self {
        Self::Int(truth.into())
    }
}

impl<'a> Datum<'a> {
    /// Text that stays where it is. Without the character that Postgres takes in no text: a client's model may be
    /// called anything.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        match memchr::memchr(0, text.as_bytes()) {
            Some(_) => Self::Text(text.replace('\0', "\u{fffd}").into()),
            None => Self::Text(text),
        }
    }

    /// Bytes that stay where they are.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.to_vec().into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Datum<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
