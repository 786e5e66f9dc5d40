use super::{
    super::round::{Ask, Base, Meter, Need, Of, Round, Stock, Told, Verdict, Way},
    Server,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;
const AMOUNT: u64 = 10_000;

/// What a node has: settled, held, and used of that.
#[derive(Clone, Copy, Debug, Default)]
struct Has {
    settled: u64,
    held: u64,
    used: u64,
}

/// A node as it would be without an engine.
#[derive(Clone, Debug, Default)]
struct Node {
    name: String,
    number: u64,
    has: Has,
    /// What the server last heard, and when.
    told: Has,
    heard_at: u64,
    /// Whether the server has heard of it at all.
    is_known: bool,
}

impl Node {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    fn meter(&self, base: Option<Base>) -> Meter {
        Meter {
            key: "s".to_owned(),
            amount: AMOUNT,
            ahead: 0,
            parts: 16,
            of: Of::Stock(Stock {
                life_millis: 600_000,
                has_base: true,
                settled: self.has.settled,
                held: self.has.held.try_into().unwrap(),
                used: self.has.used,
                forget: false,
                base,
            }),
        }
    }

    /// A round at a time of the tests' own.
    fn round(&mut self, at: u64, base: Option<Base>, costs: &[u64]) -> Round {
        self.number += 1;
        let ask = |least: &u64| Ask {
            needs: vec![Need {
                meter: 0,
                least: *least,
                want: *least,
            }],
            has_begun: false,
        };
        Round {
            node: self.name.clone(),
            number: self.number,
            at: Some(at),
            way: Way::Stay,
            meters: vec![self.meter(base)],
            asks: costs.iter().map(ask).collect(),
        }
    }

    /// Draws, and tells what was spent before if it is asked.
    fn draw(&mut self, server: &mut Server, base: u64, costs: &[u64]) -> (Told, Vec<Verdict>) {
        let mut reply = server.run(&self.round(server.micros, None, costs));
        if reply.meters[0].lacks_base {
            let base = Some(Base {
                spent: base,
                settled: self.has.settled,
                over: reply.meters[0].spent,
            });
            reply = server.run(&self.round(server.micros, base, costs));
        }
        self.has.held += reply.meters[0].granted;
        self.told = self.has;
        (self.heard_at, self.is_known) = (server.micros, true);
        (reply.meters[0], reply.verdicts)
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Draw(usize, Vec<u64>),
    /// Calls use a part of what is held, in hundredths.
    Use(usize, u64),
    /// They end, having used a part of it.
    Settle(usize, u64),
    GiveBack(usize),
    Pass(u64),
    /// A node dies. Another one comes in its place, which may say so.
    Crash(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let node = 0..3_usize;
    prop_oneof![
        4 => (node.clone(), prop::collection::vec(1..1500_u64, 0..4)).prop_map(|(node, costs)| Step::Draw(node, costs)),
        2 => (node.clone(), 0..=100_u64).prop_map(|(node, part)| Step::Use(node, part)),
        2 => (node.clone(), 0..=100_u64).prop_map(|(node, part)| Step::Settle(node, part)),
        2 => node.clone().prop_map(Step::GiveBack),
        3 => (0..9 * SECOND).prop_map(Step::Pass),
        1 => (node, any::<bool>()).prop_map(|(node, says)| Step::Crash(node, says)),
    ]
}

/// Everything that the server should know.
struct Model {
    /// What was spent before.
    base: u64,
    nodes: Vec<Node>,
    /// Those who died, as the server heard of them last.
    dead: Vec<Node>,
    /// What the ledger has of those whose end was told: settled, and what was in the air.
    ended: u64,
}

impl Model {
    /// What is left by the definition: what nobody has spent, and nobody who lives holds.
    fn left(&self, now: u64) -> i128 {
        let is_alive = |node: &&Node| now - node.heard_at <= 30 * SECOND;
        let all = || {
            self.nodes
                .iter()
                .chain(&self.dead)
                .filter(|node| node.is_known)
        };
        let settled: u64 = all().map(|node| node.told.settled).sum();
        let held: u64 = all().filter(is_alive).map(|node| node.told.held).sum();
        let dead = all().filter(|node| !is_alive(node));
        let used: u64 = dead.map(|node| node.told.used).sum();
        i128::from(AMOUNT) - i128::from(self.base + self.ended + settled + used + held)
    }

    /// What the ledger has: what was settled and told, and of the dead nothing before their end is told.
    fn ledger(&self) -> u64 {
        let all = self.nodes.iter().chain(&self.dead);
        self.base + self.ended + all.map(|node| node.told.settled).sum::<u64>()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_taken_and_what_is_left_are_the_limit(steps in prop::collection::vec(step(), 1..60)) {
        let Some(mut server) = Server::find() else { return Ok(()) };
        let mut model = Model {
            base: 700,
            nodes: (0..3).map(|at| Node::new(format!("n{at}"))).collect(),
            dead: Vec::new(),
            ended: 0,
        };
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Draw(at, costs) => {
                    // What is settled here is on the ledger as soon as the server hears of it.
                    model.nodes[at].told.settled = model.nodes[at].has.settled;
                    let base = model.ledger();
                    let (told, verdicts) = model.nodes[at].draw(&mut server, base, &costs);
                    prop_assert_eq!(i128::from(told.left), model.left(server.micros));
                    let mut left = told.left + i64::try_from(told.granted).unwrap();
                    for (cost, verdict) in costs.iter().zip(verdicts) {
                        let cost = i64::try_from(*cost).unwrap();
                        prop_assert_eq!(cost <= left, verdict == Verdict::Granted);
                        left -= if cost <= left { cost } else { 0 };
                    }
                }
                Step::Use(at, part) => {
                    let has = &mut model.nodes[at].has;
                    has.used = has.used.max(has.held * part / 100);
                }
                Step::Settle(at, part) => {
                    let has = &mut model.nodes[at].has;
                    let spent = has.used.max(has.held * part / 100);
                    *has = Has { settled: has.settled + spent, held: has.held - spent, used: 0 };
                }
                Step::GiveBack(at) => {
                    let has = &mut model.nodes[at].has;
                    has.held = has.used;
                }
                Step::Pass(time) => {
                    server.micros += time;
                    // Whoever lives says so.
                    for node in &mut model.nodes {
                        node.number += 1;
                        let beat = Round {
                            node: node.name.clone(),
                            number: node.number,
                            at: Some(server.micros),
                            ..Round::default()
                        };
                        server.run(&beat);
                        node.heard_at = server.micros;
                    }
                }
                Step::Crash(at, says) => {
                    let new = Node::new(format!("n{at}-{number}"));
                    let mut old = std::mem::replace(&mut model.nodes[at], new);
                    if says {
                        // The ledger has all, also what the server never heard of.
                        model.ended += old.has.settled + old.has.used;
                        let node = &mut model.nodes[at];
                        node.number += 1;
                        server.run(&Round {
                            node: node.name.clone(),
                            number: node.number,
                            at: Some(server.micros),
                            way: Way::After(old.name.clone()),
                            ..Round::default()
                        });
                        node.heard_at = server.micros;
                        old.is_known = false;
                        old.told = Has::default();
                    }
                    model.dead.push(old);
                }
            }
        }
    }
}

#[test]
fn what_was_put_right_while_others_spent_is_put_right_again_when_all_is_still() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    let mut dead = Node::new("dead");
    dead.draw(&mut server, 0, &[2000]);
    a.draw(&mut server, 0, &[3000]);
    let mut end = b.round(server.micros, None, &[]);
    end.way = Way::After("dead".to_owned());
    let over = server.run(&end).meters[0];
    assert!(over.lacks_base);
    // The dead one had used 1500. While the ledger is asked, another one settles, which it has too.
    a.has = Has {
        settled: 3000,
        held: 0,
        used: 0,
    };
    server.run(&a.round(server.micros, None, &[]));
    let base = Base {
        spent: 4500,
        settled: 0,
        over: over.spent,
    };
    let reply = server.run(&b.round(server.micros, Some(base), &[]));
    assert_eq!(reply.meters[0].left, 10_000 - 7500);
    server.micros += 3 * SECOND;
    let (told, verdicts) = b.draw(&mut server, 4500, &[5500]);
    assert_eq!((told.left, verdicts), (0, vec![Verdict::Granted]));
}

fn given() -> Option<(Server, Node, Node)> {
    Some((Server::find()?, Node::new("a"), Node::new("b")))
}

#[test]
fn what_was_spent_before_is_asked_once_and_counts() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    let reply = server.run(&a.round(server.micros, None, &[1]));
    assert_eq!(reply.verdicts, [Verdict::Unready]);
    let (told, _) = a.draw(&mut server, 9_000, &[900]);
    assert_eq!((told.granted, told.left), (900, 100));
    // The other node need not know anything.
    let reply = server.run(&b.round(server.micros, None, &[101, 100]));
    let refused = Verdict::Refused {
        by: 0,
        wait_micros: None,
    };
    assert_eq!(reply.verdicts, [refused, Verdict::Granted]);
}

