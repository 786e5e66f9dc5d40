//! Whether a request is about sound, told from its bytes at once.

use memchr::memmem;

/// Whether a body shows sound to a model or asks for it. It may be said of one that does not, never the other way.
pub fn may_be_about_sound(body: &[u8]) -> bool {
    // As a member's name, a modality or the type of a part; inside a text each quote has a backslash before it. First
    // the one behind which there are megabytes of data.
    const WORDS: [&[u8]; 2] = [b"\"input_audio\"", b"\"audio\""];
    // Who writes one of these letters as an escape, which nobody needs to, may have written such a word.
    const ESCAPES: [&[u8]; 3] = [b"\\u005", b"\\u006", b"\\u007"];
    let mut signs = WORDS.into_iter().chain(ESCAPES);
    signs.any(|sign| memmem::find(body, sign).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_found_however_it_is_written() {
        for body in [
            r#"{"modalities":["text","audio"]}"#,
            r#"{"audio" : {"voice":"ash","format":"wav"}}"#,
            r#"{"messages":[{"content":[{"type":"input_audio"}]}]}"#,
            r#"{"modalities":["\u0061udio"]}"#,
            r#"{"input\u005Faudio":{}}"#,
        ] {
            assert!(may_be_about_sound(body.as_bytes()), "{body}");
        }
        for body in [
            r#"{"modalities":["text"]}"#,
            r#"{"messages":[{"content":"the word \"audio\", in Zürich or Z\u00fcrich\u001b\u003c"}]}"#,
        ] {
            assert!(!may_be_about_sound(body.as_bytes()), "{body}");
        }
    }
}
