use super::*;
use crate::domain::Endpoint;
use crate::wire::answer::Part;
use bytes::Bytes;
use proptest::prelude::*;
use std::{
    sync::mpsc,
    time::{Duration, SystemTime},
};

const BOTH: [Encoding; 2] = [Encoding::Cl100k, Encoding::O200k];

fn gpt4() -> Model {
    Model::named("gpt-4")
}

fn gpt4o() -> Model {
    Model::named("gpt-4o")
}

fn prompt_of(model: Model, endpoint: Endpoint, body: &str) -> Count {
    prompt::count(&model, endpoint, body.as_bytes())
}

fn chat(model: Model, members: &str) -> Count {
    prompt_of(model, Endpoint::Chat, &format!("{{{members}}}"))
}

/// Lengths that OpenAI's own tiktoken 0.14 gives: cl100k_base, o200k_base.
#[test]
fn texts_have_the_lengths_that_tiktoken_gives_them() {
    for (text, cl100k, o200k) in [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
        ("DON'T don't", 4, 3),
        ("it'ſ", 4, 3),
        ("  \n  ", 2, 2),
        ("x \n \n  y", 4, 4),
        (" \u{85} \u{2028}x", 6, 5),
    ] {
        assert_eq!(Encoding::Cl100k.count(text), cl100k, "{text:?}");
        assert_eq!(Encoding::O200k.count(text), o200k, "{text:?}");
    }
    assert!(BOTH.iter().all(|encoding| encoding.is_loaded()));
}

#[test]
fn special_tokens_in_a_text_are_text() {
    assert!(BOTH.iter().all(|e| e.count("<|endoftext|>") > 1));
}

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

const WEATHER: &str = r#""messages":[
    {"role":"system","content":"You are a helpful assistant that can answer to questions about the weather."},
    {"role":"user","content":"What's the weather like in San Francisco?"}],
    "tools":[{"type":"function","function":{"name":"get_current_weather",
        "description":"Get the current weather in a given location",
        "parameters":{"type":"object","properties":{
            "location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},
            "unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}},
        "required":["location"]}}}]"#;

#[test]
fn the_cookbooks_tools_are_counted_as_the_cookbook_counts_them() {
    assert_eq!(chat(gpt4(), WEATHER), Count::exact(105));
    assert_eq!(chat(gpt4o(), WEATHER), Count::exact(101));
}

#[test]
fn tools_beyond_the_cookbook_are_estimates() {
    let later = chat(Model::named("gpt-5"), WEATHER);
    assert_eq!(later, Count::estimated(101, Why::Undocumented));
    let nested = r#""messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{
        "a":{"type":"object","properties":{"b":{"type":"array","items":{"type":"string"}}}}}}}}]"#;
    assert_eq!(chat(gpt4o(), nested).estimated, Some(Why::Undocumented));
    let own = r#""messages":[],"tools":[{"type":"web_search"}]"#;
    assert_eq!(chat(gpt4o(), own).estimated, Some(Why::Undocumented));
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
fn estimates_are_of_the_right_order() {
    for (text, within) in [
        (include_str!("mod.rs"), 30),
        (include_str!("../../README.md"), 30),
        ("今天天气很好，我们去公园散步。人工智能正在改变世界。", 40),
        ("Сегодня хорошая погода, мы идём гулять в парк.", 50),
        ("오늘은 날씨가 좋아서 공원에 갑니다.", 50),
    ] {
        let (guess, exact) = (estimate(text), Encoding::O200k.count(text));
        let off = 100 * guess.abs_diff(exact) / exact;
        assert!(off <= within, "{guess} for {exact}: {text}");
    }
    assert_eq!(estimate(""), 0);
}

/// What makes naive encoders and backtracking patterns slow, a MiB of each.
fn hostile() -> Vec<String> {
    let mib = |text: &str| text.repeat((1 << 20) / text.len());
    let mut seed = 1_u32;
    let mut letter = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (seed >> 24) as u8 % 26)
    };
    let letters: String = (0..1 << 20).map(|_| letter()).collect();
    let texts = [
        "a",
        " ",
        "\n",
        " \n",
        "\t ",
        "!",
        "'",
        "'r",
        "1",
        "A中B",
        "Ä",
        "\u{301}",
        "中",
        "👩‍👩‍👧",
        "\u{85}\u{a0}",
        "\0",
    ];
    let mut all: Vec<String> = texts.iter().map(|text| mib(text)).collect();
    all.push(mib(" ") + "x");
    all.push(letters);
    all
}

