//! OpenAI's error object.

use super::schema::{Schema, Shape};
use serde::{Deserialize, Serialize};

/// The shape of it.
pub const SHAPE: Shape = Shape::new("Error", || {
    let error = Schema::object()
        .with("message", Schema::text().says("For a person"))
        .with("type", Schema::text().says("The family of the error"))
        .with(
            "param",
            Schema::text()
                .or_null()
                .says("What of the request is wrong"),
        )
        .with(
            "code",
            Schema::text()
                .or_null()
                .says("The error itself, for a program"),
        );
    Schema::object().with("error", error)
});

/// `{"error": {…}}` with all four members, as every refusal of Weir is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The object itself.
    pub error: ErrorObject,
}

/// What went wrong, for a person and for a program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorObject {
    /// For a person.
    pub message: String,
    /// The family of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The member of the request that is wrong.
    pub param: Option<String>,
    /// The error itself, for a program.
    pub code: Option<String>,
}

impl ErrorBody {
    /// An error object of these parts.
    pub fn new(
        message: impl Into<String>,
        kind: &str,
        param: Option<&str>,
        code: Option<&str>,
    ) -> Self {
        Self {
            error: ErrorObject {
                message: message.into(),
                kind: kind.to_owned(),
                param: param.map(str::to_owned),
                code: code.map(str::to_owned),
            },
        }
    }

    /// The object as JSON on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings always serialise")
    }

    /// The object as the last event of a stream.
    pub fn to_event(&self) -> String {
        format!("data: {}\n\n", self.to_json())
    }
}
