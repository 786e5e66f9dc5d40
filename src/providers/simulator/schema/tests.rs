use super::example;
use serde_json::{Value, json};

fn example_of(schema: Value) -> Value {
    serde_json::from_str(&example(&schema)).unwrap()
}

#[test]
fn required_members_are_written_in_their_order_and_optional_ones_are_not() {
    let schema = json!({
        "type": "object",
        "properties": {
            "b": {"type": "string"}, "a": {"type": "integer"}, "c": {"type": "boolean"},
            "list": {"type": "array", "items": {"type": "object", "required": ["x"],
                "properties": {"x": {"type": ["number", "null"]}}}},
        },
        "required": ["b", "a", "list"],
    });
    assert_eq!(
        example(&schema),
        r#"{"b":"example","a":1,"list":[{"x":1}]}"#
    );
}

#[test]
fn an_enum_gives_its_first_and_a_const_its_only_value() {
    let schema = json!({"type": "object", "required": ["unit", "kind"], "properties": {
        "unit": {"enum": ["c", "f"], "type": "string"}, "kind": {"const": {"n": [1]}}}});
    assert_eq!(example_of(schema), json!({"unit": "c", "kind": {"n": [1]}}));
}

#[test]
fn any_of_takes_the_first_branch_that_can_be_satisfied() {
    assert_eq!(
        example_of(json!({"anyOf": [{"type": "integer"}, {"type": "null"}]})),
        json!(1)
    );
    assert_eq!(
        example_of(json!({"anyOf": [false, {"type": "null"}]})),
        json!(null)
    );
    assert_eq!(
        example_of(json!({"oneOf": [{"type": "string"}]})),
        json!("example")
    );
    let described = json!({"allOf": [{"$ref": "#/$defs/D"}], "$defs": {"D": {"type": "boolean"}}});
    assert_eq!(example_of(described), json!(true));
}

#[test]
fn a_recursive_schema_ends_as_soon_as_it_may() {
    let list = json!({
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"type": "object", "required": ["value", "next"], "properties": {
            "value": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
        }}},
    });
    assert_eq!(example_of(list), json!({"value": 1, "next": null}));
    let tree = json!({"type": "object", "required": ["children"], "properties": {
        "children": {"type": "array", "items": {"$ref": "#"}}}});
    assert_eq!(example_of(tree), json!({"children": []}));
    let endless =
        json!({"type": "object", "required": ["self"], "properties": {"self": {"$ref": "#"}}});
    assert_eq!(example_of(endless), json!({}));
}

#[test]
fn a_number_keeps_within_its_bounds() {
    let number = |schema: Value| example_of(schema);
    assert_eq!(number(json!({"type": "integer", "minimum": 18})), json!(18));
    assert_eq!(
        number(json!({"type": "integer", "exclusiveMinimum": 18})),
        json!(19)
    );
    assert_eq!(number(json!({"type": "integer", "maximum": -3})), json!(-3));
    assert_eq!(
        number(json!({"type": "integer", "minimum": 1.5, "maximum": 2.5})),
        json!(2)
    );
    assert_eq!(
        number(json!({"type": "integer", "minimum": 7, "multipleOf": 5})),
        json!(10)
    );
    assert_eq!(
        number(json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})),
        json!(0.5)
    );
    assert_eq!(
        example(&json!({"type": "integer", "minimum": 2, "maximum": 1})),
        "{}"
    );
}

#[test]
fn texts_keep_their_format_and_length() {
    assert_eq!(
        example_of(json!({"type": "string", "minLength": 9})),
        json!("exampleex")
    );
    assert_eq!(
        example_of(json!({"type": "string", "maxLength": 2})),
        json!("ex")
    );
    assert_eq!(
        example_of(json!({"type": "string", "format": "date"})),
        json!("2025-01-01")
    );
}

#[test]
fn tuples_and_lists_have_as_many_items_as_they_must() {
    let pair = json!({"type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [{"type": "string"}, {"type": "integer"}]});
    assert_eq!(example_of(pair), json!(["example", 1]));
    assert_eq!(
        example_of(json!({"type": "array", "items": {"type": "integer"}, "minItems": 3})),
        json!([1, 1, 1])
    );
    assert_eq!(
        example_of(json!({"type": "array", "maxItems": 0})),
        json!([])
    );
}

#[test]
fn a_greedy_schema_is_given_up() {
    let huge = json!({"type": "array", "items": {"type": "string"}, "minItems": u64::MAX});
    assert_eq!(example(&huge), "{}");
    assert_eq!(
        example(&json!({"type": "string", "minLength": u64::MAX})),
        "{}"
    );
    // Every level doubles: 2^40 leaves without a bound.
    let mut defs = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/L{}", level + 1)});
        defs.insert(
            format!("L{level}"),
            json!({"type": "object", "required": ["a", "b"],
            "properties": {"a": next, "b": next}}),
        );
    }
    assert_eq!(example(&json!({"$ref": "#/$defs/L0", "$defs": defs})), "{}");
}
