//! What a client asks for, by URL.

/// A kind of request that Weir reads far enough to route and meter it, or `Forward` for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// Every other OpenAI path.
    Forward,
}

impl Endpoint {
    /// All of them. A place in this list is stored in the flight table: new ones are added at the end.
    pub const ALL: [Self; 4] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Forward,
    ];

    /// The path below the version prefix; a forwarded request brings its own.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Forward => "",
        }
    }

    /// The label in metrics, events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Forward => "forward",
        }
    }

    /// The operation name in OpenTelemetry's `gen_ai.operation.name` vocabulary.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Forward => "forward",
        }
    }
}
