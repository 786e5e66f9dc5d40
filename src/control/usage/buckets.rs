//! How OpenAI cuts time into pages of buckets, and the cursor from one page to the next.

use crate::{
    ledger::Width,
    wire::query::{Mistake, Query},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// After this (some thousand years from now) nothing is asked, and sums of times stay far from what 64 bits hold.
const SECONDS_MAX: u64 = 1 << 37;

/// Which bucket widths there are, and how many buckets a page of each has: by default, and at most.
pub(super) type Widths = &'static [(&'static str, Width, usize, usize)];

/// One page of buckets. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How wide a bucket is that is not cut short by the beginning or the end of what was asked.
    pub(super) width: Width,
    /// From and until when each is.
    pub(super) buckets: Vec<(u64, u64)>,
    /// Where the page would go on, and where all ends.
    rest: (u64, u64),
    /// What was asked, but for the page: a cursor goes on with its own question only.
    question: u32,
}

impl Page {
    /// Reads `start_time`, `end_time`, `bucket_width`, `limit` and `page`.
    pub(super) fn read(query: &Query, widths: Widths, now: SystemTime) -> Result<Self, Mistake> {
        let start = query
            .number("start_time")?
            .ok_or(Mistake::Missing("start_time"))?;
        let end = query.number("end_time")?;
        if end.is_some_and(|end| end <= start) {
            return Err(Mistake::Wrong("end_time", "after `start_time`".to_owned()));
        }
        let words: Vec<_> = widths
            .iter()
            .map(|(word, width, usual, most)| (*word, (*width, *usual, *most)))
            .collect();
        let day = words.last().map(|(_, day)| *day);
        let chosen = query.word("bucket_width", &words)?.or(day);
        let (width, usual, most) = chosen.unwrap_or((Width::Day, 1, 1));
        let limit = match query.number("limit")? {
            None => usual,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=most).contains(limit))
                .ok_or_else(|| {
                    let expected = format!("from 1 to {most} with this `bucket_width`");
                    Mistake::Wrong("limit", expected)
                })?,
        };

        let whole = width.millis().unwrap_or(1000) / 1000;
        let first = start.min(SECONDS_MAX);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Nothing is in the future, however far somebody asks.
        let present = (now / whole + 1) * whole;
        let last = end.map_or(present, |end| end.min(present));
        let question = query.digest("page");
        let (from, last) = match query.one("page")? {
            None => (first, last),
            Some(cursor) => parse(cursor)
                .filter(|(_, of)| *of == question)
                .map(|(span, _)| span)
                .filter(|(from, last)| first <= *from && from < last && *last <= SECONDS_MAX)
                .ok_or_else(|| {
                    let expected = "a `next_page` of an answer to the same question";
                    Mistake::Wrong("page", expected.to_owned())
                })?,
        };
        let mut buckets = Vec::with_capacity(limit);
        let mut at = from;
        while at < last && buckets.len() < limit {
            let end = ((at / whole + 1) * whole).min(last);
            buckets.push((at, end));
            at = end;
        }
        Ok(Self {
            width,
            buckets,
            rest: (at, last),
            question,
        })
    }

    /// The time of all its buckets, in milliseconds; none if it has none.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let (from, _) = self.buckets.first()?;
        Some((from * 1000, self.rest.0 * 1000))
    }

    /// Takes off the buckets from `until` on (in milliseconds), which are for the next page.
    pub(super) fn cut(&mut self, until: u64) {
        self.buckets.retain(|(_, end)| end * 1000 <= until);
        if let Some((_, end)) = self.buckets.last() {
            self.rest.0 = *end;
        }
    }

    /// The cursor of the next page; none if there is none.
    pub(super) fn next(&self) -> Option<String> {
        let (at, last) = self.rest;
        let question = self.question;
        // The end goes with it: without `end_time` that is now, and pages that follow must agree on it.
        (at < last).then(|| format!("page_{at:010x}{last:010x}{question:08x}"))
    }
}

