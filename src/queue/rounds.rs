//! How much of its share a project has had, exactly.

use std::cmp::Ordering;

/// Rounds of turns, as a fraction: in one round a project gets as many turns as it weighs.
///
/// Fractions of different weights are compared by multiplying them out, so nothing is ever rounded off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    whole: u64,
    /// Turns of the round that is going on; less than `weight`.
    turns: u32,
    weight: u32,
}

impl Rounds {
    /// None yet.
    pub(super) const NONE: Self = Self {
        whole: 0,
        turns: 0,
        weight: 1,
    };

    /// One turn later.
    pub(super) fn after_a_turn(self) -> Self {
        let turns = self.turns + 1;
        match turns == self.weight {
            true => Self {
                whole: self.whole + 1,
                turns: 0,
                ..self
            },
            false => Self { turns, ..self },
        }
    }

    /// The same for a project of `weight`, up to the next turn of its own if it lies between two of them.
    pub(super) fn at_weight(self, weight: u32) -> Self {
        let turns = u64::from(self.turns) * u64::from(weight);
        let turns = turns.div_ceil(u64::from(self.weight));
        let carried = turns == u64::from(weight);
        Self {
            whole: self.whole + u64::from(carried),
            turns: match carried {
                true => 0,
                false => u32::try_from(turns).expect("less than a weight"),
            },
            weight,
        }
    }
}

impl Ord for Rounds {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |a: &Self, b: &Self| u64::from(a.turns) * u64::from(b.weight);
        let parts = || part(self, other).cmp(&part(other, self));
        self.whole.cmp(&other.whole).then_with(parts)
    }
}

impl PartialOrd for Rounds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rounds {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rounds {}

#[cfg(test)]
mod tests {
    use super::Rounds;

    fn rounds(whole: u64, turns: u32, weight: u32) -> Rounds {
        Rounds {
            whole,
            turns,
            weight,
        }
    }

    #[test]
    fn fractions_of_different_weights_compare_exactly() {
        assert_eq!(rounds(1, 2, 4), rounds(1, 1, 2));
        assert!(rounds(1, 333, 1000) < rounds(1, 1, 3));
        assert!(rounds(1, 334, 1000) > rounds(1, 1, 3));
        assert!(rounds(2, 0, 7) > rounds(1, 999, 1000));
    }

    #[test]
    fn a_weight_s_turns_make_a_round() {
        let mut at = Rounds::NONE.at_weight(3);
        for _ in 0..3 {
            at = at.after_a_turn();
        }
        assert_eq!(at, rounds(1, 0, 1));
        assert_eq!(Rounds::NONE.at_weight(1).after_a_turn(), at);
    }

    #[test]
    fn a_place_between_two_turns_is_taken_up_to_the_next() {
        assert_eq!(rounds(4, 1, 3).at_weight(2), rounds(4, 1, 2));
        assert_eq!(rounds(4, 2, 3).at_weight(1), rounds(5, 0, 1));
        assert_eq!(rounds(4, 0, 3).at_weight(1), rounds(4, 0, 1));
        assert_eq!(rounds(4, 2, 3).at_weight(6), rounds(4, 2, 3));
    }
}
