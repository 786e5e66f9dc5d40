use super::*;
use crate::upstream::{
    Outgoing, Path,
    http1::body::Framing::{Length as Bytes, UntilClose},
};
use proptest::prelude::*;

fn head(method: Method, text: &str) -> Result<Option<(Head, usize)>, Malformed> {
    HeadReader::new(method).read(text.as_bytes())
}

#[track_caller]
fn found(text: &str) -> Head {
    let (head, used) = head(Method::POST, text).unwrap().unwrap();
    assert_eq!(used, text.len());
    head
}

#[track_caller]
fn refused(text: &str) -> Malformed {
    head(Method::POST, text).unwrap_err()
}

fn of(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
}

fn values<'a>(head: &'a Head, name: &str) -> Vec<&'a [u8]> {
    let values = head.headers.get_all(name).iter();
    values.map(HeaderValue::as_bytes).collect()
}

fn request(method: Method) -> Request {
    Request {
        method,
        path: Path::known("/"),
        headers: Vec::new(),
        body: Outgoing::held(Vec::new()),
    }
}

fn base() -> Base {
    Base {
        prefix: "/v1".to_owned(),
        authority: HeaderValue::from_static("up:80"),
    }
}

#[test]
fn a_request_is_written_as_it_is_and_its_length_once() {
    let mut request = request(Method::POST);
    request.path = Path::known("/x?y=%20");
    request.headers = [
        ("content-length", "7"),
        ("x-a", "1"),
        ("transfer-encoding", "gzip"),
        ("x-a", "2"),
    ]
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .into();
    let start = "POST /v1/x?y=%20 HTTP/1.1\r\nhost: up:80\r\nx-a: 1\r\nx-a: 2\r\n";
    for (length, framing) in [
        (Length::NoBody, "content-length: 0\r\n"),
        (Length::Known(0), "content-length: 0\r\n"),
        (Length::Known(12), "content-length: 12\r\n"),
        (Length::Chunked, "transfer-encoding: chunked\r\n"),
    ] {
        let head = write(&request, &base(), length);
        assert_eq!(head, format!("{start}{framing}\r\n").as_bytes());
        assert_eq!(head.len(), head.capacity());
    }
}

#[test]
fn where_there_is_no_path_it_is_the_root() {
    let mut request = request(Method::GET);
    request.path = Path::known("");
    let mut base = base();
    base.prefix.clear();
    let head = write(&request, &base, Length::NoBody);
    assert_eq!(head, b"GET / HTTP/1.1\r\nhost: up:80\r\n\r\n");
}

#[test]
fn only_where_nobody_expects_a_body_its_absence_is_not_told() {
    let says = |method: &str| {
        let request = request(method.parse().unwrap());
        let head = write(&request, &base(), Length::NoBody);
        head.ends_with(b"\r\ncontent-length: 0\r\n\r\n")
    };
    for method in ["POST", "PUT", "PATCH", "ANYTHING"] {
        assert!(says(method), "{method}");
    }
    for method in ["GET", "HEAD", "CONNECT", "DELETE", "OPTIONS", "TRACE"] {
        assert!(!says(method), "{method}");
    }
}

#[test]
fn a_head_has_its_status_and_every_value() {
    let head = found("HTTP/1.1 429 \r\nX-Many:a\r\nx-empty:\r\nx-many:  b \r\nx-b: \u{e9}\r\n\r\n");
    assert_eq!(head.status, 429);
    assert_eq!(values(&head, "x-many"), [b"a", b"b"]);
    assert_eq!(values(&head, "x-empty"), [b""]);
    assert_eq!(values(&head, "x-b"), ["\u{e9}".as_bytes()]);
    assert_eq!(found("HTTP/1.1 200\r\n\r\n").status, 200);
}

#[test]
fn what_follows_the_head_is_left_alone() {
    let text = of("content-length: 4\r\n");
    let (_, used) = head(Method::GET, &(text.clone() + "body"))
        .unwrap()
        .unwrap();
    assert_eq!(used, text.len());
}

