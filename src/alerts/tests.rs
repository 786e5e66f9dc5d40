//! An alert goes off once a month, whoever looks and however often, in both databases.

use super::{CENT, follow, look, rest};
use crate::{
    audit::{Actor, Origin},
    auth::Keys,
    directory::{Directory, NewAlert},
    domain::{Day, Owner},
    events::AlertFired,
    ledger::{
        self, Ledger, Reports, Threads,
        fixture::{Call, NANOS_A_TOKEN, settle},
    },
    store::{
        Db,
        fixture::{Fixture, fixture},
    },
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

const DAY: Duration = Duration::from_secs(86_400);

/// The first of a month, at noon, so late that alerts that are made now were there before.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + 47_482 * DAY + DAY / 2
}

/// A ledger, and who looks after it.
struct Office {
    here: Node,
    ledger: Ledger,
    threads: Option<Threads>,
    fixture: Fixture,
}

/// Weir, as one process has it.
struct Node {
    directory: Directory,
    reports: Reports,
}

fn by() -> Origin {
    Actor::CommandLine("tester".to_owned()).into()
}

fn new(threshold: u64) -> NewAlert {
    NewAlert {
        threshold,
        recipients: Vec::new(),
        subject_prefix: None,
    }
}

impl Office {
    async fn open(fixture: Fixture) -> Self {
        let (ledger, threads) = ledger::fixture::open(&fixture);
        Self {
            here: Node::open(&fixture).await,
            ledger,
            threads: Some(threads),
            fixture,
        }
    }

    /// Spends `cents` of the default project.
    async fn spend(&self, at: SystemTime, cents: u64) {
        let started = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let call = Call {
            started: started.as_millis() as u64,
            key: "alertkey00000001",
            project: None,
            user: None,
            model: "m",
            input: cents * CENT / NANOS_A_TOKEN,
        };
        settle(&self.ledger, &call);
        self.ledger.settled().await;
    }

    /// Makes an alert, and says its id.
    async fn alert(&self, project: Option<&str>, threshold: u64) -> String {
        let project = project.map(str::to_owned);
        let directory = &self.here.directory;
        let made = directory.create_alert(by(), project, new(threshold));
        made.await.unwrap().id
    }

    /// Thresholds of the alerts that go off here.
    async fn look(&self, now: SystemTime) -> Vec<u64> {
        self.here.look(now).await
    }

    /// Another process on the same store.
    async fn another(&self) -> Node {
        Node::open(&self.fixture).await
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.close();
        }
    }
}

impl Node {
    async fn open(fixture: &Fixture) -> Self {
        let db = Db::open(fixture.place()).unwrap();
        let keys = Keys::open(db.clone()).await.unwrap();
        Self {
            directory: Directory::open(db.clone(), keys).await.unwrap(),
            reports: Reports::new(db),
        }
    }

    /// Thresholds of the alerts that go off.
    async fn look(&self, now: SystemTime) -> Vec<u64> {
        let told = Mutex::new(Vec::new());
        let tell = |alert: AlertFired| told.lock().unwrap().push(alert.threshold);
        look(&self.directory, &self.reports, now, &tell)
            .await
            .unwrap();
        told.into_inner().unwrap()
    }
}

#[tokio::test]
async fn an_alert_goes_off_once_a_month_also_after_a_restart_and_on_another_node() {
    let office = Office::open(fixture!()).await;
    let there = office.another().await;
    let project = Some(Owner::DEFAULT_PROJECT.to_owned());
    let id = office.alert(project.as_deref(), 100).await;
    office.alert(None, 150).await;

    office.spend(noon(), 99).await;
    assert_eq!(office.look(noon()).await, [0; 0]);
    office.spend(noon(), 1).await;
    let (one, other) = tokio::join!(office.look(noon()), there.look(noon()));
    assert_eq!([one, other].concat(), [100]);
    assert_eq!(office.look(noon()).await, [0; 0]);
    let again = office.another().await;
    office.spend(noon(), 50).await;
    assert_eq!(again.look(noon()).await, [150]);

    // Set higher it has another occasion, set lower it has had its own.
    let directory = &office.here.directory;
    let raise = directory.update_alert(by(), project.clone(), id.clone(), new(200));
    raise.await.unwrap();
    assert_eq!(office.look(noon()).await, [0; 0]);
    office.spend(noon(), 50).await;
    assert_eq!(office.look(noon()).await, [200]);
    let lower = directory.update_alert(by(), project.clone(), id.clone(), new(120));
    assert!(lower.await.unwrap().last_fired.is_some());
    assert_eq!(office.look(noon()).await, [0; 0]);

    let next = noon() + 31 * DAY;
    assert_eq!(office.look(next).await, [0; 0]);
    office.spend(next, 120).await;
    assert_eq!(office.look(next).await, [120]);
    directory.delete_alert(by(), project, id).await.unwrap();
}

#[tokio::test]
async fn it_goes_off_for_what_is_committed_soon_after_the_month() {
    let office = Office::open(fixture!()).await;
    office.alert(None, 100).await;
    let midnight = noon() - DAY / 2;
    let hour = DAY / 24;

    office.spend(midnight - hour, 60).await;
    assert_eq!(office.look(midnight - hour).await, [0; 0]);
    office.spend(midnight, 60).await;
    assert_eq!(office.look(midnight + hour).await, [0; 0]);
    office.spend(midnight - hour, 60).await;
    assert_eq!(office.look(midnight + 7 * hour).await, [0; 0]);
    assert_eq!(office.look(midnight + hour).await, [100]);
    assert_eq!(office.look(midnight + hour).await, [0; 0]);
    office.spend(midnight, 60).await;
    assert_eq!(office.look(midnight + hour).await, [100]);
}

#[tokio::test]
async fn it_does_not_go_off_for_a_month_that_was_over_before_it_was_made() {
    let office = Office::open(fixture!()).await;
    office.alert(None, 100).await;
    let long_ago = SystemTime::UNIX_EPOCH + 31 * DAY;
    office.spend(long_ago - DAY, 120).await;
    assert_eq!(office.look(long_ago + DAY / 24).await, [0; 0]);
}

#[test]
fn it_rests_in_proportion_but_not_for_long_and_not_after_a_failure() {
    let seconds = Duration::from_secs;
    for (has_looked, took, pause) in [
        (true, 0, 1),
        (true, 2, 40),
        (true, 3600, 60),
        (false, 3600, 1),
    ] {
        assert_eq!(rest(has_looked, seconds(took)), seconds(pause));
    }
}

#[tokio::test]
async fn it_goes_off_soon_after_the_commit() {
    let office = Office::open(fixture!()).await;
    office.alert(None, 5).await;
    let Node { directory, reports } = office.another().await;
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let sender = Arc::new(sender);
    let watching = follow(directory, reports, office.ledger.commits(), move |alert| {
        drop(sender.send(alert));
    });
    let now = SystemTime::now();
    let fired = async {
        office.spend(now, 7).await;
        told.recv().await.unwrap()
    };
    let fired = tokio::select! {
        () = watching => panic!("it ended"),
        fired = fired => fired,
    };
    let month = Day::of(now).month().millis();
    assert_eq!((fired.threshold, fired.spent), (5, 7 * CENT));
    assert_eq!((fired.project, fired.period), (None, month));
}
