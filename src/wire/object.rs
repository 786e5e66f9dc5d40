//! A short body that is read whole: a JSON object, where the lexer has found nothing wrong.

use super::{
    json::{Fault, Lexer, Nobody},
    request::Mistake,
};
use serde_json::{Map, Value};

/// Reads an object that nests no deeper than `depth_max` levels.
pub fn object(body: &[u8], depth_max: usize) -> Result<Map<String, Value>, Mistake> {
    let mut lexer = Lexer::new(depth_max);
    lexer.feed(0, body, &mut Nobody)?;
    lexer.finish(body.len(), &mut Nobody)?;
    std::str::from_utf8(body).map_err(|error| Mistake::Encoding(error.valid_up_to()))?;
    serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => Mistake::NotAnObject,
        // The grammar is right, and still there are numbers and escapes that mean nothing.
        false => Mistake::Syntax(Fault {
            at: error.column(),
            what: "a number or an escape that cannot be read",
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_and_all_else_is_a_mistake() {
        let read = |body: &[u8]| object(body, 8);
        assert_eq!(read(br#"{"a":[1]}"#).unwrap()["a"][0], 1);
        assert_eq!(read(b"[1]"), Err(Mistake::NotAnObject));
        assert_eq!(read(b"{\"a\":\"\xff\"}"), Err(Mistake::Encoding(6)));
        for broken in [
            "{",
            "{}{}",
            "{\"a\":1,}",
            "{\"a\":[[[[[[[[[[]]]]]]]]]]}",
            "",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
        ] {
            let mistake = read(broken.as_bytes()).unwrap_err();
            assert!(matches!(mistake, Mistake::Syntax(_)), "{broken}");
        }
    }
}