#[test]
fn a_round_counts_once_however_often_and_late_it_comes() {
    let Some((mut server, mut a, _)) = given() else {
        return;
    };
    a.draw(&mut server, 0, &[1000]);
    a.has = Has {
        settled: 600,
        held: 400,
        used: 0,
    };
    let late = a.round(server.micros, None, &[]);
    let (told, _) = a.draw(&mut server, 0, &[]);
    assert_eq!(told.left, 9_000);
    let (told, _) = a.draw(&mut server, 0, &[]);
    assert_eq!(told.left, 9_000);
    assert!(server.fails(&late).contains("no answer"));
    a.has.held = 0;
    let (told, _) = a.draw(&mut server, 0, &[]);
    assert_eq!(told.left, 9_400);
}

#[test]
fn all_that_was_lost_comes_back_from_the_ledger() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    a.draw(&mut server, 0, &[1000]);
    b.draw(&mut server, 0, &[500]);
    a.has = Has {
        settled: 300,
        held: 700,
        used: 0,
    };
    server.lose_all();
    // The ledger has what the one had settled, and what the other one has drawn is known when it speaks.
    let (told, _) = a.draw(&mut server, 300, &[]);
    assert_eq!(told.left, 9_000);
    b.has.settled = 100;
    b.has.held = 400;
    let (told, _) = b.draw(&mut server, 400, &[]);
    assert_eq!(told.left, 10_000 - 400 - 700 - 400);
}

