//! The shapes of a chat's choices, in a whole answer and in the events of a stream.

use super::{hash::mix, shape::Finish};
use serde::Serialize;

/// The tool that every choice of an answer calls.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// Its ids are drawn from this.
    pub(super) hash: u64,
}

impl Call {
    fn id(&self, index: usize) -> String {
        format!("call_sim{:016x}", mix(self.hash ^ index as u64))
    }
}

/// A choice of a whole answer.
#[derive(Serialize)]
pub(super) struct Choice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: (),
    finish_reason: Finish,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
    refusal: (),
    annotations: [(); 0],
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

pub(super) fn message(index: usize, finish: Finish, text: &str) -> Choice<'_> {
    choice(index, finish, Some(text), None)
}

pub(super) fn tool_message<'a>(
    index: usize,
    finish: Finish,
    call: &'a Call,
    arguments: &'a str,
) -> Choice<'a> {
    let function = Function {
        name: Some(&call.name),
        arguments,
    };
    let call = ToolCall {
        id: call.id(index),
        kind: "function",
        function,
    };
    choice(index, finish, None, Some([call]))
}

fn choice<'a>(
    index: usize,
    finish_reason: Finish,
    content: Option<&'a str>,
    tool_calls: Option<[ToolCall<'a>; 1]>,
) -> Choice<'a> {
    let message = Message {
        role: "assistant",
        content,
        tool_calls,
        refusal: (),
        annotations: [],
    };
    Choice {
        index,
        message,
        logprobs: (),
        finish_reason,
    }
}

/// A choice of one event.
#[derive(Serialize)]
pub(super) struct ChunkChoice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<Finish>,
}

/// What an event adds; `Some(None)` is a `null`.
#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolDelta<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<()>,
}

#[derive(Serialize)]
struct ToolDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

pub(super) fn open(index: usize) -> ChunkChoice<'static> {
    let content = Some(Some(""));
    chunk(
        index,
        Delta {
            role: Some("assistant"),
            content,
            refusal: Some(()),
            ..Delta::default()
        },
    )
}

pub(super) fn open_tool(index: usize, call: &Call) -> ChunkChoice<'_> {
    let function = Function {
        name: Some(&call.name),
        arguments: "",
    };
    let tool = ToolDelta {
        index: 0,
        id: Some(call.id(index)),
        kind: Some("function"),
        function,
    };
    let role = Some("assistant");
    chunk(
        index,
        Delta {
            role,
            content: Some(None),
            tool_calls: Some([tool]),
            refusal: Some(()),
        },
    )
}

pub(super) fn token(index: usize, token: &str) -> ChunkChoice<'_> {
    chunk(
        index,
        Delta {
            content: Some(Some(token)),
            ..Delta::default()
        },
    )
}

pub(super) fn arguments(index: usize, arguments: &str) -> ChunkChoice<'_> {
    let function = Function {
        name: None,
        arguments,
    };
    let tool = ToolDelta {
        index: 0,
        id: None,
        kind: None,
        function,
    };
    chunk(
        index,
        Delta {
            tool_calls: Some([tool]),
            ..Delta::default()
        },
    )
}

pub(super) fn close(index: usize, finish: Finish) -> ChunkChoice<'static> {
    ChunkChoice {
        finish_reason: Some(finish),
        ..chunk(index, Delta::default())
    }
}

fn chunk(index: usize, delta: Delta<'_>) -> ChunkChoice<'_> {
    ChunkChoice {
        index,
        delta,
        logprobs: (),
        finish_reason: None,
    }
}
