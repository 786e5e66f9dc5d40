//! What is asked in the fields of a form, which may hold files.

use crate::domain::Asked;
use memchr::memmem;

/// The longest head of a part and the longest value of a field that are read.
const HEAD_MAX_BYTES: usize = 4096;
const VALUE_MAX_BYTES: usize = 256;

#[derive(Debug)]
pub(super) struct Form {
    /// What comes before each part: a line end, two dashes and the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// What of the last piece cannot be read without the next one.
    held: Vec<u8>,
    asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the head of a part.
    Head,
    /// In what a part holds, or before the first one.
    Content(Option<Field>),
    /// After the last part, or where it is no form.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Model,
    Size,
}

impl Form {
    /// A reader for a form whose parts stand between `boundary`.
    pub(super) fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            state: State::Content(None),
            // The first part needs no line end before it.
            held: b"\r\n".to_vec(),
            asked: Asked::default(),
        }
    }

    /// Reads the next piece; true if something has become known with it.
    pub(super) fn feed(&mut self, piece: &[u8]) -> bool {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(piece);
        let (mut at, mut is_new) = (0, false);
        while let Some(next) = self.step(&text[at..], &mut is_new) {
            at += next;
        }
        let left = &text[at..];
        let held = match self.state {
            State::Closed => 0,
            State::Head | State::Content(Some(_)) => left.len(),
            // No more than what may be the beginning of a delimiter.
            State::Content(None) => left.len().min(self.delimiter.len() - 1),
        };
        self.held = left[left.len() - held..].to_vec();
        is_new
    }

    /// Reads one head or one content from the beginning of `text` and says how long it was; none if more is needed.
    fn step(&mut self, text: &[u8], is_new: &mut bool) -> Option<usize> {
        match self.state {
            State::Closed => None,
            State::Head => match memmem::find(text, b"\r\n\r\n") {
                Some(end) if !text.starts_with(b"--") => {
                    self.state = State::Content(field(&text[..end]));
                    Some(end + 4)
                }
                None if text.len() <= HEAD_MAX_BYTES && !text.starts_with(b"--") => None,
                _ => {
                    self.state = State::Closed;
                    None
                }
            },
            State::Content(field) => match memmem::find(text, &self.delimiter) {
                Some(end) => {
                    self.state = State::Head;
                    if let Some(field) = field {
                        *is_new |= self.take(field, &text[..end]);
                    }
                    Some(end + self.delimiter.len())
                }
                None => {
                    if text.len() > VALUE_MAX_BYTES + self.delimiter.len() {
                        self.state = State::Content(None);
                    }
                    None
                }
            },
        }
    }

    fn take(&mut self, field: Field, value: &[u8]) -> bool {
        let is_short = (1..=VALUE_MAX_BYTES).contains(&value.len());
        let Some(value) = std::str::from_utf8(value).ok().filter(|_| is_short) else {
            return false;
        };
        let place = match field {
            Field::Model => &mut self.asked.model,
            Field::Size => &mut self.asked.image_size,
        };
        *place = Some(value.into());
        true
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }
}

/// The field that a part with this head holds, if it is one that is read.
fn field(head: &[u8]) -> Option<Field> {
    let head = std::str::from_utf8(head).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let name = disposition.split(';').find_map(|parameter| {
        let value = parameter.trim().strip_prefix("name=")?;
        Some(value.trim_matches('"'))
    })?;
    match name {
        "model" => Some(Field::Model),
        "size" => Some(Field::Size),
        _ => None,
    }
}
