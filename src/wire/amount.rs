//! Money as OpenAI's API writes it.

use super::schema::{Schema, Shape};
use crate::domain::NanoDollars;
use serde::Serialize;
use serde_json::value::RawValue;

/// `{"value": 0.0000125, "currency": "usd"}`.
#[derive(Clone, Debug, Serialize)]
pub struct Amount {
    value: Box<RawValue>,
    currency: &'static str,
}

/// An amount.
pub const SHAPE: Shape = Shape::new("Amount", || {
    Schema::object()
        .with(
            "value",
            Schema::number().at_least(0).says("Up to nine places"),
        )
        .with("currency", Schema::word("usd"))
});

impl Amount {
    /// So many billionths of a dollar. Written digit for digit: through a float, a bill would be off by its last ones.
    pub fn of(nanos: u64) -> Self {
        let text = NanoDollars::new(nanos.into()).to_string();
        Self {
            value: RawValue::from_string(text).expect("a decimal is JSON"),
            currency: "usd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn every_digit_is_written() {
        let text = |nanos| serde_json::to_string(&Amount::of(nanos)).unwrap();
        assert_eq!(
            text(9_007_199_254_740_993),
            r#"{"value":9007199.254740993,"currency":"usd"}"#
        );
        assert_eq!(text(0), r#"{"value":0,"currency":"usd"}"#);
    }
}
