//! Prompts, by the rules of their endpoints.

use super::*;

/// The messages of OpenAI's cookbook, of which it tells what the API counted.
#[test]
fn the_cookbooks_messages_are_counted_as_the_cookbook_counts_them() {
    let messages = r#""messages":[
        {"role":"system","content":"You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role":"system","name":"example_user","content":"New synergies will help drive top-line growth."},
        {"role":"system","name":"example_assistant","content":"Things working well together will increase revenue."},
        {"role":"system","name":"example_user","content":"Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role":"system","name":"example_assistant","content":"Let's talk later when we're less busy about how to do better."},
        {"role":"user","content":"This late pivot means we don't have time to boil the ocean for the client deliverable."}]"#;
    assert_eq!(chat(gpt4(), messages), Count::exact(129));
    assert_eq!(chat(gpt4o(), messages), Count::exact(124));
}

#[test]
fn a_message_costs_its_texts_and_what_is_around_them() {
    let of = |message: &str| chat(gpt4o(), &format!(r#""messages":[{message}]"#));
    let plain = r#"{"role":"user","content":"hello world"}"#;
    assert_eq!(of(plain), Count::exact(3 + 3 + 1 + 2));
    let named = r#"{"role":"user","name":"hello world","content":null}"#;
    assert_eq!(of(named), Count::exact(3 + 3 + 1 + 2 + 1));
    let parts = r#"{"role":"user","content":[{"type":"text","text":"hello"},{"type":"text","text":" world"}]}"#;
    assert_eq!(of(parts), Count::exact(3 + 3 + 1 + 2));
    let escaped = r#"{"role":"user","content":"hello\u0020world"}"#;
    assert_eq!(of(escaped), of(plain));
    let calls = r#"{"role":"assistant","tool_calls":[{"id":"x","function":{"name":"hello","arguments":" world"}}]}"#;
    assert_eq!(
        of(calls),
        Count::estimated(3 + 3 + 1 + 3 + 2, Why::Undocumented)
    );
    let far = r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.b/c","detail":"low"}}]}"#;
    assert_eq!(of(far), Count::exact(3 + 3 + 1 + 85));
    let audio = r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav","data":"AAAA"}}]}"#;
    assert_eq!(
        of(audio),
        Count::estimated(3 + 3 + 1 + 1, Why::Undocumented)
    );
}

#[test]
fn half_a_character_is_an_estimate_and_the_rest_is_counted() {
    let message =
        r#""messages":[{"role":"user","content":"\ud83d"},{"role":"user","content":"hello"}]"#;
    let count = chat(gpt4o(), message);
    assert_eq!(count.estimated, Some(Why::Unreadable));
    assert!((9..30).contains(&count.tokens), "{count:?}");
}

#[test]
fn harmony_is_not_documented_well_enough() {
    let message = r#""messages":[{"role":"user","content":"hello"}]"#;
    let count = chat(Model::named("gpt-oss-20b"), message);
    assert_eq!(count, Count::estimated(8, Why::Undocumented));
}

#[test]
fn completions_take_text_and_tokens() {
    let of = |body: &str| prompt_of(Model::named("davinci-002"), Endpoint::Completions, body);
    assert_eq!(of(r#"{"prompt":"hello world"}"#), Count::exact(2));
    assert_eq!(of(r#"{"prompt":["hello world","hello"]}"#), Count::exact(3));
    assert_eq!(of(r#"{"prompt":[1,2,3]}"#), Count::exact(3));
    assert_eq!(of(r#"{"prompt":[[1,2],[3]]}"#), Count::exact(3));
    assert_eq!(of("{}"), Count::exact(0));
    let suffix = of(r#"{"prompt":"hello","suffix":" world"}"#);
    assert_eq!(suffix, Count::estimated(2, Why::Undocumented));
}

#[test]
fn embeddings_take_text_and_tokens() {
    let model = Model::named("text-embedding-3-large");
    let of = |body| prompt_of(model.clone(), Endpoint::Embeddings, body);
    assert_eq!(of(r#"{"input":["hello world","hello"]}"#), Count::exact(3));
    assert_eq!(of(r#"{"input":[[1,2],[3]]}"#), Count::exact(3));
    assert_eq!(of(r#"{}"#).estimated, Some(Why::Unreadable));
}

#[test]
fn what_cannot_be_read_is_estimated() {
    for body in ["", "[]", "{", "nonsense", "{\"messages\":}"] {
        let count = prompt_of(gpt4o(), Endpoint::Chat, body);
        assert_eq!(count.estimated, Some(Why::Unreadable), "{body}");
    }
    let unknown = chat(
        Model::named("llama-4"),
        r#""messages":[{"role":"user","content":"hello"}]"#,
    );
    assert_eq!(unknown.estimated, Some(Why::UnknownModel));
}

#[test]
fn a_body_of_many_tiny_values_costs_no_memory_worth_naming() {
    let count = chat(
        gpt4o(),
        &format!(r#""messages":[{}{{}}]"#, "{},".repeat(300_000)),
    );
    assert_eq!(count, Count::exact(3 * 300_001 + 3));
    let tokens = format!(r#"{{"prompt":[{}1]}}"#, "1,".repeat(500_000));
    let count = prompt_of(gpt4(), Endpoint::Completions, &tokens);
    assert_eq!(count, Count::exact(500_001));
    let deep = format!(r#""tools":[{}]"#, r#"{"items":"#.repeat(50_000));
    assert_eq!(chat(gpt4(), &deep).estimated, Some(Why::Unreadable));
}
