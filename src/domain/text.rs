//! Texts that people are shown.

/// Whether a character stands where it is written: no control character, none that turns what follows round, and none
/// that nobody sees. A name with one of those passes for another.
pub fn is_visible(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !is_format && !character.is_control()
}

/// A text for a terminal: it may be a client's, and an instruction. Each character that is not visible is a `?`.
pub fn printable(text: &str) -> String {
    let shown = |character| {
        if is_visible(character) {
            character
        } else {
            '?'
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_a_name_is_not_visible() {
        assert!("Zoë 日本 العربية e\u{301} 🙂".chars().all(is_visible));
        for hidden in ["\u{202e}", "\u{200b}", "\u{2066}", "\n", "\0", "\u{feff}"] {
            assert!(!hidden.chars().any(is_visible), "{hidden:?}");
        }
        assert_eq!(printable("gpt\u{1b}[31m\n\u{202e}日"), "gpt?[31m??日");
    }
}
