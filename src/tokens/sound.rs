//! How many bytes a second of sound is, which is all that tells how long it is.

/// 24 kHz and 16 bits: what WAV files hold, and the only kind that is streamed.
pub const RAW_BYTES_PER_SECOND: u64 = 48_000;
/// 128 kbit/s, as the other formats have it.
pub const PACKED_BYTES_PER_SECOND: u64 = 16_000;
