//! `/v1/embeddings`: for each input a vector of length one, drawn from its hash.

use super::{Ask, hash::mix, inputs, refusal::Refusal, shape};
use serde::{Serialize, Serializer};
use serde_json::Value;

const DIMENSIONS: u64 = 1_536;
const DIMENSIONS_MAX: u64 = 4_096;
const NUMBERS_MAX: u64 = 2_048 * DIMENSIONS; // a full list at the usual size: some 40 MB of JSON

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// The body of the answer to an embeddings request.
pub(super) fn answer(ask: &Ask<'_>) -> Result<Vec<u8>, Refusal> {
    let missing = || Refusal::param("input", "You must provide an input parameter.");
    let inputs = inputs::read(ask.fields.get("input").ok_or_else(missing)?, "input")?;
    let dimensions = ask
        .fields
        .count("dimensions", 1..=DIMENSIONS_MAX)?
        .unwrap_or(DIMENSIONS);
    if inputs.len() as u64 * dimensions > NUMBERS_MAX {
        let message = format!("'input' asks for more than {NUMBERS_MAX} numbers in all.");
        return Err(Refusal::param("input", message));
    }
    let base64 = match ask.fields.get("encoding_format").map(Value::as_str) {
        None | Some(Some("float")) => false,
        Some(Some("base64")) => true,
        Some(_) => {
            let message = "'encoding_format' must be float or base64.";
            return Err(Refusal::param("encoding_format", message));
        }
    };

    let embed = |(index, input): (usize, &inputs::Input)| {
        let embedding = Vector {
            seed: input.hash,
            dimensions,
            base64,
        };
        Embedding {
            object: "embedding",
            index,
            embedding,
        }
    };
    let tokens = inputs.iter().map(|input| input.tokens).sum();
    let usage = Usage {
        prompt_tokens: tokens,
        total_tokens: tokens,
    };
    Ok(shape::json(&Embeddings {
        object: "list",
        data: inputs.iter().enumerate().map(embed).collect(),
        model: ask.model,
        usage: ask.manner.reports_usage().then_some(usage),
    }))
}

/// A vector, drawn when it is written out, so that one at a time is in memory.
struct Vector {
    seed: u64,
    dimensions: u64,
    base64: bool,
}

impl Vector {
    fn draw(&self) -> Vec<f32> {
        let number = |index| {
            let bits = mix(self.seed.wrapping_add(index)) as i64;
            bits as f64 / i64::MAX as f64
        };
        let numbers: Vec<f64> = (0..self.dimensions).map(number).collect();
        let length = numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
        // All zero cannot happen by luck, but a division by zero would not be JSON.
        let length = length.max(f64::MIN_POSITIVE);
        numbers.iter().map(|x| (x / length) as f32).collect()
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers = self.draw();
        if self.base64 {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            serializer.serialize_str(&base64(&bytes))
        } else {
            serializer.collect_seq(numbers)
        }
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= group.len() {
                DIGITS[index].into()
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_examples_of_its_rfc() {
        let examples = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        for (length, expected) in examples.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), expected);
        }
    }

    #[test]
    fn a_vector_has_length_one_at_every_size() {
        for dimensions in [1, 2, 1_536, 4_096] {
            let numbers = Vector {
                seed: 7,
                dimensions,
                base64: false,
            }
            .draw();
            let length: f64 = numbers.iter().map(|x| f64::from(*x).powi(2)).sum();
            assert!((length - 1.0).abs() < 1e-5, "{dimensions}: {length}");
        }
    }
}
