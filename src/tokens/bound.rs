//! How many tokens a prompt can have at most, told from its bytes alone: fast enough for a thread that serves.
//!
//! It is what a limit holds until somebody knows better. Prose comes to about half of it; what people write to defeat
//! it (random letters, digits one by one, rare ideographs) comes near it, and an encoding that beats it is corrected
//! when the call is settled.

use super::{Model, image};
use memchr::{memchr, memchr_iter, memmem};

/// What an image that is only named looks like.
const IMAGE: &[u8] = b"\"image_url\"";
/// What is shorter than this is counted as the text that it may be.
const WORD_MAX_BYTES: usize = 4 << 10;
/// How far apart a member's name and its value may be, and a sound and its data: each is looked for no farther.
const NEAR_BYTES: usize = 128;
/// Tokens that begin the answer, and such.
const FRAME: u64 = 8;

/// The most tokens that the prompt in a request's body can have, or near enough.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// What it comes to for every model.
    tokens: u64,
    /// Images, which cost each model something else.
    images: u64,
}

impl Bound {
    /// That of a body, which is read once for all models that may get it.
    pub fn of(body: &[u8]) -> Self {
        let images = memmem::find_iter(body, IMAGE).count() as u64;
        let (mut halves, mut data, mut from) = (0, 0, 0);
        for found in Members::of(body) {
            halves += text(&body[from..found.start]);
            data += (found.end - found.start).div_ceil(found.kind.bytes_a_token()) as u64;
            from = found.end;
        }
        halves += text(&body[from..]);
        Self {
            tokens: halves.div_ceil(2) + data + FRAME,
            images,
        }
    }

    /// That for `model`.
    pub fn of_model(&self, model: Model) -> u64 {
        self.tokens + self.images * image::most(model.images)
    }
}

/// What is no text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Sound,
    File,
}

impl Kind {
    /// Bytes of data in base64 for each token that they may come to.
    fn bytes_a_token(self) -> usize {
        match self {
            // Sounds: at 16 kB and ten tokens a second. Images have a price of their own besides.
            Self::Image | Self::Sound => 1000,
            // A document is read as the text that is in it.
            Self::File => 20,
        }
    }
}

struct Data {
    kind: Kind,
    start: usize,
    end: usize,
}

/// The members of a body that hold data, in one pass: no byte is searched twice for the same name.
///
/// A name with its quotes is never part of a text, where each quote has a backslash before it.
struct Members<'a> {
    body: &'a [u8],
    at: usize,
    urls: Name<'a>,
    files: Name<'a>,
    sounds: Name<'a>,
    sound_data: Name<'a>,
}

impl<'a> Members<'a> {
    fn of(body: &'a [u8]) -> Self {
        Self {
            body,
            at: 0,
            urls: Name::new(body, b"\"url\""),
            files: Name::new(body, b"\"file_data\""),
            sounds: Name::new(body, b"\"input_audio\""),
            sound_data: Name::new(body, b"\"data\""),
        }
    }

    /// Where the next name ends that may have data, and what data.
    fn next_name(&mut self) -> Option<(usize, Kind)> {
        let ends = [
            (self.urls.end_after(self.at), Kind::Image),
            (self.files.end_after(self.at), Kind::File),
            (self.sounds.end_after(self.at), Kind::Sound),
        ];
        let ends = ends
            .into_iter()
            .filter_map(|(end, kind)| Some((end?, kind)));
        ends.min_by_key(|(end, _)| *end)
    }

    /// Where the text of a member begins whose name ends there.
    fn value(&mut self, end: usize, kind: Kind) -> Option<usize> {
        if kind != Kind::Sound {
            return opens(self.body, end, b'"');
        }
        let object = opens(self.body, end, b'{')?;
        let name = self.sound_data.end_after(object)?;
        let is_near =
            name - object <= NEAR_BYTES && memchr(b'}', &self.body[object..name]).is_none();
        is_near.then(|| opens(self.body, name, b'"')).flatten()
    }
}

impl Iterator for Members<'_> {
    type Item = Data;

    fn next(&mut self) -> Option<Data> {
        loop {
            let (name, kind) = self.next_name()?;
            self.at = name;
            let Some(value) = self.value(name, kind) else {
                continue;
            };
            // Every name has quotes, so that the next one is never before this end.
            let end = memchr(b'"', &self.body[value..]).map_or(self.body.len(), |len| value + len);
            self.at = end;
            if let Some(start) = data_in(&self.body[value..end], kind) {
                let start = value + start;
                return Some(Data { kind, start, end });
            }
        }
    }
}