#[test]
fn nobody_is_taken_for_dead_because_the_server_was_away_or_its_clock_was_set() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    a.draw(&mut server, 0, &[6000]);
    for jump in [
        3600 * SECOND as i64,
        -3600 * SECOND as i64,
        120 * SECOND as i64,
    ] {
        server.micros = server.micros.checked_add_signed(jump).unwrap();
        let (_, verdicts) = b.draw(&mut server, 0, &[6000]);
        assert!(matches!(verdicts[0], Verdict::Refused { .. }), "{jump}");
    }
    // One by one it is.
    for _ in 0..31 {
        server.micros += SECOND;
        b.draw(&mut server, 0, &[]);
    }
    let (_, verdicts) = b.draw(&mut server, 0, &[6000]);
    assert_eq!(verdicts, [Verdict::Granted]);
    // And if it comes back after all, nothing of its own is lost.
    let (told, _) = a.draw(&mut server, 0, &[]);
    assert_eq!(told.left, -2000);
}

#[test]
fn a_node_that_leaves_holds_nothing() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    a.draw(&mut server, 0, &[6000]);
    a.has = Has {
        settled: 100,
        held: 0,
        used: 0,
    };
    let mut last = a.round(server.micros, None, &[]);
    last.way = Way::Leave;
    let reply = server.run(&last);
    assert_eq!((reply.nodes, reply.meters[0].left), (1, 9_900));
    let (told, _) = b.draw(&mut server, 0, &[]);
    assert_eq!(told.left, 9_900);
}

#[test]
fn calls_in_the_air_are_counted_over_all_nodes() {
    let Some((mut server, mut a, mut b)) = given() else {
        return;
    };
    let mut draw = |node: &mut Node, costs: &[u64]| {
        let mut round = node.round(server.micros, None, costs);
        round.meters[0].amount = 3;
        if let Of::Stock(stock) = &mut round.meters[0].of {
            stock.has_base = false;
        }
        let reply = server.run(&round);
        node.has.held += reply.meters[0].granted;
        reply.meters[0].granted
    };
    assert_eq!(draw(&mut a, &[1, 1]), 2);
    assert_eq!(draw(&mut b, &[1, 1]), 1);
    a.has.held = 1;
    assert_eq!(draw(&mut a, &[]), 0);
    assert_eq!(draw(&mut b, &[1]), 1);
    assert_eq!(draw(&mut a, &[1]), 0);
}
