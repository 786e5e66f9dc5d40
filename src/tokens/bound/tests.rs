use super::*;
use crate::{domain::Endpoint, tokens::prompt};
use proptest::prelude::*;

fn body(content: &str) -> Vec<u8> {
    let message = serde_json::json!({"role": "user", "content": content});
    let body = serde_json::json!({"model": "gpt-4o", "messages": [message]});
    body.to_string().into_bytes()
}

fn bound(body: &[u8]) -> u64 {
    bound_of(Endpoint::Chat, body)
}

fn bound_of(endpoint: Endpoint, body: &[u8]) -> u64 {
    Bound::of(endpoint, body).of_model(&Model::named("gpt-4o"))
}

fn both(body: &[u8]) -> (u64, u64) {
    let model = Model::named("gpt-4o");
    let exact = prompt::count(&model, Endpoint::Chat, body).tokens;
    (exact, bound(body))
}

#[test]
fn prose_is_held_at_about_twice_what_it_is() {
    let prose =
        "It was a bright cold day in spring, and the clocks of the town were striking. ".repeat(40);
    let (exact, bound) = both(&body(&prose));
    assert!(exact <= bound && bound <= exact * 5 / 2, "{exact} {bound}");
}

#[test]
fn data_is_no_text() {
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(90_000));
    let part = serde_json::json!({"type": "image_url", "image_url": {"url": picture}});
    let body = serde_json::json!({"messages": [{"role": "user", "content": [part]}]});
    let bound = bound(body.to_string().as_bytes());
    assert!(bound < 5_000, "{bound}");
}

#[test]
fn a_sound_is_no_text_and_a_file_is_a_text_that_is_smaller() {
    let data = "QUJD/+8=".repeat(25_000);
    let held = |part: serde_json::Value| {
        let body = serde_json::json!({"messages": [{"role": "user", "content": [part]}]});
        let spaced = serde_json::to_vec_pretty(&body).expect("JSON");
        let plain = bound(body.to_string().as_bytes());
        assert!(bound(&spaced) < plain + 100);
        plain
    };
    let sound = serde_json::json!({"format": "wav", "data": data});
    let sound = held(serde_json::json!({"type": "input_audio", "input_audio": sound}));
    assert!(sound < 500, "{sound}");
    for before in ["data:application/pdf;base64,", ""] {
        let file = serde_json::json!({"file_data": format!("{before}{data}")});
        let file = held(serde_json::json!({"type": "file", "file": file}));
        assert!((10_000..11_000).contains(&file), "{file}");
    }
}

#[test]
fn the_images_of_a_response_are_no_text_and_cost_what_images_do() {
    let held = |part: serde_json::Value| {
        let body = serde_json::json!({"input": [{"role": "user", "content": [part]}]});
        bound_of(Endpoint::Responses, body.to_string().as_bytes())
    };
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(90_000));
    let bound = held(serde_json::json!({"type": "input_image", "image_url": picture}));
    assert!((765..5_000).contains(&bound), "{bound}");
    let bound = held(serde_json::json!({"type": "input_image", "file_id": "file-1"}));
    assert!((765..2_000).contains(&bound), "{bound}");
    let bound = held(serde_json::json!({"type": "input_text", "text": picture}));
    assert!(bound > 100_000, "{bound}");
}

#[test]
fn a_slash_that_is_escaped_is_still_data() {
    let data = "iVBOR\\/w0KGgo".repeat(9_000);
    let part = format!(r#"{{"image_url":{{"url":"data:image\/png;base64,{data}"}}}}"#);
    let bound = bound(part.as_bytes());
    assert!(bound < 5_000, "{bound}");
}

#[test]
fn text_that_is_dressed_up_as_data_is_held_as_text() {
    let text = "abcdefgh".repeat(1 << 17);
    let prose = "a b\\n".repeat(1 << 17);
    for body in [
        body(&format!("data:image/png;base64,{text}")),
        body(&format!("\"url\":\"data:image/png;base64,{text}\"")),
        body(&format!("\"input_audio\":{{\"data\":\"{text}\"}}")),
        format!(r#"{{"content":";base64,{text}"}}"#).into_bytes(),
        format!(r#"{{"x":"input_audio","content":"{text}"}}"#).into_bytes(),
        format!(r#"{{"input_audio":{{}},"data":"{text}"}}"#).into_bytes(),
        format!(r#"{{"url":"data:;base64,{prose}"}}"#).into_bytes(),
        format!(r#"{{"url":"{text}"}}"#).into_bytes(),
    ] {
        let bound = bound(&body);
        let head = String::from_utf8_lossy(&body[..80]);
        assert!(bound >= 1 << 17, "{bound} for {head}");
    }
}

proptest! {
    #[test]
    fn hostile_texts_stay_below_it(content in "[ -~]{0,400}|[0-9 ]{0,300}|[a-z]{0,300}|\\PC{0,200}") {
        let (exact, bound) = both(&body(&content));
        // What no character of any text costs alone: a bound of bytes, not of words, is beaten by few.
        prop_assert!(exact <= bound + bound / 4, "{exact} tokens, held {bound}");
    }
}
