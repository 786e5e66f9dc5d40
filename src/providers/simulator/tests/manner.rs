//! Models that behave badly.

use super::*;

#[test]
fn a_stream_that_breaks_off_has_sent_half_its_tokens() {
    for (model, last) in [
        ("die-midstream", Step::Die),
        ("stall", Step::Stall),
        ("error-event", Step::End),
    ] {
        let more =
            json!({"stream": true, "max_tokens": 11, "stream_options": {"include_usage": true}});
        let (events, end) = events(chat(&format!("simulator/{model}"), more));
        assert_eq!(end, last, "{model}");
        assert_eq!(said(&events, 0, "/delta/content").len(), 5);
        assert!(!events.contains(&json!("[DONE]")));
        let error = events.last().unwrap().get("error");
        assert_eq!(
            error.map(|error| error["type"].clone()),
            (model == "error-event").then(|| json!("server_error"))
        );
    }
}

#[test]
fn a_stream_without_done_ends_cleanly_and_says_no_reason() {
    let (events, end) = events(chat(
        "simulator/no-done",
        json!({"stream": true, "max_tokens": 5, "n": 2}),
    ));
    assert_eq!((events.len(), end), (12, Step::End));
    assert!(
        events
            .iter()
            .all(|event| event["choices"][0]["finish_reason"].is_null())
    );
}

#[test]
fn a_whole_answer_that_dies_has_sent_half_its_bytes_and_one_that_stalls_none() {
    let dying = chat("simulator/die-midstream", json!({}));
    let size = dying.play.size().unwrap();
    let dying = steps(dying);
    assert_eq!(sent(&dying).concat().len() as u64, size / 2);
    assert_eq!(dying.last(), Some(&Step::Die));
    assert_eq!(steps(chat("simulator/stall", json!({}))), [Step::Stall]);
}

#[test]
fn usage_may_be_withheld() {
    let more = json!({"stream": true, "stream_options": {"include_usage": true}});
    let (events, _) = events(chat("simulator/no-usage", more));
    assert!(events.iter().all(|event| event.get("usage").is_none()));
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    assert_eq!(
        whole(chat("simulator/no-usage", json!({}))).get("usage"),
        None
    );
}

#[test]
fn slow_models_are_late_and_long_ones_long() {
    assert_eq!(
        chat("simulator/slow-start", json!({"stream": true})).delay,
        Duration::from_secs(3)
    );
    let slow = steps(chat("simulator/slow", json!({"stream": true})));
    assert!(matches!(slow[1], Step::Send { after, .. } if after == Duration::from_millis(500)));
    let long = whole(chat("simulator/long", json!({})));
    assert!((2_000..2_030).contains(&long["usage"]["completion_tokens"].as_u64().unwrap()));
}
