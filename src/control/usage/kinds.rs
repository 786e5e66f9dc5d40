//! What OpenAI's usage endpoints tell apart, and the shape of a result of each.

use super::{Only, filters};
use crate::{
    domain::{Endpoint, KeyId},
    ledger::{Column, Line, Sum, Sums},
    wire::query::{Mistake, Query},
};
use serde_json::{Map, Value, json};

/// One of the usage endpoints.
pub(super) struct Kind {
    /// The end of its path.
    pub(super) name: &'static str,
    /// What was asked for that it is about.
    pub(super) endpoints: &'static [Endpoint],
    /// What its results can be told apart by.
    pub(super) groups: &'static [(&'static str, Group)],
    /// Parameters of its own that filter.
    pub(super) filters: &'static [&'static str],
    pub(super) sums: &'static [Sum],
    pub(super) figures: fn(&Sums) -> Value,
}

/// What results are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Project,
    User,
    Key,
    Model,
    LineItem,
    Batch,
    Tier,
    Size,
    Source,
}

impl Group {
    /// The column that knows; none where all calls are alike.
    pub(super) fn column(self) -> Option<Column> {
        match self {
            Self::Project => Some(Column::Project),
            Self::User => Some(Column::User),
            Self::Key => Some(Column::Key),
            Self::Model | Self::LineItem => Some(Column::Model),
            Self::Size => Some(Column::ImageSize),
            Self::Source => Some(Column::Endpoint),
            Self::Batch | Self::Tier => None,
        }
    }

    /// What a result says of it.
    fn value(self, name: Option<String>) -> Value {
        match self {
            // Weir meters calls, and what a batch file holds is none.
            Self::Batch => Value::Bool(false),
            Self::Source => {
                let source = SOURCES
                    .iter()
                    .find(|(_, endpoint)| Some(endpoint.as_str()) == name.as_deref());
                source.map_or(Value::Null, |(source, _)| (*source).into())
            }
            Self::Key => name.map(KeyId::published).into(),
            _ => name.into(),
        }
    }
}

pub(super) const SOURCES: &[(&str, Endpoint)] = &[
    ("image.generation", Endpoint::ImageGenerations),
    ("image.edit", Endpoint::ImageEdits),
    ("image.variation", Endpoint::ImageVariations),
];
pub(super) const SIZES: &[(&str, &str)] = &[
    ("256x256", "256x256"),
    ("512x512", "512x512"),
    ("1024x1024", "1024x1024"),
    ("1792x1792", "1792x1792"),
    ("1024x1792", "1024x1792"),
];
const GROUPS: &[(&str, Group)] = &[
    ("project_id", Group::Project),
    ("user_id", Group::User),
    ("api_key_id", Group::Key),
    ("model", Group::Model),
];
const FILTERS: [(&str, Column); 4] = [
    ("project_ids", Column::Project),
    ("user_ids", Column::User),
    ("api_key_ids", Column::Key),
    ("models", Column::Model),
];

