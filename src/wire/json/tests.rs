use super::{token::TEXT_MAX_BYTES, *};
use proptest::prelude::*;

#[derive(Default)]
struct Log(Vec<String>);

impl Sink for Log {
    fn token(&mut self, token: Token<'_>, span: Span) {
        self.0
            .push(format!("{token:?} {}..{}", span.start, span.end));
    }
}

fn lex(pieces: &[&[u8]]) -> (Vec<String>, Result<(), Fault>) {
    let (mut lexer, mut log, mut at) = (Lexer::new(DEPTH_MAX), Log::default(), 0);
    for piece in pieces {
        if let Err(fault) = lexer.feed(at, piece, &mut log) {
            return (log.0, Err(fault));
        }
        at += piece.len();
    }
    let end = lexer.finish(at, &mut log);
    (log.0, end)
}

/// What is cut off differs between one piece and many, so long texts are compared by their beginnings.
fn same_in_pieces(text: &[u8], cuts: &[usize]) {
    let whole = lex(&[text]);
    let mut pieces = Vec::new();
    let mut from = 0;
    for &cut in cuts {
        pieces.push(&text[from..cut]);
        from = cut;
    }
    pieces.push(&text[from..]);
    assert_eq!(
        lex(&pieces),
        whole,
        "{:?} cut at {cuts:?}",
        String::from_utf8_lossy(text)
    );
}

/// Wants nothing below a depth.
struct Shallow {
    log: Log,
    depth: usize,
    max: usize,
}

impl Sink for Shallow {
    fn token(&mut self, token: Token<'_>, span: Span) {
        match token {
            Token::BeginObject | Token::BeginArray => self.depth += 1,
            Token::EndObject | Token::EndArray => self.depth -= 1,
            _ => {}
        }
        assert!(self.depth <= self.max + 1);
        self.log.token(token, span);
    }

    fn wants_inside(&self) -> bool {
        self.depth <= self.max
    }
}

fn lex_shallow(pieces: &[&[u8]], max: usize) -> (Vec<String>, Result<(), Fault>) {
    let mut sink = Shallow {
        log: Log::default(),
        depth: 0,
        max,
    };
    let (mut lexer, mut at) = (Lexer::new(DEPTH_MAX), 0);
    for piece in pieces {
        if let Err(fault) = lexer.feed(at, piece, &mut sink) {
            return (sink.log.0, Err(fault));
        }
        at += piece.len();
    }
    let end = lexer.finish(at, &mut sink);
    (sink.log.0, end)
}

/// The tokens that do not lie inside anything deeper than `max`.
fn shallow(tokens: Vec<String>, max: usize) -> Vec<String> {
    let mut depth = 0;
    let kept = tokens.into_iter().filter(|token| {
        depth -= usize::from(token.starts_with("End"));
        let is_kept = depth <= max;
        depth += usize::from(token.starts_with("Begin"));
        is_kept
    });
    kept.collect()
}

const SAMPLE: &[u8] =
    br#" { "a" : [ 1 , -0.5e+10, 0, "x\"\u00e9\n", true,false,null,{},[] ], "b":{"c":""} } "#;

#[test]
fn a_text_reads_the_same_cut_at_every_byte() {
    assert!(lex(&[SAMPLE]).1.is_ok());
    for i in 0..SAMPLE.len() {
        for j in i..SAMPLE.len() {
            same_in_pieces(SAMPLE, &[i, j]);
        }
    }
}

#[test]
fn what_is_not_wanted_is_not_told_wherever_it_is_cut() {
    for max in 0..3 {
        let expected = shallow(lex(&[SAMPLE]).0, max);
        for i in 0..SAMPLE.len() {
            let cut = lex_shallow(&[&SAMPLE[..i], &SAMPLE[i..]], max);
            assert_eq!(cut, (expected.clone(), Ok(())), "cut at {i}");
        }
    }
}

