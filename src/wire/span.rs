//! Spans of time as OpenAI writes them in headers: `12ms`, `1.5s`, `6m0s`, `23h59m8.64s`.

use std::{fmt, time::Duration};

/// A span of time, rounded up to a millisecond: who waits that long has waited long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// In milliseconds, rounded up.
    pub fn millis(self) -> u64 {
        let millis = self.0.as_nanos().div_ceil(1_000_000);
        u64::try_from(millis).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        let (seconds, millis) = (millis / 1000, millis % 1000);
        if seconds == 0 && millis > 0 {
            return write!(f, "{millis}ms");
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}", seconds % 60)?;
        match (millis % 10, millis % 100) {
            _ if millis == 0 => {}
            (0, 0) => write!(f, ".{}", millis / 100)?,
            (0, _) => write!(f, ".{:02}", millis / 10)?,
            _ => write!(f, ".{millis:03}")?,
        }
        f.write_str("s")
    }
}

#[cfg(test)]
mod tests {
    use super::Span;
    use std::time::Duration;

    #[test]
    fn spans_are_written_as_openai_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ms"),
            (12_000_000, "12ms"),
            (999_000_001, "1s"),
            (1_500_000_000, "1.5s"),
            (8_640_000_000, "8.64s"),
            (60_001_000_000, "1m0.001s"),
            (360_000_000_000, "6m0s"),
            (86_348_640_000_000, "23h59m8.64s"),
            (86_400_000_000_000, "24h0m0s"),
        ] {
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), text);
        }
    }
}
