//! Vectors.

use super::*;

#[test]
fn embeddings_in_base64_are_the_floats() {
    let vectors = |format: Value| {
        let request = json!({"model": "simulator", "input": ["a", "a b", "a"], "dimensions": 7,
            "encoding_format": format});
        let mut answer = whole(ask(Endpoint::Embeddings, &request));
        assert_eq!(
            answer["usage"],
            json!({"prompt_tokens": 4, "total_tokens": 4})
        );
        assert_eq!(answer["data"][2]["index"], json!(2));
        [0, 1, 2].map(|index| answer["data"][index]["embedding"].take())
    };
    let floats =
        vectors(json!("float")).map(|vector| serde_json::from_value::<Vec<f32>>(vector).unwrap());
    let decoded = vectors(json!("base64")).map(|vector| unbase64(vector.as_str().unwrap()));
    assert_eq!(floats, decoded);
    assert_eq!(floats[0], floats[2]);
    assert_ne!(floats[0], floats[1]);
    assert_eq!(floats[0].len(), 7);
    assert_eq!(vectors(Value::Null)[0], vectors(json!("float"))[0]);
}

/// Little-endian floats from base64, as a client reads them.
fn unbase64(text: &str) -> Vec<f32> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let byte = |i: usize| {
        let (at, shift) = (i * 8 / 6, i * 8 % 6);
        digits[at] << (2 + shift) | digits[at + 1] >> (4 - shift)
    };
    let bytes: Vec<u8> = (0..digits.len() * 6 / 8).map(byte).collect();
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn an_embedding_has_the_usual_size_unless_asked_otherwise() {
    let size = |more: Value| {
        let mut request = json!({"model": "text-embedding-3-small", "input": [[1, 2], [3]]});
        request["dimensions"] = more;
        let answer = whole(ask(Endpoint::Embeddings, &request));
        assert_eq!(answer["usage"]["total_tokens"], json!(3));
        answer["data"][1]["embedding"].as_array().unwrap().len()
    };
    assert_eq!(size(Value::Null), 1_536);
    assert_eq!(size(json!(256)), 256);
}
