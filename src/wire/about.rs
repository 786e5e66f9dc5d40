//! What the document of the API says of an operation, beyond its method and its URL.

use super::schema::{Schema, Shape};

/// What is said of one operation.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The heading that it stands under.
    pub tag: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What more there is to say; may be empty.
    pub details: &'static str,
    /// Who may ask.
    pub credential: Credential,
    /// What its query may have.
    pub parameters: fn() -> Vec<Parameter>,
    /// The body that it takes.
    pub takes: Option<&'static Shape>,
    /// What it answers, by status.
    pub gives: &'static [(u16, Content)],
    /// Statuses with which it refuses, beside those that its credential, parameters, body and path bring.
    pub refuses: &'static [u16],
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Whoever reaches the listener.
    None,
    /// An admin key's holder, and a user with the right.
    Admin,
    /// An API key's holder, and a user.
    Key,
}

/// What is in an answer.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// JSON of this shape.
    Json(&'static Shape),
    /// Text of these media types.
    Text(&'static [&'static str]),
}

/// A parameter of a query.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be; a list is written as the same name again and again.
    pub schema: Schema,
    /// Whether it has to be there.
    pub is_required: bool,
}

impl About {
    /// An operation that does what `summary` says, under the heading `tag`, for admins.
    pub const fn new(tag: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            details: "",
            credential: Credential::Admin,
            parameters: Vec::new,
            takes: None,
            gives: &[],
            refuses: &[],
        }
    }

    /// With more to say.
    pub const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// For others than admins.
    pub const fn credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// With parameters.
    pub const fn parameters(mut self, parameters: fn() -> Vec<Parameter>) -> Self {
        self.parameters = parameters;
        self
    }

    /// With a body.
    pub const fn takes(mut self, shape: &'static Shape) -> Self {
        self.takes = Some(shape);
        self
    }

    /// With answers.
    pub const fn gives(mut self, gives: &'static [(u16, Content)]) -> Self {
        self.gives = gives;
        self
    }

    /// With refusals of its own.
    pub const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refuses = statuses;
        self
    }
}

impl Parameter {
    /// One that may be left out.
    pub fn new(name: &'static str, schema: Schema) -> Self {
        Self {
            name,
            schema,
            is_required: false,
        }
    }

    /// One that has to be there.
    pub fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }
}
