//! The heads of requests, written, and those of answers, read from bytes that are cut anywhere. Does no I/O.

use super::{Malformed, body::Framing};
use crate::upstream::request::{Base, Request};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use httparse::{ParserConfig, Response, Status};
use std::mem::MaybeUninit;

/// More than any honest server says before its answer.
pub const HEAD_MAX_BYTES: usize = 64 << 10;
/// As many as hyper takes.
pub const HEADERS_MAX: usize = 100;
/// Heads that only announce one, such as `103 Early Hints`.
pub const INTERIM_MAX: u8 = 16;
/// Headers that an answer is given on its way to the client: what has room from the start need not move for them.
const ADDED: usize = 14;

/// What a request says about the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// There is none.
    NoBody,
    /// So many bytes.
    Known(u64),
    /// Its chunks will tell.
    Chunked,
}

/// Writes the head of a request. The framing is `length`'s alone, whatever the headers say.
pub(super) fn write(request: &Request, base: &Base, length: Length) -> Vec<u8> {
    let [prefix, path] = base.target(&request.path);
    let start = [
        request.method.as_str(),
        " ",
        prefix,
        path,
        " HTTP/1.1\r\nhost: ",
    ];
    let framing = match length {
        Length::NoBody if may_go_without(&request.method) => String::new(),
        // Many front ends answer 411 to one that does not say so.
        Length::NoBody => "content-length: 0\r\n".to_owned(),
        Length::Known(bytes) => format!("content-length: {bytes}\r\n"),
        Length::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
    };
    let lines = || {
        let headers = request.headers.iter();
        headers.filter(|(name, _)| !matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING))
    };
    let line_len = |(name, value): &(HeaderName, HeaderValue)| name.as_str().len() + value.len();
    let lines_len: usize = lines().map(|line| line_len(line) + ": \r\n".len()).sum();
    let start_len: usize = start.iter().map(|part| part.len()).sum();
    let start_len = start_len + base.authority.len() + "\r\n".len();
    // To the byte, so that it becomes `Bytes` as it is.
    let mut head = Vec::with_capacity(start_len + lines_len + framing.len() + 2);
    for part in start {
        head.extend_from_slice(part.as_bytes());
    }
    head.extend_from_slice(base.authority.as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in lines() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(framing.as_bytes());
    head.extend_from_slice(b"\r\n");
    head
}

/// Whether nobody expects a body of such a request, so that nothing need be said of its length.
fn may_go_without(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::CONNECT
            | Method::DELETE
            | Method::OPTIONS
            | Method::TRACE
    )
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// How its body comes.
    pub framing: Framing,
    /// Whether the connection may be used again after it.
    pub keeps: bool,
}

/// Finds the head of an answer.
#[derive(Debug)]
pub struct HeadReader {
    method: Method,
    /// A head that has begun.
    held: Vec<u8>,
    /// What is held is looked at when it is so long, or when a line is empty; so a head that comes byte by byte is not
    /// read from its beginning for each of them.
    look_at: usize,
    interim: u8,
}

