//! Any bytes of any server, cut anywhere: an answer reads the same, and what is content is what its framing says.

#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use weir::upstream::http1::{
    body::Framing,
    head::{Head, HeadReader, HEAD_MAX_BYTES},
};

fuzz_target!(|input: &[u8]| {
    let Some((choices, text, pieces)) = weir_fuzz::layout(input) else {
        return;
    };
    let method = match choices % 3 {
        0 => Method::POST,
        1 => Method::GET,
        _ => Method::HEAD,
    };
    let read = read(&pieces, &method);
    let at_once = self::read(&[text], &method);
    match (&read, &at_once) {
        // That a head is none may be seen later where it comes in pieces, and is never seen in one that is at its end.
        (Read::Nothing | Read::NoAnswer, Read::Nothing | Read::NoAnswer) => {}
        _ => assert_eq!(read, at_once, "reading depends on the cuts"),
    }
    if let Read::Answer { head, body_at, content, end } = read {
        assert!(body_at <= text.len() && !head.status.is_informational());
        let expected = slowly(&head.framing, &text[body_at..]);
        assert_eq!((content, end), expected, "the content is not what the framing says");
    }
});

#[derive(Debug, PartialEq)]
enum Read {
    /// No head yet.
    Nothing,
    /// No head that could be one.
    NoAnswer,
    Answer {
        head: Head,
        body_at: usize,
        content: Vec<u8>,
        end: End,
    },
}

#[derive(Debug, PartialEq)]
enum End {
    /// Bytes behind the body.
    Over(usize),
    Open,
    Broken,
}

fn read(pieces: &[&[u8]], method: &Method) -> Read {
    let mut reader = HeadReader::new(method.clone());
    let (mut pieces, mut body_at) = (pieces.iter(), 0);
    let (head, mut rest) = loop {
        let Some(piece) = pieces.next() else {
            return Read::Nothing;
        };
        match reader.read(piece) {
            Ok(None) => body_at += piece.len(),
            Ok(Some((head, used))) => {
                body_at += used;
                break (head, piece[used..].to_vec());
            }
            Err(_) => return Read::NoAnswer,
        }
    };
    let lines = head.headers.iter();
    let size: usize = lines.map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(size <= HEAD_MAX_BYTES, "a head has no bound");
    let (mut framing, mut content, mut behind) = (head.framing.clone(), Vec::new(), 0);
    let end = loop {
        let found = framing.read(&mut rest);
        assert!(found.content <= found.used && found.used <= rest.len());
        content.extend_from_slice(&rest[..found.content]);
        behind += rest.len() - found.used;
        if found.fault.is_some() {
            break End::Broken;
        }
        match pieces.next() {
            Some(piece) => rest = piece.to_vec(),
            None if framing.is_over() => break End::Over(behind),
            None => break End::Open,
        }
    };
    Read::Answer {
        head,
        body_at,
        content,
        end,
    }
}

/// The content of a body and how it ends, read the slow way.
fn slowly(framing: &Framing, body: &[u8]) -> (Vec<u8>, End) {
    match framing {
        Framing::UntilClose => (body.to_vec(), End::Open),
        Framing::Length(len) => match usize::try_from(*len) {
            Ok(len) if len <= body.len() => (body[..len].to_vec(), End::Over(body.len() - len)),
            _ => (body.to_vec(), End::Open),
        },
        Framing::Chunked(_) => chunks(body),
    }
}

fn chunks(mut body: &[u8]) -> (Vec<u8>, End) {
    let mut content = Vec::new();
    let mut aside = 0;
    loop {
        let end = line_end(body);
        let line = &body[..end.unwrap_or(body.len())];
        let (size, extension) = match line.iter().position(|byte| *byte == b';') {
            Some(at) => (&line[..at], line.len() - at - 1),
            None => (line, 0),
        };
        let blanks = size.len() - size.trim_ascii_end().len();
        let has_other_blanks = size.iter().any(|byte| byte.is_ascii_whitespace() && !b" \t".contains(byte));
        aside += blanks + extension;
        let digits = &size[..size.len() - blanks];
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).unwrap_or("x");
        let is_begun = digits.is_empty() && blanks == 0 && end.is_none() && extension == 0 && size.len() == line.len();
        let number = u64::from_str_radix(text.trim_start_matches('0'), 16);
        let number = match text.trim_start_matches('0') {
            "" if !text.is_empty() => Ok(0),
            _ => number,
        };
        if !is_begun && (!is_hex || number.is_err()) || has_other_blanks || line.contains(&b'\n') || aside > 16 << 10 {
            return (content, End::Broken);
        }
        let Some(end) = end else {
            return (content, End::Open);
        };
        // What ends the line may itself still be on its way, or be no end at all.
        let Some(rest) = after_line(&body[end..]) else {
            return (content, broken_or_open(&body[end..]));
        };
        let size = number.unwrap_or(0);
        if size == 0 {
            return trailers(rest, content, aside);
        }
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        content.extend_from_slice(&rest[..len]);
        if (len as u64) < size {
            return (content, End::Open);
        }
        match after_line(&rest[len..]) {
            Some(next) => body = next,
            None => return (content, broken_or_open(&rest[len..])),
        }
    }
}

fn trailers(mut body: &[u8], content: Vec<u8>, mut aside: usize) -> (Vec<u8>, End) {
    loop {
        let end = line_end(body);
        let line = &body[..end.unwrap_or(body.len())];
        aside += line.len();
        if line.contains(&b'\n') || aside > 16 << 10 {
            return (content, End::Broken);
        }
        let Some(end) = end else {
            return (content, End::Open);
        };
        let Some(rest) = after_line(&body[end..]) else {
            return (content, broken_or_open(&body[end..]));
        };
        if line.is_empty() {
            return (content, End::Over(rest.len()));
        }
        body = rest;
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\r')
}

/// What is behind the end of a line.
fn after_line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"\r\n")
}

/// What bytes are that ought to begin with the end of a line and do not.
fn broken_or_open(bytes: &[u8]) -> End {
    match b"\r\n".starts_with(bytes) {
        true => End::Open,
        false => End::Broken,
    }
}
