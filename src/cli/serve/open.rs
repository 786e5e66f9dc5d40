//! Makes a gateway of its configuration: the store, who may use it, the ledger, the limits.

use super::sharing;
use crate::{
    app::{App, BodyMemory, Finishing, Snapshot},
    auth::{FirstKeys, Keys},
    catalog::Catalog,
    cli::Ending,
    config::Config,
    directory::Directory,
    events::Bus,
    ledger::{self, Ledger, Reports},
    limits::{Gate, Source},
    people::People,
    queue::Queues,
    route::Routes,
    store::Db,
    tasks::Signal,
    telemetry::{Log, metrics},
    tokens::{Counter, Encoding, Model},
};
use anyhow::Context;
use arc_swap::ArcSwap;
use std::{sync::Arc, time::SystemTime};

/// A gateway that nobody can reach yet.
pub(super) struct Opened {
    pub(super) app: Arc<App>,
    /// If this is the first start.
    pub(super) first_keys: Option<FirstKeys>,
    /// What writes the ledger, to be closed last.
    pub(super) ledger: ledger::Threads,
}

/// Opens whatever the configuration names.
pub(super) async fn open(config: Config, log: Log) -> Result<Opened, Ending> {
    let (db, keys, directory) = open_store(&config).await?;
    let first_keys = first_keys(&keys, &config).await?;
    let people = open_people(&config, db.clone()).await?;
    let (app, ledger) = build(config, db, (keys, directory, people), log)?;
    sharing::start(&app).context("limits cannot be shared")?;
    Ok(Opened {
        app,
        first_keys,
        ledger,
    })
}

async fn open_store(config: &Config) -> Result<(Db, Keys, Directory), Ending> {
    let place = &config.store.at;
    let mistake = |error: anyhow::Error| {
        Ending::Mistake(format!("store.url: {place} cannot be used: {error:#}"))
    };
    let db = Db::open(place).map_err(|error| mistake(error.into()))?;
    let keys = Keys::open(db.clone()).await;
    let keys = keys.map_err(|error| mistake(error.into()))?;
    let directory = Directory::open(db.clone(), keys.clone()).await;
    let directory = directory.map_err(|error| mistake(error.into()))?;
    Ok((db, keys, directory))
}

/// The keys of the first start, unless the control plane would be open to the world with nobody knowing its key.
async fn first_keys(keys: &Keys, config: &Config) -> Result<Option<FirstKeys>, Ending> {
    let public = !config
        .server
        .control_listen
        .ip()
        .to_canonical()
        .is_loopback();
    let has_admin =
        config.admin_key.is_some() || keys.has_admin().await.context("the keys cannot be read")?;
    if public && !has_admin {
        return Err(Ending::Mistake(format!(
            "server.control_listen: {} can be reached from other machines, so an admin credential must be set first: \
             set WEIR_ADMIN_KEY or run `weir key create --admin`",
            config.server.control_listen
        )));
    }
    let first = keys
        .first_start(&config.server.data_dir, config.admin_key.as_ref())
        .await;
    first.map_err(|error| {
        let error = anyhow::Error::new(error);
        Ending::Mistake(format!(
            "server.data_dir: {} cannot be used: {error:#}",
            config.server.data_dir.display()
        ))
    })
}

async fn open_people(config: &Config, db: Db) -> Result<People, Ending> {
    let people = People::open(db, &config.people, &config.server.data_dir).await;
    people.map_err(|error| {
        let error = anyhow::Error::new(error);
        Ending::Mistake(format!("server.data_dir: no users: {error:#}"))
    })
}

fn build(
    config: Config,
    db: Db,
    (keys, directory, people): (Keys, Directory, People),
    log: Log,
) -> Result<(Arc<App>, ledger::Threads), Ending> {
    let metrics = Arc::new(metrics::install().context("no metrics")?);
    let (ledger, threads) = open_ledger(&config)?;
    let queues = Queues::default();
    queues.take_up(&config.upstreams, &config.queue);
    let source = match config.store.redis {
        Some(_) => Source::Drawn,
        None => Source::Own,
    };
    let snapshot = Snapshot::new(config);
    load_encodings(&ledger, &snapshot.routes);
    let app = Arc::new(App {
        gate: Gate::new(source),
        snapshot: ArcSwap::from_pointee(snapshot),
        keys,
        people,
        directory,
        events: Bus::default(),
        ledger,
        counter: Counter::start().context("no threads to count with")?,
        reports: Reports::new(db),
        metrics,
        log,
        drain: Signal::default(),
        cut: Signal::default(),
        body_memory: BodyMemory::default(),
        queues,
        finishing: Finishing::default(),
        catalog: Catalog::default(),
        started: SystemTime::now(),
    });
    Ok((app, threads))
}

/// Loads what calls were counted with that a crash cut off: their clients are about to come back, and the first of them
/// should be counted from their first word. Otherwise an encoding waits for somebody who needs it.
fn load_encodings(ledger: &Ledger, routes: &Routes) {
    for name in ledger.interrupted_models() {
        let targets = routes.model(name).map_or(&[][..], |model| &model.to);
        let models = targets
            .iter()
            .map(|target| Model::named(target.model.as_deref().unwrap_or(name)));
        models
            .filter_map(|model| model.encoding())
            .for_each(Encoding::make_ready);
    }
}

fn open_ledger(config: &Config) -> Result<(Ledger, ledger::Threads), Ending> {
    let options = ledger::Options {
        table: config.store.flight.clone(),
        store: config.store.at.clone(),
        slots: config.ledger.slots,
        flush: config.ledger.flush,
        retention: config.ledger.retention,
    };
    Ledger::open(options).map_err(|error| {
        let error = anyhow::Error::new(error);
        Ending::Mistake(format!("server.data_dir: no ledger: {error:#}"))
    })
}