/// The next place of a name, remembered until it is passed.
struct Name<'a> {
    body: &'a [u8],
    finder: memmem::Finder<'static>,
    /// Where it is, or the body's length if it is nowhere any more. None until somebody asks.
    place: Option<usize>,
    #[cfg(test)]
    searched: usize,
}

impl<'a> Name<'a> {
    fn new(body: &'a [u8], name: &'static [u8]) -> Self {
        Self {
            body,
            finder: memmem::Finder::new(name),
            place: None,
            #[cfg(test)]
            searched: 0,
        }
    }

    /// The end of the first one that begins at `from` or later; `from` never goes back.
    fn end_after(&mut self, from: usize) -> Option<usize> {
        let place = match self.place.filter(|place| *place >= from) {
            Some(place) => place,
            None => {
                let found = self.finder.find(&self.body[from..]);
                let place = found.map_or(self.body.len(), |at| from + at);
                #[cfg(test)]
                (self.searched += place - from + self.finder.needle().len());
                place
            }
        };
        self.place = Some(place);
        (place < self.body.len()).then(|| place + self.finder.needle().len())
    }
}

/// What follows the sign that opens a value, if the name of a member ends at `end` and such a value follows.
fn opens(body: &[u8], end: usize, sign: u8) -> Option<usize> {
    let near = &body[end..body.len().min(end + NEAR_BYTES)];
    let value = near.trim_ascii_start().strip_prefix(b":")?;
    let inside = value.trim_ascii_start().strip_prefix(&[sign])?;
    Some(end + near.len() - inside.len())
}

/// Where the data in a value begins, if it is data and more than a word.
fn data_in(value: &[u8], kind: Kind) -> Option<usize> {
    const MARK: &[u8] = b";base64,";
    let head = &value[..value.len().min(NEAR_BYTES)];
    let marked = memmem::find(head, MARK).map(|at| at + MARK.len());
    let start = match kind {
        Kind::Image => marked.filter(|_| value.starts_with(b"data:"))?,
        Kind::Sound | Kind::File => marked.unwrap_or(0),
    };
    let run = &value[start..];
    (run.len() > WORD_MAX_BYTES && is_base64(run)).then_some(start)
}

/// Whether it is of the alphabet of base64, which some writers of JSON spell with `\/`.
fn is_base64(run: &[u8]) -> bool {
    let is_one = |byte: u8| {
        (byte | 0x20).wrapping_sub(b'a') < 26
            || byte.wrapping_sub(b'0') < 10
            || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
    };
    // Whole chunks without a branch, so that many bytes are looked at at once.
    let mut chunks = run.chunks(256);
    chunks.all(|chunk| chunk.iter().fold(true, |all, byte| all & is_one(*byte)))
        && memchr_iter(b'\\', run).all(|at| run.get(at + 1) == Some(&b'/'))
}

