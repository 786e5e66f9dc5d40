//! One call of the script: what goes in, and what comes out.

use redis::{Cmd, Value};

/// What runs in Redis.
pub(super) const SCRIPT: &str = include_str!("script.lua");
/// Where doubles stop being exact.
const EXACT_MAX: u64 = (1 << 53) - 1;
/// How many arguments the script takes for each meter.
const WIDTH: usize = 13;

/// What one node tells and asks at one time.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Whose it is.
    pub(super) node: String,
    /// Later ones have higher numbers; one that arrives after a later one does nothing.
    pub(super) number: u64,
    /// The time in microseconds, for tests; else it is the server's.
    pub(super) at: Option<u64>,
    pub(super) way: Way,
    pub(super) meters: Vec<Meter>,
    /// Each is granted as a whole or not at all, in turn.
    pub(super) asks: Vec<Ask>,
}

/// What a round does for its node as a whole.
#[derive(Clone, Debug, Default)]
pub(super) enum Way {
    /// It stays.
    #[default]
    Stay,
    /// It ends, and holds nothing from here on.
    Leave,
    /// It takes up where another one ended, whose calls are on the ledger by now.
    After(String),
}

/// A meter, and what the node has to tell of it.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) key: String,
    pub(super) amount: u64,
    /// What to draw beyond what is asked, if there is plenty.
    pub(super) ahead: u64,
    /// In how many parts what is left is cut, so that all who want more find something.
    pub(super) parts: u64,
    pub(super) of: Of,
}

/// Of which nature.
#[derive(Clone, Debug)]
pub(super) enum Of {
    Flow(Flow),
    Stock(Stock),
}

/// What refills.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) burst: u64,
    pub(super) span_micros: u64,
    /// What was drawn and not used; less than nothing if more was used than was drawn.
    pub(super) back: i64,
}

/// What does not: a budget, or what may be in the air.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    pub(super) life_millis: u64,
    /// Whether the ledger knows what was spent before.
    pub(super) has_base: bool,
    /// What the node has spent since it began.
    pub(super) settled: u64,
    /// What it has drawn and not settled.
    pub(super) held: i64,
    /// What of that its calls have used already.
    pub(super) used: u64,
    /// Whether it will say no more of this for long.
    pub(super) forget: bool,
    pub(super) base: Option<Base>,
}

/// What the ledger says was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) spent: u64,
    /// What the node had settled when it was asked.
    pub(super) settled: u64,
    /// What the server knew to be spent when it was asked; less than nothing if it knew nothing.
    pub(super) over: i64,
}

/// What one call lacks.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) needs: Vec<Need>,
    /// Who has begun waits for nobody who was told to come back, and is promised nothing.
    pub(super) has_begun: bool,
}

/// What an ask needs from one meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// Its place in the round.
    pub(super) meter: usize,
    pub(super) least: u64,
    pub(super) want: u64,
}

/// What came of a round.
#[derive(Debug)]
pub(super) struct Reply {
    /// The server's time.
    pub(super) micros: u64,
    /// How many nodes are alive, this one included.
    pub(super) nodes: u64,
    pub(super) meters: Vec<Told>,
    pub(super) verdicts: Vec<Verdict>,
}

/// How a meter stands after a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) granted: u64,
    pub(super) left: i64,
    /// Until a flow is full.
    pub(super) full_micros: u64,
    /// Whether it has to be told first what was spent.
    pub(super) lacks_base: bool,
    /// What is known to be spent and is or will be on the ledger; less than nothing if nothing is known.
    pub(super) spent: i64,
}

/// What came of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    Refused {
        by: usize,
        /// None if it does not come back by itself.
        wait_micros: Option<u64>,
    },
    /// A base has to be told first.
    Unready,
}

impl Round {
    /// The call, with the hash that the server gave the script. Keys share a tag, so that they lie in one place.
    pub(super) fn command(&self, script: &str, prefix: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script).arg(self.meters.len() + 2);
        command.arg(format!("{prefix}:{{limits}}:nodes"));
        command.arg(format!("{prefix}:{{limits}}:ended"));
        for meter in &self.meters {
            command.arg(format!("{prefix}:{{limits}}:{}", meter.key));
        }
        command.arg(&self.node).arg(self.number);
        command.arg(self.at.map_or_else(String::new, |at| at.to_string()));
        command.arg(match &self.way {
            Way::Stay => "",
            Way::Leave => "leave",
            Way::After(former) => former,
        });
        command.arg(self.meters.len()).arg(self.asks.len());
        self.meters
            .iter()
            .for_each(|meter| meter.add_to(&mut command));
        for ask in &self.asks {
            command.arg(ask.needs.len());
            command.arg(if ask.has_begun { "begun" } else { "" });
            for need in &ask.needs {
                let least = need.least.min(EXACT_MAX);
                let want = need.want.clamp(least, EXACT_MAX);
                command.arg(need.meter + 1).arg(least).arg(want);
            }
        }
        command
    }

    /// What the server made of it; none if it is no answer to this.
    pub(super) fn read(&self, value: &Value) -> Option<Reply> {
        let Value::Array(values) = value else {
            return None;
        };
        let mut figures = values.iter().map(|value| match value {
            Value::Int(figure) => Some(*figure),
            _ => None,
        });
        let mut next = || figures.next().flatten();
        let positive = |figure: i64| u64::try_from(figure).unwrap_or(0);
        let micros = positive(next()?);
        let nodes = positive(next()?);
        let mut meters = Vec::with_capacity(self.meters.len());
        for _ in &self.meters {
            meters.push(Told {
                granted: positive(next()?),
                left: next()?,
                full_micros: positive(next()?),
                lacks_base: next()? != 0,
                spent: next()?,
            });
        }
        let mut verdicts = Vec::with_capacity(self.asks.len());
        for _ in &self.asks {
            let (verdict, by, wait) = (next()?, next()?, next()?);
            verdicts.push(match verdict {
                0 => Verdict::Granted,
                1 => Verdict::Refused {
                    by: usize::try_from(by - 1)
                        .ok()
                        .filter(|by| *by < self.meters.len())?,
                    wait_micros: u64::try_from(wait).ok(),
                },
                _ => Verdict::Unready,
            });
        }
        Some(Reply {
            micros,
            nodes,
            meters,
            verdicts,
        })
    }
}

impl Meter {
    fn add_to(&self, command: &mut Cmd) {
        let amount = self.amount.min(EXACT_MAX);
        let before = command.args_iter().len();
        match &self.of {
            Of::Flow(flow) => {
                command.arg("f").arg(amount).arg(self.ahead).arg(self.parts);
                command.arg(flow.burst.min(amount));
                command.arg(flow.span_micros).arg(flow.back);
            }
            Of::Stock(stock) => {
                command.arg("s").arg(self.amount);
                command.arg(self.ahead).arg(self.parts);
                command.arg(stock.life_millis);
                command.arg(if stock.has_base { "base" } else { "" });
                command.arg(stock.settled).arg(stock.held).arg(stock.used);
                command.arg(if stock.forget { "forget" } else { "" });
                if let Some(base) = stock.base {
                    command.arg(base.spent).arg(base.settled).arg(base.over);
                }
            }
        }
        let missing = before + WIDTH - command.args_iter().len();
        for _ in 0..missing {
            command.arg("");
        }
    }
}
