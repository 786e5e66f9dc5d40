mod heard;
mod responses;

use super::*;

fn read_document(text: &str) -> DocumentReader {
    let mut reader = DocumentReader::default();
    for piece in text.as_bytes().chunks(3) {
        reader.feed(piece, &mut |_, _, _| {});
    }
    reader
}

fn read_events(text: &str) -> (Vec<Event>, EventReader) {
    let (mut reader, mut events) = (EventReader::default(), Vec::new());
    for piece in text.as_bytes().chunks(5) {
        reader.feed(piece, &mut |_, _, _| {}, |_, event| events.push(event));
    }
    reader.finish(|_, event| events.push(event));
    (events, reader)
}

#[test]
fn a_completion_tells_its_usage_and_end() {
    let reader = read_document(
        r#"{"id":"x","model":"gpt-5","choices":[{"message":{"content":"hi","tool_calls":[{"id":"t"}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":20,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1},
        "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":-1}}}"#,
    );
    let seen = reader.seen();
    let expected = Usage {
        input: Some(20),
        output: Some(7),
        cached: Some(4),
        cache_write: None,
        reasoning: Some(0),
        audio_input: Some(1),
        audio_output: None,
    };
    assert_eq!(seen.usage, Some(expected));
    assert!(seen.usage_refused, "no count is negative");
    assert_eq!(seen.finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!(seen.model.as_deref(), Some("gpt-5"));
    assert!(seen.tool_calls && !seen.error && !seen.unreadable);
}

#[test]
fn usage_of_the_responses_api_is_found_whole_and_in_events() {
    let whole = read_document(
        r#"{"object":"response","usage":{"input_tokens":3,"output_tokens":9,"output_tokens_details":{"reasoning_tokens":5}}}"#,
    );
    let (events, stream) = read_events(
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n\
         event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":9,\"output_tokens_details\":{\"reasoning_tokens\":5}}}}\n\n",
    );
    let expected = Usage {
        input: Some(3),
        output: Some(9),
        reasoning: Some(5),
        ..Usage::default()
    };
    assert_eq!(whole.seen().usage, Some(expected));
    assert_eq!(stream.seen().usage, Some(expected));
    assert!(stream.seen().ended && events[0].content && !events[1].content);
}

