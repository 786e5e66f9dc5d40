//! Texts for benchmarks of streams.

/// What models write, in pieces of a token or two as they come.
pub(crate) const TEXTS: [(&str, &[&str]); 4] = [
    (
        "prose",
        &[
            "The",
            " answer",
            " to",
            " your",
            " question",
            " depends",
            " on",
            " how",
            " you",
            " count",
            ",",
            " and",
            " isn",
            "'t",
            ".",
            "\n\n",
            "1",
            ".",
            " First",
        ],
    ),
    (
        "code",
        &[
            "fn", " take", "_in", "(&", "mut", " self", ",", " data", ":", " Bytes", ")",
            " {\n   ", " self", ".rest", " =", " Bytes", "::", "new", "();\n",
        ],
    ),
    (
        "figures",
        &[" 1763", "804", " 19", ".", "95", "%", ",", " -", "12", "\n"],
    ),
    (
        "Chinese",
        &[
            "答案", "取决", "于", "你", "怎么", "数", "，", "也", "看", "数", "什么", "。",
        ],
    ),
];

/// An event with this piece of an answer, of a stream with this id.
pub(crate) fn event(id: &str, piece: &str) -> String {
    let text = piece.replace('\n', "\\n");
    format!(
        "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":1795260325,\
         \"model\":\"gpt-4o-2024-08-06\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\
         \"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    )
}
