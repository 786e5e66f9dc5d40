//! What a request asks of the upstream, written where every gateway passes it on: in the user's message.

use clap::ValueEnum;
use memchr::memmem;
use std::{fmt, time::Duration};

/// An answer to be made to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Words of the answer; in a stream each is an event.
    pub words: u32,
    /// From one event to the next; zero is as fast as they can be taken.
    pub gap: Duration,
    /// What the events look like.
    pub shape: Shape,
}

/// What the events of a stream look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// As OpenAI sends them.
    #[default]
    Plain,
    /// With the usage so far in every event.
    Usage,
    /// Three quarters of them are reasoning.
    Reasoning,
    /// Lines end with CRLF.
    Crlf,
    /// 2 KiB of text in each.
    Large,
    /// Each arrives in two pieces.
    Split,
}

const OPENING: &[u8] = b"order(";

impl Order {
    /// The order in a request's body, if there is one.
    pub fn find(body: &[u8]) -> Option<Self> {
        let start = memmem::find(body, OPENING)? + OPENING.len();
        let end = start + memchr::memchr(b')', &body[start..])?;
        let mut parts = std::str::from_utf8(&body[start..end]).ok()?.split(' ');
        let mut next = |unit: &str| parts.next()?.strip_suffix(unit);
        Some(Self {
            words: next("w")?.parse().ok()?,
            gap: Duration::from_micros(next("us")?.parse().ok()?),
            shape: Shape::from_str(next("")?, false).ok()?,
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape.to_possible_value();
        let shape = shape.as_ref().map_or("plain", |shape| shape.get_name());
        write!(
            f,
            "order({}w {}us {shape})",
            self.words,
            self.gap.as_micros()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_trip_in_a_message() {
        for &shape in Shape::value_variants() {
            let order = Order {
                words: 7,
                gap: Duration::from_millis(10),
                shape,
            };
            let body = format!(r#"{{"messages":[{{"role":"user","content":"{order}"}}]}}"#);
            assert_eq!(Order::find(body.as_bytes()), Some(order));
        }
    }

    #[test]
    fn a_message_without_an_order_has_none() {
        assert_eq!(Order::find(br#"{"content":"Hello"}"#), None);
        assert_eq!(Order::find(br#"{"content":"order(soon)"}"#), None);
        assert_eq!(Order::find(br#"{"content":"order(1w"#), None);
    }
}