#[test]
fn what_a_cache_read_and_wrote_is_part_of_the_input() {
    let usage = |text: &str| {
        let reader = read_document(&format!("{{\"usage\":{{{text}}}}}"));
        let usage = reader.seen().usage.unwrap();
        (usage.input, usage.cached, usage.cache_write)
    };
    let whole = (Some(100), Some(60), Some(30));
    assert_eq!(
        usage(
            r#""prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}"#
        ),
        whole
    );
    assert_eq!(
        usage(
            r#""input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":30}"#
        ),
        whole
    );
    assert_eq!(
        usage(
            r#""cache_creation_input_tokens":30,"input_tokens":10,"cache_read_input_tokens":60,"cache_creation":{"ephemeral_5m_input_tokens":30}"#
        ),
        whole
    );
    // Servers that imitate OpenAI count the whole, and some report the parts in the other words.
    assert_eq!(
        usage(
            r#""prompt_tokens":100,"cache_read_input_tokens":60,"cache_creation_input_tokens":30"#
        ),
        whole
    );
    assert_eq!(
        usage(r#""prompt_tokens":100,"prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40"#),
        (Some(100), Some(60), None)
    );
    assert_eq!(
        usage(r#""input_tokens":9,"cache_read_input_tokens":0,"cache_creation_input_tokens":null"#),
        (Some(9), Some(0), None)
    );
}

#[test]
fn events_say_what_they_carry() {
    let (events, reader) = read_events(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n\
         : comment\n\n\
         data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
         data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n\
         data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
         data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n\
         data: [DONE]\n\n",
    );
    let content: Vec<_> = events.iter().map(|event| event.content).collect();
    assert_eq!(content, [false, false, true, true, false, false, false]);
    let usage: Vec<_> = events.iter().map(|event| event.only_usage).collect();
    assert_eq!(usage, [false, false, false, false, false, true, false]);
    assert!(events[6].done && !events[1].has_data && events[0].null_usage.is_some());
    assert!(!reader.seen().unreadable && reader.seen().ended);
}

#[test]
fn null_usage_is_cut_with_its_comma_wherever_it_stands() {
    for (before, after) in [
        (r#"{"a":1,"usage":null}"#, r#"{"a":1}"#),
        (r#"{"a":1 , "usage" : null , "b":2}"#, r#"{"a":1  , "b":2}"#),
        (r#"{"usage":null,"b":2}"#, r#"{"b":2}"#),
        (r#"{"usage":null}"#, r#"{}"#),
        ("{\"a\":1,\ndata: \"usage\":null}", "{\"a\":1}"),
    ] {
        let text = format!("data: {before}\n\n");
        let (events, _) = read_events(&text);
        let cut = events[0].null_usage.clone().expect(before);
        let left = [&text[..cut.start], &text[cut.end..]].concat();
        assert_eq!(left, format!("data: {after}\n\n"));
    }
}

#[test]
fn an_error_is_seen_and_a_null_error_is_none() {
    assert!(
        read_events("data: {\"error\":{\"message\":\"x\"}}\n\n")
            .1
            .seen()
            .error
    );
    assert!(read_document(r#"{"error":"x"}"#).seen().error);
    assert!(!read_document(r#"{"error":null}"#).seen().error);
}

#[test]
fn what_is_not_json_is_left_unread() {
    let (events, reader) = read_events("data: {oops\n\ndata: {\"choices\":[{\"text\":\"a\"}]}\n\n");
    assert!(reader.seen().unreadable && events[1].content);
    assert!(read_document("<html>").seen().unreadable);
}

/// What is heard of a stream that comes in these pieces.
#[test]
fn reasoning_that_is_counted_beside_the_output_becomes_part_of_it() {
    let usage = |text: &str| {
        let reader = read_document(&format!("{{\"usage\":{{{text}}}}}"));
        let usage = reader.seen().usage.unwrap();
        (usage.output, usage.reasoning)
    };
    let details = r#""completion_tokens_details":{"reasoning_tokens":30}"#;
    assert_eq!(
        usage(&format!(
            r#""prompt_tokens":5,"completion_tokens":10,"total_tokens":45,{details}"#
        )),
        (Some(40), Some(30)),
        "beside it"
    );
    assert_eq!(
        usage(&format!(
            r#"{details},"total_tokens":45,"completion_tokens":40,"prompt_tokens":5"#
        )),
        (Some(40), Some(30)),
        "within it"
    );
    assert_eq!(
        usage(&format!(
            r#""prompt_tokens":5,"completion_tokens":10,{details}"#
        )),
        (Some(10), Some(30)),
        "nobody knows"
    );
    let alone = r#""completion_tokens":1,"prompt_tokens":9,"total_tokens":103"#;
    assert_eq!(usage(alone), (Some(1), None), "nobody knows what else");
    let of_gemini = |text: &str| {
        let reader = read_document(&format!(
            r#"{{"model":"gemini-2.5-flash","usage":{{{text}}}}}"#
        ));
        let usage = reader.seen().usage.unwrap();
        (usage.output, usage.reasoning)
    };
    assert_eq!(of_gemini(alone), (Some(94), Some(93)), "in the total alone");
    assert_eq!(
        of_gemini(r#""completion_tokens":5,"prompt_tokens":9,"total_tokens":14"#),
        (Some(5), None),
        "none"
    );
}

#[test]
fn the_tier_is_the_one_that_was_named_last() {
    let (_, reader) =
        read_events("data: {\"service_tier\":\"auto\"}\n\ndata: {\"service_tier\":\"flex\"}\n\n");
    assert_eq!(
        (reader.seen().tier, reader.seen().tier_unknown),
        (Tier::Flex, false)
    );
    let reader = read_document(r#"{"service_tier":"scale"}"#);
    assert!(reader.seen().tier_unknown);
    let reader = read_document(r#"{"service_tier":null}"#);
    assert_eq!(
        (reader.seen().tier, reader.seen().tier_unknown),
        (Tier::Standard, false)
    );
}

#[test]
fn images_and_seconds_are_counted() {
    let reader = read_document(r#"{"data":[{"url":"a","data":[{}]},{"b64_json":"x"}]}"#);
    assert_eq!(reader.seen().images, 2);
    let event = "event: x\ndata: {\"type\":\"image_generation.completed\",\"usage\":{\"input_tokens\":1}}\n\n";
    assert_eq!(read_events(event).1.seen().images, 1);
    for (text, seconds) in [
        (
            r#"{"duration":11.2,"usage":{"type":"duration","seconds":12}}"#,
            Some(12),
        ),
        (r#"{"usage":{"seconds":12},"duration":13.5}"#, Some(12)),
        (r#"{"duration":8.000}"#, Some(8)),
        (r#"{"duration":"8.01"}"#, Some(9)),
        (r#"{"duration":-1}"#, None),
        (r#"{"duration":1e3}"#, None),
        (r#"{"x":{"duration":1}}"#, None),
    ] {
        assert_eq!(read_document(text).seen().seconds, seconds, "{text}");
    }
}

#[test]
fn usage_stands_for_what_came_before_it() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let with_text =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1}}\n\n";
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let stop_with =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{}}\n\n";
    let alone = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    for (events, expected) in [
        ([text, stop, alone], UsageOf::All),
        ([text, alone, stop], UsageOf::SoFar),
        ([text, with_text, stop], UsageOf::SoFar),
        ([text, text, stop_with], UsageOf::SoFar),
        ([alone, text, stop], UsageOf::Beginning),
        ([stop, alone, text], UsageOf::Beginning),
    ] {
        let (_, reader) = read_events(&events.concat());
        assert_eq!(reader.seen().usage_of, expected, "{events:?}");
    }
    let document = r#"{"usage":{"prompt_tokens":1},"choices":[{"message":{"content":"a"}}]}"#;
    assert_eq!(read_document(document).seen().usage_of, UsageOf::All);
}

#[test]
fn usage_that_is_no_usage_is_refused() {
    for (text, refused) in [
        (r#"{"usage":null}"#, false),
        (r#"{"usage":{"prompt_tokens":null,"queue":"1.5"}}"#, false),
        (r#"{"usage":"12"}"#, true),
        (r#"{"usage":[1]}"#, true),
        (r#"{"usage":true}"#, true),
        (r#"{"usage":12}"#, true),
        (r#"{"usage":{"prompt_tokens":"12"}}"#, true),
        (r#"{"usage":{"prompt_tokens":false}}"#, true),
        (r#"{"usage":{"prompt_tokens":{}}}"#, true),
        (
            r#"{"usage":{"prompt_tokens_details":{"cached_tokens":"1"}}}"#,
            true,
        ),
        (r#"{"choices":[{"usage":"12"}]}"#, false),
        (r#"{"usage":{"prompt_tokens":1.5}}"#, true),
        (r#"{"usage":{"prompt_tokens":-1.0}}"#, true),
        (r#"{"usage":{"prompt_tokens":1e400}}"#, true),
        (r#"{"usage":{"prompt_tokens":1e16}}"#, true),
    ] {
        assert_eq!(read_document(text).seen().usage_refused, refused, "{text}");
    }
}

#[test]
fn a_count_is_one_however_it_is_written() {
    for ten in ["10", "10.0", "1e1", "1.0E+1", "100e-1"] {
        let text = format!("{{\"usage\":{{\"prompt_tokens\":{ten}}}}}");
        let reader = read_document(&text);
        let seen = reader.seen();
        assert_eq!(seen.usage.and_then(|usage| usage.input), Some(10), "{ten}");
        assert!(!seen.usage_refused, "{ten}");
    }
}
