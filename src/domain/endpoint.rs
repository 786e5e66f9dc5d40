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
    /// `POST /v1/responses`. Read as those above where its body is not too long for that, and passed on as `Forward` is.
    Responses,
    /// `POST /v1/images/generations`. From here on: passed on as `Forward` is, and told apart on the ledger.
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
    /// What is stored below any path that is passed on, when it is read, deleted, renamed or called off: its answer tells
    /// what others used.
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
        if is_about_stored(path) {
            return Self::Stored;
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

    /// Whether Weir passes it on by its path, to an upstream that answers in ways that Weir does not judge.
    pub fn is_forwarded(self) -> bool {
        !matches!(self, Self::Chat | Self::Completions | Self::Embeddings)
    }

    /// Whether Weir knows before a call to it goes upstream which model it is for.
    pub fn shows_model(self) -> bool {
        !self.is_forwarded() || self == Self::Responses
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

/// Whether what is posted there makes nothing: it puts a note to something stored, or calls it off, and is answered with
/// all that is known of it.
fn is_about_stored(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    matches!(
        segments.as_slice(),
        ["v1", "chat", "completions", _]
            | ["v1", "responses" | "batches", _, "cancel"]
            | ["v1", "threads", _, "runs", _]
            | ["v1", "threads", _, "runs", _, "cancel"]
    )
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use http::Method;

    #[test]
    fn what_is_stored_uses_nothing_again_when_it_is_read_noted_on_or_called_off() {
        let is_stored = |method: Method, path: &str| {
            let endpoint = Endpoint::forwarded(&method, path);
            assert_eq!(endpoint.uses_nothing(), endpoint == Endpoint::Stored);
            endpoint == Endpoint::Stored
        };
        for path in [
            "/v1/chat/completions/chatcmpl-1",
            "/v1/responses/resp_1/cancel",
            "/v1/batches/batch_1/cancel",
            "/v1/threads/thread_1/runs/run_1",
            "/v1/threads/thread_1/runs/run_1/cancel",
        ] {
            assert!(is_stored(Method::POST, path), "{path}");
            assert!(is_stored(Method::GET, path), "{path}");
        }
        for path in [
            "/v1/responses",
            "/v1/responses/compact",
            "/v1/batches",
            "/v1/threads/runs",
            "/v1/threads/thread_1/runs",
            "/v1/threads/thread_1/runs/run_1/submit_tool_outputs",
            "/v1/videos/video_1/remix",
            "/v1/somewhere/cancel",
        ] {
            assert!(!is_stored(Method::POST, path), "{path}");
        }
    }
}
