//! How many tokens a prompt can have at most, told from its bytes alone: fast enough for a thread that serves.
//!
//! It is what a limit holds until somebody knows better. Prose comes to about half of it; what people write to defeat
//! it (random letters, digits one by one, rare ideographs) comes near it, and an encoding that beats it is corrected
//! when the call is settled.

mod members;

use super::{Model, image};
use crate::domain::Endpoint;
use members::Members;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What an image that is only named looks like, in a chat and in what a response is asked for.
static IMAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"image_url\""));
static INPUT_IMAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"input_image\""));
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
    /// That of the body of a request to `endpoint`, which is read once for all models that may get it.
    pub fn of(endpoint: Endpoint, body: &[u8]) -> Self {
        let named = |image: &Finder<'_>| image.find_iter(body).count() as u64;
        // One of a response may be named by the id of a file alone.
        let (images, url) = match endpoint {
            Endpoint::Responses => (named(&IMAGE) + named(&INPUT_IMAGE), &*IMAGE),
            _ => (named(&IMAGE), &*members::URL),
        };
        let (mut halves, mut data, mut from) = (0, 0, 0);
        for found in Members::of(body, url) {
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
    pub fn of_model(&self, model: &Model) -> u64 {
        self.tokens + self.images * image::most(model.images)
    }
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
mod tests;
