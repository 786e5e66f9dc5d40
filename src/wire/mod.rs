//! OpenAI's wire formats: bytes in, meaning and places out. No I/O, no clock, nothing that allocates per event.
//!
//! Nothing here builds a document in memory: requests and answers are read where they lie, so that what Weir passes
//! on stays the bytes that it was given.

pub mod about;
pub mod amount;
pub mod answer;
pub mod asked;
pub mod csv;
pub mod error;
pub mod json;
mod media;
pub mod members;
mod object;
pub mod percent;
pub mod query;
pub mod request;
pub mod schema;
pub mod span;
pub mod sse;
pub mod usage_export;

pub use media::media_type;
pub use object::object;
