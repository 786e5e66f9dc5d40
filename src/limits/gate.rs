//! The one way in: a call is admitted, extended and settled here, and whatever has to be fetched for that is.

use super::{
    Admitted, Ask, Engine, Holder, Holders, Lease, Now, Policy, Refusal, Shortage, Source, Subject,
    Unready,
    policy::Claim,
    shared::{Drawn, Shared},
    spent,
};
use crate::{
    domain::{Kind, Standing},
    ledger::{Ledger, ReportError, Reports},
};
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Semaphore, time::Instant};

/// How often a call is asked about again for which something had to be fetched: others may have been quicker.
const ROUNDS: usize = 16;
/// How many ask the store at one time what was spent before.
const ASKING_MAX: usize = 8;
/// How long a call waits for that.
const ASKING: Duration = Duration::from_secs(5);

/// Asks the engine, and tells it what it needs to know.
pub struct Gate {
    engine: Engine,
    /// What several nodes draw from.
    shared: OnceLock<Shared>,
    /// Counts the requests of addresses where nodes share all else: who knocks at a door is not worth a round trip.
    door: Option<Engine>,
    /// The beginning of the engine's clock.
    began: Instant,
    asking: Semaphore,
}

/// Where it is written what was spent, and by whom.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// What is not written down yet.
    pub ledger: &'a Ledger,
    /// What is.
    pub reports: &'a Reports,
    /// Which models are limited together.
    pub policy: &'a Policy,
}

/// Why a call may not go on.
#[derive(Debug)]
pub enum Denial {
    /// A limit is in the way.
    Refused(Refusal),
    /// What was spent before cannot be found out.
    Unavailable,
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Gate {
    /// One that keeps limits alone; or together with other nodes, once it knows them.
    pub fn new(source: Source) -> Self {
        Self {
            engine: Engine::new(source),
            door: (source == Source::Drawn).then(|| Engine::new(Source::Own)),
            shared: OnceLock::new(),
            began: Instant::now(),
            asking: Semaphore::new(ASKING_MAX),
        }
    }

    /// All engines that there are.
    pub fn engines(&self) -> impl Iterator<Item = &Engine> {
        [&self.engine].into_iter().chain(&self.door)
    }

    /// From here on it draws from what several nodes share.
    pub fn share(&self, shared: Shared) {
        // There is one server, and it is named once.
        let _ = self.shared.set(shared);
    }

    /// What is shared with other nodes, if anything is.
    pub fn shared(&self) -> Option<&Shared> {
        self.shared.get()
    }

    /// The engine, for whoever tells it of rules or shows how limits stand.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// By the engine's clock.
    pub fn now(&self) -> Now {
        if let Some(shared) = self.shared.get() {
            return shared.now();
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            mono: u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            wall: wall.unwrap_or_default().as_millis() as u64,
        }
    }

    /// Those whose limits a call comes under.
    pub fn holders(&self, policy: &Policy, subject: &Subject<'_>) -> Holders {
        let mut holders = Holders::default();
        policy.each(subject, |claim| {
            holders.push(self.holder(&self.engine, claim));
        });
        holders
    }

    /// Counts a request from `address` that shows no good credential.
    pub fn knock(&self, policy: &Policy, address: IpAddr) -> Result<(), Refusal> {
        let mut holders = Holders::default();
        let door = self.door.as_ref().unwrap_or(&self.engine);
        policy.of_address(address, |claim| holders.push(self.holder(door, claim)));
        if holders.is_empty() {
            return Ok(());
        }
        match door.admit(&holders, &Ask::default(), self.now()) {
            Admitted::Refused(refusal) => Err(refusal),
            // The lease goes at once; the request stays counted.
            _ => Ok(()),
        }
    }

    fn holder(&self, engine: &Engine, claim: &Claim<'_>) -> Arc<Holder> {
        let origin = claim.origin();
        let known = engine.holder(claim.level, claim.name, &origin);
        known.unwrap_or_else(|| {
            let rules = claim.rules();
            engine.set(claim.level, claim.name, origin, &rules, self.now())
        })
    }

    /// Takes all that a call needs, or nothing.
    pub async fn admit(
        &self,
        books: Books<'_>,
        holders: &Holders,
        ask: &Ask,
    ) -> Result<(Lease, Standing), Denial> {
        let least = ask.output_least;
        let mut ask = *ask;
        if ask.is_whole && self.door.is_some() {
            // What happens to be left of what this node has drawn is not all that is left.
            ask.output_least = ask.output;
        }
        let mut rounds = 0;
        loop {
            // Boxed: nearly every call is admitted at once, and holds nothing of this.
            match self.engine.admit(holders, &ask, self.now()) {
                Admitted::Granted(lease, standing) => return Ok((lease, standing)),
                Admitted::Refused(refusal) => return Err(refusal.into()),
                Admitted::Unready => Box::pin(self.learn(books, holders)).await?,
                Admitted::Short(shortage) => match Box::pin(self.draw(shortage)).await {
                    // Half of it, then, as long as that is more than nothing.
                    Err(Denial::Refused(Refusal {
                        kind: Kind::Budget(..),
                        ..
                    })) if ask.output_least > least => {
                        ask.output_least = least.max(ask.output_least / 2);
                        continue;
                    }
                    drawn => drawn?,
                },
            }
            rounds += 1;
            if rounds > ROUNDS {
                return Err(Denial::Unavailable);
            }
        }
    }

    /// Has this node draw what a call lacks. Then the engine can be asked again.
    pub async fn draw(&self, shortage: Shortage) -> Result<(), Denial> {
        let shared = self.shared.get().ok_or(Denial::Unavailable)?;
        match shared.draw(shortage).await {
            Drawn::Granted => Ok(()),
            Drawn::Refused(refusal) => Err(refusal.into()),
            Drawn::Away => Err(Denial::Unavailable),
        }
    }

    /// Tells the engine what was spent before it was there.
    async fn learn(&self, books: Books<'_>, holders: &Holders) -> Result<(), Denial> {
        // Waiting for a turn is a part of it: a store that hangs keeps nobody longer than that.
        let learnt = tokio::time::timeout(ASKING, async {
            let Ok(_turn) = self.asking.acquire().await else {
                return Ok(());
            };
            // Whoever had the turn before may have asked for the same.
            match self.engine.unready(holders, self.now()) {
                Some(unready) => books.read(&unready).await,
                None => Ok(()),
            }
        });
        match learnt.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "what was spent of a budget cannot be read");
                Err(Denial::Unavailable)
            }
            Err(_) => {
                tracing::warn!("what was spent of a budget cannot be read in time");
                Err(Denial::Unavailable)
            }
        }
    }
}

impl Books<'_> {
    async fn read(self, unready: &Unready) -> Result<(), ReportError> {
        // What is settled and not committed yet would be missing, and nobody would ever count it. What settles from
        // here on is counted by the engine, and may be found as well: rather twice than never.
        self.ledger.settled().await;
        for unknown in &unready.budgets {
            if let Kind::Budget(coin, _) = unknown.kind {
                let of = (unknown.holder.level(), unknown.holder.name());
                let spent = spent(self.reports, self.policy, of, unknown.period).await?;
                unknown.tell(spent.of(coin));
            }
        }
        Ok(())
    }
}
