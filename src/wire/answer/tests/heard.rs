//! The texts of an answer, as they are heard.

use super::read_events;
use crate::wire::answer::EventReader;
use std::collections::BTreeMap;

pub(super) fn texts(pieces: &[&[u8]]) -> BTreeMap<String, String> {
    let mut reader = EventReader::default();
    reader.listen();
    let mut texts = BTreeMap::<_, String>::new();
    for piece in pieces {
        let mut hear = |choice, part, text: &str| {
            let name = format!("{choice} {part:?}");
            texts.entry(name).or_default().push_str(text);
        };
        reader.feed(piece, &mut hear, |_, _| {});
    }
    texts
}

/// Checks that these bytes are read as this, wherever they are cut in two.
pub(super) fn wherever_it_is_cut(
    bytes: &[u8],
    read: impl Fn(&[&[u8]]) -> BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) {
    for cut in 0..bytes.len() {
        let pieces = [&bytes[..cut], &bytes[cut..]];
        assert_eq!(&read(&pieces), expected, "cut at {cut}");
    }
}

#[test]
fn texts_are_heard_without_escapes_wherever_they_are_cut() {
    let stream = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"a\n\u00e9\ud834\udd1e\"é𝄞"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"\ud834x\ud834\ud834\udd1e\udd1e\ud834"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"delta":{"content":"late"},"index":1},{"index":2,"text":"old"}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"reasoning":"r","reasoning_content":"r","refusal":"no"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\""},"index":5}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"},"index":5}]},"index":0}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"message":{"tool_calls":[{"custom":{"name":"g","input":"in"}},{"custom":{"name":"h"}}]}}]}"#,
        "\n\n",
        r#"data: {"content":"not a choice's","choices":[{"index":0,"delta":{"name":"nor this","content":null}}]}"#,
        "\n\n",
    );
    let expected = [
        // The half at its end waits for the other.
        ("0 Content", "a\né𝄞\"é𝄞\u{fffd}x\u{fffd}𝄞\u{fffd}"),
        ("0 Reasoning", "r"),
        ("0 Refusal", "no"),
        ("0 ToolArguments(0)", "in"),
        ("0 ToolArguments(5)", "{\"a\":1}"),
        ("0 ToolName(0)", "g"),
        ("0 ToolName(1)", "h"),
        ("0 ToolName(5)", "f"),
        ("1 Content", "late"),
        ("2 Content", "old"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let expected = BTreeMap::from(expected);
    let stream = stream.as_bytes();
    assert_eq!(texts(&[stream]), expected);
    wherever_it_is_cut(stream, texts, &expected);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(texts(&bytes), expected);
}

#[test]
fn a_character_that_is_cut_in_two_by_its_server_is_heard_as_one() {
    let event = |index: u32, text: &str| {
        format!(r#"data: {{"choices":[{{"index":{index},"delta":{{"content":"{text}"}}}}]}}"#)
            + "\n\n"
    };
    let stream = [
        event(0, r"a\ud83d"),
        event(1, r"\ud834"),
        event(0, r"\ude42b\ud83d"),
        event(1, r"\udd1e"),
        event(0, "c"),
        event(1, r"\udd1e"),
    ]
    .concat();
    let heard = texts(&[stream.as_bytes()]);
    assert_eq!(heard["0 Content"], "a🙂b\u{fffd}c");
    assert_eq!(heard["1 Content"], "𝄞\u{fffd}");
    let of_response = concat!(
        r#"data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\ud83d"}"#,
        "\n\n",
        r#"data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\ude42"}"#,
        "\n\n",
    );
    let heard = texts(&[of_response.as_bytes()]);
    assert_eq!(heard.into_values().collect::<Vec<_>>(), ["🙂"]);
}

#[test]
fn bytes_that_are_no_text_are_heard_as_such() {
    let stream =
        b"data: {\"choices\":[{\"index\":0,\"text\":\"a\xe2\x82b\xff\xe2\x82\\n\xf0\x9d\"}]}\n\n";
    let expected = texts(&[stream]);
    assert_eq!(
        expected["0 Content"],
        "a\u{fffd}b\u{fffd}\u{fffd}\n\u{fffd}"
    );
    wherever_it_is_cut(stream, texts, &expected);
}

#[test]
fn content_in_parts_and_sound_have_texts() {
    let stream = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"},{"text":"b","type":"text"}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"c"}]}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":"d"},{"type":"image_url","image_url":{"url":"x"}}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"audio":{"id":"i","transcript":"e","data":"AAAA","expires_at":1}}}]}"#,
        "\n\n",
    );
    let heard = texts(&[stream.as_bytes()]);
    let expected = [
        ("0 Content", "ab"),
        ("0 Reasoning", "cd"),
        ("0 Sound", "AAAA"),
        ("0 Transcript", "e"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(heard, BTreeMap::from(expected));
    let (events, reader) = read_events(stream);
    assert!(events.iter().all(|event| event.content) && reader.seen().content);
}
