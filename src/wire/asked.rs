//! Reads what a request asks for while its body passes. Holds no more of it than a few short texts.

mod body;
mod form;

use crate::domain::{Asked, Endpoint};
use body::Body;
use form::Form;

/// Reads a body that nobody holds. What is not as its type says it leaves unread.
#[derive(Debug)]
pub struct AskedReader(Kind);

#[derive(Debug)]
enum Kind {
    Json(Body),
    Form(Form),
}

/// The longest boundary between the parts of a form, as MIME has it.
const BOUNDARY_MAX_BYTES: usize = 70;

impl AskedReader {
    /// A reader for what is asked of an endpoint in a body of this `content-type`; none if such a body is not read.
    pub fn of(endpoint: Endpoint, content_type: &str) -> Option<Self> {
        let mut words = content_type.split(';').map(str::trim);
        let media = words.next().unwrap_or_default();
        if matches!(endpoint, Endpoint::Forward | Endpoint::Stored) {
            None
        } else if media.eq_ignore_ascii_case("application/json") {
            Some(Self(Kind::Json(Body::new(endpoint))))
        } else if media.eq_ignore_ascii_case("multipart/form-data") {
            let boundary = words.find_map(|word| word.strip_prefix("boundary="))?;
            let boundary = boundary.trim_matches('"');
            let is_sane = (1..=BOUNDARY_MAX_BYTES).contains(&boundary.len());
            is_sane.then(|| Self(Kind::Form(Form::new(boundary))))
        } else {
            None
        }
    }

    /// Reads the next piece; true if something has become known with it.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        match &mut self.0 {
            Kind::Json(body) => body.feed(piece),
            Kind::Form(form) => form.feed(piece),
        }
    }

    /// What is known by now.
    pub fn asked(&self) -> &Asked {
        match &self.0 {
            Kind::Json(body) => body.asked(),
            Kind::Form(form) => form.asked(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json; charset=utf-8";

    fn read(endpoint: Endpoint, pieces: &[&[u8]]) -> Asked {
        read_as(endpoint, JSON, pieces)
    }

    fn read_as(endpoint: Endpoint, kind: &str, pieces: &[&[u8]]) -> Asked {
        let mut reader = AskedReader::of(endpoint, kind).unwrap();
        let mut known = Asked::default();
        for piece in pieces {
            if reader.feed(piece) {
                known = reader.asked().clone();
            }
        }
        assert_eq!(&known, reader.asked(), "every change is told");
        known
    }

    fn asked(model: Option<&str>, size: Option<&str>, characters: Option<u64>) -> Asked {
        Asked {
            model: model.map(Into::into),
            image_size: size.map(Into::into),
            characters,
        }
    }

    #[test]
    fn what_is_asked_is_found_however_the_body_is_cut() {
        let body = r#" {"x":{"model":"no","input":"no"}, "input" : "a\"ß\u00e9\ud83d\ude00\n😀", "size":"1024x1024","mod\u0065l":"tts-1","n":[1]}"#;
        let expected = asked(Some("tts-1"), Some("1024x1024"), Some(7));
        for cut in 0..=body.len() {
            let (one, two) = body.as_bytes().split_at(cut);
            assert_eq!(
                read(Endpoint::Speech, &[one, two]),
                expected,
                "cut at {cut}"
            );
        }
        let bytes: Vec<_> = body.as_bytes().chunks(1).collect();
        assert_eq!(read(Endpoint::Speech, &bytes), expected);
    }

    #[test]
    fn text_that_is_not_spoken_is_not_counted() {
        let body = br#"{"input":"hello","model":"gpt-5"}"#;
        let expected = asked(Some("gpt-5"), None, None);
        assert_eq!(read(Endpoint::Responses, &[body]), expected);
    }

    #[test]
    fn what_is_no_such_json_is_left_unread() {
        for body in [
            r#"["model","m"]"#,
            r#"{"model":7,"size":null,"input":["a"]}"#,
            "--boundary\r\n",
            "",
            r#"{"input":"never ends"#,
        ] {
            let found = read(Endpoint::Speech, &[body.as_bytes()]);
            assert_eq!(found, Asked::default(), "{body}");
        }
    }

    #[test]
    fn the_fields_of_a_form_are_found_however_it_is_cut() {
        let kind = "multipart/form-data; boundary=\"x-y\"";
        let file = format!("RIFF\r\n--x-z{}\r\n--x", "\0".repeat(600));
        let body = format!(
            "--x-y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\
             Content-Type: audio/wav\r\n\r\n{file}\r\n--x-y\r\ncontent-disposition:form-data;name=size\r\n\r\n\
             256x256\r\n--x-y\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x-y--\r\n\
             \r\n--x-y\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nlate\r\n--x-y"
        );
        let expected = asked(Some("whisper-1"), Some("256x256"), None);
        for cut in 0..=body.len() {
            let (one, two) = body.as_bytes().split_at(cut);
            let found = read_as(Endpoint::Transcriptions, kind, &[one, two]);
            assert_eq!(found, expected, "cut at {cut}");
        }
        let bytes: Vec<_> = body.as_bytes().chunks(1).collect();
        assert_eq!(read_as(Endpoint::Transcriptions, kind, &bytes), expected);
    }

    #[test]
    fn a_form_holds_no_more_than_it_may() {
        let kind = "multipart/form-data; boundary=x";
        let head = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n";
        let long = format!("{head}{}", "m".repeat(5000));
        assert_eq!(
            read_as(Endpoint::ImageEdits, kind, &[long.as_bytes()]),
            Asked::default()
        );
        let endless = format!("--x\r\n{}", "h".repeat(5000));
        assert_eq!(
            read_as(Endpoint::ImageEdits, kind, &[endless.as_bytes()]),
            Asked::default()
        );
        for kind in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "text/plain",
            "",
        ] {
            assert!(
                AskedReader::of(Endpoint::ImageEdits, kind).is_none(),
                "{kind}"
            );
        }
    }
}
