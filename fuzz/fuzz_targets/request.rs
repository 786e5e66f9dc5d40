//! Any bytes of any client, cut anywhere: what is JSON is read as serde_json reads it, what is not is refused, and
//! an edit in place changes what it should and nothing else.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use weir::{
    domain::Endpoint,
    wire::{
        json::Fault,
        request::{AskedUsage, Edit, Facts, Mistake, Reader, splice},
    },
};

/// Less than serde_json's own bound, so that whatever passes here parses there.
const DEPTH_MAX: usize = 100;

fuzz_target!(|input: &[u8]| {
    let Some((choices, text, pieces)) = weir_fuzz::layout(input) else {
        return;
    };
    let endpoint = match choices % 4 {
        0 => Endpoint::Chat,
        1 => Endpoint::Completions,
        2 => Endpoint::Embeddings,
        _ => Endpoint::Responses,
    };
    let read = read(&pieces, text, endpoint);
    assert_eq!(
        read,
        self::read(&[text], text, endpoint),
        "reading depends on the cuts"
    );
    let is_json = std::str::from_utf8(text)
        .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    match read {
        Err(Mistake::Syntax(Fault {
            what: "nested too deep",
            ..
        })) => {}
        Err(Mistake::Syntax(_) | Mistake::Encoding(_)) => assert!(!is_json, "JSON is refused"),
        Ok(_) | Err(_) => assert!(is_json, "what is not JSON is taken for it"),
    }
    // Serde has no value for a number beyond its range or half a surrogate pair, which are JSON all the same.
    if let (Ok(facts), Ok(Value::Object(before))) = (read, serde_json::from_slice(text)) {
        if !facts.model.is_empty() {
            edit(text, facts, before);
        }
    }
});

fn read(pieces: &[&[u8]], text: &[u8], endpoint: Endpoint) -> Result<Facts, Mistake> {
    let mut reader = Reader::new(DEPTH_MAX);
    for piece in pieces {
        reader.feed(piece)?;
    }
    reader.finish(text, endpoint)
}

/// Changes the model and asks for usage, as if for an upstream.
fn edit(text: &[u8], facts: Facts, before: Map<String, Value>) {
    assert_eq!(before["model"], facts.model);
    assert_eq!(
        before
            .get("stream")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        facts.stream
    );
    let mut expected = before;
    expected["model"] = "another".into();
    let mut edits = vec![Edit {
        at: facts.model_at,
        with: Bytes::from_static(br#""another""#),
    }];
    if let AskedUsage::No(edit) = facts.usage {
        edits.push(edit);
        let options = expected.entry("stream_options").or_insert(Value::Null);
        if options.is_null() {
            *options = json!({});
        }
        options["include_usage"] = true.into();
    }
    let body = splice(&Bytes::copy_from_slice(text), edits).concat();
    let after: Value = serde_json::from_slice(&body).expect("an edited body parses");
    assert_eq!(
        after,
        Value::Object(expected),
        "the edit changed something else"
    );
}
