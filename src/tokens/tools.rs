//! What tool definitions add to a prompt: the rule that OpenAI's cookbook gives, and an estimate beyond it.
//!
//! The rule knows functions with a flat list of parameters, each with a type, a description and perhaps an `enum`.

use super::{Count, Encoding, Why, json::Value, prompt::Reader};

/// Tokens around a function's definition.
const FUNCTION_END: u64 = 12;
/// Tokens before the first parameter.
const PARAMETERS: u64 = 3;
/// Tokens around each parameter, and each value of an `enum`, which takes three off once.
const ITEM: u64 = 3;

/// A schema nested deeper is estimated from its text; each level is read once more for the one above it.
const DEPTH_MAX: u8 = 8;

/// What the functions cost: the elements of `functions`, or the `function` member of those of `tools`.
pub(super) fn count(reader: &Reader<'_>, list: Value<'_>) -> Count {
    let mut count = Count::default();
    list.each(|tool| {
        let function = tool.get("function").unwrap_or(tool);
        count += match function.get("name") {
            Some(name) => one(reader, function, name),
            None => reader.guess(tool), // a tool of the provider's own
        };
    });
    count += documented(reader.model.tools_documented);
    count
}

fn one(reader: &Reader<'_>, function: Value<'_>, name: Value<'_>) -> Count {
    let around = match reader.model.encoding() {
        Some(Encoding::Cl100k) => 10,
        _ => 7,
    } + FUNCTION_END;
    let mut count = Count::exact(around);
    let mut line = String::new();
    append(&mut line, Some(name));
    line.push(':');
    append(&mut line, function.get("description"));
    count += reader.count(sentence(&line));
    if let Some(properties) = function.get("parameters").and_then(|p| p.get("properties")) {
        count += parameters(reader, properties, DEPTH_MAX);
    }
    count
}

fn parameters(reader: &Reader<'_>, properties: Value<'_>, depth: u8) -> Count {
    let mut count = Count::default();
    let mut any = false;
    properties.members(|name, schema| {
        any = true;
        count += parameter(reader, name, schema, depth);
    });
    if any {
        count += Count::exact(PARAMETERS);
    }
    count
}

fn parameter(reader: &Reader<'_>, name: &str, schema: Value<'_>, depth: u8) -> Count {
    let mut count = Count::exact(ITEM);
    let mut line = format!("{name}:");
    append(&mut line, schema.get("type"));
    line.push(':');
    append(&mut line, schema.get("description"));
    count += reader.count(sentence(&line));
    schema.members(|key, value| match key {
        "type" | "description" => {}
        "enum" => {
            let mut items = 0;
            value.each(|item| {
                items += ITEM;
                count += match item.text() {
                    Some(text) => reader.count(&text),
                    None => reader.count(item.raw()),
                };
            });
            count += Count::exact(items.saturating_sub(ITEM));
        }
        // The rule says nothing of what lies deeper: it is taken to go on as it began.
        "properties" if depth > 0 => {
            count += parameters(reader, value, depth - 1);
            count += documented(false);
        }
        "items" if depth > 0 && value.is_object() => {
            count += parameter(reader, "", value, depth - 1);
            count += documented(false);
        }
        "required" | "additionalProperties" => {}
        _ => count += reader.guess(value),
    });
    count
}

/// Nothing, with a reason to call the sum an estimate unless a rule is published.
fn documented(is: bool) -> Count {
    Count {
        tokens: 0,
        estimated: (!is).then_some(Why::Undocumented),
    }
}

fn append(line: &mut String, value: Option<Value<'_>>) {
    if let Some(value) = value {
        match value.text() {
            Some(text) => line.push_str(&text),
            None => line.push_str(value.raw()),
        }
    }
}

/// The rule leaves out the full stop at a description's end.
fn sentence(line: &str) -> &str {
    line.strip_suffix('.').unwrap_or(line)
}
