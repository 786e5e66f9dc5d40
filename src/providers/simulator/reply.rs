//! What one choice of an answer says, token by token.

use super::{shape::Finish, text};
use std::sync::Arc;

/// One choice: its tokens, made as they are asked for, and why it ends.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    words: Words,
    left: u64,
    finish: Finish,
}

#[derive(Clone, Debug)]
enum Words {
    River(text::River),
    Document { text: Arc<str>, at: usize },
}

impl Reply {
    /// A text that belongs to `hash`, of `natural` tokens and up to the end of the sentence, unless `max` is less.
    pub(super) fn text(hash: u64, natural: u64, max: u64) -> Self {
        let river = text::River::of(hash);
        let length = river.length(natural);
        Self::cut(Words::River(river), length, max, Finish::Stop)
    }

    /// This very text, unless `max` tokens are less.
    pub(super) fn document(text: Arc<str>, max: u64, finish: Finish) -> Self {
        let length = text::tokens(&text);
        Self::cut(Words::Document { text, at: 0 }, length, max, finish)
    }

    /// The same, ended before the first of `stops` that it would say.
    pub(super) fn stopped_at(self, stops: &[&str]) -> Self {
        if stops.is_empty() {
            return self;
        }
        let text = self.clone().rest();
        match stops.iter().filter_map(|stop| text.find(stop)).min() {
            Some(end) => Self::document(text[..end].into(), u64::MAX, Finish::Stop),
            None => self,
        }
    }

    /// Tokens that it has yet to say.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Why it ends where it ends.
    pub(super) fn finish(&self) -> Finish {
        self.finish
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Option<&str> {
        self.left = self.left.checked_sub(1)?;
        Some(match &mut self.words {
            Words::River(river) => river.flow(),
            Words::Document { text, at } => {
                let (token, _) = text::split_token(&text[*at..]);
                *at += token.len();
                token
            }
        })
    }

    /// All that it has yet to say.
    pub(super) fn rest(&mut self) -> String {
        let mut rest = String::new();
        while let Some(token) = self.next() {
            rest.push_str(token);
        }
        rest
    }

    fn cut(words: Words, length: u64, max: u64, finish: Finish) -> Self {
        let finish = if max < length { Finish::Length } else { finish };
        Self {
            words,
            left: length.min(max),
            finish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_below_the_natural_length_is_a_cut() {
        let natural = Reply::text(1, 40, u64::MAX);
        assert_eq!(natural.finish(), Finish::Stop);
        let exact = Reply::text(1, 40, natural.left());
        assert_eq!(
            (exact.left(), exact.finish()),
            (natural.left(), Finish::Stop)
        );
        let cut = Reply::text(1, 40, natural.left() - 1);
        assert_eq!(
            (cut.left(), cut.finish()),
            (natural.left() - 1, Finish::Length)
        );
    }

    #[test]
    fn a_stop_text_ends_the_reply_before_it() {
        let document = Reply::document("one two three two".into(), u64::MAX, Finish::Stop);
        let mut stopped = document.clone().stopped_at(&["zzz", "wo"]);
        assert_eq!(stopped.left(), 2);
        assert_eq!(stopped.rest(), "one t");
        assert_eq!(document.stopped_at(&["four"]).rest(), "one two three two");
    }
}
