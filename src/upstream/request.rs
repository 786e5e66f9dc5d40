//! A request to an upstream while nobody knows yet which HTTP it will go by.

use super::Outgoing;
use http::{HeaderName, HeaderValue, Method, Uri, uri::PathAndQuery};
use std::{borrow::Cow, ops::Deref};

/// A request to an upstream.
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Below the upstream's base URL.
    pub path: Path,
    /// Its headers, but for the host and the framing. In a list: nobody looks one up.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub body: Outgoing,
}

/// A path and maybe a query. It is a part of a URI or written in Weir, so there is nothing in it that would end the
/// first line of a request.
#[derive(Clone, Debug)]
pub struct Path(Cow<'static, str>);

impl Path {
    /// One that Weir knows.
    pub const fn known(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }

    /// This path with the query of `uri`, if that has one.
    pub fn with_query_of(self, uri: &Uri) -> Self {
        match uri.query() {
            None => self,
            Some(query) => Self(format!("{}?{query}", self.0).into()),
        }
    }

    /// What `uri` has below `prefix`, or all that it has if it is not below that.
    pub fn below(prefix: &str, uri: &Uri) -> Self {
        let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
        Self(path.strip_prefix(prefix).unwrap_or(path).to_owned().into())
    }
}

impl Deref for Path {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What the base URL of an upstream says of every request to it.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// What stands before a request's path.
    pub(super) prefix: String,
    /// The server's name.
    pub(super) authority: HeaderValue,
}

impl Base {
    /// Path and query of a request, in two parts that follow each other.
    pub(super) fn target<'a>(&'a self, path: &'a Path) -> [&'a str; 2] {
        match [&*self.prefix, path] {
            ["", ""] => ["/", ""],
            target => target,
        }
    }
}
