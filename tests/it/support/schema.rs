//! Holds JSON against a JSON Schema, as far as the document of the API uses that language. What it does not know of it
//! is a failure, so that nothing passes for want of being looked at.

use serde_json::{Map, Value};

/// What is wrong with `value`, and where in it; `document` is where references lead.
pub fn mistakes(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        if schema == false {
            found.push(format!("{at}: nothing may be here, but {value}"));
        }
        return;
    };
    for (keyword, rule) in rules {
        let fits = match keyword.as_str() {
            "description" | "default" | "properties" | "additionalProperties" => true,
            // Without a library for expressions; `.ci/run` has a validator that looks at these too.
            "pattern" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let schema = document.pointer(pointer).expect(pointer);
                check(document, schema, value, at, found);
                true
            }
            "allOf" => {
                for one in rule.as_array().unwrap() {
                    check(document, one, value, at, found);
                }
                true
            }
            "anyOf" | "oneOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|one| mistakes(document, one, value).is_empty()),
            "type" => match rule {
                Value::Array(names) => names.iter().any(|name| is_of(name, value)),
                name => is_of(name, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|name| value.get(name.as_str().unwrap()).is_some() || !value.is_object()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, rule, item, &format!("{at}/{index}"), found);
                }
                true
            }
            "minimum" => value.as_f64().is_none_or(|it| it >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|it| it <= rule.as_f64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|it| it.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value
                .as_array()
                .is_none_or(|it| it.len() as u64 <= rule.as_u64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|it| it.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|it| it.chars().count() as u64 <= rule.as_u64().unwrap()),
            unknown => panic!("{at}: the tests cannot check `{unknown}`"),
        };
        if !fits {
            found.push(format!("{at}: {value} is not {keyword} {rule}"));
        }
    }
    if let Some(members) = value.as_object() {
        check_members(document, rules, members, at, found);
    }
}

fn check_members(
    document: &Value,
    rules: &Map<String, Value>,
    members: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    for (name, member) in members {
        let own = rules.get("properties").and_then(|known| known.get(name));
        if let Some(rule) = own.or_else(|| rules.get("additionalProperties")) {
            check(document, rule, member, &format!("{at}/{name}"), found);
        }
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn what_does_not_fit_is_found_and_named() {
    use serde_json::json;
    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": ["integer", "null"], "minimum": 1}, "b": {"items": {"$ref": "#/word"}}},
    });
    let document = json!({"word": {"enum": ["x"]}});
    let wrong = |value: Value| mistakes(&document, &schema, &value).len();
    for good in [json!({"a": 1}), json!({"a": null, "b": ["x", "x"]})] {
        assert_eq!(wrong(good), 0);
    }
    for bad in [
        json!(1),
        json!({}),
        json!({"a": 0}),
        json!({"a": 1.5}),
        json!({"a": 1, "b": ["x", "y"]}),
        json!({"a": 1, "c": 1}),
    ] {
        assert_eq!(wrong(bad.clone()), 1, "{bad}");
    }
}