pub(super) static COMPLETIONS: Kind = Kind {
    name: "completions",
    endpoints: &[Endpoint::Chat, Endpoint::Completions, Endpoint::Responses],
    groups: &[
        ("project_id", Group::Project),
        ("user_id", Group::User),
        ("api_key_id", Group::Key),
        ("model", Group::Model),
        ("batch", Group::Batch),
        ("service_tier", Group::Tier),
    ],
    filters: &["user_ids", "models", "batch"],
    sums: &[
        Sum::Requests,
        Sum::Input,
        Sum::Cached,
        Sum::CacheWrite,
        Sum::Output,
        Sum::AudioInput,
        Sum::AudioOutput,
    ],
    figures: |sums| {
        json!({
            "input_tokens": sums.input,
            "input_cached_tokens": sums.cached,
            "input_cache_write_tokens": sums.cache_write,
            "input_uncached_tokens": sums.input.saturating_sub(sums.cached.saturating_add(sums.cache_write)),
            "output_tokens": sums.output,
            "input_audio_tokens": sums.audio_input,
            "output_audio_tokens": sums.audio_output,
        })
    },
};
pub(super) static EMBEDDINGS: Kind = Kind {
    name: "embeddings",
    endpoints: &[Endpoint::Embeddings],
    groups: GROUPS,
    filters: &["user_ids", "models"],
    sums: &[Sum::Requests, Sum::Input],
    figures: |sums| json!({"input_tokens": sums.input}),
};
pub(super) static MODERATIONS: Kind = Kind {
    name: "moderations",
    endpoints: &[Endpoint::Moderations],
    groups: GROUPS,
    filters: &["user_ids", "models"],
    sums: &[Sum::Requests, Sum::Input],
    figures: |sums| json!({"input_tokens": sums.input}),
};
pub(super) static IMAGES: Kind = Kind {
    name: "images",
    endpoints: &[
        Endpoint::ImageGenerations,
        Endpoint::ImageEdits,
        Endpoint::ImageVariations,
    ],
    groups: &[
        ("project_id", Group::Project),
        ("user_id", Group::User),
        ("api_key_id", Group::Key),
        ("model", Group::Model),
        ("size", Group::Size),
        ("source", Group::Source),
    ],
    filters: &["user_ids", "models", "sources", "sizes"],
    sums: &[Sum::Requests, Sum::Quantity],
    figures: |sums| json!({"images": sums.quantity}),
};
pub(super) static AUDIO_SPEECHES: Kind = Kind {
    name: "audio_speeches",
    endpoints: &[Endpoint::Speech],
    groups: GROUPS,
    filters: &["user_ids", "models"],
    sums: &[Sum::Requests, Sum::Quantity],
    figures: |sums| json!({"characters": sums.quantity}),
};
pub(super) static AUDIO_TRANSCRIPTIONS: Kind = Kind {
    name: "audio_transcriptions",
    endpoints: &[Endpoint::Transcriptions, Endpoint::Translations],
    groups: GROUPS,
    filters: &["user_ids", "models"],
    sums: &[Sum::Requests, Sum::Quantity],
    figures: |sums| json!({"seconds": sums.quantity}),
};

impl Kind {
    /// What its parameters filter by; none if nothing can pass.
    pub(super) fn only(&self, query: &Query) -> Result<Option<Only>, Mistake> {
        let mut only = filters(query, &FILTERS)?;
        let sizes = query.words("sizes", SIZES)?;
        if !sizes.is_empty() {
            let sizes = sizes.into_iter().map(str::to_owned).collect();
            only.push((Column::ImageSize, sizes));
        }
        let sources = query.words("sources", SOURCES)?;
        if !sources.is_empty() {
            let names = sources.iter().map(|source| source.as_str().to_owned());
            only.push((Column::Endpoint, names.collect()));
        }
        let is_batch = query.word("batch", &[("true", true), ("false", false)])?;
        // There are no calls of a batch here.
        Ok(Some(only).filter(|_| is_batch != Some(true)))
    }

    /// A line as a result: the figures, and every name that a result can have, null where it was not asked for.
    pub(super) fn result(&self, groups: &[Group], line: Line) -> Map<String, Value> {
        let mut result = Map::new();
        let object = format!("organization.usage.{}.result", self.name);
        result.insert("object".to_owned(), object.into());
        result.insert("num_model_requests".to_owned(), line.sums.requests.into());
        if let Value::Object(figures) = (self.figures)(&line.sums) {
            result.extend(figures);
        }
        for (name, _) in self.groups {
            result.insert((*name).to_owned(), Value::Null);
        }
        let mut names = line.group.into_iter();
        for group in groups {
            let name = group.column().and_then(|_| names.next()).flatten();
            let member = self.groups.iter().find(|(_, known)| known == group);
            if let Some((member, _)) = member {
                result.insert((*member).to_owned(), group.value(name));
            }
        }
        result
    }
}
