//! Everything that a request may need, built once.

use crate::{
    auth::Keys,
    catalog::Catalog,
    config::Config,
    directory::Directory,
    domain::{Caller, Standing},
    events::Bus,
    ledger::{Ledger, Reports},
    limits::{Gate, Holders, Lookout, Policy, Subject},
    people::People,
    prices::Prices,
    queue::Queues,
    route::Routes,
    tasks::Signal,
    telemetry::{Log, metrics::Metrics},
    tokens::Counter,
    upstream::Pool,
};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

/// What all threads share.
pub struct App {
    /// The config in force. A request takes it once and keeps it.
    pub snapshot: ArcSwap<Snapshot>,
    /// Who may come in.
    pub keys: Keys,
    /// Who signs in, and whose tokens are believed.
    pub people: People,
    /// Projects, and what they may do.
    pub directory: Directory,
    /// How much may still be done.
    pub gate: Gate,
    /// Who hears what happens.
    pub events: Bus,
    /// Where usage goes.
    pub ledger: Ledger,
    /// Counts tokens where no provider does.
    pub counter: Counter,
    /// What was used.
    pub reports: Reports,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where lines are written.
    pub log: Log,
    /// Raised when no new work is taken.
    pub drain: Signal,
    /// Raised when what still runs must end now.
    pub cut: Signal,
    /// Request bodies that are held.
    pub body_memory: BodyMemory,
    /// Who waits for upstreams that have no room.
    pub queues: Queues,
    /// Answers that are read to their end without a client.
    pub finishing: Finishing,
    /// What upstreams offer.
    pub catalog: Catalog,
    /// When it was built.
    pub started: SystemTime,
}

impl App {
    /// Those whose limits a call comes under.
    pub fn holders(&self, policy: &Policy, caller: &Caller, model: Option<&str>) -> Holders {
        let allowances = self.directory.allowances();
        let organization = allowances.organization();
        let project = allowances.of(caller.project());
        let user = caller.user();
        let user = user.and_then(|user| self.people.users.terms(user));
        let subject = Subject {
            caller,
            model,
            organization: &organization,
            project: project.as_ref(),
            user: user.as_ref(),
        };
        self.gate.holders(policy, &subject)
    }

    /// From where it is seen how limits stand.
    pub fn lookout<'a>(&'a self, policy: &'a Policy) -> Lookout<'a> {
        Lookout {
            policy,
            reports: &self.reports,
            engine: Some(self.gate.engine()),
            now: self.gate.now(),
        }
    }

    /// How the rates of a caller stand.
    pub fn standing(&self, caller: &Caller) -> Standing {
        let holders = self.holders(&self.snapshot.load().policy, caller, None);
        match holders.is_empty() {
            true => Standing::default(),
            false => self.gate.engine().standing(&holders, self.gate.now()),
        }
    }
}

/// The config at one moment, with what is derived from it.
pub struct Snapshot {
    /// The config.
    pub config: Config,
    /// Where names and paths lead.
    pub routes: Routes,
    /// What models cost.
    pub prices: Prices,
    /// Whose limits calls come under.
    pub policy: Policy,
}

impl Snapshot {
    /// The snapshot of `config`.
    pub fn new(config: Config) -> Self {
        let routes = Routes::new(&config);
        let prices = Prices::new(&config.prices);
        let policy = Policy::new(&config.limits);
        Self {
            config,
            routes,
            prices,
            policy,
        }
    }
}

/// One thread that serves: what is shared, and connections of its own.
pub struct Worker {
    /// What is shared.
    pub app: Arc<App>,
    /// Its connections to upstreams.
    pub pool: Pool,
}

/// Bounds the request bodies that are held at one time.
#[derive(Default)]
pub struct BodyMemory(Arc<AtomicUsize>);

/// Bounds the answers that are read to their end after their clients have gone.
#[derive(Default)]
pub struct Finishing(Arc<AtomicUsize>);

/// A place among them; given back when dropped.
#[must_use = "dropping it gives the place back"]
pub struct FinishingPlace(Arc<AtomicUsize>);

/// Each holds a connection to an upstream and a slot of the flight table.
const FINISHING_MAX: usize = 1024;

impl Finishing {
    /// A place, if there is one.
    pub fn enter(&self) -> Option<FinishingPlace> {
        // Made before it is known to be allowed: dropping it takes that back.
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let place = FinishingPlace(Arc::clone(&self.0));
        (before < FINISHING_MAX).then_some(place)
    }
}

impl Drop for FinishingPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of the memory for bodies; given back when dropped.
#[must_use = "dropping it gives the memory back"]
pub struct Reserved {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl BodyMemory {
    /// An empty reservation.
    pub fn reserve(&self) -> Reserved {
        Reserved {
            used: Arc::clone(&self.0),
            bytes: 0,
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Reserved {
    /// Takes `more` bytes, if all together stay within `max`.
    pub fn grow(&mut self, more: usize, max: usize) -> bool {
        let before = self.used.fetch_add(more, Ordering::Relaxed);
        if before + more > max {
            self.used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::BodyMemory;

    #[test]
    fn what_is_reserved_comes_back_and_never_exceeds_the_bound() {
        let memory = BodyMemory::default();
        let mut one = memory.reserve();
        assert!(one.grow(60, 100));
        let mut two = memory.reserve();
        assert!(!two.grow(41, 100));
        assert!(two.grow(40, 100));
        drop(one);
        assert_eq!(memory.used(), 40);
    }
}
