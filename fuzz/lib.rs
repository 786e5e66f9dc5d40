//! What the targets share: how an input is laid out.

/// The bytes at the front of an input that say how to cut the rest.
const CUTS: usize = 4;

/// Splits an input into a byte of choices, its text, and the text cut into pieces.
///
/// The piece lengths are the input's too, so that libFuzzer finds the cuts that matter.
pub fn layout(input: &[u8]) -> Option<(u8, &[u8], Vec<&[u8]>)> {
    let (choices, rest) = input.split_first()?;
    let (cuts, text) = rest.split_at_checked(CUTS)?;
    let mut pieces = Vec::new();
    let mut left = text;
    for length in cuts.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (piece, rest) = left.split_at(usize::from(*length).clamp(1, left.len()));
        pieces.push(piece);
        left = rest;
    }
    Some((*choices, text, pieces))
}
