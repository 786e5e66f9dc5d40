//! How values are written: counts, durations, sizes, addresses, words. A new kind of value is a function here.

use super::read::At;
use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive, time::Duration};

const DURATIONS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// A whole number in `range`.
pub(super) fn count<T>(range: RangeInclusive<T>) -> impl FnOnce(At<'_>) -> Option<T>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |at| {
        let count = T::try_from(at.integer()?).ok();
        let within = count.filter(|count| range.contains(count));
        within.or_else(|| at.refuse(outside(range.start(), range.end())))
    }
}

/// A duration in `range`, such as `250ms`, `10s`, `5m` or `1h`; a bare number is seconds.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl FnOnce(At<'_>) -> Option<Duration> {
    move |at| {
        let Some(duration) = parse_duration(&at.text_or_integer()?) else {
            return at.refuse("expected a duration, such as 250ms, 10s, 5m or 1h");
        };
        if range.contains(&duration) {
            return Some(duration);
        }
        at.refuse(outside(
            show_duration(*range.start()),
            show_duration(*range.end()),
        ))
    }
}

/// As [`duration`], or zero, which turns something off.
pub(super) fn duration_or_off(
    range: RangeInclusive<Duration>,
) -> impl FnOnce(At<'_>) -> Option<Duration> {
    move |at| match parse_duration(&at.text_or_integer()?) {
        Some(Duration::ZERO) => Some(Duration::ZERO),
        _ => duration(range)(at),
    }
}

/// A span in `range` of whole days, such as `90d`; a bare number is days.
pub(super) fn days(range: RangeInclusive<u64>) -> impl FnOnce(At<'_>) -> Option<Duration> {
    move |at| {
        let Some(days) = parse_units(&at.text_or_integer()?, &[("d", 1)], 1) else {
            return at.refuse("expected a number of days, such as 90d");
        };
        if range.contains(&days) {
            return Some(Duration::from_secs(days * 86_400));
        }
        let [least, most] = [range.start(), range.end()].map(|days| format!("{days}d"));
        at.refuse(outside(least, most))
    }
}

/// A size in `range`, such as `64KiB` or `10MB`; a bare number is bytes.
pub(super) fn size<T>(range: RangeInclusive<u64>) -> impl FnOnce(At<'_>) -> Option<T>
where
    T: TryFrom<u64>,
{
    move |at| {
        let Some(bytes) = parse_units(&at.text_or_integer()?, SIZES, 1) else {
            return at.refuse("expected a size, such as 64KiB, 32MiB or 1GiB");
        };
        let within = Some(bytes).filter(|bytes| range.contains(bytes));
        within
            .and_then(|bytes| T::try_from(bytes).ok())
            .or_else(|| at.refuse(outside(show_size(*range.start()), show_size(*range.end()))))
    }
}

/// An address and a port.
pub(super) fn address(at: At<'_>) -> Option<SocketAddr> {
    let address = at.text()?.parse().ok();
    address.or_else(|| at.refuse("expected an IP address and a port, such as 127.0.0.1:8080"))
}

/// One of `words`, each of which stands for a value.
pub(super) fn word<T: Copy>(words: &[(&str, T)]) -> impl FnOnce(At<'_>) -> Option<T> {
    move |at| {
        let text = at.text()?;
        let meant = words.iter().find(|(word, _)| *word == text);
        meant.map(|(_, value)| *value).or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            at.refuse(format!("expected one of {}", words.join(", ")))
        })
    }
}

/// An array whose items `read` accepts.
pub(super) fn list<T>(read: impl Fn(At<'_>) -> Option<T>) -> impl FnOnce(At<'_>) -> Option<Vec<T>> {
    move |at| Some(at.items()?.into_iter().filter_map(read).collect())
}

fn outside(least: impl Display, most: impl Display) -> String {
    format!("must be from {least} to {most}")
}

fn parse_duration(text: &str) -> Option<Duration> {
    parse_units(text, DURATIONS, 1_000).map(Duration::from_millis)
}

/// Reads digits and a unit; without a unit, `bare` is what one is worth.
fn parse_units(text: &str, units: &[(&str, u64)], bare: u64) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let worth = match unit.trim_start() {
        "" => bare,
        unit => {
            units
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
                .1
        }
    };
    digits.parse::<u64>().ok()?.checked_mul(worth)
}

fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show_units(millis, DURATIONS)
}

fn show_size(bytes: u64) -> String {
    show_units(bytes, SIZES)
}

/// Writes an amount in the first unit that takes no fraction.
fn show_units(amount: u64, units: &[(&str, u64)]) -> String {
    let whole = units
        .iter()
        .find(|(_, worth)| amount != 0 && amount.is_multiple_of(*worth));
    match whole {
        Some((unit, worth)) => format!("{}{unit}", amount / worth),
        None => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DURATIONS, SIZES, parse_duration, parse_units, show_duration, show_units};
    use proptest::prelude::{any, proptest};
    use std::time::Duration;

    #[test]
    fn durations_and_sizes_have_units() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("1 h"), Some(Duration::from_secs(3600)));
        for wrong in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1d",
            "1s1s",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        let size = |text| parse_units(text, SIZES, 1);
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("10MB"), Some(10_000_000));
        assert_eq!(size("1gib"), Some(1 << 30));
        assert_eq!(size("512"), Some(512));
        assert_eq!(size("32M"), None);
        assert_eq!(size("18446744073709551615KiB"), None);
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        assert_eq!(show_duration(Duration::from_millis(1500)), "1500ms");
        assert_eq!(show_duration(Duration::from_secs(3600)), "1h");
        assert_eq!(show_duration(Duration::ZERO), "0");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(amount in any::<u64>(), text in ".*") {
            assert_eq!(parse_units(&show_units(amount, SIZES), SIZES, 1), Some(amount));
            assert_eq!(parse_units(&show_units(amount, DURATIONS), DURATIONS, 1), Some(amount));
            let _ = parse_duration(&text);
        }
    }
}
