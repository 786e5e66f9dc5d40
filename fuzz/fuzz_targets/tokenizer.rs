//! Any file for a tokenizer, and any text: the file is refused or counts, within bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::tokenizer::Tokenizer;

/// A file may have each character replaced by several, a few times over.
const TEXT_BYTES_MAX: usize = 64;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().rposition(|byte| *byte == b'}') else {
        return;
    };
    let (file, text) = input.split_at(end + 1);
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    if let (Ok(tokenizer), Ok(text)) = (Tokenizer::read(file), std::str::from_utf8(text)) {
        let length = tokenizer.count(text);
        assert_eq!(length, tokenizer.count(text), "a text has one length");
        assert!(!length.in_parts, "a short text has no long run");
    }
});
