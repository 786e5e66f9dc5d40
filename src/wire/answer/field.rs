//! What a member's name means, by where in an answer's document it stands.

use super::texts::Kind;
use crate::wire::json::Text;

/// A place in the document that has members of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Node {
    #[default]
    Other,
    Root,
    /// The object that `response.*` events wrap.
    Response,
    Choices,
    Choice,
    /// The list that holds images, among others.
    Data,
    /// A choice's `delta` or `message`.
    Delta,
    /// Its `content`, as an array.
    Parts,
    Part,
    /// A part's `thinking`, as an array.
    Thoughts,
    Thought,
    /// The sound of the answer.
    Sound,
    /// `tool_calls`, an array.
    ToolCalls,
    ToolCall,
    /// What a tool call calls; `function_call`, the old way, is one too.
    Function,
    /// The `output` of a response.
    Items,
    Item,
    /// An item's `content`.
    ItemParts,
    ItemPart,
    /// An item's thoughts, as they were or as they are summed up.
    ItemThoughts,
    Usage,
    InputDetails,
    OutputDetails,
}

/// The member whose value comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    #[default]
    Other,
    Choices,
    Response,
    Delta,
    Index,
    /// A text of the answer.
    Text(Kind),
    ToolCalls,
    Function,
    FunctionCall,
    FinishReason,
    Error,
    Model,
    Type,
    Tier,
    Data,
    Duration,
    Seconds,
    Usage,
    Total,
    Input,
    /// `input_tokens`, which some providers count without what their cache read and wrote.
    InputTokens,
    Output,
    InputDetails,
    OutputDetails,
    Cached,
    CacheWrite,
    /// The same two, counted beside the input.
    CacheReadApart,
    CacheWriteApart,
    Reasoning,
    Audio,
    Sound,
    /// The members of a response, and of its events.
    Items,
    Item,
    ItemContent,
    Summary,
    ItemIndex,
    PartIndex,
}

impl Field {
    /// What a member of this name is in `node`.
    #[inline(always)]
    pub(super) fn of(node: Node, name: Text<'_>) -> Self {
        match name.plain() {
            Some(name) => field(node, name),
            None => escaped(node, name),
        }
    }

    /// Whether it is usage or a count in it: where something else stands, that is nonsense.
    pub(super) fn is_figure(self, node: Node) -> bool {
        match node {
            Node::Root | Node::Response => self == Self::Usage,
            Node::Usage | Node::InputDetails | Node::OutputDetails => matches!(
                self,
                Self::Input
                    | Self::InputTokens
                    | Self::Output
                    | Self::Cached
                    | Self::CacheWrite
                    | Self::CacheReadApart
                    | Self::CacheWriteApart
                    | Self::Reasoning
                    | Self::Audio
            ),
            _ => false,
        }
    }
}

#[cold]
fn escaped(node: Node, name: Text<'_>) -> Field {
    name.decode()
        .map_or(Field::Other, |name| field(node, name.as_bytes()))
}

fn field(node: Node, name: &[u8]) -> Field {
    match node {
        Node::Root | Node::Response => match name {
            b"usage" => Field::Usage,
            b"error" => Field::Error,
            b"model" => Field::Model,
            b"service_tier" => Field::Tier,
            b"data" if node == Node::Root => Field::Data,
            b"duration" if node == Node::Root => Field::Duration,
            b"choices" if node == Node::Root => Field::Choices,
            b"response" if node == Node::Root => Field::Response,
            b"type" if node == Node::Root => Field::Type,
            b"output" if node == Node::Root => Field::Items,
            b"item" if node == Node::Root => Field::Item,
            b"delta" if node == Node::Root => Field::Text(Kind::Delta),
            b"output_index" if node == Node::Root => Field::ItemIndex,
            b"content_index" | b"summary_index" | b"command_index" if node == Node::Root => {
                Field::PartIndex
            }
            _ => Field::Other,
        },
        Node::Item => match name {
            b"type" => Field::Type,
            b"content" => Field::ItemContent,
            b"summary" => Field::Summary,
            b"name" => Field::Text(Kind::ToolName),
            b"arguments" | b"input" | b"code" => Field::Text(Kind::ToolArguments),
            _ => Field::Other,
        },
        Node::ItemPart => match name {
            b"text" => Field::Text(Kind::Content),
            b"refusal" => Field::Text(Kind::Refusal),
            _ => Field::Other,
        },
        Node::Choice => match name {
            b"delta" | b"message" => Field::Delta,
            b"finish_reason" => Field::FinishReason,
            b"text" => Field::Text(Kind::Content),
            b"index" => Field::Index,
            _ => Field::Other,
        },
        Node::Delta => match name {
            b"content" => Field::Text(Kind::Content),
            b"refusal" => Field::Text(Kind::Refusal),
            b"reasoning" => Field::Text(Kind::Reasoning),
            b"reasoning_content" => Field::Text(Kind::ReasoningContent),
            b"tool_calls" => Field::ToolCalls,
            b"function_call" => Field::FunctionCall,
            b"audio" => Field::Sound,
            _ => Field::Other,
        },
        Node::Part => match name {
            b"text" => Field::Text(Kind::Content),
            b"refusal" => Field::Text(Kind::Refusal),
            b"thinking" => Field::Text(Kind::Thinking),
            _ => Field::Other,
        },
        Node::Thought => match name {
            b"text" => Field::Text(Kind::Thinking),
            _ => Field::Other,
        },
        Node::Sound => match name {
            b"transcript" => Field::Text(Kind::Transcript),
            b"data" => Field::Text(Kind::Sound),
            _ => Field::Other,
        },
        Node::ToolCall => match name {
            b"index" => Field::Index,
            b"function" | b"custom" => Field::Function,
            _ => Field::Other,
        },
        Node::Function => match name {
            b"name" => Field::Text(Kind::ToolName),
            b"arguments" | b"input" => Field::Text(Kind::ToolArguments),
            _ => Field::Other,
        },
        Node::Usage => match name {
            b"prompt_tokens" => Field::Input,
            b"input_tokens" => Field::InputTokens,
            b"total_tokens" => Field::Total,
            b"seconds" => Field::Seconds,
            b"cached_tokens" | b"prompt_cache_hit_tokens" => Field::Cached,
            b"cache_read_input_tokens" => Field::CacheReadApart,
            b"cache_creation_input_tokens" => Field::CacheWriteApart,
            b"completion_tokens" | b"output_tokens" => Field::Output,
            b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => {
                Field::InputDetails
            }
            b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
                Field::OutputDetails
            }
            _ => Field::Other,
        },
        Node::InputDetails | Node::OutputDetails => match name {
            b"cached_tokens" if node == Node::InputDetails => Field::Cached,
            b"cache_write_tokens" if node == Node::InputDetails => Field::CacheWrite,
            b"reasoning_tokens" if node == Node::OutputDetails => Field::Reasoning,
            b"audio_tokens" => Field::Audio,
            _ => Field::Other,
        },
        Node::Other
        | Node::Choices
        | Node::Data
        | Node::Parts
        | Node::Thoughts
        | Node::ToolCalls
        | Node::Items
        | Node::ItemParts
        | Node::ItemThoughts => Field::Other,
    }
}
