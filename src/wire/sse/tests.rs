use super::*;
use proptest::prelude::*;

/// Puts events back together as a client would.
#[derive(Default)]
struct Client {
    data: Vec<u8>,
    has_line: bool,
    events: Vec<Vec<u8>>,
    ends: Vec<usize>,
}

impl Sink for Client {
    fn data(&mut self, _: usize, part: &[u8]) {
        self.data.extend_from_slice(part);
    }
    fn data_line_end(&mut self) {
        self.data.push(b'\n');
        self.has_line = true;
    }
    fn event_end(&mut self, end: usize) {
        if std::mem::take(&mut self.has_line) {
            self.data.pop();
            self.events.push(std::mem::take(&mut self.data));
            self.ends.push(end);
        }
    }
}

fn events(pieces: &[&[u8]]) -> (Vec<String>, Vec<usize>) {
    let (mut scanner, mut client, mut at) = (Scanner::default(), Client::default(), 0);
    for piece in pieces {
        scanner.feed(at, piece, &mut client);
        at += piece.len();
    }
    scanner.finish(at, &mut client);
    let text = client
        .events
        .iter()
        .map(|event| String::from_utf8_lossy(event).into_owned())
        .collect();
    (text, client.ends)
}

const ODD: &[u8] =
    "\u{feff}: hello\r\ndata:no space\r\n\r\ndata: two\ndata:  lines\n\ndata\rdata: cr\r\r\
event: x\nid: 1\ndata: h\u{e9}llo\n\n\n\nretry: 3\n\ndatax: no\n\ndata: last without a blank line"
        .as_bytes();

#[test]
fn odd_framings_read_as_the_specification_says() {
    let expected = [
        "no space",
        "two\n lines",
        "\ncr",
        "h\u{e9}llo",
        "last without a blank line",
    ];
    assert_eq!(events(&[ODD]).0, expected);
}

#[test]
fn events_read_the_same_cut_at_every_byte() {
    let whole = events(&[ODD]).0;
    for i in 0..ODD.len() {
        for j in i..ODD.len() {
            assert_eq!(
                events(&[&ODD[..i], &ODD[i..j], &ODD[j..]]).0,
                whole,
                "cut at {i} and {j}"
            );
        }
    }
}

#[test]
fn an_event_ends_after_its_blank_line() {
    assert_eq!(events(&[b"data: a\r\n\r\ndata: b\n\n"]).1, [11, 20]);
}

/// The rules of the specification, done the slow way over a whole text.
fn reference(text: &str) -> Vec<String> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in text.split('\n') {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if line.is_empty() {
            events.extend(data.take());
        } else if name == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(data.map_or(value.to_owned(), |old| old + "\n" + value));
        }
    }
    events.extend(data);
    events
}

proptest! {
    #[test]
    fn agrees_with_the_specification_however_it_is_cut(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "data", ":", " ", "\n", "\r", "\r\n", "x", "data: ", "event: y", ": c", "\u{feff}", "é", "\n\n",
        ]), 0..40),
        cut in 0usize..100,
    ) {
        let text = parts.concat();
        let cut = cut.min(text.len());
        prop_assert_eq!(events(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]).0, reference(&text));
    }
}
