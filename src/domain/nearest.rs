//! Finds the word that somebody most likely meant.

/// The candidate nearest to `word`, if one is near enough to be worth mentioning.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    // One slip in three letters still reads as the same word; in a word of two, any slip makes another word.
    let slips = word.chars().count() / 3;
    candidates
        .iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements that lead from `a` to `b` (Levenshtein's distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["listen", "control_listen", "data_dir", "idle_timeout"];
        assert_eq!(nearest("lisen", &keys), Some("listen"));
        assert_eq!(nearest("data-dir", &keys), Some("data_dir"));
        assert_eq!(nearest("Listen", &keys), Some("listen"));
        assert_eq!(nearest("timeout_idle", &keys), None);
        assert_eq!(nearest("xy", &["x"]), None);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
