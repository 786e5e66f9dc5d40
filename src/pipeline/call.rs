//! One client request, authenticated and read as far as routing needs.

use crate::{
    app::Reserved,
    config::Target,
    domain::{Caller, Endpoint, RequestId},
    error::Error,
    ledger::{Flight, METADATA_MAX_BYTES},
    providers,
    telemetry::metrics,
    upstream::{Outgoing, Path, Request, Upload, UploadFault},
    wire::{
        asked::AskedReader,
        request::{AskedUsage, Edit, Facts, is_metadata, splice},
    },
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use std::sync::Arc;

/// A call on its way to an upstream.
pub struct Call {
    /// Its id.
    pub id: RequestId,
    /// Whose it is.
    pub caller: Caller,
    /// What it asks.
    pub endpoint: Endpoint,
    /// Its method.
    pub method: Method,
    /// Path and query below the upstream's base URL.
    pub path: Path,
    /// The client's headers that are an upstream's business.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The config's name for the model, which bounds labels; `other` where no model is read, or none of the config's.
    pub label: Arc<str>,
    /// The model that was asked for; `other` where none is read.
    pub model: Arc<str>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Its body.
    pub payload: Payload,
}

/// What a call carries.
pub enum Payload {
    /// A body that Weir has read.
    Held {
        /// The client's bytes.
        body: Bytes,
        /// What they say.
        facts: Facts,
        /// The memory that they take.
        reserved: Reserved,
    },
    /// One that passes as it comes; gone after one attempt.
    Streamed(Option<Upload>, UploadFault, u64),
}

impl Call {
    /// The request to `target`, and whether the usage in its stream is to be kept from the client.
    pub fn request(&mut self, target: &Target) -> Result<(Box<Request>, bool), Error> {
        let headers = providers::openai::headers(&target.upstream, &self.headers, &self.id);
        let mut headers = headers.ok_or(Error::Internal)?;
        let (body, hide_usage) = match &mut self.payload {
            Payload::Held { body, facts, .. } => {
                let (edits, hide_usage) = edits(facts, target);
                let pieces = if edits.is_empty() {
                    vec![body.clone()]
                } else {
                    splice(body, edits)
                };
                (Outgoing::held(pieces), hide_usage)
            }
            Payload::Streamed(upload, ..) => {
                let mut upload = upload.take().ok_or(Error::Internal)?;
                upload.begin();
                // None for a body that is empty: a GET has no length.
                if let Some(len) = upload.length().filter(|len| *len > 0) {
                    headers.push((CONTENT_LENGTH, len.into()));
                }
                (Outgoing::Streamed(Box::new(upload)), false)
            }
        };
        let request = Request {
            method: self.method.clone(),
            path: self.path.clone(),
            headers,
            body,
        };
        Ok((Box::new(request), hide_usage))
    }

    /// The model that it names, if Weir has read that.
    pub(super) fn named(&self) -> Option<&Arc<str>> {
        match &self.payload {
            Payload::Held { facts, .. } if !facts.model.is_empty() => Some(&self.model),
            _ => None,
        }
    }

    /// Whether there is something left to send again.
    pub fn can_repeat(&self) -> bool {
        matches!(
            self.payload,
            Payload::Held { .. } | Payload::Streamed(Some(_), ..)
        )
    }

    /// What the client notes of it, if that can be kept.
    pub(super) fn metadata(&self) -> Option<&str> {
        let Payload::Held { body, facts, .. } = &self.payload else {
            return None;
        };
        let object = std::str::from_utf8(&body[facts.metadata.clone()?]).ok()?;
        let fits = object.len() <= METADATA_MAX_BYTES && is_metadata(object);
        if !fits {
            metrics::metadata_left_out();
        }
        Some(object).filter(|_| fits)
    }

    /// Has `flight` note what it asks for, if it is passed on, while it passes.
    pub(super) fn observe(&mut self, flight: &Flight) {
        let header = |name| self.headers.iter().find(|(found, _)| *found == name);
        let kind = header(CONTENT_TYPE).and_then(|(_, kind)| kind.to_str().ok());
        let reader = AskedReader::of(self.endpoint, kind.unwrap_or_default());
        let is_encoded = header(CONTENT_ENCODING).is_some();
        let (Some(mut reader), Payload::Streamed(Some(upload), ..)) =
            (reader.filter(|_| !is_encoded), &mut self.payload)
        else {
            return;
        };
        let asker = flight.asker();
        upload.observe(Box::new(move |piece| {
            if reader.feed(piece) {
                asker.note(reader.asked());
            }
        }));
    }

    /// What was wrong with the upload, if that is why an attempt failed.
    pub fn upload_error(&self) -> Option<Error> {
        match &self.payload {
            Payload::Streamed(_, fault, max) => {
                fault.get().map(|broken| Error::upload(broken, *max))
            }
            Payload::Held { .. } => None,
        }
    }
}

/// The changes to the client's bytes that this target needs.
fn edits(facts: &Facts, target: &Target) -> (Vec<Edit>, bool) {
    let mut edits = Vec::new();
    if let Some(name) = target.model.as_deref().filter(|name| *name != facts.model) {
        let with = serde_json::to_string(name)
            .expect("a string always serialises")
            .into();
        edits.push(Edit {
            at: facts.model_at.clone(),
            with,
        });
    }
    let hide_usage = match &facts.usage {
        AskedUsage::No(edit) if facts.stream && target.upstream.stream_usage => {
            edits.push(edit.clone());
            true
        }
        _ => false,
    };
    (edits, hide_usage)
}