#[test]
fn faults_name_their_byte() {
    let at = |text: &str| lex(&[text.as_bytes()]).1.unwrap_err();
    assert_eq!(
        at(r#"{"a" 1}"#),
        Fault {
            at: 5,
            what: "expected `:`"
        }
    );
    assert_eq!(
        at(r#"{"a":1,}"#),
        Fault {
            at: 7,
            what: "expected a member's name"
        }
    );
    assert_eq!(
        at("[1 2]"),
        Fault {
            at: 3,
            what: "expected `,` or a closing bracket"
        }
    );
    assert_eq!(
        at("[1}"),
        Fault {
            at: 2,
            what: "bracket of the other kind"
        }
    );
    assert_eq!(
        at("01"),
        Fault {
            at: 1,
            what: "text after the end of the value"
        }
    );
    assert_eq!(
        at("-"),
        Fault {
            at: 1,
            what: "unfinished number"
        }
    );
    assert_eq!(
        at("{"),
        Fault {
            at: 1,
            what: "unexpected end"
        }
    );
    assert_eq!(
        at("\"a\nb\""),
        Fault {
            at: 2,
            what: "control character in a string"
        }
    );
    assert_eq!(
        at(&"[".repeat(129)),
        Fault {
            at: 128,
            what: "nested too deep"
        }
    );
}

#[test]
fn an_escaped_name_decodes_to_what_it_means() {
    struct Keys(Vec<String>);
    impl Sink for Keys {
        fn token(&mut self, token: Token<'_>, _: Span) {
            if let Token::Key(text, _) = token {
                self.0.push(text.decode().unwrap().into_owned());
            }
        }
    }
    let mut keys = Keys(Vec::new());
    Lexer::new(4)
        .feed(0, br#"{"mod\u0065l":1}"#, &mut keys)
        .unwrap();
    assert_eq!(keys.0, ["model"]);
}

#[test]
fn a_long_text_is_cut_the_same_way_whole_or_in_pieces() {
    let text = format!("[\"{}\"]", "y".repeat(TEXT_MAX_BYTES + 40));
    for cut in [
        1,
        2,
        3,
        100,
        TEXT_MAX_BYTES + 1,
        TEXT_MAX_BYTES + 2,
        TEXT_MAX_BYTES + 3,
        text.len() - 1,
    ] {
        same_in_pieces(text.as_bytes(), &[cut]);
    }
    let exact = format!("[\"{}\"]", "y".repeat(TEXT_MAX_BYTES));
    for cut in 0..exact.len() {
        same_in_pieces(exact.as_bytes(), &[cut]);
    }
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_what_is_json(text in r#"[\[\]{}:,"\\0-9a-ftrulsn.eE+\- \n]{0,24}"#) {
        let ours = lex(&[text.as_bytes()]).1.is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{:?}", text);
    }

    #[test]
    fn any_bytes_in_any_pieces_read_alike_and_never_panic(
        text in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(SAMPLE)], 0..200),
        cut in 0usize..200,
    ) {
        same_in_pieces(&text, &[cut.min(text.len())]);
    }

    #[test]
    fn what_is_not_wanted_is_checked_all_the_same(
        text in r#"[\[\]{}:,"\\0-9a-ftrulsn.eE+\- \n]{0,24}"#, cut in 0usize..24,
    ) {
        let text = format!("[{{\"a\":{text}}}]");
        let (head, tail) = text.as_bytes().split_at(cut.min(text.len()));
        prop_assert_eq!(lex_shallow(&[head, tail], 1).1, lex(&[text.as_bytes()]).1, "{:?}", text);
    }

    #[test]
    fn plain_runs_end_where_a_byte_by_byte_search_says(
        bytes in proptest::collection::vec(any::<u8>(), 0..40), from in 0usize..40,
    ) {
        let from = from.min(bytes.len());
        let special = |b: &u8| *b == b'"' || *b == b'\\' || *b < 0x20;
        let expected = bytes[from..].iter().position(special).map_or(bytes.len(), |n| from + n);
        prop_assert_eq!(plain_run(&bytes, from), expected);
    }

    #[test]
    fn long_runs_end_where_they_should(len in 0usize..300, at in 0usize..300, byte in any::<u8>()) {
        let mut bytes = vec![b'x'; len];
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let special = byte == b'"' || byte == b'\\' || byte < 0x20;
        let expected = if special { at.min(len) } else { len };
        prop_assert_eq!(plain_run(&bytes, 0), expected);
    }
}