impl HeadReader {
    /// Reads the answer to a request of this method.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            held: Vec::new(),
            look_at: 0,
            interim: 0,
        }
    }

    /// Takes in the next piece. With the head comes how many bytes of the piece were its own.
    pub fn read(&mut self, piece: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
        if self.held.is_empty() {
            return self.find(piece, 0);
        }
        let before = self.held.len();
        self.held.extend_from_slice(piece);
        let seam = before.saturating_sub(2);
        if self.held.len() < self.look_at && !has_empty_line(&self.held[seam..]) {
            return Ok(None);
        }
        let held = std::mem::take(&mut self.held);
        self.find(&held, before)
    }

    /// Looks for a head in `bytes`, of which the first `before` are of earlier pieces; holds what is not complete.
    fn find(&mut self, bytes: &[u8], before: usize) -> Result<Option<(Head, usize)>, Malformed> {
        let mut start = 0;
        while let Some((head, len)) = parse(&bytes[start..])? {
            start += len;
            if let Some(head) = self.judge(head)? {
                return Ok(Some((head, start.saturating_sub(before))));
            }
        }
        let rest = &bytes[start..];
        if rest.len() > HEAD_MAX_BYTES {
            return Err(Malformed::TooLarge);
        }
        self.held = rest.to_vec();
        self.look_at = (rest.len() * 2).min(HEAD_MAX_BYTES + 1);
        Ok(None)
    }

    /// What a head means for the body and the connection; none if it only announces another.
    fn judge(&mut self, parsed: Parsed) -> Result<Option<Head>, Malformed> {
        let (status, mut headers) = (parsed.status, parsed.headers);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Malformed::Unasked);
        }
        if status.is_informational() {
            self.interim += 1;
            return match self.interim > INTERIM_MAX {
                true => Err(Malformed::TooLarge),
                false => Ok(None),
            };
        }
        let is_tunnel = self.method == Method::CONNECT && status.is_success();
        let is_bare = self.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || is_tunnel;
        let mut keeps = keeps(&headers, parsed.is_http_1_1) && !is_tunnel;
        let framing = if is_bare {
            Framing::Length(0)
        } else if headers.contains_key(TRANSFER_ENCODING) {
            // Nothing else was offered. What another coding has done to the bytes, nobody further on would know.
            if !parsed.is_http_1_1 || !is_chunked(&headers) {
                return Err(Malformed::Coding);
            }
            // The coding wins, but who sends both may mean the other: nobody is told, and nothing more comes from there.
            keeps &= headers.remove(CONTENT_LENGTH).is_none();
            Framing::chunked()
        } else if let Some((len, is_plain)) = content_length(&headers)? {
            if !is_plain {
                headers.insert(CONTENT_LENGTH, len.into()); // one word, whoever reads it next
            }
            Framing::Length(len)
        } else {
            keeps = false;
            Framing::UntilClose
        };
        Ok(Some(Head {
            status,
            headers,
            framing,
            keeps,
        }))
    }
}

/// Whether somewhere in `bytes` two lines end one after the other.
fn has_empty_line(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes)
        .any(|at| matches!(bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

struct Parsed {
    status: StatusCode,
    headers: HeaderMap,
    is_http_1_1: bool,
}

/// The head at the beginning of `bytes` and its length; none while it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Parsed, usize)>, Malformed> {
    let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut lines,
    );
    let len = match parsed {
        Ok(Status::Complete(len)) if len <= HEAD_MAX_BYTES => len,
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(Malformed::TooLarge);
        }
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed::Head),
    };
    let status = response.code.ok_or(Malformed::Head)?;
    let status = StatusCode::from_u16(status).map_err(|_| Malformed::Head)?;
    // The values are slices of one copy, which is theirs alone.
    let copy = Bytes::copy_from_slice(&bytes[..len]);
    let mut headers = HeaderMap::with_capacity(response.headers.len() + ADDED);
    for line in response.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Malformed::Head)?;
        let value = match line.value {
            // Which need not be a place in `bytes`.
            [] => Bytes::new(),
            value => {
                let start = value.as_ptr().addr() - bytes.as_ptr().addr();
                copy.slice(start..start + value.len())
            }
        };
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Malformed::Head)?;
        headers.append(name, value);
    }
    let parsed = Parsed {
        status,
        headers,
        is_http_1_1: response.version == Some(1),
    };
    Ok(Some((parsed, len)))
}

/// Whether the server means to keep the connection. That it closes is believed wherever it stands.
fn keeps(headers: &HeaderMap, by_default: bool) -> bool {
    let (mut keeps, mut closes) = (by_default, false);
    for value in headers.get_all(CONNECTION) {
        for word in value.as_bytes().split(|byte| *byte == b',') {
            let word = word.trim_ascii();
            closes |= word.eq_ignore_ascii_case(b"close");
            keeps |= word.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    keeps && !closes
}

/// Whether the body is in chunks and in nothing else.
fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |value: &HeaderValue| {
        value
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked")
    };
    codings.next().is_some_and(is_chunked) && codings.next().is_none()
}

/// The one length that all lines agree on, and whether it is said only once.
fn content_length(headers: &HeaderMap) -> Result<Option<(u64, bool)>, Malformed> {
    let mut agreed: Option<(u64, bool)> = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for digits in value.as_bytes().split(|byte| *byte == b',') {
            let len = number(digits.trim_ascii()).ok_or(Malformed::Length)?;
            agreed = match agreed {
                None => Some((len, true)),
                Some((other, _)) if other == len => Some((len, false)),
                Some(_) => return Err(Malformed::Length),
            };
        }
    }
    Ok(agreed)
}

/// Digits and nothing else: no sign, which the standard library would take.
fn number(digits: &[u8]) -> Option<u64> {
    let is_plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = is_plain.then(|| std::str::from_utf8(digits).ok())??;
    text.parse().ok()
}

#[cfg(test)]
mod tests;
