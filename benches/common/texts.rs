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
