//! What a shared meter is called.

use crate::{
    domain::{Coin, Flow, Kind, Pace, Span},
    limits::engine::{Holder, Period},
};

/// The same on all nodes.
pub(super) fn key(holder: &Holder, kind: Kind, period: Option<Period>) -> String {
    let kind = match kind {
        Kind::Rate(flow, pace) => {
            let flow = match flow {
                Flow::Requests => "requests",
                Flow::Tokens => "tokens",
                Flow::Input => "input",
                Flow::Output => "output",
            };
            let pace = match pace {
                Pace::Minute => "minute",
                Pace::Day => "day",
            };
            format!("{flow}-{pace}")
        }
        Kind::InFlight => "in-flight".to_owned(),
        Kind::Budget(coin, span) => {
            let coin = match coin {
                Coin::Dollars => "dollars",
                Coin::Tokens => "tokens",
            };
            let span = match span {
                Span::Hour => "hour",
                Span::Day => "day",
                Span::Month => "month",
                Span::Life => "total",
            };
            let start = period.map_or(0, |period| period.start());
            format!("{coin}-{span}-{start}")
        }
    };
    let level = holder.level().as_str().replace(' ', "-");
    format!("{level}:{kind}:{}", holder.name())
}
