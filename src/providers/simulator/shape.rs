//! The JSON that chat and text completions have in common.

use serde::Serialize;

/// The object around the choices, of a whole answer or of one event.
#[derive(Serialize)]
pub(super) struct Envelope<'a, C> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) system_fingerprint: &'static str,
    pub(super) choices: &'a [C],
    /// Absent, `null` or there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Option<Usage>>,
}

/// The fingerprint in every answer; it would change with the texts.
pub(super) const FINGERPRINT: &str = "fp_simulator_1";

/// Why a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
}

/// The token counts of a chat or text completion.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Copy, Default, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Clone, Copy, Default, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl Usage {
    /// Plain text in, plain text out: every detail is zero.
    pub(super) fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptDetails::default(),
            completion_tokens_details: CompletionDetails::default(),
        }
    }
}

/// The JSON of a value of ours.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs with string keys have a JSON form")
}

/// One event of a stream.
pub(super) fn event(value: &impl Serialize) -> bytes::Bytes {
    const ROOM_BYTES: usize = 320; // a token's event with a usual model name, usage: null included
    let mut event = Vec::with_capacity(ROOM_BYTES);
    event.extend_from_slice(b"data: ");
    serde_json::to_writer(&mut event, value)
        .expect("plain structs with string keys have a JSON form, and a Vec takes it");
    event.extend_from_slice(b"\n\n");
    event.into()
}
