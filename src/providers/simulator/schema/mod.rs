//! Writes a small JSON document that satisfies a JSON schema, as structured outputs and tool arguments need it.
//!
//! Reads what OpenAI's strict mode allows and what pydantic and zod write; of `allOf` only
//! the first part is read, and `pattern`, `not` and `if` are not obeyed.
//! A schema comes from a stranger, so its depth, its recursion and the work it may cause are bounded.

mod number;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

const DEPTH_MAX: usize = 48; // OpenAI allows 10 levels; readers give up at 128
const FUEL: usize = 64 << 10; // schemas visited and bytes written, together

type Schema = Map<String, Value>;

/// A document that satisfies `schema`, or `{}` if nothing of bounded size does.
pub(super) fn example(schema: &Value) -> String {
    let mut writer = Writer {
        root: schema,
        out: String::new(),
        open: vec!["#"],
        fuel: FUEL,
    };
    match writer.value(schema, 0) {
        Some(()) => writer.out,
        None => "{}".to_owned(),
    }
}

struct Writer<'a> {
    root: &'a Value,
    out: String,
    /// The references that are being followed: to follow one of them again would never end.
    open: Vec<&'a str>,
    fuel: usize,
}

/// Each step answers `None` when it cannot be satisfied; what it wrote until then is for its caller to take back.
impl<'a> Writer<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Option<()> {
        self.burn(1)?;
        if depth > DEPTH_MAX {
            return None;
        }
        match schema {
            Value::Object(schema) => self.object_schema(schema, depth),
            Value::Bool(false) => None,
            _ => self.put("\"example\""),
        }
    }

    fn object_schema(&mut self, schema: &'a Schema, depth: usize) -> Option<()> {
        let values = list(schema, "enum");
        if let Some(value) = schema.get("const").or_else(|| values?.first()) {
            return self.put(&value.to_string());
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, depth);
        }
        if let Some(kinds) = kinds(schema) {
            return self.first_of(kinds, |writer, kind| writer.of_kind(kind, schema, depth));
        }
        let branches = ["anyOf", "oneOf", "allOf"]
            .into_iter()
            .find_map(|word| list(schema, word));
        match branches {
            Some(branches) => {
                self.first_of(branches, |writer, branch| writer.value(branch, depth + 1))
            }
            None => self.put("\"example\""),
        }
    }

    fn reference(&mut self, reference: &'a str, depth: usize) -> Option<()> {
        self.burn(reference.len())?;
        if self.open.contains(&reference) {
            return None;
        }
        let target = self.root.pointer(reference.strip_prefix('#')?)?;
        self.open.push(reference);
        let written = self.value(target, depth + 1);
        self.open.pop();
        written
    }

    /// Writes the first of `branches` that can be satisfied.
    fn first_of<B>(
        &mut self,
        branches: impl IntoIterator<Item = B>,
        mut write: impl FnMut(&mut Self, B) -> Option<()>,
    ) -> Option<()> {
        let start = self.out.len();
        branches.into_iter().find_map(|branch| {
            self.burn(1)?;
            self.out.truncate(start);
            write(self, branch)
        })
    }

    fn of_kind(&mut self, kind: &str, schema: &'a Schema, depth: usize) -> Option<()> {
        match kind {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => self.string(schema),
            "integer" | "number" => self.put(&number::within(schema, kind == "integer")?),
            "boolean" => self.put("true"),
            "null" => self.put("null"),
            _ => None,
        }
    }

    /// The required members and no others.
    fn object(&mut self, schema: &'a Schema, depth: usize) -> Option<()> {
        let required = list(schema, "required").unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object);
        self.burn(required.len())?;
        self.put("{")?;
        for (index, name) in required.iter().filter(|name| name.is_string()).enumerate() {
            self.put(if index == 0 { "" } else { "," })?;
            let member = properties.and_then(|properties| properties.get(name.as_str()?));
            self.put(&format!("{name}:"))?;
            self.value(member.unwrap_or(&Value::Bool(true)), depth + 1)?;
        }
        self.put("}")
    }

    /// As many items as there must be; one where there may be none and one is possible.
    fn array(&mut self, schema: &'a Schema, depth: usize) -> Option<()> {
        let bound = |word| schema.get(word).and_then(Value::as_u64);
        let tuple = list(schema, "prefixItems").unwrap_or_default();
        let least = bound("minItems").unwrap_or(0);
        let count = least
            .max(1)
            .max(tuple.len() as u64)
            .min(bound("maxItems").unwrap_or(u64::MAX));
        let any = schema.get("items").unwrap_or(&Value::Bool(true));

        self.put("[")?;
        for index in 0..count {
            let before = self.out.len();
            self.put(if index == 0 { "" } else { "," })?;
            let item = tuple.get(index as usize).unwrap_or(any);
            if self.value(item, depth + 1).is_none() {
                self.out.truncate(before);
                if index < least {
                    return None;
                }
                break;
            }
        }
        self.put("]")
    }

    fn string(&mut self, schema: &Schema) -> Option<()> {
        let format = schema.get("format").and_then(Value::as_str);
        let text = format.and_then(formatted).unwrap_or("example");
        let bound = |word| schema.get(word).and_then(Value::as_u64).map(|n| n as usize);
        let (least, most) = (
            bound("minLength").unwrap_or(0),
            bound("maxLength").unwrap_or(usize::MAX),
        );
        self.burn(least)?;
        let text: String = match text.len() {
            length if length < least => text.chars().cycle().take(least).collect(),
            _ => text.chars().take(most).collect(),
        };
        self.put(&format!("\"{text}\""))
    }

    fn put(&mut self, text: &str) -> Option<()> {
        self.burn(text.len())?;
        self.out.push_str(text);
        Some(())
    }

    /// Nothing can be written once the fuel is gone, so that the whole attempt ends at once.
    fn burn(&mut self, amount: usize) -> Option<()> {
        match self.fuel.checked_sub(amount) {
            Some(fuel) => self.fuel = fuel,
            None => self.fuel = 0,
        }
        (self.fuel > 0).then_some(())
    }
}

/// The types that a schema allows, by name or by what it says about their parts.
fn kinds(schema: &Schema) -> Option<impl Iterator<Item = &str>> {
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.as_slice(),
        Some(kind) => std::slice::from_ref(kind),
        None => &[],
    };
    let inferred = match schema {
        _ if !kinds.is_empty() => None,
        _ if schema.contains_key("properties") => Some("object"),
        _ if schema.contains_key("items") || schema.contains_key("prefixItems") => Some("array"),
        _ => return None,
    };
    Some(kinds.iter().filter_map(Value::as_str).chain(inferred))
}

fn list<'a>(schema: &'a Schema, word: &str) -> Option<&'a [Value]> {
    schema.get(word)?.as_array().map(Vec::as_slice)
}

/// A text in one of the formats that OpenAI's strict mode knows.
fn formatted(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2025-01-01T12:00:00Z",
        "date" => "2025-01-01",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" => "river@example.com",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uuid" => "00000000-0000-4000-8000-000000000001",
        "uri" => "https://example.com/",
        _ => return None,
    })
}
