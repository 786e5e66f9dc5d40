use super::*;
use proptest::prelude::*;

fn read(endpoint: Endpoint, body: &str) -> Result<Facts, Mistake> {
    let mut reader = Reader::new(128);
    reader.feed(body.as_bytes())?;
    reader.finish(body.as_bytes(), endpoint)
}

fn chat(members: &str) -> Result<Facts, Mistake> {
    read(
        Endpoint::Chat,
        &format!(r#"{{"model":"m","messages":[]{members}}}"#),
    )
}

fn asking(body: &str) -> String {
    let facts = read(Endpoint::Chat, body).unwrap();
    let AskedUsage::No(edit) = facts.usage else {
        panic!("{body} asks already")
    };
    String::from_utf8(splice(&Bytes::copy_from_slice(body.as_bytes()), vec![edit]).concat())
        .unwrap()
}

#[test]
fn asking_for_usage_changes_nothing_else() {
    let cases = [
        (
            r#"{"model":"m","messages":[], "temperature":0.9 }"#,
            r#"{"model":"m","messages":[], "temperature":0.9 ,"stream_options":{"include_usage":true}}"#,
        ),
        (
            "{\"model\":\"m\",\"messages\":[],\"stream_options\":null}\n",
            "{\"model\":\"m\",\"messages\":[],\"stream_options\":{\"include_usage\":true}}\n",
        ),
        (
            r#"{"model":"m","messages":[],"stream_options":{ }}"#,
            r#"{"model":"m","messages":[],"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"m","stream_options":{"x":1},"messages":[]}"#,
            r#"{"model":"m","stream_options":{"include_usage":true,"x":1},"messages":[]}"#,
        ),
        (
            r#"{"model":"m","messages":[],"stream_options":{"x":1,"include_usage" : false}}"#,
            r#"{"model":"m","messages":[],"stream_options":{"x":1,"include_usage" : true}}"#,
        ),
    ];
    for (before, after) in cases {
        assert_eq!(asking(before), after);
        assert_eq!(read(Endpoint::Chat, after).unwrap().usage, AskedUsage::Yes);
    }
}

#[test]
fn options_of_no_known_shape_are_left_alone() {
    assert_eq!(
        chat(r#","stream_options":[1]"#).unwrap().usage,
        AskedUsage::Unclear
    );
    assert_eq!(
        chat(r#","stream_options":{"include_usage":"yes"}"#)
            .unwrap()
            .usage,
        AskedUsage::Unclear
    );
}

#[test]
fn only_members_of_the_request_itself_count() {
    let facts = chat(
        r#","tools":[{"model":"x","stream":true}],"metadata":{"model":"y","include_usage":true}"#,
    )
    .unwrap();
    assert_eq!((facts.model.as_str(), facts.stream), ("m", false));
    assert!(matches!(facts.usage, AskedUsage::No(_)));
}

#[test]
fn the_model_is_found_and_can_be_replaced_in_place() {
    let body = Bytes::from_static(br#"{"messages":[],"model" : "gpt-\u0035","seed":1e400}"#);
    let facts = read(Endpoint::Chat, std::str::from_utf8(&body).unwrap()).unwrap();
    assert_eq!(facts.model, "gpt-5");
    let edit = Edit {
        at: facts.model_at,
        with: Bytes::from_static(b"\"other\""),
    };
    assert_eq!(
        splice(&body, vec![edit]).concat(),
        br#"{"messages":[],"model" : "other","seed":1e400}"#
    );
}

#[test]
fn mistakes_name_the_member() {
    assert_eq!(
        read(Endpoint::Chat, r#"{"messages":[]}"#),
        Err(Mistake::Missing("model"))
    );
    assert_eq!(
        read(Endpoint::Chat, r#"{"model":"m"}"#),
        Err(Mistake::Missing("messages"))
    );
    assert_eq!(
        read(Endpoint::Chat, r#"{"model":5,"messages":[]}"#),
        Err(Mistake::Mistyped("model", "a string"))
    );
    assert_eq!(
        read(Endpoint::Chat, r#"{"model":"m","messages":{}}"#),
        Err(Mistake::Mistyped("messages", "an array"))
    );
    assert_eq!(
        read(Endpoint::Embeddings, r#"{"model":"m"}"#),
        Err(Mistake::Missing("input"))
    );
    assert_eq!(
        chat(r#","stream":"yes""#),
        Err(Mistake::Mistyped("stream", "a boolean"))
    );
    assert_eq!(read(Endpoint::Completions, "[]"), Err(Mistake::NotAnObject));
    assert!(matches!(
        read(Endpoint::Chat, ""),
        Err(Mistake::Syntax(Fault { at: 0, .. }))
    ));
}

#[test]
fn a_member_that_is_read_may_not_be_there_twice() {
    assert_eq!(chat(r#","model":"other""#), Err(Mistake::Twice("model")));
    assert_eq!(
        chat(r#","mod\u0065l":"other""#),
        Err(Mistake::Twice("model"))
    );
    assert_eq!(
        chat(r#","stream":true,"stream":false"#),
        Err(Mistake::Twice("stream"))
    );
    for name in [
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "best_of",
        "service_tier",
        "metadata",
        "background",
    ] {
        let twice = format!(",\"{name}\":null,\"{name}\":null");
        assert_eq!(chat(&twice), Err(Mistake::Twice(name)));
    }
    assert!(chat(r#","seed":1,"seed":2"#).is_ok());
}

#[test]
fn a_body_that_is_not_utf8_is_refused_at_its_byte() {
    let body = b"{\"model\":\"m\",\"messages\":[\"\xff\"]}";
    let mut reader = Reader::new(128);
    reader.feed(body).unwrap();
    assert_eq!(
        reader.finish(body, Endpoint::Chat),
        Err(Mistake::Encoding(26))
    );
}

proptest! {
    #[test]
    fn reading_in_pieces_changes_nothing(cut in 0usize..120, extra in r#"(,"[a-z]{1,6}":(true|null|"x"|\{\}|1\.5)){0,3}"#) {
        let body = format!(r#"{{"model":"m","messages":[{{"content":"héé"}}],"stream":true{extra}}}"#);
        let cut = cut.min(body.len());
        let mut reader = Reader::new(128);
        let (head, tail) = body.as_bytes().split_at(cut);
        let pieces = reader.feed(head).and_then(|()| reader.feed(tail)).and_then(|()| reader.finish(body.as_bytes(), Endpoint::Chat));
        prop_assert_eq!(pieces, read(Endpoint::Chat, &body));
    }
}

#[test]
fn metadata_is_found_as_it_was_written() {
    let found = |members: &str| {
        let body = format!(r#"{{"model":"m","messages":[]{members}}}"#);
        let facts = read(Endpoint::Chat, &body).unwrap();
        facts.metadata.map(|at| body[at].to_owned())
    };
    let written = r#"{ "a" : "}\"]" ,"b":{"c":[{}]} }"#;
    assert_eq!(
        found(&format!(r#","metadata": {written} ,"n":{{}}"#)).as_deref(),
        Some(written)
    );
    assert_eq!(found(r#","metadata":{}"#).as_deref(), Some("{}"));
    for other in [
        "",
        r#","metadata":null"#,
        r#","metadata":[{}]"#,
        r#","x":{"metadata":{}}"#,
    ] {
        assert_eq!(found(other), None, "{other}");
    }
}

#[test]
fn a_response_may_name_no_model_and_has_members_of_its_own() {
    let response = |body: &str| read(Endpoint::Responses, body);
    let facts = response(r#"{"model":"m","input":[],"max_output_tokens":9,"max_tokens":99,"n":7}"#);
    let facts = facts.unwrap();
    assert_eq!(
        (facts.model.as_str(), facts.output_max, facts.choices),
        ("m", Some(9), 1)
    );
    assert_eq!(facts.usage, AskedUsage::Unclear, "it is told unasked");
    assert!(!facts.stream && !facts.background);
    for nameless in ["{}", r#"{"model":null,"stream":true}"#] {
        let facts = response(nameless).unwrap();
        assert_eq!((facts.model.as_str(), facts.model_at), ("", 0..0));
    }
    let wrong = Err(Mistake::Mistyped("model", "a string"));
    assert_eq!(response(r#"{"model":7}"#), wrong);
    let wrong = Err(Mistake::Mistyped("model", "the name of a model"));
    assert_eq!(response(r#"{"model":""}"#), wrong);
    let max = chat(r#","max_output_tokens":9"#).unwrap().output_max;
    assert_eq!(max, None, "a chat has no such member");
}

#[test]
fn what_may_be_meant_as_background_is_taken_for_it() {
    let background = |endpoint, value: &str| {
        let body = format!(r#"{{"model":"m","messages":[],"background":{value}}}"#);
        read(endpoint, &body).unwrap().background
    };
    for yes in ["true", "1", r#""true""#, "{}"] {
        assert!(background(Endpoint::Responses, yes), "{yes}");
        assert!(!background(Endpoint::Chat, yes), "{yes}");
    }
    for no in ["false", "null"] {
        assert!(!background(Endpoint::Responses, no), "{no}");
    }
}

#[test]
fn metadata_has_bounds() {
    let many = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|n| format!("\"{n}\":\"x\"")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    assert!(is_metadata("{}") && is_metadata(&many(16)) && !is_metadata(&many(17)));
    let pair =
        |name: usize, text: usize| format!("{{\"{}\":\"{}\"}}", "ß".repeat(name), "ß".repeat(text));
    assert!(is_metadata(&pair(64, 512)));
    assert!(!is_metadata(&pair(65, 1)) && !is_metadata(&pair(1, 513)));
    assert!(!is_metadata(r#"{"a":1}"#));
}

#[test]
fn what_bounds_an_answer_is_found() {
    let found = |more: &str| {
        let body = format!(r#"{{"model":"m","messages":[]{more}}}"#);
        let mut reader = Reader::new(128);
        reader.feed(body.as_bytes()).unwrap();
        let facts = reader.finish(body.as_bytes(), Endpoint::Chat).unwrap();
        (facts.output_max, facts.tier)
    };
    let standard = Tier::Standard;
    assert_eq!(found(""), (None, standard));
    assert_eq!(found(r#","max_tokens":7,"n":3"#), (Some(21), standard));
    // An upstream may know one of the two only, and which one nobody can tell.
    for both in [
        r#","max_tokens":7,"max_completion_tokens":9"#,
        r#","max_completion_tokens":7,"max_tokens":9"#,
        r#","max_completion_tokens":9,"max_tokens":null"#,
    ] {
        assert_eq!(found(both), (Some(9), standard), "{both}");
    }
    assert_eq!(
        found(r#","max_tokens":null,"n":0,"service_tier":"priority""#),
        (None, Tier::Priority)
    );
    assert_eq!(
        found(r#","max_tokens":"7","service_tier":{"x":["flex"]},"n":1e3"#),
        (None, standard)
    );
    // Whatever it is, the upstream shall say so.
    assert_eq!(
        found(r#","max_tokens":18446744073709551615,"n":18446744073709551615"#),
        (Some(u64::MAX), standard)
    );
}
