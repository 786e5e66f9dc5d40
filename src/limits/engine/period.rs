//! Time, and the spans of the calendar that budgets are for.

use crate::domain::{Day, Span};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// A moment, by two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since any beginning; never goes back. Rates refill by it.
    pub mono: u64,
    /// Milliseconds since 1970, which may jump. Budgets begin and end by it.
    pub wall: u64,
}

/// One hour, day or month of the calendar in UTC, or all time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    span: Span,
    start: u64,
    end: u64,
}

impl Period {
    /// The one that a moment is in, in milliseconds since 1970.
    pub fn of(span: Span, wall: u64) -> Self {
        let day = Day::of_millis(wall);
        let (start, end) = match span {
            Span::Hour => {
                let start = wall - wall % HOUR_MS;
                (start, start.saturating_add(HOUR_MS))
            }
            Span::Day => (day.millis(), day.next().millis()),
            Span::Month => (day.month().millis(), day.next_month().millis()),
            Span::Life => (0, u64::MAX),
        };
        Self { span, start, end }
    }

    /// How long it is.
    pub fn span(&self) -> Span {
        self.span
    }

    /// When it begins, in milliseconds since 1970.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// When the next one begins; none follows all time.
    pub fn end(&self) -> Option<u64> {
        (self.end < u64::MAX).then_some(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Day;

    fn millis(text: &str) -> u64 {
        Day::parse(text).unwrap().millis()
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        let noon = millis("2028-02-29") + 12 * HOUR_MS + 1;
        let spans = |span| {
            let period = Period::of(span, noon);
            (period.start(), period.end().unwrap())
        };
        assert_eq!(spans(Span::Hour), (noon - 1, noon - 1 + HOUR_MS));
        assert_eq!(
            spans(Span::Day),
            (millis("2028-02-29"), millis("2028-03-01"))
        );
        assert_eq!(
            spans(Span::Month),
            (millis("2028-02-01"), millis("2028-03-01"))
        );
        let life = Period::of(Span::Life, noon);
        assert_eq!((life.start(), life.end()), (0, None));
    }

    #[test]
    fn a_period_ends_where_the_next_begins() {
        for span in [Span::Hour, Span::Day, Span::Month] {
            let mut period = Period::of(span, millis("2026-11-15"));
            for _ in 0..50 {
                let end = period.end().unwrap();
                assert_eq!(Period::of(span, end - 1), period);
                period = Period::of(span, end);
                assert_eq!(period.start(), end);
            }
        }
    }
}
