//! The JSON body of a request to change something: bounded, and read member by member, so that nobody sets what was not
//! meant to be set.

use crate::{
    config::Server,
    error::Error,
    wire::{media_type, query, request::Mistake},
};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

/// No change takes more to say.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Items of one list.
const LIST_MAX: usize = 1000;

/// What a body says. Fields that nobody asks for are ignored.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body. An empty one says nothing.
    pub async fn read<B>(headers: &HeaderMap, body: B, bounds: &Server) -> Result<Self, Error>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let media = media_type(headers).unwrap_or_default();
        if headers.contains_key(CONTENT_TYPE) && !media.eq_ignore_ascii_case("application/json") {
            return Err(Error::NotJson);
        }
        let too_large = || Error::TooLarge(BODY_BYTES_MAX as u64);
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(too_large());
        }
        let whole = Limited::new(body, BODY_BYTES_MAX).collect();
        let whole = tokio::time::timeout(bounds.body_timeout, whole)
            .await
            .map_err(|_| Error::TooSlow)?;
        let whole = whole.map_err(|error| match error.is::<LengthLimitError>() {
            true => too_large(),
            false => Error::BadRequest("The request body broke off."),
        })?;
        let bytes = whole.to_bytes();
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Mistake::NotAnObject.into()),
        }
    }

    /// A string; null is none.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Mistake::Mistyped(name, "a string").into()),
        }
    }

    /// A string that must be there.
    pub(super) fn must(&self, name: &'static str) -> Result<&str, Error> {
        self.text(name)?.ok_or(Mistake::Missing(name).into())
    }

    /// One of some words; what it stands for.
    pub(super) fn word<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let wrong = || query::Mistake::Wrong(name, expected.to_owned());
        let text = self.text(name)?;
        let meant = text.map(|text| read(text).ok_or_else(wrong)).transpose();
        Ok(meant?)
    }

    /// The objects of a list; none if it is not there.
    pub(super) fn objects(&self, name: &'static str) -> Result<Vec<Self>, Error> {
        let wrong = || Error::from(Mistake::Mistyped(name, "a list of objects"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= LIST_MAX => {
                let object = |item: &Value| item.as_object().cloned().map(Self).ok_or_else(wrong);
                items.iter().map(object).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// An object; null is none.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Self>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields.clone()))),
            Some(_) => Err(Mistake::Mistyped(name, "an object").into()),
        }
    }

    /// True or false; null is neither.
    pub(super) fn switch(&self, name: &'static str) -> Result<Option<bool>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(switch)) => Ok(Some(*switch)),
            Some(_) => Err(Mistake::Mistyped(name, "true or false").into()),
        }
    }
}
