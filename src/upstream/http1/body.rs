//! Where an answer's body ends, and what of the bytes before that is content. Does no I/O.

use super::Malformed;

/// The most that the chunks of one body may say about themselves, and the most that may follow the last of them. All
/// of it is dropped.
const ASIDE_MAX_BYTES: u32 = 16 << 10;

/// How a body is laid out on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Each chunk says how long it is.
    Chunked(Chunks),
    /// All that comes until the connection closes.
    UntilClose,
}

/// A place in the chunked coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    at: At,
    /// Bytes of extensions and trailers so far.
    aside: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first digit of a chunk's size.
    Start,
    /// Among its digits.
    Size(u64),
    /// Behind them, where blanks may follow.
    Sized(u64),
    /// In an extension, which tells nothing that Weir needs.
    Extension(u64),
    /// Before the line feed that ends the line.
    LineEnd(u64),
    /// In a chunk of which so much is left.
    Content(u64),
    /// Behind a chunk.
    ContentEnd,
    ContentEndLf,
    /// At the beginning of a line behind the last chunk: a trailer, or nothing, which is the end.
    Trailers,
    Trailer,
    TrailerLf,
    LastLf,
    Over,
}

/// What was found in a piece of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes of content, which now stand at the beginning of the piece.
    pub content: usize,
    /// Bytes of the piece that are the body's. What is behind them is not.
    pub used: usize,
    /// What is wrong behind the content; nothing more can be read then.
    pub fault: Option<Malformed>,
}

impl Framing {
    /// The chunked coding, at its beginning.
    pub fn chunked() -> Self {
        Self::Chunked(Chunks {
            at: At::Start,
            aside: 0,
        })
    }

    /// Whether the body is over.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == At::Over,
            Self::UntilClose => false,
        }
    }

    /// Whether the body may end with its connection.
    pub fn may_close(&self) -> bool {
        self.is_over() || *self == Self::UntilClose
    }

    /// Takes in the next piece of the body, and moves what is content in it to its beginning.
    pub fn read(&mut self, piece: &mut [u8]) -> Found {
        let all = |len| Found {
            content: len,
            used: len,
            fault: None,
        };
        match self {
            Self::Length(left) => {
                let len = within(*left, piece.len());
                *left -= len as u64;
                all(len)
            }
            Self::Chunked(chunks) => chunks.read(piece),
            Self::UntilClose => all(piece.len()),
        }
    }
}

/// `len`, or `left` if that is less.
fn within(left: u64, len: usize) -> usize {
    usize::try_from(left).map_or(len, |left| left.min(len))
}

impl Chunks {
    fn read(&mut self, piece: &mut [u8]) -> Found {
        let (mut content, mut used, mut fault) = (0, 0, None);
        while used < piece.len() && self.at != At::Over && fault.is_none() {
            if let At::Content(left) = self.at {
                let len = within(left, piece.len() - used);
                piece.copy_within(used..used + len, content);
                content += len;
                used += len;
                self.at = match left - len as u64 {
                    0 => At::ContentEnd,
                    left => At::Content(left),
                };
            } else {
                match self.step(piece[used]) {
                    Ok(at) => self.at = at,
                    Err(malformed) => fault = Some(malformed),
                }
                used += 1;
            }
        }
        Found {
            content,
            used,
            fault,
        }
    }

    /// The place behind one byte of what is not content.
    fn step(&mut self, byte: u8) -> Result<At, Malformed> {
        Ok(match (self.at, byte) {
            (At::Start, byte) => At::Size(digit(byte)?),
            (At::Size(size), byte) if byte.is_ascii_hexdigit() => {
                let size = size.checked_mul(16).ok_or(Malformed::Chunk)?;
                At::Size(size | digit(byte)?)
            }
            (At::Size(size) | At::Sized(size) | At::Extension(size), b'\r') => At::LineEnd(size),
            (At::Size(size) | At::Sized(size), b' ' | b'\t') => {
                self.pass_over()?;
                At::Sized(size)
            }
            (At::Size(size) | At::Sized(size), b';') => At::Extension(size),
            // Readers that take a line feed alone for the end of a line would go on elsewhere.
            (At::Extension(size), byte) if byte != b'\n' => {
                self.pass_over()?;
                At::Extension(size)
            }
            (At::LineEnd(0), b'\n') => At::Trailers,
            (At::LineEnd(size), b'\n') => At::Content(size),
            (At::ContentEnd, b'\r') => At::ContentEndLf,
            (At::ContentEndLf, b'\n') => At::Start,
            (At::Trailers, b'\r') => At::LastLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::Trailers | At::Trailer, byte) if byte != b'\n' => {
                self.pass_over()?;
                At::Trailer
            }
            (At::TrailerLf, b'\n') => At::Trailers,
            (At::LastLf, b'\n') => At::Over,
            _ => return Err(Malformed::Chunk),
        })
    }

    fn pass_over(&mut self) -> Result<(), Malformed> {
        self.aside += 1;
        match self.aside > ASIDE_MAX_BYTES {
            true => Err(Malformed::Chunk),
            false => Ok(()),
        }
    }
}