/// Generous even for a build that is not optimised: what is quadratic takes hours.
const PATIENCE: Duration = Duration::from_secs(20);

#[track_caller]
fn soon<T>(text: &str, work: impl FnOnce() -> T) -> T {
    let since = SystemTime::now();
    let done = work();
    let took = since.elapsed().unwrap_or_default();
    let start: String = text.chars().take(8).collect();
    assert!(took < PATIENCE, "{start:?}… took {took:?}");
    done
}

/// The first `bytes` of a text, more where that would be within a character, and the rest.
fn cut(text: &str, bytes: usize) -> (&str, &str) {
    let at = (bytes..text.len()).find(|at| text.is_char_boundary(*at));
    text.split_at(at.unwrap_or(text.len()))
}

#[test]
fn hostile_texts_are_counted_in_time_whole_and_in_pieces() {
    for text in hostile() {
        let whole = soon(&text, || Encoding::O200k.count(&text));
        let running = soon(&text, || {
            let mut running = Running::new(Encoding::O200k);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (piece, after) = cut(rest, 7);
                running.push(piece);
                rest = after;
            }
            running.count()
        });
        assert_eq!(running, Count::exact(whole));
    }
}

#[test]
fn a_word_longer_than_is_held_is_counted_in_parts_and_says_so() {
    let mut running = Running::new(Encoding::O200k);
    let piece = "a".repeat(100_000);
    for _ in 0..30 {
        running.push(&piece);
    }
    let count = running.count();
    let exact = Encoding::O200k.count(&piece.repeat(30));
    assert_eq!(count.estimated, Some(Why::TooLong));
    assert!(count.tokens.abs_diff(exact) < 10, "{count:?} for {exact}");
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

/// Pieces of text that patterns treat in ways of their own.
fn fragment() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{3000}",
        "/",
        "'",
        "'s",
        "'r",
        "e",
        "'LL",
        "’",
        "ſ",
        "A",
        "BC",
        "Word",
        "word",
        " word",
        " The",
        "ly",
        "t",
        "中",
        "ก",
        "\u{301}",
        "ǅ",
        "ʰ",
        "é",
        "1",
        "234",
        "²",
        ".",
        ",",
        "!!",
        "--",
        "{\"",
        "👩‍👩‍👧",
        "\u{200d}",
        "\u{85}",
    ]);
    prop_oneof![4 => tricky.prop_map(str::to_owned), 1 => "\\PC{1,12}"]
}

fn in_pieces(encoding: Encoding, text: &str, cuts: &[usize]) -> Count {
    let mut running = Running::new(encoding);
    let mut rest = text;
    for at in cuts.iter().cycle() {
        let (piece, after) = cut(rest, *at);
        running.push(piece);
        // Asking in between must change nothing.
        if at % 2 == 0 {
            running.count();
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    running.count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pieces_count_as_the_whole(
        fragments in prop::collection::vec(fragment(), 1..150),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let text = fragments.concat();
        for encoding in BOTH {
            let whole = Count::exact(encoding.count(&text));
            prop_assert_eq!(in_pieces(encoding, &text, &cuts), whole);
            // As models write: a piece is a word or a part of one, and each is counted.
            let mut running = Running::new(encoding);
            let mut so_far = String::new();
            for fragment in &fragments {
                running.push(fragment);
                so_far.push_str(fragment);
                prop_assert_eq!(running.count(), Count::exact(encoding.count(&so_far)));
            }
        }
    }
}

/// Runs `start` with a callback, and waits for what that is given.
fn wait<T: Send + 'static>(start: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
    let (sender, receiver) = mpsc::channel();
    start(Box::new(move |value| drop(sender.send(value))));
    receiver.recv_timeout(PATIENCE).expect("an answer")
}

#[test]
fn an_answers_texts_are_counted_each_as_one() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&gpt4o());
    for piece in ["hel", "lo ", "wor", "ld"] {
        answer.push(0, Part::Content, piece);
        answer.push(1, Part::Content, piece);
        answer.push(0, Part::Reasoning, piece);
        answer.push(0, Part::Refusal, piece);
        answer.push(0, Part::ToolName(0), piece);
        answer.push(0, Part::ToolArguments(0), piece);
        answer.push(0, Part::ToolArguments(1), piece);
    }
    assert!(answer.so_far().estimated.is_some());
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::exact(14));
    assert_eq!(answered.reasoning, Count::exact(2));
}

