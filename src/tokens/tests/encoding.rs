//! Texts have the lengths that OpenAI gives them.

use super::*;

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
