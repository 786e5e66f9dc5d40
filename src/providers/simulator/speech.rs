//! An answer in words, chat or completion, before it is known whether it goes out whole or as a stream.

use super::{
    Ask, completions, message,
    reply::Reply,
    shape::{self, Envelope, FINGERPRINT, Usage},
};
use bytes::Bytes;
use serde::Serialize;

/// All that is said in answer to one request.
#[derive(Debug)]
pub(super) struct Speech {
    voice: Voice,
    id: String,
    created: u64,
    model: String,
    replies: Vec<Reply>,
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// The shape that it takes.
#[derive(Debug)]
pub(super) enum Voice {
    /// A chat message.
    Chat,
    /// A chat message that calls a tool; the replies are its arguments.
    Tool(message::Call),
    /// A text completion.
    Completion,
}

impl Speech {
    /// An answer to `ask`, one reply a choice.
    pub(super) fn new(
        ask: &Ask<'_>,
        voice: Voice,
        replies: Vec<Reply>,
        prompt_tokens: u64,
    ) -> Self {
        let prefix = if matches!(voice, Voice::Completion) {
            "cmpl"
        } else {
            "chatcmpl"
        };
        Self {
            id: format!("{prefix}-sim{:016x}", ask.hash),
            voice,
            created: ask.created,
            model: ask.model.to_owned(),
            completion_tokens: replies.iter().map(Reply::left).sum(),
            replies,
            prompt_tokens,
        }
    }

    /// How many choices there are.
    pub(super) fn choices(&self) -> usize {
        self.replies.len()
    }

    /// Tokens of all choices, said or not.
    pub(super) fn tokens(&self) -> u64 {
        self.completion_tokens
    }

    /// Tokens that the longest choice has yet to say.
    pub(super) fn longest(&self) -> u64 {
        self.replies.iter().map(Reply::left).max().unwrap_or(0)
    }

    /// Everything at once.
    pub(super) fn whole(mut self, with_usage: bool) -> Vec<u8> {
        let usage = with_usage.then(|| Some(self.usage()));
        let mut replies = std::mem::take(&mut self.replies);
        let ends: Vec<_> = replies
            .iter_mut()
            .map(|reply| (reply.finish(), reply.rest()))
            .collect();
        let ends = ends
            .iter()
            .enumerate()
            .map(|(i, (finish, text))| (i, *finish, text.as_str()));
        match &self.voice {
            Voice::Chat => {
                let choices: Vec<_> = ends
                    .map(|(i, end, text)| message::message(i, end, text))
                    .collect();
                shape::json(&self.envelope("chat.completion", &choices, usage))
            }
            Voice::Tool(call) => {
                let choices: Vec<_> = ends
                    .map(|(i, end, text)| message::tool_message(i, end, call, text))
                    .collect();
                shape::json(&self.envelope("chat.completion", &choices, usage))
            }
            Voice::Completion => {
                let choices: Vec<_> = ends
                    .map(|(i, end, text)| completions::choice(i, text, Some(end)))
                    .collect();
                shape::json(&self.envelope("text_completion", &choices, usage))
            }
        }
    }

    /// The event that opens a choice, where the shape has one.
    pub(super) fn open(&self, index: usize, null_usage: bool) -> Option<Bytes> {
        match &self.voice {
            Voice::Chat => Some(self.chunk(message::open(index), null_usage)),
            Voice::Tool(call) => Some(self.chunk(message::open_tool(index, call), null_usage)),
            Voice::Completion => None,
        }
    }

    /// The event of a choice's next token.
    pub(super) fn token(&mut self, index: usize, null_usage: bool) -> Option<Bytes> {
        // Out of its place while its token is borrowed: the envelope borrows all the rest.
        let mut replies = std::mem::take(&mut self.replies);
        let token = replies[index].next().map(|token| match &self.voice {
            Voice::Chat => self.chunk(message::token(index, token), null_usage),
            Voice::Tool(_) => self.chunk(message::arguments(index, token), null_usage),
            Voice::Completion => self.text(completions::choice(index, token, None), null_usage),
        });
        self.replies = replies;
        token
    }

    /// The event that ends a choice.
    pub(super) fn close(&self, index: usize, null_usage: bool) -> Bytes {
        let finish = self.replies[index].finish();
        match &self.voice {
            Voice::Chat | Voice::Tool(_) => self.chunk(message::close(index, finish), null_usage),
            Voice::Completion => {
                self.text(completions::choice(index, "", Some(finish)), null_usage)
            }
        }
    }

    /// The event that reports usage.
    pub(super) fn usage_event(&self) -> Bytes {
        let object = match self.voice {
            Voice::Chat | Voice::Tool(_) => "chat.completion.chunk",
            Voice::Completion => "text_completion",
        };
        shape::event(&self.envelope::<()>(object, &[], Some(Some(self.usage()))))
    }

    fn chunk(&self, choice: message::ChunkChoice<'_>, null_usage: bool) -> Bytes {
        let usage = null_usage.then_some(None);
        shape::event(&self.envelope("chat.completion.chunk", &[choice], usage))
    }

    fn text(&self, choice: completions::Choice<'_>, null_usage: bool) -> Bytes {
        shape::event(&self.envelope("text_completion", &[choice], null_usage.then_some(None)))
    }

    fn usage(&self) -> Usage {
        Usage::new(self.prompt_tokens, self.completion_tokens)
    }

    fn envelope<'a, C: Serialize>(
        &'a self,
        object: &'static str,
        choices: &'a [C],
        usage: Option<Option<Usage>>,
    ) -> Envelope<'a, C> {
        Envelope {
            id: &self.id,
            object,
            created: self.created,
            model: &self.model,
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
        }
    }
}
