//! What a name tells of a model.

use super::*;

#[test]
fn models_that_reason_are_known_by_their_names() {
    for name in [
        "o3",
        "openai/o4-mini",
        "azure/eu/gpt-5.2-codex",
        "ft:o4-mini-2025-04-16:acme::abc",
    ] {
        assert!(Model::named(name).reasons(), "{name}");
    }
    for name in [
        "gpt-4o",
        "gpt-5-chat-latest",
        "ft:gpt-4o:o3::abc",
        "claude-sonnet",
    ] {
        assert!(!Model::named(name).reasons(), "{name}");
    }
}

#[test]
fn names_lead_to_encodings() {
    let of = |name| Model::named(name).encoding();
    for name in [
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1-nano",
        "gpt-4.5-preview",
        "gpt-5",
        "gpt-5.2-codex",
        "o1",
        "o3-mini",
        "o4-mini",
        "chatgpt-4o-latest",
        "gpt-oss-120b",
        "openai/gpt-oss-20b",
        "ft:gpt-4o-mini-2024-07-18:acme::abc",
    ] {
        assert_eq!(of(name), Some(Encoding::O200k), "{name}");
    }
    for name in [
        "gpt-4",
        "gpt-4-turbo",
        "gpt-4-0613",
        "gpt-3.5-turbo-instruct",
        "gpt-35-turbo",
        "text-embedding-3-small",
        "text-embedding-ada-002",
        "ft:gpt-3.5-turbo:acme::abc",
        "ft:babbage-002:acme::abc",
    ] {
        assert_eq!(of(name), Some(Encoding::Cl100k), "{name}");
    }
    for name in [
        "",
        "ft:",
        "claude-sonnet",
        "gpt-2",
        "o10",
        "gpt-4omni",
        "gpt",
    ] {
        assert_eq!(of(name), None, "{name}");
    }
}
