//! What counting the tokens of a stream adds to a chunk on its way, and how long a text takes that is counted by a file.
//!
//! `cargo bench --bench counting` prints it, and asserts nothing.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures and prints, and is no gateway"
)]

#[path = "common/texts.rs"]
mod texts;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use texts::{TEXTS, event};
use weir::{
    tokenizer::Tokenizer,
    tokens::{Encoding, Running},
    wire::answer::EventReader,
};

const ROUNDS: usize = 20_000;

fn main() {
    Encoding::O200k.count("load");
    for (kind, pieces) in TEXTS {
        let events: Vec<String> = pieces
            .iter()
            .map(|piece| event("chatcmpl-0123456789", piece))
            .collect();
        for name in ["", "again "] {
            println!("{kind}, {name}reading      {:?} a chunk", read(&events));
            println!("{kind}, {name}listening    {:?} a chunk", listen(&events));
            println!("{kind}, {name}counting too {:?} a chunk", count(&events));
        }
    }
    by_file();
}

/// Texts of a MiB and of four, which should take four times as long, whatever they are made of.
fn by_file() {
    let file = include_bytes!("../tests/fixtures/tokenizers/llama-3.json");
    let of_bytes = Tokenizer::read(file).expect("a test reads it");
    let file = include_bytes!("../tests/fixtures/tokenizers/gemma.json");
    let of_chars = Tokenizer::read(file).expect("a test reads it");
    let prose = include_str!("../docs/decisions.md");
    for (name, tokenizer) in [("bytes", of_bytes), ("characters", of_chars)] {
        for (what, text) in [
            ("prose", prose),
            ("spaces", " "),
            ("lines", "\n"),
            ("marks", "-"),
        ] {
            let [one, four] = [1 << 20, 4 << 20].map(|bytes| {
                let text = text.repeat(bytes / text.len());
                let began = Instant::now();
                black_box(tokenizer.count(&text));
                began.elapsed()
            });
            println!("{what} by a file of {name}: {one:.1?} a MiB, {four:.1?} four");
        }
    }
}

fn each(took: Duration, events: &[String]) -> Duration {
    took / (ROUNDS * events.len()) as u32
}

fn read(events: &[String]) -> Duration {
    let mut reader = EventReader::default();
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for event in events {
            reader.feed(event.as_bytes(), &mut |_, _, _| {}, |_, event| {
                black_box(event);
            });
        }
    }
    each(began.elapsed(), events)
}

fn listen(events: &[String]) -> Duration {
    let mut reader = EventReader::default();
    reader.listen();
    let mut bytes = 0;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for event in events {
            let mut hear = |_, _, text: &str| bytes += text.len();
            reader.feed(event.as_bytes(), &mut hear, |_, event| {
                black_box(event);
            });
        }
    }
    black_box(bytes);
    each(began.elapsed(), events)
}

fn count(events: &[String]) -> Duration {
    let mut reader = EventReader::default();
    reader.listen();
    let mut running = Running::new(Encoding::O200k);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for event in events {
            let mut hear = |_, _, text: &str| running.push(text);
            reader.feed(event.as_bytes(), &mut hear, |_, event| {
                black_box(event);
            });
            black_box(running.count());
        }
    }
    each(began.elapsed(), events)
}