/// What a text may come to, in halves of a token: a byte of a word half of one, a space nothing, and a digit or a sign
/// one whole. Without a branch, so that many bytes are looked at at once.
fn text(bytes: &[u8]) -> u64 {
    let of = |&byte: &u8| {
        let is_word = (byte | 0x20).wrapping_sub(b'a') < 26 || byte >= 0x80;
        let is_space = byte == b' ' || byte == b'\n' || byte == b'\t' || byte == b'\r';
        2 - u8::from(is_word) - 2 * u8::from(is_space)
    };
    // As many as a byte can hold the sum of.
    let sums = bytes
        .chunks(127)
        .map(|chunk| chunk.iter().map(of).sum::<u8>());
    sums.map(u64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Endpoint, tokens::prompt};
    use proptest::prelude::*;

    fn body(content: &str) -> Vec<u8> {
        let message = serde_json::json!({"role": "user", "content": content});
        let body = serde_json::json!({"model": "gpt-4o", "messages": [message]});
        body.to_string().into_bytes()
    }

    fn bound(body: &[u8]) -> u64 {
        Bound::of(body).of_model(Model::named("gpt-4o"))
    }

    fn both(body: &[u8]) -> (u64, u64) {
        let model = Model::named("gpt-4o");
        let exact = prompt::count(model, Endpoint::Chat, body).tokens;
        (exact, Bound::of(body).of_model(model))
    }

    #[test]
    fn prose_is_held_at_about_twice_what_it_is() {
        let prose =
            "It was a bright cold day in spring, and the clocks of the town were striking. "
                .repeat(40);
        let (exact, bound) = both(&body(&prose));
        assert!(exact <= bound && bound <= exact * 5 / 2, "{exact} {bound}");
    }

    #[test]
    fn data_is_no_text() {
        let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(90_000));
        let part = serde_json::json!({"type": "image_url", "image_url": {"url": picture}});
        let body = serde_json::json!({"messages": [{"role": "user", "content": [part]}]});
        let bound = bound(body.to_string().as_bytes());
        assert!(bound < 5_000, "{bound}");
    }

    #[test]
    fn a_sound_is_no_text_and_a_file_is_a_text_that_is_smaller() {
        let data = "QUJD/+8=".repeat(25_000);
        let held = |part: serde_json::Value| {
            let body = serde_json::json!({"messages": [{"role": "user", "content": [part]}]});
            let spaced = serde_json::to_vec_pretty(&body).expect("JSON");
            let plain = bound(body.to_string().as_bytes());
            assert!(bound(&spaced) < plain + 100);
            plain
        };
        let sound = serde_json::json!({"format": "wav", "data": data});
        let sound = held(serde_json::json!({"type": "input_audio", "input_audio": sound}));
        assert!(sound < 500, "{sound}");
        for before in ["data:application/pdf;base64,", ""] {
            let file = serde_json::json!({"file_data": format!("{before}{data}")});
            let file = held(serde_json::json!({"type": "file", "file": file}));
            assert!((10_000..11_000).contains(&file), "{file}");
        }
    }

    #[test]
    fn a_slash_that_is_escaped_is_still_data() {
        let data = "iVBOR\\/w0KGgo".repeat(9_000);
        let part = format!(r#"{{"image_url":{{"url":"data:image\/png;base64,{data}"}}}}"#);
        let bound = bound(part.as_bytes());
        assert!(bound < 5_000, "{bound}");
    }

    #[test]
    fn text_that_is_dressed_up_as_data_is_held_as_text() {
        let text = "abcdefgh".repeat(1 << 17);
        let prose = "a b\\n".repeat(1 << 17);
        for body in [
            body(&format!("data:image/png;base64,{text}")),
            body(&format!("\"url\":\"data:image/png;base64,{text}\"")),
            body(&format!("\"input_audio\":{{\"data\":\"{text}\"}}")),
            format!(r#"{{"content":";base64,{text}"}}"#).into_bytes(),
            format!(r#"{{"x":"input_audio","content":"{text}"}}"#).into_bytes(),
            format!(r#"{{"input_audio":{{}},"data":"{text}"}}"#).into_bytes(),
            format!(r#"{{"url":"data:;base64,{prose}"}}"#).into_bytes(),
            format!(r#"{{"url":"{text}"}}"#).into_bytes(),
        ] {
            let bound = bound(&body);
            let head = String::from_utf8_lossy(&body[..80]);
            assert!(bound >= 1 << 17, "{bound} for {head}");
        }
    }

    #[test]
    fn a_hostile_body_is_searched_once() {
        for piece in [
            "\";base64,\",",
            "\"input_audio\",",
            "\"input_audio\":{",
            "\"input_audio\":{\"data\",",
            "\"url\":\"data:;base64,\",",
            "\"url\":\"data:;base64,",
            "\"file_data\":\"",
            "\"data\":\"",
        ] {
            let body = piece.repeat((4 << 20) / piece.len());
            let mut members = Members::of(body.as_bytes());
            assert_eq!(members.by_ref().count(), 0);
            for name in [
                &members.urls,
                &members.files,
                &members.sounds,
                &members.sound_data,
            ] {
                let most = body.len() * 2;
                assert!(name.searched <= most, "{} bytes for {piece}", name.searched);
            }
        }
    }

    proptest! {
        #[test]
        fn hostile_texts_stay_below_it(content in "[ -~]{0,400}|[0-9 ]{0,300}|[a-z]{0,300}|\\PC{0,200}") {
            let (exact, bound) = both(&body(&content));
            // What no character of any text costs alone: a bound of bytes, not of words, is beaten by few.
            prop_assert!(exact <= bound + bound / 4, "{exact} tokens, held {bound}");
        }
    }
}