fn digit(byte: u8) -> Result<u64, Malformed> {
    char::from(byte)
        .to_digit(16)
        .map(u64::from)
        .ok_or(Malformed::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All content, and what is left over behind the body, of a body that comes in these pieces.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>, bool), Malformed> {
        let (mut content, mut rest) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut piece = piece.to_vec();
            let found = framing.read(&mut piece);
            if let Some(fault) = found.fault {
                return Err(fault);
            }
            content.extend_from_slice(&piece[..found.content]);
            rest.extend_from_slice(&piece[found.used..]);
        }
        Ok((content, rest, framing.is_over()))
    }

    fn chunks(text: &str) -> Result<(Vec<u8>, Vec<u8>, bool), Malformed> {
        read(Framing::chunked(), &[text.as_bytes()])
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let whole = read(Framing::Length(3), &[b"ab", b"cd"]).unwrap();
        assert_eq!(whole, (b"abc".to_vec(), b"d".to_vec(), true));
        let short = read(Framing::Length(9), &[b"abc"]).unwrap();
        assert_eq!(short, (b"abc".to_vec(), vec![], false));
        let none = read(Framing::Length(0), &[b"x"]).unwrap();
        assert_eq!(none, (vec![], b"x".to_vec(), true));
    }

    #[test]
    fn what_ends_with_its_connection_is_content_to_the_end() {
        let all = read(Framing::UntilClose, &[b"ab", b"", b"c"]).unwrap();
        assert_eq!(all, (b"abc".to_vec(), vec![], false));
        assert!(Framing::UntilClose.may_close() && !Framing::Length(1).may_close());
    }

    #[test]
    fn of_chunks_only_the_content_is_left() {
        let text =
            "3\r\nabc\r\n0B ;x=\"y\"\r\nde\r\nfghijkl\r\n000\r\nx-t: 1\r\nx-u: 2\r\n\r\nrest";
        let whole = (b"abcde\r\nfghijkl".to_vec(), b"rest".to_vec(), true);
        assert_eq!(chunks(text).unwrap(), whole);
        for cut in 0..text.len() {
            let pieces = [&text.as_bytes()[..cut], &text.as_bytes()[cut..]];
            assert_eq!(read(Framing::chunked(), &pieces).unwrap(), whole, "{cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(Framing::chunked(), &bytes).unwrap(), whole);
    }

    #[test]
    fn chunks_that_stop_short_are_not_over() {
        let text = "2\r\nab\r\n0\r\n\r\n";
        for end in 0..text.len() {
            assert!(!chunks(&text[..end]).unwrap().2, "{end}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in [
            "\r\n",
            "x\r\n",
            ";a\r\n",
            " 3\r\nabc\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "3\nabc\r\n",
            "3\r\rabc",
            "3\r\nabcd",
            "3\r\nabc\n",
            "3\r\nabc\r\r",
            "3 3\r\nabc\r\n",
            "3;a\n",
            "0\r\n\n",
            "0\r\nx: y\n\r\n",
            "0\r\n\rx",
            "10000000000000000\r\n",
        ] {
            assert_eq!(chunks(text), Err(Malformed::Chunk), "{text:?}");
        }
    }

    #[test]
    fn what_is_dropped_is_bounded() {
        let much = "x".repeat(20 << 10);
        assert!(chunks(&format!("1;{much}")).is_err());
        assert!(chunks(&format!("1{}", " ".repeat(20 << 10))).is_err());
        assert!(chunks(&format!("0\r\nx: {much}")).is_err());
        assert!(chunks(&"1;xxxxxxxxxxxxxxxx\r\na\r\n".repeat(2_000)).is_err());
    }
}
