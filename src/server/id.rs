//! The id of a request that brought none.

use crate::domain::RequestId;
use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// An id for a request that came in at `at`.
pub(super) fn new_id(at: SystemTime) -> RequestId {
    /// Random bytes taken from the system at a time: a call for each request would cost more than the request's id.
    const POOL: usize = 1024;
    thread_local! {
        static RANDOM: RefCell<([u8; POOL], usize)> = const { RefCell::new(([0; POOL], POOL)) };
    }
    let random = RANDOM.with_borrow_mut(|(pool, used)| {
        if *used == POOL {
            getrandom::fill(pool).expect("the system has random numbers");
            *used = 0;
        }
        let taken = pool[*used..]
            .first_chunk::<16>()
            .expect("the pool is whole chunks");
        *used += 16;
        u128::from_ne_bytes(*taken)
    });
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    RequestId::new(since.as_millis() as u64, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<_> =
            (0..200).map(|_| new_id(UNIX_EPOCH).to_string()).collect();
        assert_eq!(ids.len(), 200);
    }
}
