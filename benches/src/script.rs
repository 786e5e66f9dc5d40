//! The bytes of an answer. Made cheaply, so that the upstream is never what limits.

use crate::{
    order::{Order, Shape},
    stamp,
};
use bytes::{BufMut, Bytes, BytesMut};
use std::{fmt::Write, time::Duration};

const WORDS: [&str; 8] = [
    " over", " the", " low", " wall", " the", " water", " runs", " on",
];
const PROMPT_TOKENS: u32 = 24;
const LARGE_BYTES: usize = 2 << 10;
static LARGE: [u8; LARGE_BYTES] = [b'm'; LARGE_BYTES];

/// One piece of a stream, and how long after it the next one is due.
#[derive(Debug)]
pub struct Piece {
    /// What is sent.
    pub bytes: Bytes,
    /// The pause after it.
    pub then: Duration,
}

/// A stream, event by event.
pub struct Script {
    order: Order,
    /// Whether the request asked for `include_usage`.
    usage: bool,
    step: u32,
    rest: Option<Bytes>,
}

impl Script {
    /// The stream that answers an order.
    pub fn new(order: Order, usage: bool) -> Self {
        Self {
            order,
            usage,
            step: 0,
            rest: None,
        }
    }
}

impl Iterator for Script {
    type Item = Piece;

    /// The next piece; an event is stamped with the time at which it is made.
    fn next(&mut self) -> Option<Piece> {
        if let Some(bytes) = self.rest.take() {
            return Some(Piece {
                bytes,
                then: self.pause() / 2,
            });
        }
        let mut bytes = self.event()?;
        self.step += 1;
        if self.order.shape == Shape::Split {
            // The stamp is in the first piece.
            self.rest = Some(bytes.split_off(bytes.len() * 3 / 4));
            return Some(Piece {
                bytes,
                then: self.pause() / 2,
            });
        }
        Some(Piece {
            bytes,
            then: self.pause(),
        })
    }
}

impl Script {
    /// After each word but the last.
    fn pause(&self) -> Duration {
        match self.step {
            step if step >= 2 && step <= self.order.words => self.order.gap,
            _ => Duration::ZERO,
        }
    }

    fn event(&self) -> Option<Bytes> {
        let words = self.order.words;
        Some(match self.step {
            0 => self.chunk(
                r#"{"role":"assistant","content":"","refusal":null}"#,
                "null",
                0,
            ),
            step if step <= words => self.word(step),
            step if step == words + 1 => self.chunk("{}", "\"stop\"", words),
            step if step == words + 2 && self.usage => self.last_usage(),
            step if step == words + 2 + u32::from(self.usage) => {
                Bytes::from([b"data: [DONE]", self.end_of_event()].concat())
            }
            _ => return None,
        })
    }

    fn word(&self, step: u32) -> Bytes {
        let is_reasoning = self.order.shape == Shape::Reasoning && step <= self.order.words * 3 / 4;
        let mut out = BytesMut::with_capacity(512 + self.text_bytes());
        self.head(&mut out, true);
        out.put_slice(match is_reasoning {
            true => br#"{"reasoning_content":""#,
            false => br#"{"content":""#,
        });
        match self.order.shape {
            Shape::Large => out.put_slice(&LARGE),
            _ => out.put_slice(WORDS[step as usize % WORDS.len()].as_bytes()),
        }
        out.put_slice(b"\"}");
        self.tail(&mut out, "null", step);
        out.freeze()
    }

    fn text_bytes(&self) -> usize {
        if self.order.shape == Shape::Large {
            LARGE_BYTES
        } else {
            0
        }
    }

    fn chunk(&self, delta: &str, finish: &str, tokens: u32) -> Bytes {
        let mut out = BytesMut::with_capacity(512);
        self.head(&mut out, false);
        out.put_slice(delta.as_bytes());
        self.tail(&mut out, finish, tokens);
        out.freeze()
    }

