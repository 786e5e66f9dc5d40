use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// What the `tokenizers` library made of the texts; `make.py` beside the file says how.
#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    counts: BTreeMap<String, Vec<u64>>,
    framing: BTreeMap<String, u64>,
}

fn fixture(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers");
    fs::read(dir.join(name).with_extension("json")).unwrap()
}

fn tokenizer(name: &str) -> Arc<Tokenizer> {
    Tokenizer::read(&fixture(name)).unwrap_or_else(|why| panic!("{name} {why}"))
}

#[test]
fn a_text_has_as_many_tokens_as_the_library_says() {
    let expected: Expected = serde_json::from_slice(&fixture("expected")).unwrap();
    assert!(expected.counts.len() >= 12);
    for (name, counts) in expected.counts {
        let tokenizer = tokenizer(&name);
        assert_eq!(tokenizer.framing(), expected.framing[&name], "{name}");
        assert_eq!(counts.len(), expected.texts.len());
        for (text, tokens) in expected.texts.iter().zip(counts) {
            let length = tokenizer.count(text);
            assert_eq!(length.tokens, tokens, "{name}: {text:?}");
            assert!(!length.in_parts);
        }
    }
}

/// Merges of the model without any boundary, one pair at a time.
fn slowly(model: &Value, text: &str) -> u64 {
    let rank = |left: &str, right: &str| {
        let merges = model["merges"].as_array().unwrap();
        (merges.iter()).position(|merge| merge[0] == left && merge[1] == right)
    };
    let mut symbols: Vec<String> = Vec::new();
    for c in text.replace(' ', "▁").chars().map(|c| c.to_string()) {
        match model["vocab"].get(&c) {
            Some(_) => symbols.push(c),
            None => symbols.extend(c.bytes().map(|byte| format!("<0x{byte:02X}>"))),
        }
    }
    loop {
        let ranks = (0..symbols.len().saturating_sub(1))
            .filter_map(|at| Some((rank(&symbols[at], &symbols[at + 1])?, at)));
        let Some((_, at)) = ranks.min() else {
            return symbols.len() as u64;
        };
        let right = symbols.remove(at + 1);
        symbols[at].push_str(&right);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_cut_at_boundaries_is_what_is_not(text in "([a-f ]|the |in|水|é|\n|[ -~]){0,40}") {
        let json: Value = serde_json::from_slice(&fixture("gemma")).unwrap();
        prop_assert_eq!(tokenizer("gemma").count(&text).tokens, slowly(&json["model"], &text));
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,60}") {
        for name in ["llama-3", "deepseek", "marks", "llama-2", "words", "unknown"] {
            let length = tokenizer(name).count(&text);
            prop_assert!(length.tokens <= 4 * (text.len() as u64 + 1), "{}", name);
        }
    }
}

#[test]
fn a_run_without_an_end_is_counted_in_parts_and_says_so() {
    let tokenizer = tokenizer("llama-3");
    let most = tokenizer.count(&" ".repeat(1 << 18));
    assert!(!most.in_parts && most.tokens < 1 << 18);
    let more = tokenizer.count(&" ".repeat((1 << 18) + 1));
    assert!(more.in_parts);
    assert_eq!(more.tokens, most.tokens + 1);
    assert!(!tokenizer.count(&"    word".repeat(1 << 17)).in_parts);
}

#[test]
fn the_same_file_is_in_memory_once() {
    let [one, two] = [tokenizer("qwen"), tokenizer("qwen")];
    assert!(Arc::ptr_eq(&one, &two));
    let other = tokenizer("gpt-oss");
    assert!(one != other);
}

/// Changes one member of a file that is good.
fn with(path: &str, value: Value) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&fixture("llama-3")).unwrap();
    *json.pointer_mut(path).unwrap() = value;
    serde_json::to_vec(&json).unwrap()
}

#[track_caller]
fn refuses(json: &[u8], why: &str) {
    let refused = Tokenizer::read(json).unwrap_err().to_string();
    assert!(refused.contains(why), "{refused}");
}

#[track_caller]
fn refuses_with(path: &str, value: Value, why: &str) {
    refuses(&with(path, value), why);
}

#[test]
fn a_model_of_another_kind_is_refused_by_its_name() {
    for (member, value, why) in [
        ("type", json!("Unigram"), "a model of type Unigram"),
        ("type", json!("WordPiece"), "only BPE is understood"),
        ("dropout", json!(0.1), "at random"),
        ("end_of_word_suffix", json!("</w>"), "ends of words"),
        ("unk_token", json!("<none>"), "unk_token"),
        ("byte_fallback", json!(true), "twice"),
        ("vocab", json!([]), "a vocab that is not understood"),
        ("vocab", json!({"a": -1}), "a vocab that is not understood"),
        ("vocab", json!({"a": u32::MAX}), "no token's id"),
        ("vocab", json!({"a": 1, "b": 1}), "two tokens with one id"),
        ("merges", json!([["a", "none"]]), "are or make no token"),
        ("merges", json!(["a b c"]), "a merge is of two tokens"),
        ("merges", json!([["a"]]), "a merge is of two tokens"),
    ] {
        refuses_with(&format!("/model/{member}"), value, why);
    }
    refuses(b"", "is not a tokenizer's JSON");
    refuses(b"{}", "is not a tokenizer's JSON: missing field `model`");
    refuses(br#"{"model": {}}"#, "a model of type unknown");
    refuses(&[0xff; 9], "is not a tokenizer's JSON");
}

#[test]
fn a_step_that_is_not_known_is_refused_by_its_name() {
    for part in ["/normalizer", "/pre_tokenizer", "/post_processor"] {
        refuses_with(part, json!({"type": "Odd"}), "unknown variant `Odd`");
        let why = format!("has a {} that is not understood", &part[1..]);
        refuses_with(part, json!([]), &why);
    }
    let prepend = json!([{"type": "Prepend", "prepend": "xxxxx"}]);
    let normalizers = json!({"type": "Sequence", "normalizers": prepend});
    refuses_with("/normalizer", normalizers, "more than a character");
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false});
    let twice = json!([bytes, bytes]);
    refuses_with("/pre_tokenizer/pretokenizers", twice, "behind ByteLevel");
    let template =
        |single| json!({"type": "TemplateProcessing", "single": single, "special_tokens": {}});
    let no_text = template(json!([]));
    refuses_with("/post_processor", no_text, "not of one text");
    let no_token = template(json!([{"SpecialToken": {"id": "[CLS]"}}]));
    refuses_with("/post_processor", no_token, "no token for \"[CLS]\"");
    refuses_with("/added_tokens/0/single_word", json!(true), "single_word");
}

#[test]
fn a_pattern_that_would_mean_something_else_is_refused() {
    let refuse = |pattern: &str, why: &str| {
        let split = json!({"Regex": pattern});
        let split =
            json!({"type": "Split", "pattern": split, "behavior": "Isolated", "invert": false});
        refuses_with("/pre_tokenizer", split, why);
    };
    for pattern in [
        r"\w+",
        "a++",
        "a(?=b)",
        "(a",
        r"(?i)a|\s+(?!\S)|b",
        r"\p{L}{9999}{9999}",
    ] {
        refuse(pattern, "a pattern that is not understood");
    }
    refuse("a*", "finds nothing at all");
}
