//! Which text of the Responses API a piece belongs to: of an item of the output, and of a part of that. Events tell it
//! in members of their own, which may come before the text or after it.

use super::texts::Kind;

/// More items, and more parts of one, than this share the last number.
const ITEMS_MAX: u32 = (1 << 24) - 1;
const PARTS_MAX: u32 = (1 << 8) - 1;

/// The number of a part's text among all texts of an output.
pub(super) fn number(item: u32, part: u32) -> u32 {
    item.min(ITEMS_MAX) << 8 | part.min(PARTS_MAX)
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Its `delta` is a piece of such a text.
    Delta(Kind),
    /// Its `item` begins, and may have a name.
    Item,
    /// Nothing new: the end of an item repeats all of it.
    Nothing,
}

impl What {
    /// What an event of this type says.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "response.output_item.added" => Self::Item,
            "response.output_text.delta" => Self::Delta(Kind::Content),
            "response.refusal.delta" => Self::Delta(Kind::Refusal),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                Self::Delta(Kind::Thinking)
            }
            "response.output_audio.delta" | "response.audio.delta" => Self::Delta(Kind::Sound),
            "response.output_audio_transcript.delta" | "response.audio.transcript.delta" => {
                Self::Delta(Kind::Transcript)
            }
            // What a model writes for a tool: arguments, code, commands.
            kind if kind.starts_with("response.") && kind.ends_with(".delta") => {
                Self::Delta(Kind::ToolArguments)
            }
            _ => Self::Nothing,
        }
    }

    /// What a text is that stands there as a `kind`; none if it is no news.
    fn kind_of(self, kind: Kind) -> Option<Kind> {
        match self {
            Self::Delta(of) => (kind == Kind::Delta).then_some(of),
            Self::Item => (kind != Kind::Delta).then_some(kind),
            Self::Nothing => None,
        }
    }
}

/// What is known of the event in progress.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) what: Option<What>,
    pub(super) item: Option<u32>,
    pub(super) part: Option<u32>,
    /// The text of an item was told in it.
    pub(super) told_item: bool,
}

impl Place {
    /// Whether a text may be told that stands there as a `kind`, as far as is known.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.what.is_none_or(|what| what.kind_of(kind).is_some())
    }

    /// Where a text belongs, once all is known: its number, and what it is.
    pub(super) fn find(&self, kind: Kind) -> Option<(u32, Kind)> {
        let kind = self.what?.kind_of(kind)?;
        let has_parts = matches!(kind, Kind::Content | Kind::Refusal | Kind::Thinking);
        let part = self.part.or((!has_parts).then_some(0))?;
        Some((number(self.item?, part), kind))
    }

    /// The event is over, or longer than anybody waits for the rest of it: what is not known is taken for this.
    pub(super) fn settle(&mut self, what: What) {
        self.what.get_or_insert(what);
        self.item.get_or_insert(0);
        self.part.get_or_insert(0);
    }
}
