//! Finds what of a prompt is data and no text: images, sounds and files in base64.

use memchr::{
    memchr, memchr_iter,
    memmem::{self, Finder},
};
use std::sync::LazyLock;

/// What is shorter than this is counted as the text that it may be.
const WORD_MAX_BYTES: usize = 4 << 10;
/// How far apart a member's name and its value may be, and a sound and its data: each is looked for no farther.
const NEAR_BYTES: usize = 128;

/// The name of what holds an image in a chat.
pub(super) static URL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"url\""));

/// What looks for the names: made once, and not for every prompt.
static FINDERS: LazyLock<Finders> = LazyLock::new(|| Finders {
    files: Finder::new(b"\"file_data\""),
    sounds: Finder::new(b"\"input_audio\""),
    sound_data: Finder::new(b"\"data\""),
});

struct Finders {
    files: Finder<'static>,
    sounds: Finder<'static>,
    sound_data: Finder<'static>,
}

/// The members of a body that hold data, in one pass: no byte is searched twice for the same name.
///
/// A name with its quotes is never part of a text, where each quote has a backslash before it.
pub(super) struct Members<'a> {
    body: &'a [u8],
    at: usize,
    urls: Name<'a>,
    files: Name<'a>,
    sounds: Name<'a>,
    sound_data: Name<'a>,
}

impl<'a> Members<'a> {
    /// Those of a body in which images stand under the name that `url` finds.
    pub(super) fn of(body: &'a [u8], url: &'static Finder<'static>) -> Self {
        Self {
            body,
            at: 0,
            urls: Name::new(body, url),
            files: Name::new(body, &FINDERS.files),
            sounds: Name::new(body, &FINDERS.sounds),
            sound_data: Name::new(body, &FINDERS.sound_data),
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

/// What is no text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Sound,
    File,
}

impl Kind {
    /// Bytes of data in base64 for each token that they may come to.
    pub(super) fn bytes_a_token(self) -> usize {
        match self {
            // Sounds: at 16 kB and ten tokens a second. Images have a price of their own besides.
            Self::Image | Self::Sound => 1000,
            // A document is read as the text that is in it.
            Self::File => 20,
        }
    }
}

pub(super) struct Data {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The next place of a name, remembered until it is passed.
struct Name<'a> {
    body: &'a [u8],
    finder: &'static Finder<'static>,
    /// Where it is, or the body's length if it is nowhere any more. None until somebody asks.
    place: Option<usize>,
    #[cfg(test)]
    searched: usize,
}

impl<'a> Name<'a> {
    fn new(body: &'a [u8], finder: &'static Finder<'static>) -> Self {
        Self {
            body,
            finder,
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let mut members = Members::of(body.as_bytes(), &URL);
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
}
