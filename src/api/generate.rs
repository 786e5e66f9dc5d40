//! `POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings`: requests that name a model in a body that
//! Weir reads.

use super::{Request, authenticate, may_use};
use crate::{
    app::{Reserved, Worker},
    body::Body,
    config::Server,
    domain::{Arrival, Endpoint},
    error::Error,
    pipeline::{self, Call, Payload},
    providers, route,
    upstream::Path,
    wire::{
        media_type,
        request::{Facts, Reader},
    },
};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{HeaderMap, Response, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};

/// Bodies up to this size leave the buffer that they came in.
const COPIED_MAX_BYTES: usize = 16 << 10;

/// A body that comes right behind its head is no reason to ask again who sends it.
const DOUBT: Duration = Duration::from_millis(1);

/// Answers a request for tokens.
pub async fn create(
    worker: &Arc<Worker>,
    endpoint: Endpoint,
    request: Request,
    arrival: &mut Arrival,
) -> Result<Response<Body>, Error> {
    let snapshot = worker.app.snapshot.load_full();
    let (head, body) = request.into_parts();
    let mut caller = authenticate(worker, &head.headers, arrival)?;
    require_json(&head.headers)?;
    let reserved = worker.app.body_memory.reserve();
    let held = read(body, endpoint, &snapshot.config.server, reserved).await?;
    arrival.is_read = true;
    if held.is_in_doubt(arrival) {
        caller = authenticate(worker, &head.headers, arrival)?;
    }
    let Held {
        body,
        facts,
        reserved,
        ..
    } = held;
    let Some(entry) = snapshot.routes.model(&facts.model) else {
        arrival.model = Some(facts.model.as_str().into());
        return Err(Error::NoSuchModel(facts.model));
    };
    // Only a name that the config covers by a pattern has to be kept beside the config's.
    let model = match facts.model == *entry.name {
        true => Arc::clone(&entry.name),
        false => facts.model.as_str().into(),
    };
    arrival.model = Some(Arc::clone(&model));
    if !may_use(worker, &caller, &model) {
        return Err(Error::ModelForbidden(facts.model));
    }
    let targets = route::plan(&entry.to, arrival.id.dice());
    let path = Path::known(endpoint.path()).with_query_of(&head.uri);
    let headers = providers::openai::of_client(&head.headers);
    // The rest of the head lies in the buffer of the connection, which is read into again as soon as nobody holds it.
    drop((head.headers, head.uri));
    let call = Call {
        id: arrival.id.clone(),
        caller,
        endpoint,
        method: head.method,
        path,
        headers,
        label: Arc::clone(&entry.name),
        model,
        stream: facts.stream,
        payload: Payload::Held {
            body,
            facts,
            reserved,
        },
    };
    pipeline::run(worker, &snapshot, Box::new(call), targets, arrival).await
}

/// A body without a type is taken for JSON; one of another type is not.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    if !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    let media = media_type(headers).unwrap_or_default();
    let is_json = media.eq_ignore_ascii_case("application/json")
        || media.len() > 5 && media[media.len() - 5..].eq_ignore_ascii_case("+json");
    if is_json { Ok(()) } else { Err(Error::NotJson) }
}

/// A body that was read.
pub(super) struct Held {
    pub(super) body: Bytes,
    pub(super) facts: Facts,
    pub(super) reserved: Reserved,
    /// Not all of it came with its head.
    came_later: bool,
}

impl Held {
    /// Whether the key may have ended while it came.
    pub(super) fn is_in_doubt(&self, arrival: &Arrival) -> bool {
        self.came_later && arrival.started.elapsed() > DOUBT
    }
}

/// Reads and checks a body piece by piece, so that a long one neither stalls its thread nor exceeds its bounds.
pub(super) async fn read(
    mut body: Incoming,
    endpoint: Endpoint,
    bounds: &Server,
    mut reserved: Reserved,
) -> Result<Held, Error> {
    let max = bounds.body_max_bytes;
    let too_large = || Error::TooLarge(max as u64);
    if http_body::Body::size_hint(&body).lower() > max as u64 {
        return Err(too_large());
    }
    let mut reader = Reader::new(bounds.json_depth_max);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    let mut came_later = false;
    // One that says its length is over with its last byte, and need not be asked again.
    while !http_body::Body::is_end_stream(&body) {
        let frame = match body.frame().now_or_never() {
            Some(frame) => frame,
            None => {
                came_later = true;
                let frame = tokio::time::timeout(bounds.body_timeout, body.frame()).await;
                frame.map_err(|_| Error::TooSlow)?
            }
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|_| Error::BadRequest("The request body broke off."))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if first.len() + whole.len() + piece.len() > max {
            return Err(too_large());
        }
        if !reserved.grow(piece.len(), bounds.body_memory_max_bytes) {
            return Err(Error::Overloaded("too many large requests at once"));
        }
        reader.feed(&piece)?;
        // Most bodies come in one piece, which is then passed on without a copy.
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
    }
    let body = if whole.is_empty() {
        first
    } else {
        whole.freeze()
    };
    let facts = reader.finish(&body, endpoint)?;
    // A short body is copied, so that it does not keep the connection's buffer for as long as its answer takes.
    let body = if body.len() <= COPIED_MAX_BYTES {
        Bytes::copy_from_slice(&body)
    } else {
        body
    };
    Ok(Held {
        body,
        facts,
        reserved,
        came_later,
    })
}
