//! What a node tells, turn by turn, to a server that is played here.

use super::{
    super::{
        answer::{Drawn, Question},
        round::{Meter, Of, Reply, Round, Told, Verdict},
        stakes::Stakes,
    },
    nodes::REQUESTS,
};
use crate::{
    domain::{Kind, Level, Rule, Rules},
    limits::{Admitted, Ask, Engine, Holders, Lease, Now, Origin, Shortage, Source},
};
use tokio::sync::oneshot;

const NOW: Now = Now {
    mono: 0,
    wall: 1_800_000_000_000,
};

/// A node with one limit.
struct Node {
    engine: Engine,
    holders: Holders,
    stakes: Stakes,
}

impl Node {
    fn new(limit: Rule) -> Self {
        let engine = Engine::new(Source::Drawn);
        let mut rules = Rules::default();
        rules.add(limit);
        let mut holders = Holders::default();
        holders.push(engine.set(Level::Key, "k", Origin::default(), &rules, NOW));
        Self {
            engine,
            holders,
            stakes: Stakes::default(),
        }
    }

    fn short(&self) -> Shortage {
        match self.engine.admit(&self.holders, &Ask::default(), NOW) {
            Admitted::Short(shortage) => shortage,
            other => panic!("{other:?}"),
        }
    }

    fn lease(&self) -> Lease {
        match self.engine.admit(&self.holders, &Ask::default(), NOW) {
            Admitted::Granted(lease, _) => lease,
            other => panic!("{other:?}"),
        }
    }

    /// Asks for what a call lacks, and says what it is told when the server answers so.
    fn draw(&mut self, told: Told, verdict: Verdict) -> Option<Drawn> {
        let (answer, _waiting) = oneshot::channel();
        let shortage = self.short();
        let (round, questions) = (self.stakes).draft(vec![Question { shortage, answer }], 1);
        let reply = self.hear(&round, told, vec![verdict]);
        (self.stakes).verdict(0, &questions[0], (&round, &reply), NOW)
    }

    /// The same while the server is away, and there are so many nodes.
    fn draw_alone(&mut self, nodes: u64) -> Drawn {
        let (answer, _waiting) = oneshot::channel();
        let shortage = self.short();
        let question = Question { shortage, answer };
        let drawn = self.stakes.alone(&question, nodes, NOW);
        drawn.unwrap_or_else(|_| panic!("it is no budget"))
    }

    fn hear(&mut self, round: &Round, told: Told, verdicts: Vec<Verdict>) -> Reply {
        let reply = Reply {
            micros: 0,
            nodes: 1,
            meters: vec![told; round.meters.len()],
            verdicts,
        };
        self.stakes.hear(round, &reply);
        reply
    }

    /// What it tells in a turn; the server hears it, if it is anything.
    fn turn(&mut self) -> Vec<Meter> {
        let round = Round {
            meters: self.stakes.due(),
            ..Round::default()
        };
        if !round.meters.is_empty() {
            self.hear(&round, Told::default(), Vec::new());
        }
        round.meters
    }
}

#[test]
fn a_rate_that_only_refuses_goes_on_to_refuse() {
    let mut node = Node::new(Rule::new(REQUESTS, 1));
    let refused = Verdict::Refused {
        by: 0,
        wait_micros: Some(1),
    };
    for number in 0..1000 {
        node.turn();
        let said = node.draw(Told::default(), refused);
        assert!(
            matches!(said, Some(Drawn::Refused(_))),
            "{said:?} to {number}"
        );
    }
}

#[test]
fn places_of_a_share_that_are_let_go_may_be_taken_again() {
    let mut node = Node::new(Rule::new(Kind::InFlight, 4));
    for _ in 0..3 {
        let leases = [(); 2].map(|()| {
            assert!(matches!(node.draw_alone(2), Drawn::Granted));
            node.lease()
        });
        let Drawn::Refused(refusal) = node.draw_alone(2) else {
            panic!("a half of four is two")
        };
        assert_eq!(refusal.left, 0);
        leases.into_iter().for_each(Lease::cancel);
        node.stakes.let_go();
    }
}

#[test]
fn a_place_that_a_long_call_holds_is_told_again() {
    let mut node = Node::new(Rule::new(Kind::InFlight, 1));
    let granted = Told {
        granted: 1,
        ..Told::default()
    };
    let said = node.draw(granted, Verdict::Granted);
    assert!(matches!(said, Some(Drawn::Granted)), "{said:?}");
    let lease = node.lease();
    // A minute of turns: twice, in case that the server has lost it.
    let told: Vec<_> = (0..1210).flat_map(|_| node.turn()).collect();
    assert_eq!(told.len(), 2);
    for meter in told {
        let Of::Stock(stock) = meter.of else {
            panic!("{meter:?}")
        };
        assert_eq!(stock.held, 1);
    }
    lease.cancel();
    assert_eq!(node.turn().len(), 1);
}
