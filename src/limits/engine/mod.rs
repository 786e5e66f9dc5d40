//! Every limit of this process: who has which, and how much of it is left.

mod ask;
mod budget;
mod drawn;
mod given;
mod holder;
mod lease;
mod load;
mod locked;
mod meter;
mod period;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

pub use ask::{
    Admitted, Ask, Charge, Denied, MeterView, Reason, Refusal, Short, Shortage, Source, Swept,
    Unknown, Unready, Used,
};
pub use holder::{Holder, Holders, Origin};
pub use lease::Lease;
pub use period::{Now, Period};

use crate::domain::{Level, Rules, Standing};
use holder::Named;
use load::Load;
use locked::Locked;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};
use verdict::Want;

/// How many holders one sweep looks at: a millisecond or two of work, and a hundred if the map, which moves a little
/// with every change, has just become larger.
const SWEEP_MAX: usize = 2_000;
/// How many of them while nobody else can make one: some microseconds.
const SWEEP_AT_ONCE: usize = 32;

/// Holders by name. An origin that is unknown matches no other.
type Map = papaya::HashMap<Named, Option<Origin>, foldhash::quality::RandomState>;

/// All holders, and the one way to take from them.
#[derive(Debug)]
pub struct Engine {
    source: Source,
    maps: [Map; Level::COUNT],
    /// Everyone who is in the maps, in the order in which to look whether they are idle. Whoever changes a map holds
    /// this; who looks somebody up does not.
    ring: Mutex<VecDeque<Arc<Holder>>>,
}

impl Engine {
    /// One that knows nobody yet.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            maps: Default::default(),
            ring: Mutex::default(),
        }
    }

    /// A holder, if it is known and its rules are still those of `origin`. Takes no lock and allocates nothing.
    pub fn holder(&self, level: Level, name: &str, origin: &Origin) -> Option<Arc<Holder>> {
        let map = self.maps[level as usize].pin();
        let (holder, known) = map.get_key_value(name)?;
        (known.as_ref() == Some(origin)).then(|| Arc::clone(&holder.0))
    }

    /// Makes a holder, or gives one that is there new rules: at once, and with what it has used. Rules of a config that
    /// is no longer the latest one it knows change nothing: a call that began before a reload may bring them.
    pub fn set(
        &self,
        level: Level,
        name: &str,
        origin: Origin,
        rules: &Rules,
        now: Now,
    ) -> Arc<Holder> {
        let mut ring = self.ring();
        let map = self.maps[level as usize].pin();
        let known = map.get_key_value(name);
        let holder = match known {
            Some((holder, Some(newer))) if newer.generation > origin.generation => {
                return Arc::clone(&holder.0);
            }
            Some((holder, _)) => {
                let known = Arc::clone(&holder.0);
                let mut state = known.state();
                if self.source == Source::Own {
                    state.doubt(now);
                }
                state.change(rules, self.source, now);
                drop(state);
                known
            }
            None => {
                let rules = rules.iter().copied();
                let new = Arc::new(Holder::new(level, name, self.source, rules, now));
                ring.push_back(Arc::clone(&new));
                new
            }
        };
        map.insert(Named(Arc::clone(&holder)), Some(origin));
        holder
    }

    /// Takes all that a call needs from all of its holders, or nothing.
    pub fn admit(&self, holders: &Holders, ask: &Ask, now: Now) -> Admitted {
        let mut locked = Locked::new(holders, None, now.wall);
        if locked.has_gone() {
            drop(locked);
            return self.admit(&self.found_anew(holders, now), ask, now);
        }
        locked.turn(now);
        if locked.is_unready() {
            return Admitted::Unready;
        }
        let load = |output: u64| Load {
            requests: 1,
            input: ask.input,
            output,
            nanos: match ask.price {
                None => ask.allows_unpriced.then_some(0),
                Some(price) => Some(price.input_nanos.saturating_add(price.output(output))),
            },
        };
        let slice = locked.slice(&load(0), ask.price, ask.is_whole);
        let covered = ask.output.min(slice.max(ask.output_least));
        let want = Want {
            least: load(ask.output_least),
            most: load(ask.output),
            own: None,
        };
        match locked.check(&load(covered), &want, now) {
            Ok(()) => {}
            Err(Denied::Refused(refusal)) => return Admitted::Refused(refusal),
            Err(Denied::Short(shortage)) => return Admitted::Short(shortage),
        }
        locked.take(&load(covered));
        locked.begin(now.mono);
        let (standing, given) = (locked.standing(), locked.given());
        drop(locked);
        let lease = Lease::new(holders.clone(), given, now.wall, ask, covered);
        Admitted::Granted(lease, standing)
    }

    /// Of which of their budgets nobody has told what was spent, if there are any.
    pub fn unready(&self, holders: &Holders, now: Now) -> Option<Unready> {
        let mut locked = Locked::new(holders, None, now.wall);
        if locked.has_gone() {
            drop(locked);
            return self.unready(&self.found_anew(holders, now), now);
        }
        locked.turn(now);
        locked.unready()
    }

    /// How `holders`' rates stand, for answers to requests that no limit counts.
    pub fn standing(&self, holders: &Holders, now: Now) -> Standing {
        let mut locked = Locked::new(holders, None, now.wall);
        locked.refill(now.mono);
        locked.standing()
    }

    /// Those who took the place of holders that were swept away while somebody was about to ask for them.
    fn found_anew(&self, holders: &Holders, now: Now) -> Holders {
        let mut ring = self.ring();
        let mut found = Holders::default();
        for holder in holders.iter() {
            let map = self.maps[holder.level() as usize].pin();
            let known = map.get_key_value(holder.name());
            found.push(match known {
                Some((known, _)) => Arc::clone(&known.0),
                None => {
                    let new = Arc::new(holder.anew(now));
                    ring.push_back(Arc::clone(&new));
                    map.insert(Named(Arc::clone(&new)), None);
                    new
                }
            });
        }
        found
    }

    /// Gives back the memory of holders that are idle; looks at a bounded number of them at a time, and at the others
    /// the next times. Those with budgets only if what they have spent can be had again, as [`Unready`] then asks.
    pub fn sweep(&self, can_reload: bool, now: Now) -> Swept {
        let mut swept = Swept::default();
        let seen = self.ring().len().min(SWEEP_MAX);
        while swept.seen < seen {
            let mut ring = self.ring();
            for _ in swept.seen..seen.min(swept.seen + SWEEP_AT_ONCE) {
                swept.seen += 1;
                let Some(holder) = ring.pop_front() else {
                    break;
                };
                let mut state = holder.state();
                state.is_gone = state.is_idle(can_reload, now);
                let is_gone = state.is_gone;
                drop(state);
                if is_gone {
                    let map = self.maps[holder.level() as usize].pin();
                    map.remove(holder.name());
                    swept.gone += 1;
                } else {
                    ring.push_back(holder);
                }
            }
            if ring.capacity() / 4 > ring.len() + SWEEP_MAX {
                let room = ring.len() * 2;
                ring.shrink_to(room);
            }
        }
        swept
    }

    /// Where all of it comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// How many holders are in memory.
    pub fn holders(&self) -> usize {
        self.maps.iter().map(Map::len).sum()
    }

    /// How the limits of one holder stand; none if it is not in memory.
    pub fn view(&self, level: Level, name: &str, now: Now) -> Option<Vec<MeterView>> {
        let map = self.maps[level as usize].pin();
        let (holder, _) = map.get_key_value(name)?;
        Some(holder.0.view(now))
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<Holder>>> {
        self.ring.lock().expect("nothing panics while it is held")
    }
}
