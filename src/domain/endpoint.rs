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
    /// `POST /v1/responses`. From here on: passed on as `Forward` is, and told apart on the ledger.
    Responses,
    /// `POST /v1/images/generations`
    ImageGenerations,
    /// `POST /v1/images/edits`
    ImageEdits,
    /// `POST /v1/images/variations`
    ImageVariations,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/audio/transcriptions`
    Transcriptions,
    /// `POST /v1/audio/translations`
    Translations,
    /// `POST /v1/moderations`
    Moderations,
    /// What is stored below any path that is passed on, read or deleted: its answer tells what others used.
    Stored,
}

impl Endpoint {
    /// All of them. A place in this list is stored in the flight table: new ones are added at the end.
    pub const ALL: [Self; 13] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Forward,
        Self::Responses,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Moderations,
        Self::Stored,
    ];

    /// The kind of a request that is passed on, by its path.
    pub fn forwarded(method: &http::Method, path: &str) -> Self {
        use http::Method;
        if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) {
            return Self::Stored;
        }
        if *method != Method::POST {
            return Self::Forward;
        }
        match path {
            "/v1/responses" => Self::Responses,
            "/v1/images/generations" => Self::ImageGenerations,
            "/v1/images/edits" => Self::ImageEdits,
            "/v1/images/variations" => Self::ImageVariations,
            "/v1/audio/speech" => Self::Speech,
            "/v1/audio/transcriptions" => Self::Transcriptions,
            "/v1/audio/translations" => Self::Translations,
            "/v1/moderations" => Self::Moderations,
            _ => Self::Forward,
        }
    }

    /// Whether Weir passes it on as it comes, with a path of its own, instead of reading it first.
    pub fn is_forwarded(self) -> bool {
        !matches!(self, Self::Chat | Self::Completions | Self::Embeddings)
    }

    /// Whether a call to it uses nothing itself, whatever its answer says of usage.
    pub fn uses_nothing(self) -> bool {
        self == Self::Stored
    }

    /// Whether its answers hold images that were made.
    pub fn makes_images(self) -> bool {
        matches!(
            self,
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations
        )
    }

    /// The path below the version prefix; a forwarded request brings its own.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            _ => "",
        }
    }

    /// The label in metrics, events and logs, and the name on the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Forward | Self::Stored => "forward",
            Self::Responses => "responses",
            Self::ImageGenerations => "image_generations",
            Self::ImageEdits => "image_edits",
            Self::ImageVariations => "image_variations",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Moderations => "moderations",
        }
    }

    /// The operation name in OpenTelemetry's `gen_ai.operation.name` vocabulary.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "chat",
            Self::Completions => "text_completion",
            Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations => "generate_content",
            other => other.as_str(),
        }
    }
}
