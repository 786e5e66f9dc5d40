//! Where events end in a piece of a stream, as far as that can be told from the piece alone.

/// The ways in which an event's last line and the blank line behind it end.
const BLANKS: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];

/// Whether an event ends where this piece of a stream does; the blank line may also have begun before it.
pub(super) fn ends_event(piece: &[u8]) -> bool {
    BLANKS.iter().any(|blank| piece.ends_with(blank))
}

/// Where the first event in a piece of a stream ends, or the piece does; the blank line may also be found in its rest.
pub(super) fn first_events_end(piece: &[u8]) -> usize {
    let feeds = memchr::memchr2_iter(b'\n', b'\r', piece);
    for at in feeds {
        let blank = BLANKS
            .into_iter()
            .find(|blank| piece[at..].starts_with(blank));
        if let Some(blank) = blank {
            return at + blank.len();
        }
    }
    piece.len()
}
