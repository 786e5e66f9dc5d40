//! What an image in a prompt costs, by the rules that OpenAI has published, and how large one is.

use super::{Count, Why, model};
use base64::{Engine, prelude::BASE64_STANDARD};

/// How a family of models turns an image's size into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// So many for the image, and so many for each tile of 512 pixels.
    Tiles { base: u64, tile: u64 },
    /// One for each patch of 32 pixels, times this many hundredths.
    Patches { percent: u64 },
}

/// Used where a model's own rule is not published, for an estimate: that of most models.
const USUAL: Rule = Rule::Tiles {
    base: 85,
    tile: 170,
};

/// The size that an image of unknown size is taken to have, for an estimate.
const USUAL_SIZE: Size = Size {
    width: 1024,
    height: 1024,
};

/// An image's extent in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// How closely the model is to look, as the request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Low,
    High,
    /// The model decides, and says nothing about it; it is estimated to look closely.
    Auto,
}

impl Rule {
    /// The rule for the model of this name, if one is published.
    pub(super) fn of(name: &str) -> Option<Self> {
        const fn tiles(base: u64, tile: u64) -> Rule {
            Rule::Tiles { base, tile }
        }
        // Longest first where one begins another.
        const RULES: &[(&str, Rule)] = &[
            ("gpt-4o-mini", tiles(2833, 5667)),
            ("gpt-4o", tiles(85, 170)),
            ("chatgpt-4o", tiles(85, 170)),
            ("gpt-4.1-mini", Rule::Patches { percent: 162 }),
            ("gpt-4.1-nano", Rule::Patches { percent: 246 }),
            ("gpt-4.1", tiles(85, 170)),
            ("gpt-4.5", tiles(85, 170)),
            ("gpt-4-turbo", tiles(85, 170)),
            ("gpt-4-vision", tiles(85, 170)),
            ("gpt-5-mini", Rule::Patches { percent: 162 }),
            ("gpt-5-nano", Rule::Patches { percent: 246 }),
            ("gpt-5", tiles(70, 140)),
            ("o4-mini", Rule::Patches { percent: 172 }),
            ("o1", tiles(75, 150)),
            ("o3", tiles(75, 150)),
            ("computer-use-preview", tiles(65, 129)),
        ];
        let known = RULES.iter().find(|(family, _)| model::is(name, family));
        known.map(|(_, rule)| *rule)
    }

    fn tokens(self, size: Size, detail: Detail) -> u64 {
        match (self, detail) {
            (Self::Tiles { base, .. }, Detail::Low) => base,
            (Self::Tiles { base, tile }, _) => base + tile * tiles(size),
            (Self::Patches { percent }, _) => (patches(size) * percent).div_ceil(100),
        }
    }
}

/// What the image at `url` costs. Exact only where rule, size and detail are all known.
pub(super) fn count(rule: Option<Rule>, url: &str, detail: Detail) -> Count {
    let size = size_of(url);
    let tokens = rule
        .unwrap_or(USUAL)
        .tokens(size.unwrap_or(USUAL_SIZE), detail);
    let exact = match rule {
        Some(Rule::Tiles { .. }) => {
            detail == Detail::Low || detail == Detail::High && size.is_some()
        }
        // How a fraction of a token is rounded is not published.
        Some(Rule::Patches { .. }) | None => false,
    };
    Count {
        tokens,
        estimated: (!exact).then_some(Why::Undocumented),
    }
}

/// What an image costs at most, however large it is.
pub(super) fn most(rule: Option<Rule>) -> u64 {
    let size = Size {
        width: 2048,
        height: 768,
    };
    rule.unwrap_or(USUAL).tokens(size, Detail::High)
}

/// Tiles of 512 pixels, after scaling into 2048 by 2048 and then the shorter side down to 768.
fn tiles(size: Size) -> u64 {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let fit = (2048.0 / width.max(height)).min(1.0);
    let scale = fit * (768.0 / (width.min(height) * fit)).min(1.0);
    let (width, height) = (width * scale, height * scale);
    // A hair's breadth of rounding is no tile more.
    let along = |side: f64| ((side / 512.0 - 1e-9).ceil() as u64).max(1);
    along(width) * along(height)
}

/// The most patches that an image is cut into.
const PATCHES_MAX: u64 = 1536;

/// Patches of 32 pixels; a larger image is scaled until a whole number of patches fits.
fn patches(size: Size) -> u64 {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let along = |side: f64| ((side / 32.0 - 1e-9).ceil() as u64).max(1);
    let all = along(width) * along(height);
    if all <= PATCHES_MAX {
        return all;
    }
    let scale = (PATCHES_MAX as f64 * 32.0 * 32.0 / (width * height)).sqrt();
    let (across, down) = (width * scale / 32.0, height * scale / 32.0);
    let fit = (across.floor() / across).min(down.floor() / down);
    // An image of extreme shape has a side shorter than a patch, and is not scaled to nothing.
    let scale = if fit > 0.0 { scale * fit } else { scale };
    (along(width * scale) * along(height * scale)).min(PATCHES_MAX)
}

/// How much of an image is decoded to find its size: a photograph's own notes may lie before it.
const HEAD_MAX_BYTES: usize = 256 << 10;