    fn head(&self, out: &mut BytesMut, stamped: bool) {
        out.put_slice(br#"data: {"id":"chatcmpl-Bench0000000000000000000000001","object":"chat.completion.chunk","created":1767225600,"model":"bench-model","service_tier":"default","system_fingerprint":"fp_0f1e2d3c4b","#);
        if stamped {
            out.put_slice(stamp::MEMBER);
            out.put_slice(&stamp::digits(stamp::now()));
            out.put_slice(b"\",");
        }
        out.put_slice(br#""choices":[{"index":0,"delta":"#);
    }

    fn tail(&self, out: &mut BytesMut, finish: &str, tokens: u32) {
        let _ = write!(out, r#","logprobs":null,"finish_reason":{finish}}}]"#);
        match self.order.shape {
            Shape::Usage => usage_member(out, tokens),
            _ if self.usage => out.put_slice(br#","usage":null"#),
            _ => {}
        }
        out.put_u8(b'}');
        out.put_slice(self.end_of_event());
    }

    fn last_usage(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(512);
        out.put_slice(br#"data: {"id":"chatcmpl-Bench0000000000000000000000001","object":"chat.completion.chunk","created":1767225600,"model":"bench-model","service_tier":"default","system_fingerprint":"fp_0f1e2d3c4b","choices":[]"#);
        usage_member(&mut out, self.order.words);
        out.put_u8(b'}');
        out.put_slice(self.end_of_event());
        out.freeze()
    }

    fn end_of_event(&self) -> &'static [u8] {
        if self.order.shape == Shape::Crlf {
            b"\r\n\r\n"
        } else {
            b"\n\n"
        }
    }
}

/// A whole answer, not streamed.
pub fn answer(order: Order) -> Bytes {
    let mut out = BytesMut::with_capacity(1024 + 8 * order.words as usize);
    out.put_slice(br#"{"id":"chatcmpl-Bench0000000000000000000000001","object":"chat.completion","created":1767225600,"model":"bench-model","choices":[{"index":0,"message":{"role":"assistant","content":""#);
    for step in 0..order.words as usize {
        out.put_slice(WORDS[step % WORDS.len()].as_bytes());
    }
    out.put_slice(
        br#"","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}]"#,
    );
    usage_member(&mut out, order.words);
    out.put_slice(br#","service_tier":"default","system_fingerprint":"fp_0f1e2d3c4b"}"#);
    out.freeze()
}

fn usage_member(out: &mut BytesMut, tokens: u32) {
    let total = PROMPT_TOKENS + tokens;
    let _ = write!(
        out,
        r#","usage":{{"prompt_tokens":{PROMPT_TOKENS},"completion_tokens":{tokens},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Finder;
    use clap::ValueEnum;
    use serde_json::Value;

    const GAP: Duration = Duration::from_millis(10);

    fn play(shape: Shape, usage: bool) -> (Vec<u8>, Duration) {
        let order = Order {
            words: 8,
            gap: GAP,
            shape,
        };
        let pieces: Vec<Piece> = Script::new(order, usage).collect();
        (
            pieces
                .iter()
                .flat_map(|piece| piece.bytes.to_vec())
                .collect(),
            pieces.iter().map(|piece| piece.then).sum(),
        )
    }

    #[test]
    fn every_shape_is_a_stream_of_json_with_a_stamp_a_word() {
        for &shape in Shape::value_variants() {
            for usage in [false, true] {
                let (bytes, _) = play(shape, usage);
                let (mut finder, mut stamps) = (Finder::default(), 0);
                finder.feed(&bytes, |_| stamps += 1);
                assert_eq!(stamps, 8, "{shape:?}");
                assert!(finder.is_done(), "{shape:?}");
                let text = String::from_utf8(bytes).unwrap();
                let events: Vec<_> = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("data: "))
                    .collect();
                assert_eq!(events.len(), 8 + 3 + usize::from(usage), "{shape:?}");
                for event in &events[..events.len() - 1] {
                    serde_json::from_str::<Value>(event).unwrap();
                }
            }
        }
    }

    #[test]
    fn words_keep_their_distance() {
        assert_eq!(play(Shape::Plain, true).1, GAP * 7);
    }

    #[test]
    fn a_split_event_brings_its_stamp_first() {
        let mut script = Script::new(
            Order {
                words: 8,
                gap: GAP,
                shape: Shape::Split,
            },
            false,
        );
        let (mut finder, mut stamps) = (Finder::default(), 0);
        for piece in [script.next(), script.next(), script.next()] {
            finder.feed(&piece.unwrap().bytes, |_| stamps += 1);
        }
        assert_eq!(stamps, 1);
    }

    #[test]
    fn a_whole_answer_is_json() {
        let order = Order {
            words: 3,
            gap: GAP,
            shape: Shape::Plain,
        };
        let answer: Value = serde_json::from_slice(&super::answer(order)).unwrap();
        assert_eq!(answer["usage"]["completion_tokens"], 3);
    }
}
