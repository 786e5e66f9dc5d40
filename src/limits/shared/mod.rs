//! Limits that several nodes keep together, over Redis.
//!
//! Each node's engine admits, out of what the node has drawn. A script in Redis gives all that a call lacks, or
//! nothing of it. What is drawn and not used goes back within a second; what is settled is told once, however often a
//! round is repeated; and what a node held that has died comes free, with what its calls had used counted as spent.

mod answer;
mod away;
mod clock;
mod keeper;
mod key;
mod link;
mod name;
mod round;
mod stake;
mod stakes;
#[cfg(test)]
mod tests;

pub use answer::Drawn;

use super::engine::{Holder, Now, Period, Shortage};
use crate::{
    config::WithoutRedis,
    domain::{Kind, Redis},
    telemetry::metrics,
};
use answer::Question;
use arc_swap::ArcSwap;
use clock::Clock;
use keeper::{Keeper, Ledger, Note};
use link::Link;
use name::Names;
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long a call waits for its answer at most. A round is over long before; the ledger may take its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a node waits for its last round.
const LAST_ROUND: Duration = Duration::from_millis(500);
/// Calls that may wait at one time.
const NOTES_MAX: usize = 16_384;

/// What the ledger knows, for budgets that Redis knows nothing of.
pub trait Past: Send + Sync + 'static {
    /// Is ready once all that was settled before it was asked for is committed, and what former starts left, too.
    fn settled(&self) -> Later<()>;

    /// What a holder's budget has spent in a period, as far as it is committed.
    fn spent(&self, holder: &Holder, kind: Kind, period: Period) -> Later<Result<u64, PastError>>;
}

/// Something that takes its time.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Why the ledger does not answer.
pub type PastError = Box<dyn std::error::Error + Send + Sync>;

/// What an operator decides for the time without Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// What calls get then.
    pub without: WithoutRedis,
    /// How many nodes share, at least; as many as are seen count if they are more.
    pub nodes: u64,
}

/// Why limits cannot be shared at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of this node cannot be kept.
    #[error("the names of this node cannot be kept in the data directory")]
    Names(#[source] io::Error),
    /// There is no thread for it.
    #[error("no thread could be started to share limits with")]
    Thread(#[source] io::Error),
}

/// What this node shares with others. It has a thread and a connection of its own.
pub struct Shared {
    notes: mpsc::Sender<Note>,
    common: Arc<Common>,
}

/// What calls and the thread have in common.
struct Common {
    clock: Clock,
    fallback: ArcSwap<Fallback>,
    is_there: AtomicBool,
}

impl Shared {
    /// Begins to share, and to connect. It does not matter whether the server can be reached yet.
    pub fn start(
        server: Redis,
        fallback: Fallback,
        data_dir: &Path,
        past: Arc<dyn Past>,
    ) -> Result<Self, Error> {
        let names = Names::open(data_dir).map_err(Error::Names)?;
        let (notes, told) = mpsc::channel(NOTES_MAX);
        let common = Arc::new(Common {
            clock: Clock::new(),
            fallback: ArcSwap::from_pointee(fallback),
            is_there: AtomicBool::new(false),
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Thread)?;
        let (known, own) = (Arc::clone(&common), notes.downgrade());
        let work = move || {
            runtime.block_on(async {
                let link = Link::new(server);
                let ledger = Ledger::new(past, own);
                Keeper::new(names, known, ledger, link).run(told).await;
            });
        };
        let thread = thread::Builder::new().name("weir-limits".to_owned());
        thread.spawn(work).map_err(Error::Thread)?;
        Ok(Self { notes, common })
    }

    /// The time by which the engine is to be asked: the same on all nodes, as far as the server can be reached.
    pub fn now(&self) -> Now {
        self.common.clock.now()
    }

    /// Draws what is lacking, for all of its meters or for none. What was granted is in the engine, where others may be
    /// faster to take it: ask there, and if need be here again.
    pub async fn draw(&self, shortage: Shortage) -> Drawn {
        let (answer, answered) = oneshot::channel();
        let question = Note::Question(Question { shortage, answer });
        if self.notes.try_send(question).is_err() {
            return Drawn::Away;
        }
        match timeout(PATIENCE, answered).await {
            Ok(Ok(drawn)) => drawn,
            Ok(Err(_)) | Err(_) => Drawn::Away,
        }
    }

    /// Puts what was decided anew in force.
    pub fn set_fallback(&self, fallback: Fallback) {
        self.common.fallback.store(Arc::new(fallback));
    }

    /// Whether the limits are those of all nodes at the moment.
    #[cfg(test)]
    fn is_there(&self) -> bool {
        self.common.is_there.load(Ordering::Relaxed)
    }

    /// The node ends: gives back what it holds. What calls still hold comes free when others take it for dead.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        if self.notes.try_send(Note::Leave(done)).is_ok() {
            // It is as good to be taken for dead a little later.
            let _ = timeout(LAST_ROUND, left).await;
        }
    }
}

impl Common {
    /// From here on the limits are those of all nodes, or no longer.
    fn set_there(&self, is_there: bool) {
        self.is_there.store(is_there, Ordering::Relaxed);
        metrics::limits_shared(is_there);
    }
}
