//! Steps through a JSON document without building it: a body of millions of tiny values costs no memory.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// The value that `text` is, or nothing where that is not JSON.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_slice(text).ok()?;
        Some(Self(raw.get()))
    }

    /// How it is written.
    pub(super) fn raw(self) -> &'a str {
        self.0
    }

    pub(super) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(super) fn is_number(self) -> bool {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }

    pub(super) fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    pub(super) fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub(super) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// The text of a string. An escape for half a character makes it none.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        #[derive(serde::Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let plain = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if !plain.contains('\\') {
            return Some(Cow::Borrowed(plain));
        }
        let text: Option<Text<'a>> = serde_json::from_str(self.0).ok();
        text.map(|text| text.0)
    }

    /// Shows each element of an array; anything else has none.
    pub(super) fn each(self, see: impl FnMut(Value<'a>)) {
        if self.is_array() {
            let mut reader = serde_json::Deserializer::from_str(self.0);
            // It has been parsed before, so it has no faults.
            let _ = Elements(see).deserialize(&mut reader);
        }
    }

    /// Shows each member of an object; anything else has none.
    pub(super) fn members(self, see: impl FnMut(&str, Value<'a>)) {
        if self.is_object() {
            let mut reader = serde_json::Deserializer::from_str(self.0);
            let _ = Members(see).deserialize(&mut reader);
        }
    }

    /// The member of this name, the last if there are several.
    pub(super) fn get(self, name: &str) -> Option<Value<'a>> {
        let mut found = None;
        self.members(|key, value| {
            if key == name {
                found = Some(value);
            }
        });
        found
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(Value<'de>)> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Value<'de>)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            (self.0)(Value(element.get()));
        }
        Ok(())
    }
}

struct Members<F>(F);

impl<'de, F: FnMut(&str, Value<'de>)> DeserializeSeed<'de> for Members<F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, Value<'de>)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<&RawValue>()? {
            let value: &RawValue = members.next_value()?;
            if let Some(name) = Value(name.get()).text() {
                (self.0)(&name, Value(value.get()));
            }
        }
        Ok(())
    }
}
