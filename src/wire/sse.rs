//! Server-sent events: where lines and events end, in pieces cut anywhere.
//!
//! Follows the WHATWG rules: lines end in LF, CRLF or CR, a leading byte-order mark is nothing, one space after the
//! colon is not part of the value. It copies nothing; what it reports are slices of the piece it was fed.

use memchr::memchr2;

/// Receives the parts of events in the order of the stream.
pub trait Sink {
    /// Part of the value of a `data` line, at `at` in the stream.
    fn data(&mut self, at: usize, part: &[u8]);
    /// The `data` line has ended.
    fn data_line_end(&mut self);
    /// An event has ended: the stream is between two events at byte `end`.
    fn event_end(&mut self, end: usize);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line, with so many letters of `data` seen.
    Name(u8),
    /// Past `data:`, where one space is skipped.
    Space,
    /// In the value of a `data` line.
    Data,
    /// In a line of another kind.
    Other,
}

/// The scanner's place in a stream.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    /// The next LF belongs to the CR before it.
    after_cr: bool,
    /// So many bytes of a byte-order mark seen; 3 once the stream is past its start.
    mark: u8,
    /// The line in progress has bytes.
    in_line: bool,
    /// The event in progress has lines.
    in_event: bool,
}

const NAME: &[u8] = b"data";
/// How nearly every line of a stream begins.
const DATA: &[u8] = b"data:";
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Default for Scanner {
    fn default() -> Self {
        Self {
            state: State::Name(0),
            after_cr: false,
            mark: 0,
            in_line: false,
            in_event: false,
        }
    }
}

impl Scanner {
    /// Whether the stream is between two events: nothing of the next has been seen.
    pub fn between_events(&self) -> bool {
        !self.in_line && !self.in_event && !self.after_cr
    }

    /// Whether an LF that comes next belongs to the line that has just ended.
    pub fn awaits_lf(&self) -> bool {
        self.after_cr
    }

    /// Reads the next piece, which lies at `at` in the stream.
    pub fn feed(&mut self, at: usize, piece: &[u8], sink: &mut impl Sink) {
        let mut i = 0;
        while i < piece.len() {
            if std::mem::take(&mut self.after_cr) && piece[i] == b'\n' {
                i += 1;
                continue;
            }
            match self.state {
                State::Data | State::Other => {
                    let end = memchr2(b'\n', b'\r', &piece[i..]).map_or(piece.len(), |n| i + n);
                    if self.state == State::Data && end > i {
                        sink.data(at + i, &piece[i..end]);
                    }
                    i = end;
                    if i < piece.len() {
                        i = self.end_line(piece, i, at, sink);
                    }
                }
                State::Name(0) if piece[i..].starts_with(DATA) => {
                    self.mark = 3;
                    self.in_line = true;
                    self.state = State::Space;
                    i += DATA.len();
                }
                State::Name(seen) => {
                    let byte = piece[i];
                    if self.is_mark(byte) {
                        i += 1;
                    } else if byte == b'\n' || byte == b'\r' {
                        i = self.end_line(piece, i, at, sink);
                    } else {
                        self.in_line = true;
                        self.state = match NAME.get(seen as usize) {
                            Some(letter) if *letter == byte => State::Name(seen + 1),
                            None if byte == b':' => State::Space,
                            _ => State::Other,
                        };
                        i += 1;
                    }
                }
                State::Space => {
                    self.state = State::Data;
                    i += usize::from(piece[i] == b' ');
                }
            }
        }
    }

    /// Ends the stream: what is left counts as an event, since the client's reader may take it for one.
    pub fn finish(&mut self, at: usize, sink: &mut impl Sink) {
        if self.in_line && matches!(self.state, State::Data | State::Space | State::Name(4)) {
            sink.data_line_end();
        }
        if self.in_line || self.in_event {
            sink.event_end(at);
        }
        *self = Self {
            mark: self.mark,
            ..Self::default()
        };
    }

    /// Ends the line whose terminator begins at `i`; returns where the next begins.
    fn end_line(&mut self, piece: &[u8], i: usize, at: usize, sink: &mut impl Sink) -> usize {
        self.mark = 3;
        let mut next = i + 1;
        if piece[i] == b'\r' {
            match piece.get(next) {
                Some(b'\n') => next += 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        // `data` alone is a data line with nothing in it.
        if matches!(self.state, State::Data | State::Space | State::Name(4)) {
            sink.data_line_end();
        }
        if std::mem::take(&mut self.in_line) {
            self.in_event = true;
        } else {
            self.in_event = false;
            sink.event_end(at + next);
        }
        self.state = State::Name(0);
        next
    }

    fn is_mark(&mut self, byte: u8) -> bool {
        let is = BYTE_ORDER_MARK.get(self.mark as usize) == Some(&byte);
        self.mark = if is { self.mark + 1 } else { 3 };
        is
    }
}

#[cfg(test)]
mod tests;
