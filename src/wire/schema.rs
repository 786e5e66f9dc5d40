//! What JSON may look like, in the words of JSON Schema 2020-12: what the document of the API is written with.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A schema with a name, under which the document has it once.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the document.
    pub name: &'static str,
    /// Makes it.
    pub schema: fn() -> Schema,
}

/// A schema, and the named ones that it speaks of.
#[derive(Clone, Debug)]
pub struct Schema {
    value: Map<String, Value>,
    uses: Vec<&'static Shape>,
}

impl Shape {
    /// A shape of this name.
    pub const fn new(name: &'static str, schema: fn() -> Schema) -> Self {
        Self { name, schema }
    }

    /// Adds this shape and all that it speaks of, by name.
    pub fn gather(&'static self, into: &mut BTreeMap<&'static str, Value>) {
        if into.contains_key(self.name) {
            return;
        }
        let schema = (self.schema)();
        into.insert(self.name, schema.value.into());
        schema.uses.iter().for_each(|shape| shape.gather(into));
    }
}

impl Schema {
    fn of_type(name: &str) -> Self {
        let mut schema = Self::anything();
        schema.set("type", name);
        schema
    }

    /// Any JSON.
    pub fn anything() -> Self {
        Self {
            value: Map::new(),
            uses: Vec::new(),
        }
    }

    /// What `shape` says.
    pub fn named(shape: &'static Shape) -> Self {
        let mut schema = Self::anything();
        schema.set("$ref", format!("#/components/schemas/{}", shape.name));
        schema.uses.push(shape);
        schema
    }

    /// A text.
    pub fn text() -> Self {
        Self::of_type("string")
    }

    /// A text that is one of `words`.
    pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut schema = Self::text();
        schema.set("enum", words.into_iter().collect::<Vec<_>>());
        schema
    }

    /// Just this text.
    pub fn word(word: &str) -> Self {
        Self::words([word])
    }

    /// A whole number.
    pub fn integer() -> Self {
        Self::of_type("integer")
    }

    /// A whole number that is not negative.
    pub fn count() -> Self {
        Self::integer().at_least(0)
    }

    /// A time in seconds since 1970.
    pub fn time() -> Self {
        Self::count().says("Seconds since 1970")
    }

    /// A number.
    pub fn number() -> Self {
        Self::of_type("number")
    }

    /// True or false.
    pub fn flag() -> Self {
        Self::of_type("boolean")
    }

    /// A list.
    pub fn list(of: Self) -> Self {
        let mut schema = Self::of_type("array");
        schema.uses = of.uses;
        schema.set("items", of.value);
        schema
    }

    /// An object whose members have names of their own, and values as `of` says.
    pub fn map(of: Self) -> Self {
        let mut schema = Self::of_type("object");
        schema.uses = of.uses;
        schema.set("additionalProperties", of.value);
        schema
    }

    /// An object with the members that [`with`](Self::with) and [`may`](Self::may) add, and no others.
    pub fn object() -> Self {
        let mut schema = Self::of_type("object");
        schema.set("additionalProperties", false);
        schema
    }

    /// What one of `these` says.
    pub fn any_of(these: impl IntoIterator<Item = Self>) -> Self {
        let mut schema = Self::anything();
        let mut values = Vec::new();
        for one in these {
            schema.uses.extend(one.uses);
            values.push(Value::from(one.value));
        }
        schema.set("anyOf", values);
        schema
    }

    /// With a member that is always there.
    pub fn with(mut self, name: &str, of: Self) -> Self {
        let required = self.value.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(names) = required {
            names.push(name.into());
        }
        self.may(name, of)
    }

    /// With a member that may be there.
    pub fn may(mut self, name: &str, of: Self) -> Self {
        let members = self.value.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(members) = members {
            members.insert(name.to_owned(), of.value.into());
        }
        self.uses.extend(of.uses);
        self
    }

    /// With members of other names too: a request may have them, and nobody reads them.
    pub fn open(mut self) -> Self {
        self.value.remove("additionalProperties");
        self
    }

    /// Or null.
    pub fn or_null(mut self) -> Self {
        if let Some(Value::Array(words)) = self.value.get_mut("enum") {
            words.push(Value::Null);
        }
        match self.value.get("type").cloned() {
            Some(Value::String(name)) => {
                self.set("type", json!([name, "null"]));
                self
            }
            _ => Self::any_of([self, Self::of_type("null")]),
        }
    }

    /// A number of this or more.
    pub fn at_least(mut self, least: u64) -> Self {
        self.set("minimum", least);
        self
    }

    /// A number of this or less.
    pub fn at_most(mut self, most: u64) -> Self {
        self.set("maximum", most);
        self
    }

    /// A text of so many characters.
    pub fn length(mut self, least: u64, most: u64) -> Self {
        self.set("minLength", least);
        self.set("maxLength", most);
        self
    }

    /// A list of so many.
    pub fn items(mut self, least: u64, most: u64) -> Self {
        self.set("minItems", least);
        self.set("maxItems", most);
        self
    }

    /// A text that this expression finds something in.
    pub fn pattern(mut self, expression: &str) -> Self {
        self.set("pattern", expression);
        self
    }

    /// What it is if it is left out.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.set("default", value);
        self
    }

    /// For a person.
    pub fn says(mut self, words: &str) -> Self {
        self.set("description", words);
        self
    }

    /// The schema as JSON. What it speaks of is added to `shapes`.
    pub fn into_json(self, shapes: &mut BTreeMap<&'static str, Value>) -> Value {
        self.uses.iter().for_each(|shape| shape.gather(shapes));
        self.value.into()
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.value.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: Shape = Shape::new("Leaf", Schema::text);
    const TREE: Shape = Shape::new("Tree", || {
        Schema::object()
            .with("leaves", Schema::list(Schema::named(&LEAF)))
            .may("parent", Schema::named(&TREE).or_null())
    });

    #[test]
    fn a_shape_brings_those_that_it_speaks_of_and_may_speak_of_itself() {
        let mut shapes = BTreeMap::new();
        let schema = Schema::named(&TREE).into_json(&mut shapes);
        assert_eq!(schema, json!({"$ref": "#/components/schemas/Tree"}));
        assert_eq!(shapes.keys().copied().collect::<Vec<_>>(), ["Leaf", "Tree"]);
        let expected = json!({
            "type": "object", "additionalProperties": false, "required": ["leaves"],
            "properties": {
                "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}},
                "parent": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
            },
        });
        assert_eq!(shapes["Tree"], expected);
    }

    #[test]
    fn a_word_or_null_admits_null_twice_over() {
        let schema = Schema::word("page").or_null();
        let json = schema.into_json(&mut BTreeMap::new());
        assert_eq!(
            json,
            json!({"type": ["string", "null"], "enum": ["page", null]})
        );
    }
}