#[test]
fn a_long_answer_is_counted_on_its_way_to_the_same_figure() {
    let counter = Counter::start().unwrap();
    let text = include_str!("../../docs/decisions.md").repeat(20);
    let (mut answer, mut rest) = (counter.answer(&gpt4()), text.as_str());
    while !rest.is_empty() {
        let (piece, after) = cut(rest, 11);
        answer.push(0, Part::Content, piece);
        answer.push(0, Part::Reasoning, piece);
        rest = after;
    }
    let answered = wait(|done| answer.finish(done));
    let once = Encoding::Cl100k.count(&text);
    assert_eq!(answered.output, Count::exact(2 * once));
    assert_eq!(answered.reasoning, Count::exact(once));
}

#[test]
fn an_answer_of_an_unknown_model_is_estimated_at_once() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&Model::named("llama-4"));
    answer.push(0, Part::Content, "hello world");
    let so_far = answer.so_far().tokens;
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::estimated(so_far, Why::UnknownModel));
}

#[test]
fn an_answer_that_comes_in_one_long_piece_is_exact() {
    let counter = Counter::start().unwrap();
    counter.prepare(&gpt4o());
    let mut answer = counter.answer(&gpt4o());
    answer.push(0, Part::Content, &"hello world ".repeat(200_000));
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output, Count::exact(400_001));
}

#[test]
fn an_answer_of_countless_texts_is_bounded() {
    let counter = Counter::start().unwrap();
    let mut answer = counter.answer(&gpt4o());
    for index in 0..10_000 {
        answer.push(0, Part::ToolArguments(index), "hello world");
    }
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output.estimated, Some(Why::TooLong));
    assert!(answered.output.tokens >= 10_000);
}

#[test]
fn a_prompt_is_counted_on_another_thread() {
    let counter = Counter::start().unwrap();
    let body = Bytes::from_static(br#"{"messages":[{"role":"user","content":"hello world"}]}"#);
    let (count, thread) = wait(|done| {
        counter.prompt(gpt4o(), Endpoint::Chat, body, |count| {
            done((count, std::thread::current().name().map(str::to_owned)));
        });
    });
    assert_eq!(count, Count::exact(9));
    assert_eq!(thread.as_deref(), Some("weir-count"));
}

#[test]
fn a_long_prompt_is_not_before_a_short_one() {
    let counter = Counter::start().unwrap();
    let (sender, order) = mpsc::channel();
    let long = format!(r#"{{"prompt":"{}"}}"#, "word ".repeat(400_000));
    for (name, body) in [("long", long), ("short", r#"{"prompt":"word"}"#.into())] {
        let sender = sender.clone();
        counter.prompt(gpt4(), Endpoint::Completions, body.into(), move |_| {
            let _ = sender.send(name);
        });
    }
    assert_eq!(order.recv_timeout(PATIENCE), Ok("short"));
    assert_eq!(order.recv_timeout(PATIENCE), Ok("long"));
}

#[test]
fn what_finds_no_room_is_estimated_and_says_so() {
    let counter = Counter::start().unwrap();
    let full = counter.reserve(counter::Lane::Long, 64 << 20).unwrap();
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let count = wait(|done| counter.prompt(gpt4o(), Endpoint::Chat, body.clone(), done));
    assert_eq!(count, Count::estimated(2 << 20, Why::Overloaded));
    let mut answer = counter.answer(&gpt4o());
    let piece = "hello world ".repeat(10_000);
    for _ in 0..100 {
        answer.push(0, Part::Content, &piece);
    }
    drop(full);
    let answered = wait(|done| answer.finish(done));
    assert_eq!(answered.output.estimated, Some(Why::Overloaded));
    assert!(answered.output.tokens > 1_500_000);
    let count = wait(|done| counter.prompt(gpt4o(), Endpoint::Chat, body, done));
    assert_eq!(count.estimated, Some(Why::Unreadable));
}

#[test]
fn what_was_sent_is_counted_before_the_counter_is_gone() {
    let counter = Counter::start().unwrap();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..100 {
        let sender = sender.clone();
        let body = Bytes::from_static(br#"{"prompt":"hello world"}"#);
        counter.prompt(gpt4(), Endpoint::Completions, body, move |count| {
            let _ = sender.send(count);
        });
    }
    drop(counter);
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [Count::exact(2); 100]
    );
}

#[test]
fn a_piece_of_a_stream_is_a_token_unless_it_is_a_paragraph() {
    assert_eq!(estimate_stream(0, 3), 3);
    assert_eq!(estimate_stream(29, 3), 3);
    assert_eq!(estimate_stream(31, 3), 31);
    assert_eq!(estimate_stream(7, 0), 7);
}