/// Where a cursor goes on and ends, and with which question.
fn parse(cursor: &str) -> Option<((u64, u64), u32)> {
    let digits = cursor.strip_prefix("page_")?;
    let is_whole = digits.len() == 28 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (span, question) = digits.split_at_checked(20).filter(|_| is_whole)?;
    let (at, last) = span.split_at(10);
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let question = u32::from_str_radix(question, 16).ok()?;
    Some(((number(at)?, number(last)?), question))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WIDTHS: Widths = &[
        ("1m", Width::Minute, 60, 1440),
        ("1h", Width::Hour, 24, 168),
        ("1d", Width::Day, 7, 31),
    ];
    const DAY: u64 = 86_400;
    const NAMES: [&str; 5] = ["start_time", "end_time", "bucket_width", "limit", "page"];

    fn read(query: &str) -> Result<Page, Mistake> {
        let now = UNIX_EPOCH + Duration::from_secs(20_000 * DAY + 5);
        Page::read(&Query::parse(Some(query), &NAMES)?, WIDTHS, now)
    }

    #[test]
    fn days_are_in_utc_and_the_first_and_last_are_cut_short() {
        let start = 19_990 * DAY + 7_300;
        let end = start + DAY;
        let page = read(&format!("start_time={start}&end_time={end}")).unwrap();
        let midnight = 19_991 * DAY;
        assert_eq!(page.buckets, [(start, midnight), (midnight, end)]);
        assert_eq!(page.next(), None);
    }

    #[test]
    fn pages_follow_one_another_without_a_gap_and_end_now() {
        let start = 19_980 * DAY;
        let mut query = format!("start_time={start}");
        let mut buckets = Vec::new();
        loop {
            let page = read(&query).unwrap();
            assert!(page.buckets.len() <= 7);
            buckets.extend(page.buckets.iter().copied());
            match page.next() {
                Some(next) => query = format!("start_time={start}&page={next}"),
                None => break,
            }
        }
        let expected: Vec<_> = (19_980..=20_000)
            .map(|day| (day * DAY, (day + 1) * DAY))
            .collect();
        assert_eq!(buckets, expected);
    }

    #[test]
    fn a_page_that_was_too_much_goes_on_where_it_was_cut() {
        let mut page = read(&format!("start_time={}&limit=3", 19_990 * DAY)).unwrap();
        page.cut((19_991 * DAY) * 1000);
        assert_eq!(page.buckets, [(19_990 * DAY, 19_991 * DAY)]);
        let next = page.next().unwrap();
        let next = read(&format!("start_time={}&limit=3&page={next}", 19_990 * DAY));
        let days = (19_991..19_994).map(|day| (day * DAY, (day + 1) * DAY));
        assert_eq!(next.unwrap().buckets, days.collect::<Vec<_>>());
    }

    #[test]
    fn a_page_of_another_question_is_a_mistake() {
        let start = 19_990 * DAY;
        let page = read(&format!("start_time={start}&limit=3")).unwrap();
        let next = page.next().unwrap();
        assert!(read(&format!("page={next}&limit=3&start_time={start}")).is_ok());
        for other in [
            "limit=2",
            "limit=3&bucket_width=1h",
            "limit=3&end_time=9999999999",
            "",
        ] {
            let mistake = read(&format!("start_time={start}&{other}&page={next}")).unwrap_err();
            assert_eq!(mistake.param(), Some("page"), "{other}");
        }
    }

    #[test]
    fn nonsense_is_a_mistake_with_its_parameter() {
        for (query, param) in [
            ("", "start_time"),
            ("start_time=x", "start_time"),
            ("start_time=5&end_time=5", "end_time"),
            ("start_time=5&bucket_width=1w", "bucket_width"),
            ("start_time=5&limit=0", "limit"),
            ("start_time=5&limit=32", "limit"),
            ("start_time=5&bucket_width=1m&limit=1441", "limit"),
            ("start_time=5&page=page_x", "page"),
            (
                "start_time=5&page=page_0000000000000000000000000000",
                "page",
            ),
            (
                "start_time=5&page=page_0000000001ffffffffff00000000",
                "page",
            ),
        ] {
            let mistake = read(query).unwrap_err();
            assert_eq!(mistake.param(), Some(param), "{query}");
        }
    }

    #[test]
    fn a_start_in_the_future_has_no_buckets() {
        let page = read("start_time=18446744073709551615").unwrap();
        assert_eq!((page.buckets.len(), page.next()), (0, None));
    }
}