#[test]
fn the_framing_is_what_the_rules_say() {
    for (lines, framing, keeps) in [
        ("content-length: 5\r\n", Bytes(5), true),
        ("content-length: 5\r\ncontent-length: 5\r\n", Bytes(5), true),
        ("content-length: 5, 5\r\n", Bytes(5), true),
        (
            "content-length: 0\r\nconnection: close\r\n",
            Bytes(0),
            false,
        ),
        (
            "content-length: 0\r\nconnection: x, Close\r\n",
            Bytes(0),
            false,
        ),
        (
            "content-length: 0\r\nconnection: close\r\nconnection: keep-alive\r\n",
            Bytes(0),
            false,
        ),
        ("transfer-encoding: chunked\r\n", Framing::chunked(), true),
        ("transfer-encoding:  Chunked\r\n", Framing::chunked(), true),
        (
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            Framing::chunked(),
            false,
        ),
        ("", UntilClose, false),
        ("connection: keep-alive\r\n", UntilClose, false),
    ] {
        let head = found(&of(lines));
        assert_eq!((head.framing, head.keeps), (framing, keeps), "{lines}");
    }
    let old = "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n";
    assert!(!found(&format!("{old}\r\n")).keeps);
    assert!(found(&format!("{old}connection: keep-alive\r\n\r\n")).keeps);
}

#[test]
fn a_length_goes_on_in_one_word_and_never_beside_chunks() {
    let twice = found(&of("content-length: 5\r\nx-a: 1\r\ncontent-length: 5\r\n"));
    assert_eq!(values(&twice, "content-length"), [b"5"]);
    assert_eq!(
        values(&found(&of("content-length: 05, 5\r\n")), "content-length"),
        [b"5"]
    );
    let both = found(&of("content-length: 5\r\ntransfer-encoding: chunked\r\n"));
    assert!(values(&both, "content-length").is_empty());
}

#[test]
fn answers_that_have_no_body_have_none_whatever_they_say() {
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
        for lines in ["content-length: 99\r\n", "transfer-encoding: gzip\r\n", ""] {
            let text = format!("HTTP/1.1 {status} x\r\n{lines}\r\n");
            let (head, _) = head(method.clone(), &text).unwrap().unwrap();
            assert_eq!(
                (head.framing, head.keeps),
                (Bytes(0), true),
                "{method} {text}"
            );
        }
    }
    let (tunnel, _) = head(Method::CONNECT, &of("")).unwrap().unwrap();
    assert!(!tunnel.keeps);
}

#[test]
fn lengths_and_codings_of_no_use_are_refused() {
    for length in [
        "-1",
        "+1",
        "",
        "1 2",
        "0x1",
        "5, 6",
        "5,",
        "18446744073709551616",
        "1\r\ncontent-length: 2",
    ] {
        let text = of(&format!("content-length: {length}\r\n"));
        assert_eq!(refused(&text), Malformed::Length, "{length}");
    }
    for coding in [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "identity",
        "",
        "xchunked",
    ] {
        let text = of(&format!("transfer-encoding: {coding}\r\n"));
        assert_eq!(refused(&text), Malformed::Coding, "{coding}");
    }
    let twice = of("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n");
    assert_eq!(refused(&twice), Malformed::Coding);
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Malformed::Coding);
}

#[test]
fn what_is_no_head_is_refused() {
    for text in [
        "nonsense\r\n\r\n",
        "SSH-2.0-x\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 1000 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
    ] {
        assert_eq!(refused(text), Malformed::Head, "{text:?}");
    }
    assert_eq!(
        refused("HTTP/1.1 101 x\r\nupgrade: x\r\n\r\n"),
        Malformed::Unasked
    );
}

#[test]
fn heads_before_the_answers_own_are_passed_over_and_counted() {
    let early = "HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n";
    let answer = of("content-length: 1\r\n");
    let head = found(&(early.repeat(INTERIM_MAX.into()) + &answer));
    assert!(head.status == 200 && !head.headers.contains_key("link"));
    let more = early.repeat(usize::from(INTERIM_MAX) + 1) + &answer;
    assert_eq!(refused(&more), Malformed::TooLarge);
}

