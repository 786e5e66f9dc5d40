//! Pages of lists that are too long for one answer.

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items, in the order of the list.
    pub items: Vec<T>,
    /// Whether there are more on its side.
    pub has_more: bool,
}

/// A side of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the list has after it.
    After(String),
    /// What it has right before it.
    Before(String),
}

impl<T> Page<T> {
    /// A page of up to `limit` items, from a list that was read for one more.
    pub fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        Self { items, has_more }
    }

    /// The item after which the next page begins, if there is one.
    pub fn into_last(self) -> Option<T> {
        let last = self.items.into_iter().next_back();
        last.filter(|_| self.has_more)
    }
}
