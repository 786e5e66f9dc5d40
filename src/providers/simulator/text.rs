//! What the simulator says, and the tokenizer that counts it.

/// How many tokens `text` is.
///
/// A token is a run of letters and digits, or a run of other characters that are not white space; the white space
/// before it belongs to it. White space at the very end is one token more. So `"The weir, 3 m"` is five tokens:
/// `The`, ` weir`, `,`, ` 3`, ` m`.
pub fn tokens(text: &str) -> u64 {
    let (mut count, mut rest) = (0, text);
    while !rest.is_empty() {
        rest = split_token(rest).1;
        count += 1;
    }
    count
}

/// The first token of `text` and what follows it; both are empty only if `text` is.
pub(super) fn split_token(text: &str) -> (&str, &str) {
    let word = text.trim_start();
    let is_word = word.starts_with(char::is_alphanumeric);
    let ends = |c: char| c.is_whitespace() || c.is_alphanumeric() != is_word;
    let rest = word.find(ends).map_or("", |end| &word[end..]);
    text.split_at(text.len() - rest.len())
}

/// An endless text about water, told from a place and in an order that a hash picks.
#[derive(Clone, Debug)]
pub(super) struct River {
    sentence: usize,
    stride: usize,
    rest: &'static str,
}

impl River {
    /// The text that belongs to `hash`.
    pub(super) fn of(hash: u64) -> Self {
        let sentence = hash as usize % SENTENCES.len();
        // An odd stride visits every one of the 2^n sentences before it comes back to the first.
        let stride = ((hash >> 32) as usize % SENTENCES.len()) | 1;
        Self {
            sentence,
            stride,
            rest: SENTENCES[sentence].trim_start(),
        }
    }

    /// How many tokens there are up to the first end of a sentence at or after `least`.
    pub(super) fn length(&self, least: u64) -> u64 {
        let (mut river, mut length) = (self.clone(), 0);
        while length < least {
            length += tokens(river.rest);
            river.turn();
        }
        length
    }

    /// The next token.
    pub(super) fn flow(&mut self) -> &'static str {
        let (token, rest) = split_token(self.rest);
        self.rest = rest;
        if rest.is_empty() {
            self.turn();
        }
        token
    }

    fn turn(&mut self) {
        self.sentence = (self.sentence + self.stride) % SENTENCES.len();
        self.rest = SENTENCES[self.sentence];
    }
}

/// Each with the space that parts it from the one before.
const SENTENCES: [&str; 16] = [
    " A weir is a low wall across a stream, and the water runs on over it.",
    " Above the wall the river is slow and deep; below, it is quick and bright.",
    " The depth of water over the crest tells how much passes in a second.",
    " A notch cut in the shape of a V measures even a trickle well.",
    " Nothing is kept back: what comes down from the hills goes on to the sea.",
    " In spring the snow melts, and the gauge by the bridge climbs a little every day.",
    " Herons know the place, for fish rest in the pool below the fall.",
    " A miller once read the same marks in the stone and knew when to open the sluice.",
    " Rain that falls at noon in the valley is counted here before evening.",
    " The sound of it is steady, so the people in the village hear only when it stops.",
    " Every litre is counted once, whether it ran in sunlight or in the dark.",
    " When two streams meet, the sum of their measures is the measure of the river.",
    " In a dry summer the stones show, and the count is small, but it is still true.",
    " A flood may hide the wall, yet the level upstream still tells what went by.",
    " Leaves drift to the edge, wait a moment on the smooth water, and go over.",
    " Whoever draws from the channel takes a known share, and the rest flows on.",
];

const _: () = assert!(
    SENTENCES.len().is_power_of_two(),
    "an odd stride must reach every sentence"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (token, after) = split_token(rest);
            parts.push(token);
            rest = after;
        }
        parts
    }

    #[test]
    fn a_token_is_a_word_or_a_run_of_signs_with_the_space_before_it() {
        assert_eq!(split("The weir, 3 m"), ["The", " weir", ",", " 3", " m"]);
        assert_eq!(split("{\"a\":[1]}"), ["{\"", "a", "\":[", "1", "]}"]);
        assert_eq!(split("  ça\n\nva "), ["  ça", "\n\nva", " "]);
        assert_eq!(split(" "), [" "]);
        assert_eq!(tokens(""), 0);
    }

    #[test]
    fn the_river_runs_on_and_its_length_ends_with_a_sentence() {
        for hash in [0, 7, u64::MAX, 0x1234_5678_9abc_def0] {
            let mut river = River::of(hash);
            let length = river.length(40);
            let text: String = (0..length).map(|_| river.flow()).collect();
            assert!(text.ends_with('.') && !text.starts_with(' '), "{text:?}");
            assert_eq!(tokens(&text), length);
            assert!((40..70).contains(&length));
        }
    }
}
