//! What the document says of usage: the operations, their parameters, and the shapes of their answers.

use super::{
    WIDTHS,
    buckets::Widths,
    kinds::{self, Group, Kind, SIZES, SOURCES},
    names, usage,
};
use crate::{
    control::Operation,
    ledger::Sums,
    wire::{
        about::{About, Content, Parameter},
        schema::{Schema, Shape},
    },
};
use serde_json::Value;

const fn about(summary: &'static str) -> About {
    About::new("Usage", summary).refuses(&[503])
}

/// `GET /v1/organization/usage/completions`.
pub const COMPLETIONS: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::COMPLETIONS)),
    about("Chat, completions and responses")
        .parameters(|| of_kind(&kinds::COMPLETIONS))
        .gives(&[(200, Content::Json(&COMPLETIONS_PAGE))]),
);
const COMPLETIONS_PAGE: Shape =
    Shape::new("CompletionsUsagePage", || page(result(&kinds::COMPLETIONS)));

/// `GET /v1/organization/usage/embeddings`.
pub const EMBEDDINGS: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::EMBEDDINGS)),
    about("Embeddings")
        .parameters(|| of_kind(&kinds::EMBEDDINGS))
        .gives(&[(200, Content::Json(&EMBEDDINGS_PAGE))]),
);
const EMBEDDINGS_PAGE: Shape =
    Shape::new("EmbeddingsUsagePage", || page(result(&kinds::EMBEDDINGS)));

/// `GET /v1/organization/usage/moderations`.
pub const MODERATIONS: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::MODERATIONS)),
    about("Moderations")
        .parameters(|| of_kind(&kinds::MODERATIONS))
        .gives(&[(200, Content::Json(&MODERATIONS_PAGE))]),
);
const MODERATIONS_PAGE: Shape =
    Shape::new("ModerationsUsagePage", || page(result(&kinds::MODERATIONS)));

/// `GET /v1/organization/usage/images`.
pub const IMAGES: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::IMAGES)),
    about("Images that were made, edited or varied")
        .parameters(|| of_kind(&kinds::IMAGES))
        .gives(&[(200, Content::Json(&IMAGES_PAGE))]),
);
const IMAGES_PAGE: Shape = Shape::new("ImagesUsagePage", || page(result(&kinds::IMAGES)));

/// `GET /v1/organization/usage/audio_speeches`.
pub const AUDIO_SPEECHES: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::AUDIO_SPEECHES)),
    about("Characters that were spoken")
        .parameters(|| of_kind(&kinds::AUDIO_SPEECHES))
        .gives(&[(200, Content::Json(&AUDIO_SPEECHES_PAGE))]),
);
const AUDIO_SPEECHES_PAGE: Shape = Shape::new("AudioSpeechesUsagePage", || {
    page(result(&kinds::AUDIO_SPEECHES))
});

/// `GET /v1/organization/usage/audio_transcriptions`.
pub const AUDIO_TRANSCRIPTIONS: Operation = Operation::new(
    |request| Box::pin(usage(request, &kinds::AUDIO_TRANSCRIPTIONS)),
    about("Seconds that were transcribed or translated")
        .parameters(|| of_kind(&kinds::AUDIO_TRANSCRIPTIONS))
        .gives(&[(200, Content::Json(&AUDIO_TRANSCRIPTIONS_PAGE))]),
);
const AUDIO_TRANSCRIPTIONS_PAGE: Shape = Shape::new("AudioTranscriptionsUsagePage", || {
    page(result(&kinds::AUDIO_TRANSCRIPTIONS))
});

/// Buckets, and where the page after begins.
pub(super) fn page(result: Schema) -> Schema {
    let bucket = Schema::object()
        .with("object", Schema::word("bucket"))
        .with("start_time", Schema::time())
        .with("end_time", Schema::time())
        .with("results", Schema::list(result));
    Schema::object()
        .with("object", Schema::word("page"))
        .with("data", Schema::list(bucket))
        .with("has_more", Schema::flag())
        .with("next_page", Schema::text().or_null())
}

/// Parameters that every question about usage takes.
pub(super) fn parameters(widths: Widths, groups: &[(&'static str, Group)]) -> Vec<Parameter> {
    let most = widths.iter().map(|(_, _, _, most)| *most as u64).max();
    let limit = Schema::integer().at_least(1).at_most(most.unwrap_or(1));
    let usual: Vec<String> = widths
        .iter()
        .map(|(word, _, usual, most)| format!("{usual} to {most} of `{word}`"))
        .collect();
    let usual = format!(
        "Buckets a page, by default and at most: {}",
        usual.join(", ")
    );
    let width = Schema::words(widths.iter().map(|(word, ..)| *word)).default("1d");
    let group = Schema::words(groups.iter().map(|(name, _)| *name));
    vec![
        Parameter::new("start_time", Schema::time()).required(),
        Parameter::new("end_time", Schema::time().at_least(1)),
        Parameter::new("bucket_width", width),
        Parameter::new("limit", limit.says(&usual)),
        Parameter::new(
            "page",
            Schema::text()
                .pattern("^page_[0-9a-f]{28}$")
                .says("The `next_page` of the page before"),
        ),
        Parameter::new("group_by", Schema::list(group)),
        Parameter::new("project_ids", names()),
        Parameter::new("api_key_ids", names()),
    ]
}

/// Those, and the filters of a kind.
fn of_kind(kind: &Kind) -> Vec<Parameter> {
    let mut parameters = parameters(WIDTHS, kind.groups);
    parameters.extend(kind.filters.iter().map(|name| {
        let schema = match *name {
            "batch" => Schema::flag(),
            "sources" => Schema::list(Schema::words(SOURCES.iter().map(|(word, _)| *word))),
            "sizes" => Schema::list(Schema::words(SIZES.iter().map(|(word, _)| *word))),
            _ => names(),
        };
        Parameter::new(name, schema)
    }));
    parameters
}

/// A result: what it counts, and what it can be grouped by.
fn result(kind: &Kind) -> Schema {
    let object = format!("organization.usage.{}.result", kind.name);
    let mut schema = Schema::object()
        .with("object", Schema::word(&object))
        .with("num_model_requests", Schema::count());
    if let Value::Object(figures) = (kind.figures)(&Sums::default()) {
        for name in figures.keys() {
            schema = schema.with(name, Schema::count());
        }
    }
    for (name, group) in kind.groups {
        let value = match group {
            Group::Batch => Schema::flag(),
            _ => Schema::text(),
        };
        schema = schema.with(name, value.or_null());
    }
    schema
}