/// The size of the image inside a `data:` URL, if it is a PNG or a JPEG.
fn size_of(url: &str) -> Option<Size> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    if !kind.ends_with(";base64") {
        return None;
    }
    let head = data.as_bytes();
    let head = &head[..head.len().min(HEAD_MAX_BYTES / 3 * 4)];
    // What is cut off or ends in padding is not needed, and whole groups of four always decode.
    let head = head.trim_ascii_end();
    let head = head
        .strip_suffix(b"==")
        .or(head.strip_suffix(b"="))
        .unwrap_or(head);
    let bytes = BASE64_STANDARD.decode(&head[..head.len() / 4 * 4]).ok()?;
    let size = png(&bytes).or_else(|| jpeg(&bytes))?;
    (size.width > 0 && size.height > 0).then_some(size)
}

fn png(bytes: &[u8]) -> Option<Size> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let chunk = header.get(4..16)?.strip_prefix(b"IHDR")?;
    let (width, height) = chunk.split_first_chunk::<4>()?;
    Some(Size {
        width: u32::from_be_bytes(*width),
        height: u32::from_be_bytes(*height.first_chunk()?),
    })
}

/// Walks a JPEG's segments to the frame header.
fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let [0xff, marker, after @ ..] = rest else {
            return None;
        };
        match marker {
            0xff => rest = &rest[1..], // padding
            // Frame headers, without the tables that are numbered among them.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(marker) => {
                let &[_, _, _, h1, h2, w1, w2, ..] = after else {
                    return None;
                };
                return Some(Size {
                    width: u16::from_be_bytes([w1, w2]).into(),
                    height: u16::from_be_bytes([h1, h2]).into(),
                });
            }
            0x01 | 0xd0..=0xd8 => rest = after, // markers without a length
            0xd9 | 0xda => return None,
            _ => {
                let len = u16::from_be_bytes(*after.first_chunk()?);
                rest = after.get(usize::from(len)..)?;
                if len < 2 {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILES: Rule = Rule::Tiles {
        base: 85,
        tile: 170,
    };

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn data_url(kind: &str, bytes: &[u8]) -> String {
        format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(bytes))
    }

    fn png_of(width: u32, height: u32) -> String {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 1, 2, 3, 4]);
        data_url("png", &bytes)
    }

    #[test]
    fn the_published_examples_of_tiles_hold() {
        assert_eq!(TILES.tokens(size(1024, 1024), Detail::High), 765);
        assert_eq!(TILES.tokens(size(2048, 4096), Detail::High), 1105);
        assert_eq!(TILES.tokens(size(4096, 8192), Detail::Low), 85);
        assert_eq!(TILES.tokens(size(512, 512), Detail::High), 255);
        assert_eq!(TILES.tokens(size(1, 1), Detail::High), 255);
        assert_eq!(TILES.tokens(size(768, 513), Detail::High), 765);
    }

    #[test]
    fn the_published_examples_of_patches_hold() {
        assert_eq!(patches(size(1024, 1024)), 1024);
        assert_eq!(patches(size(1800, 2400)), 1452);
        assert_eq!(patches(size(1, 1)), 1);
        for (width, height) in [(u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
            assert!((1..=PATCHES_MAX).contains(&patches(size(width, height))));
            assert!((1..=32).contains(&tiles(size(width, height))));
        }
    }

    #[test]
    fn the_rule_is_that_of_the_model() {
        assert_eq!(Rule::of("gpt-4o-2024-08-06"), Some(TILES));
        let mini = Rule::Tiles {
            base: 2833,
            tile: 5667,
        };
        assert_eq!(Rule::of("gpt-4o-mini"), Some(mini));
        let patches = Rule::Patches { percent: 162 };
        assert_eq!(Rule::of("gpt-4.1-mini-2025-04-14"), Some(patches));
        assert_eq!(Rule::of("gpt-5.2"), None);
    }

    #[test]
    fn sizes_are_read_from_png_and_jpeg() {
        assert_eq!(size_of(&png_of(640, 480)), Some(size(640, 480)));
        let mut jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08".to_vec();
        jpeg.extend([0x01, 0xe0, 0x02, 0x80, 3, 1, 1]);
        assert_eq!(size_of(&data_url("jpeg", &jpeg)), Some(size(640, 480)));
        for broken in [
            &b"\xff\xd8\xff\xe0\0\0"[..],
            b"\xff\xd8\xff\xda",
            b"GIF89a",
            b"",
        ] {
            assert_eq!(size_of(&data_url("jpeg", broken)), None);
        }
        assert_eq!(size_of(&png_of(0, 480)), None);
        assert_eq!(size_of("https://example.com/cat.png"), None);
        assert_eq!(size_of("data:image/png;base64,***"), None);
    }

    #[test]
    fn only_what_is_known_is_exact() {
        let url = png_of(1024, 1024);
        assert_eq!(count(Some(TILES), &url, Detail::High), Count::exact(765));
        let far = "https://example.com/cat.png";
        assert_eq!(count(Some(TILES), far, Detail::Low), Count::exact(85));
        for (rule, url, detail) in [
            (Some(TILES), far, Detail::High),
            (Some(TILES), &url, Detail::Auto),
            (None, &url, Detail::High),
        ] {
            let count = count(rule, url, detail);
            assert_eq!(count, Count::estimated(765, Why::Undocumented));
        }
    }
}
