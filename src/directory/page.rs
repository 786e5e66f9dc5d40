//! Pages of a list, by cursor.

use super::Error;
use crate::store::{self, Page, Row, Side, Transaction, Value};

/// Where a page begins, and how long it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// On which side of which item; none: at the beginning.
    pub side: Option<Side>,
    /// Whether the list runs from the newest item to the oldest.
    pub is_newest_first: bool,
    /// How many items at most.
    pub limit: usize,
}

impl Cursor {
    /// Up to `limit` items after this one, or from the beginning.
    pub fn after(id: Option<String>, limit: usize) -> Self {
        Self {
            side: id.map(Side::After),
            is_newest_first: false,
            limit,
        }
    }
}

/// A table whose rows have a public id and a number in the order in which they were made.
pub(super) struct List<'a> {
    pub(super) table: &'a str,
    pub(super) columns: &'a str,
    /// The condition under which a row is of this list whatever became of it, in which `$1` is `owner`.
    pub(super) of: &'a str,
    pub(super) owner: Value,
    /// The condition under which it is shown.
    pub(super) shown: &'a str,
}

impl List<'_> {
    pub(super) fn page<T>(
        &self,
        tx: &mut Transaction<'_>,
        cursor: &Cursor,
        read: impl FnMut(&Row) -> Result<T, store::Error>,
    ) -> Result<Page<T>, Error> {
        let Self {
            table,
            columns,
            of,
            shown,
            owner,
        } = self;
        let (id, param) = match &cursor.side {
            None => (None, ""),
            Some(Side::After(id)) => (Some(id), "after"),
            Some(Side::Before(id)) => (Some(id), "before"),
        };
        let is_backwards = param == "before";
        let is_descending = cursor.is_newest_first != is_backwards;
        let (beyond, order) = if is_descending {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        let mut sql = format!("SELECT {columns} FROM {table} WHERE {of} AND {shown}");
        let mut values = vec![owner.clone()];
        if let Some(id) = id {
            // Also an item that is shown no more: who pages through a list may be emptying it.
            let find = format!("SELECT number FROM {table} WHERE {of} AND id = $2");
            let row = tx.first(&find, &[owner.clone(), id.as_str().into()])?;
            let number: i64 = row.ok_or(Error::NoSuchCursor(param))?.get(0)?;
            sql += &format!(" AND number {beyond} $2");
            values.push(number.into());
        }
        values.push((cursor.limit as u64 + 1).into());
        sql += &format!(" ORDER BY number {order} LIMIT ${}", values.len());
        let rows = tx.query(&sql, &values)?;
        let items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut page = Page::cut(items, cursor.limit);
        if is_backwards {
            page.items.reverse();
        }
        Ok(page)
    }
}
