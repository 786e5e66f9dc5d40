//! What the caller wrote reaches the upstream as it was written; what cannot be understood is refused with its place.

mod bounds;
mod headers;
mod refused;
mod written;