#[test]
fn a_head_is_bounded() {
    let line = |len: usize| format!("x: {}\r\n", "x".repeat(len));
    let room = HEAD_MAX_BYTES - of(&line(0)).len();
    assert!(head(Method::GET, &of(&line(room))).unwrap().is_some());
    assert_eq!(refused(&of(&line(room + 1))), Malformed::TooLarge);
    assert_eq!(
        refused(&format!("HTTP/1.1 200 {}", "x".repeat(HEAD_MAX_BYTES))),
        Malformed::TooLarge
    );
    assert!(
        head(Method::GET, &of(&"a: b\r\n".repeat(HEADERS_MAX)))
            .unwrap()
            .is_some()
    );
    assert_eq!(
        refused(&of(&"a: b\r\n".repeat(HEADERS_MAX + 1))),
        Malformed::TooLarge
    );
    for piece in ["\n", "x", "HTTP/1.1 200 OK\r\nx: "] {
        for len in [100, HEAD_MAX_BYTES / 2, HEAD_MAX_BYTES - 1] {
            let mut text = piece.to_owned();
            text.extend(std::iter::repeat_n(
                if piece == "\n" { '\n' } else { 'x' },
                2 * HEAD_MAX_BYTES,
            ));
            let mut reader = HeadReader::new(Method::GET);
            let mut reads = text.as_bytes().chunks(len).map(|piece| reader.read(piece));
            assert!(reads.any(|read| read.is_err()), "{piece:?} {len}");
        }
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_found_where_it_ends() {
    let early = "HTTP/1.1 100 Continue\r\n\r\n";
    for lines in ["a: b\r\ncontent-length: 3\r\n", "", "a: b\n"] {
        let text = format!("{early}\r\n{}", of(lines));
        let mut reader = HeadReader::new(Method::GET);
        let reads: Vec<_> = text
            .as_bytes()
            .chunks(1)
            .map(|byte| reader.read(byte).unwrap())
            .collect();
        let (last, before) = reads.split_last().unwrap();
        assert!(before.iter().all(Option::is_none));
        assert_eq!(last.as_ref().unwrap().1, 1);
        assert_eq!(last.as_ref().unwrap().0, found(&text));
    }
}

proptest! {
    #[test]
    fn where_an_answer_is_cut_changes_nothing(
        text in "(HTTP/1\\.[01] [12]0[0-4] ?[a-z]?\r?\n([a-z]{1,3}: ?[a-z,]{0,3}\r?\n|content-length: [0-9]{1,2}\r\n|transfer-encoding: chunked\r\n){0,4}\r?\n){1,3}([0-9a]\r\n[a-z]{0,9}\r\n)*",
        cuts in proptest::collection::vec(0usize..200, 0..4),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            if from < cut {
                pieces.push(&bytes[from..cut]);
            }
            from = cut;
        }
        prop_assert_eq!(whole(&pieces), whole(&[bytes]));
    }
}

/// What is known of an answer when it has come in these pieces: nothing of one whose head is none, which may be seen
/// sooner or later.
fn whole(pieces: &[&[u8]]) -> Option<(Head, Vec<u8>, Result<usize, Malformed>)> {
    let mut reader = HeadReader::new(Method::GET);
    let mut pieces = pieces.iter();
    let (head, mut rest) = loop {
        let piece = pieces.next()?;
        if let Some((head, used)) = reader.read(piece).ok()? {
            break (head, piece[used..].to_vec());
        }
    };
    let (mut framing, mut content, mut behind) = (head.framing.clone(), Vec::new(), 0);
    loop {
        let found = framing.read(&mut rest);
        content.extend_from_slice(&rest[..found.content]);
        behind += rest.len() - found.used;
        match (found.fault, pieces.next()) {
            (Some(fault), _) => return Some((head, content, Err(fault))),
            (None, None) => return Some((head, content, Ok(behind))),
            (None, Some(piece)) => rest = piece.to_vec(),
        }
    }
}
