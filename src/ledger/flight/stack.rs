//! A stack of slots that any thread may push to and pop from, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The links between slots. A slot is on one stack at most, so all stacks share them.
pub(super) type Links = [AtomicU32];

/// The top, as its place plus one (zero: empty), below a count of changes.
///
/// The count makes a swap fail when the same slot has left and come back meanwhile, with another one below it.
#[derive(Default)]
pub(super) struct Stack(AtomicU64);

const EMPTY: u32 = 0;

fn next(head: u64, top: u32) -> u64 {
    ((head >> 32) + 1) << 32 | u64::from(top)
}

impl Stack {
    /// Puts a slot on top. What was written before is seen by whoever takes it.
    pub(super) fn push(&self, links: &Links, slot: u32) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            links[slot as usize].store(head as u32, Ordering::Relaxed);
            // In one order with the writer's flag: see `Bell`.
            let swapped = self.0.compare_exchange_weak(
                head,
                next(head, slot + 1),
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes the slot on top.
    pub(super) fn pop(&self, links: &Links) -> Option<u32> {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let slot = (head as u32).checked_sub(1)?;
            let below = links[slot as usize].load(Ordering::Relaxed);
            let swapped = self.0.compare_exchange_weak(
                head,
                next(head, below),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match swapped {
                Ok(_) => return Some(slot),
                Err(now) => head = now,
            }
        }
    }

    /// Takes all, the one that was pushed first first.
    pub(super) fn take(&self, links: &Links, into: &mut Vec<u32>) {
        let mut head = self.0.load(Ordering::Acquire);
        while let Err(now) = self.0.compare_exchange_weak(
            head,
            next(head, EMPTY),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            head = now;
        }
        let from = into.len();
        let mut top = head as u32;
        while let Some(slot) = top.checked_sub(1) {
            into.push(slot);
            top = links[slot as usize].load(Ordering::Relaxed);
        }
        into[from..].reverse();
    }

    /// Whether nothing is on it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::SeqCst) as u32 == EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, thread};

    fn links(count: u32) -> Box<Links> {
        (0..count).map(|_| AtomicU32::default()).collect()
    }

    #[test]
    fn what_was_pushed_first_is_taken_first() {
        let (links, stack) = (links(3), Stack::default());
        (0..3).for_each(|slot| stack.push(&links, slot));
        let mut taken = Vec::new();
        stack.take(&links, &mut taken);
        assert_eq!(taken, [0, 1, 2]);
        assert!(stack.is_empty() && stack.pop(&links).is_none());
    }

    #[test]
    fn no_slot_is_lost_or_given_twice_among_many_threads() {
        let (links, free, queue) = (links(64), Stack::default(), Stack::default());
        (0..64).for_each(|slot| free.push(&links, slot));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(slot) = free.pop(&links) {
                            queue.push(&links, slot);
                        }
                    }
                });
            }
            scope.spawn(|| {
                let mut taken = Vec::new();
                for _ in 0..20_000 {
                    queue.take(&links, &mut taken);
                    taken.drain(..).for_each(|slot| free.push(&links, slot));
                }
            });
        });
        let mut left = Vec::new();
        free.take(&links, &mut left);
        queue.take(&links, &mut left);
        assert_eq!(left.len(), 64);
        assert_eq!(left.into_iter().collect::<BTreeSet<_>>().len(), 64);
    }
}
