//! Keeps this node in step with the others: one round at a time, in which it tells what is new and draws what calls
//! wait for.

mod ledger;
mod tie;

pub(super) use ledger::Ledger;

use super::{
    Common, PastError,
    answer::{Drawn, Question},
    link::Link,
    name::Names,
    round::{Base, Meter, Round, Way},
    stakes::Stakes,
};
use crate::config::WithoutRedis;
use std::{mem, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};

/// How often there is a turn: so long a place in the air may wait for its next call on another node.
const TURN: Duration = Duration::from_millis(50);
/// A node says at least so often that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Away for longer, and what was drawn and not used is let go: after 30 seconds of silence others may have it.
const LET_GO: Duration = Duration::from_secs(20);
/// What one round may be about, so that it holds nobody else up for long.
const ASKS_MAX: usize = 512;
const METERS_MAX: usize = 128;

/// What the keeper is told.
pub(super) enum Note {
    Question(Question),
    /// What the ledger says was spent, if it says anything.
    Base(String, Result<Base, PastError>),
    /// All that former starts left is on the ledger.
    Settled,
    /// This node ends.
    Leave(oneshot::Sender<()>),
}

pub(super) struct Keeper {
    names: Names,
    common: Arc<Common>,
    ledger: Ledger,
    server: String,
    stakes: Stakes,
    number: u64,
    link: Option<Link>,
    connecting: Option<tie::Connecting>,
    pause: Duration,
    /// Since when it is away; before the first attempt has come to an end nobody knows.
    away_since: Option<Instant>,
    has_let_go: bool,
    /// Whether there may be something to say of former starts.
    is_settled: bool,
    nodes: u64,
    last_round: Instant,
    /// Those who wait for the ledger, or for the first connection.
    parked: Vec<Question>,
}

impl Keeper {
    pub(super) fn new(names: Names, common: Arc<Common>, ledger: Ledger, link: Link) -> Self {
        Self {
            names,
            common,
            ledger,
            server: link.to_string(),
            stakes: Stakes::default(),
            number: 0,
            link: None,
            connecting: Some(tie::connect(Duration::ZERO, link)),
            pause: tie::PAUSES.0,
            away_since: None,
            has_let_go: false,
            is_settled: false,
            nodes: 1,
            last_round: Instant::now(),
            parked: Vec::new(),
        }
    }

    /// Goes on until it is told to leave, or nobody is left to tell it anything.
    pub(super) async fn run(mut self, mut notes: mpsc::Receiver<Note>) {
        self.common.set_there(false);
        self.ledger.say_when_settled();
        let mut turns = interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::new();
        loop {
            let connected = async {
                match &mut self.connecting {
                    Some(connecting) => connecting.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                count = notes.recv_many(&mut told, ASKS_MAX) => {
                    let mut has_left = None;
                    let mut questions = Vec::new();
                    for note in told.drain(..) {
                        match note {
                            Note::Question(question) => questions.push(question),
                            Note::Base(key, base) => {
                                self.learn(&key, base);
                                questions.append(&mut self.parked);
                            }
                            Note::Settled => self.is_settled = true,
                            Note::Leave(done) => has_left = Some(done),
                        }
                    }
                    self.serve(questions).await;
                    if count == 0 || has_left.is_some() {
                        self.leave().await;
                        if let Some(done) = has_left {
                            let _ = done.send(()); // who asked may have stopped waiting
                        }
                        return;
                    }
                }
                (link, outcome) = connected => {
                    self.connecting = None;
                    match outcome {
                        Ok(()) => self.come_back(link).await,
                        Err(error) => self.lose(link, &error),
                    }
                    let parked = mem::take(&mut self.parked);
                    self.serve(parked).await;
                }
                _ = turns.tick() => self.turn().await,
            }
        }
    }

    /// Answers those who wait for more.
    async fn serve(&mut self, mut questions: Vec<Question>) {
        questions.retain(|question| !question.answer.is_closed());
        if questions.is_empty() {
            return;
        }
        if self.link.is_none() {
            return self.serve_alone(questions);
        }
        let (mut round, questions) = self.stakes.draft(questions, self.nodes);
        match self.run_round(&mut round).await {
            None => self.serve_alone(questions),
            Some(reply) => {
                let lacking = self.stakes.hear(&round, &reply);
                self.ledger.look_up(lacking);
                let now = self.common.clock.now();
                for (at, question) in questions.into_iter().enumerate() {
                    match self.stakes.verdict(at, &question, (&round, &reply), now) {
                        Some(drawn) => question.tell(drawn),
                        None => self.parked.push(question),
                    }
                }
            }
        }
    }

    /// The same while the server is away.
    fn serve_alone(&mut self, questions: Vec<Question>) {
        if self.away_since.is_none() {
            // Nothing was tried yet.
            self.parked.extend(questions);
            return;
        }
        let fallback = self.common.fallback.load();
        let (nodes, now) = (fallback.nodes.max(self.nodes), self.common.clock.now());
        for question in questions {
            if fallback.without == WithoutRedis::Closed {
                question.tell(Drawn::Away);
                continue;
            }
            match self.stakes.alone(&question, nodes, now) {
                Ok(drawn) => question.tell(drawn),
                Err(lacking) => {
                    self.ledger.look_up(lacking);
                    self.parked.push(question);
                }
            }
        }
    }

    /// Tells what is new, or that this node lives.
    async fn turn(&mut self) {
        self.parked.retain(|question| !question.answer.is_closed());
        if let Some(since) = self.away_since {
            if !self.has_let_go && since.elapsed() > LET_GO {
                self.has_let_go = true;
                self.stakes.let_go();
            }
            return;
        }
        if self.link.is_none() {
            return;
        }
        let due = self.stakes.due();
        self.tell_all(due, Way::Stay).await;
        let former = self.names.former().filter(|_| self.is_settled);
        let way = former.map_or(Way::Stay, |name| Way::After(name.to_owned()));
        let has_former = former.is_some();
        if !has_former && self.last_round.elapsed() < HEARTBEAT {
            return;
        }
        let mut beat = Round {
            way,
            ..Round::default()
        };
        let is_told = self.run_round(&mut beat).await.is_some();
        if is_told
            && has_former
            && let Err(error) = self.names.forget_former()
        {
            tracing::warn!(%error, "the names of this node cannot be kept");
        }
    }

    /// Rounds in which nothing is asked; none where there is nothing to tell. False if the server went away.
    async fn tell_all(&mut self, mut due: Vec<Meter>, way: Way) -> bool {
        let mut way = Some(way).filter(|way| !matches!(way, Way::Stay));
        while self.link.is_some() && (!due.is_empty() || way.is_some()) {
            let meters = due.split_off(due.len().saturating_sub(METERS_MAX));
            // What is said of the node as a whole is said last.
            let way = if due.is_empty() { way.take() } else { None };
            let mut round = Round {
                meters,
                way: way.unwrap_or_default(),
                ..Round::default()
            };
            if let Some(reply) = self.run_round(&mut round).await {
                let lacking = self.stakes.hear(&round, &reply);
                self.ledger.look_up(lacking);
            }
        }
        self.link.is_some()
    }

    /// The last round: everything is given back, so that nobody has to wait for it.
    async fn leave(mut self) {
        if self.link.is_some() {
            let due = self.stakes.all(true);
            self.tell_all(due, Way::Leave).await;
        }
        self.common.set_there(false);
    }
}
