//! What becomes of an answer whose client hangs up.

use std::{fmt, num::NonZeroU32, str::FromStr};

/// What Weir does with an upstream whose client has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnHangup {
    /// Cancels the call; what was delivered is what counts.
    #[default]
    Cancel,
    /// Reads the answer to its end, so that the provider says what it used.
    Finish,
    /// The same, but cancels once so many tokens of the answer have come.
    FinishUpTo(NonZeroU32),
}

/// A text that is none of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected cancel, finish or finish-up-to=N with a number of tokens")]
pub struct NotOnHangup;

const UP_TO: &str = "finish-up-to=";

impl FromStr for OnHangup {
    type Err = NotOnHangup;

    fn from_str(text: &str) -> Result<Self, NotOnHangup> {
        match text {
            "cancel" => Ok(Self::Cancel),
            "finish" => Ok(Self::Finish),
            _ => {
                let tokens = text.strip_prefix(UP_TO).and_then(|n| n.parse().ok());
                tokens.map(Self::FinishUpTo).ok_or(NotOnHangup)
            }
        }
    }
}

impl fmt::Display for OnHangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel => f.write_str("cancel"),
            Self::Finish => f.write_str("finish"),
            Self::FinishUpTo(tokens) => write!(f, "{UP_TO}{tokens}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["cancel", "finish", "finish-up-to=1", "finish-up-to=4096"] {
            assert_eq!(
                text.parse().map(|on: OnHangup| on.to_string()),
                Ok(text.into())
            );
        }
        for text in [
            "",
            "Finish",
            "finish-up-to",
            "finish-up-to=0",
            "finish-up-to=-1",
        ] {
            assert_eq!(text.parse::<OnHangup>(), Err(NotOnHangup), "{text}");
        }
    }
}
