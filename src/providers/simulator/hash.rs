//! A small hash that is the same in every build, so that an answer never changes with the compiler.

/// FNV-1a, 64 bits. Anyone can make it collide; nothing but the choice of words hangs on it.
pub(super) struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds one field; the bytes `ab`, `c` hash differently from `a`, `bc`.
    pub(super) fn field(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.byte(*byte);
        }
        self.byte(0xff); // no UTF-8 text holds it
    }

    /// The hash of all fields.
    pub(super) fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

/// The hash of one field.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = Hash::new();
    hash.field(bytes);
    hash.finish()
}

/// Spreads every bit over all others (the last step of SplitMix64): neighbours become strangers.
pub(super) fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
