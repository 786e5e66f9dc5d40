//! A request as it came in, and what becomes known of it.

use super::{Caller, KeyId, RequestId, Standing};
use http::Method;
use std::{net::IpAddr, sync::Arc, time::SystemTime};
use tokio::time::Instant;

/// What the edge knows of a request, with what the inner steps add for the log line.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its id.
    pub id: RequestId,
    /// When its head was complete.
    pub started: Instant,
    /// The same by the calendar.
    pub at: SystemTime,
    /// Who sent it: the peer, or whom a trusted proxy names.
    pub client: IpAddr,
    /// Its method.
    pub method: Method,
    /// Its path, without the query. A copy: a slice would keep the connection's read buffer for as long as a stream.
    pub path: Arc<str>,
    /// Whose key it showed.
    pub key: Option<KeyId>,
    /// The model that it asked for.
    pub model: Option<Arc<str>>,
    /// All of its body has been read, or it has none.
    pub is_read: bool,
    /// Whose limits its answer tells, until these were asked.
    pub caller: Option<Caller>,
    /// How the limits of its caller stand, once they were asked.
    pub standing: Option<Standing>,
    /// From here on a meter writes its log line.
    pub metered: bool,
}
