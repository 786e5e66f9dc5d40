//! Answers held against OpenAI's own description of its API, where that is at hand.

use crate::support::{Response, error_of, schema::mistakes};
use serde_json::{Map, Value, json};
use std::{path::PathBuf, sync::OnceLock};

/// Their description; none where it is not at hand.
fn description() -> Option<&'static Value> {
    static DESCRIPTION: OnceLock<Option<Value>> = OnceLock::new();
    let read = || {
        let place = std::env::var_os("WEIR_OPENAPI").map(PathBuf::from);
        let place = place.unwrap_or_else(|| "../shared/openai/openapi.json".into());
        let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(place);
        match std::fs::read(&place) {
            Ok(text) => Some(plain(serde_json::from_slice(&text).unwrap())),
            Err(_) => {
                eprintln!(
                    "SKIPPED: OpenAI's openapi.json is not at hand; WEIR_OPENAPI says where it is"
                );
                None
            }
        }
    };
    DESCRIPTION.get_or_init(read).as_ref()
}

/// A schema without what only people read, and with `nullable`, which JSON Schema never knew, as a choice.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let is_nullable = members.get("nullable") == Some(&Value::Bool(true));
            let mut kept = Map::new();
            for (name, member) in members {
                match (name.as_str(), member) {
                    (
                        "title" | "format" | "nullable" | "example" | "examples" | "deprecated",
                        member,
                    ) if !member.is_object() => {}
                    (name, _) if name.starts_with("x-") || name == "discriminator" => {}
                    // Names in here are the members' own.
                    ("properties", Value::Object(own)) => {
                        let own = own.into_iter().map(|(name, schema)| (name, plain(schema)));
                        kept.insert(name, Value::Object(own.collect()));
                    }
                    (_, member) => drop(kept.insert(name, plain(member))),
                }
            }
            match is_nullable {
                true => json!({"anyOf": [kept, {"type": "null"}]}),
                false => kept.into(),
            }
        }
        other => other,
    }
}

/// Asserts that an answer is what OpenAI describes for this method on this path, or one of its errors.
#[track_caller]
pub fn conforms(method: &str, path: &str, answer: &Response) {
    let path = path.split('?').next().unwrap();
    let what = format!("{method} {path}: {} {}", answer.status(), answer.text());
    if answer.status() >= 400 {
        error_of(&answer.body);
    }
    let Some(description) = description() else {
        return;
    };
    if answer.status() >= 400 {
        let error = json!({"$ref": "#/components/schemas/ErrorResponse"});
        let wrong = mistakes(description, &error, &answer.json());
        return assert!(wrong.is_empty(), "{wrong:#?} in {what}");
    }
    let own = path.strip_prefix("/v1").unwrap();
    let paths = description["paths"].as_object().unwrap();
    let (_, operations) = paths
        .iter()
        .find(|(template, _)| fits(template, own))
        .expect(&what);
    let answers = &operations[method.to_ascii_lowercase()]["responses"];
    let schema = &answers[answer.status().to_string()]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "not described: {what}");
    let wrong = mistakes(description, schema, &answer.json());
    assert!(wrong.is_empty(), "{wrong:#?} in {what}");
}

fn fits(template: &str, path: &str) -> bool {
    let (parts, segments): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let fits = |(part, segment): (&&str, &&str)| part == segment || part.starts_with('{');
    parts.len() == segments.len() && parts.iter().zip(&segments).all(fits)
}
