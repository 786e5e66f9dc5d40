//! Days of the calendar, in UTC.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const DAY: Duration = Duration::from_secs(86_400);
const YEAR_MIN: u32 = 1970;
const YEAR_MAX: u32 = 9999;

/// A day from 1970 on; the first one is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day of a moment. A clock before 1970 is taken to be there.
    pub fn of(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u32::try_from(since.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX))
    }

    /// The day of a moment in milliseconds since 1970.
    pub fn of_millis(millis: u64) -> Self {
        Self(u32::try_from(millis / DAY.as_millis() as u64).unwrap_or(u32::MAX))
    }

    /// When it begins, in milliseconds since 1970.
    pub fn millis(self) -> u64 {
        u64::from(self.0) * DAY.as_millis() as u64
    }

    /// The day after it.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// So many days before it, but not before the first.
    pub fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The first day of its month.
    pub fn month(self) -> Self {
        let (_, _, day) = self.date();
        Self(self.0 - (day - 1))
    }

    /// The first day of the month after its own.
    pub fn next_month(self) -> Self {
        let (year, month, _) = self.date();
        Self(self.month().0 + month_days(year, month))
    }

    /// The year, the month, and the day in it.
    fn date(self) -> (u32, u32, u32) {
        // A year has less than 366 days, so this is the year or one of the few before it.
        let mut year = (YEAR_MIN + self.0 / 366).min(YEAR_MAX);
        while year_start(year + 1) <= self.0 {
            year += 1;
        }
        let (mut month, mut day) = (1, self.0 - year_start(year));
        while month < 12 && day >= month_days(year, month) {
            day -= month_days(year, month);
            month += 1;
        }
        (year, month, day + 1)
    }

    /// Reads `2026-01-31`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 10
            && (text.bytes().enumerate()).all(|(i, byte)| match i {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_plain {
            return None;
        }
        let number = |at: std::ops::Range<usize>| text[at].parse::<u32>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let is_date = (YEAR_MIN..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day);
        let before: u32 = (1..month).map(|month| month_days(year, month)).sum();
        is_date.then(|| Self(year_start(year) + before + day - 1))
    }
}

/// As [`Day::parse`] reads it.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Days from 1970 to the first of a year.
fn year_start(year: u32) -> u32 {
    let leaps = |year: u32| year / 4 - year / 100 + year / 400;
    (year - YEAR_MIN) * 365 + leaps(year - 1) - leaps(YEAR_MIN - 1)
}

fn month_days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(400) || (year.is_multiple_of(4) && !year.is_multiple_of(100)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Day;
    use proptest::prelude::proptest;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn days_are_counted_from_1970() {
        let day = |text| Day::parse(text).map(|day| day.0);
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2026-01-01"), Some(20_454));
        let last_second = UNIX_EPOCH + Duration::from_secs(20_455 * 86_400 - 1);
        assert_eq!(Day::of(last_second), Day(20_454));
        assert_eq!(Day::of(UNIX_EPOCH - Duration::from_secs(1)), Day(0));
    }

    #[test]
    fn days_are_moments_and_belong_to_months() {
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(day("2026-02-28").next(), day("2026-03-01"));
        assert_eq!(day("2026-03-31").month(), day("2026-03-01"));
        assert_eq!(day("2026-03-01").minus(1), day("2026-02-28"));
        assert_eq!(
            Day::of_millis(day("2026-03-01").millis() - 1),
            day("2026-02-28")
        );
    }

    #[test]
    fn what_is_no_date_is_none() {
        for wrong in [
            "",
            "2026-1-1",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-01-00",
            "1969-12-31",
            "2026/01/01",
            "2026-01-01T00:00:00Z",
            "+026-01-01",
            "2026-é-01",
        ] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(day in 0..2_932_896_u32) {
            assert_eq!(Day::parse(&Day(day).to_string()), Some(Day(day)));
        }
    }
}
