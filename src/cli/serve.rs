//! `weir serve`: builds the gateway, says where it is, serves until SIGTERM, drains.

use super::{Ending, say, sharing};
use crate::{
    alerts,
    app::{App, BodyMemory, Finishing, Snapshot, Worker},
    auth::{FirstKeys, Keys},
    catalog::Catalog,
    config::{self, Config, Flags, Loaded, Problems, Provider, Tls, reload},
    directory::Directory,
    events::Bus,
    ledger::{self, Ledger, Reports},
    limits::{Engine, Gate, Source},
    people::People,
    queue::Queues,
    route::Routes,
    server::{self, Connections, Workers, tls::Certificate},
    store::Db,
    tasks::{self, Signal},
    telemetry::{self, Log, metrics},
    tokens::{Counter, Encoding, Model},
    upstream::Pool,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use clap::Args;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal as Signals, SignalKind, signal},
};

/// Where to listen.
#[derive(Args)]
pub(super) struct Listeners {
    /// The data plane's address, over `server.listen`
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// The control plane's address, over `server.control_listen`
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control_listen: Option<String>,
}

impl Listeners {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            control_listen: self.control_listen.or(other.control_listen),
        }
    }
}

/// How often samples are folded into histograms.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often memory of limits is given back, and how many parts of it at a time.
const SWEEP: Duration = Duration::from_secs(10);
const SWEEPS: usize = 64;
/// How long streams that were cut may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) fn run(flags: Flags) -> Result<(), Ending> {
    let loaded = config::load(&flags).map_err(|problems| Ending::Mistake(problems.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    let log = telemetry::start(&loaded.config.log);
    let outcome = runtime.block_on(serve(flags, loaded, log.clone()));
    log.flush();
    outcome
}

async fn serve(flags: Flags, loaded: Loaded, log: Log) -> Result<(), Ending> {
    let Loaded {
        config,
        source,
        left_out,
    } = loaded;
    raise_descriptor_limit();
    let certificates = [
        certificate(config.server.tls.as_ref())?,
        certificate(config.server.control_tls.as_ref())?,
    ];
    let data = listen("server.listen", config.server.listen)?;
    let control = listen("server.control_listen", config.server.control_listen)?;
    let (db, keys, directory) = open_store(&config).await?;
    let first = first_keys(&keys, &config).await?;
    for name in left_out {
        tracing::info!(
            upstream.name = name,
            "upstream left out: its credential is not there"
        );
    }

    let people = open_people(&config, db.clone()).await?;
    let (app, ledger) = build(config, db, (keys, directory, people), log)?;
    sharing::start(&app).context("limits cannot be shared")?;
    let connections = Connections::new();
    let workers = app.snapshot.load().config.server.workers;
    let workers = Workers::start(&app, workers, certificates[0].as_ref())
        .context("no threads to serve with")?;
    // From here on a signal is an instruction: one that comes as soon as Weir is announced must not kill it.
    let mut stop = Stop::listen().context("signals cannot be heard")?;
    let follow_config = follow_config(flags, source, Arc::clone(&app));
    announce(&app, &data, &control, &certificates, first.as_ref())?;
    let own = Arc::new(Worker {
        app: Arc::clone(&app),
        pool: Pool::default(),
    });
    let [_, control_certificate] = certificates.clone();
    tasks::spawn(server::control(
        own,
        control,
        control_certificate,
        Arc::clone(&connections),
    ));
    certificates
        .into_iter()
        .flatten()
        .for_each(|certificate| tasks::spawn(certificate.follow()));
    tasks::spawn(app.keys.clone().follow());
    tasks::spawn(app.people.users.clone().follow());
    app.people.watch_issuers();
    tasks::spawn(app.directory.clone().follow());
    tasks::spawn(alerts(&app));
    tasks::spawn(upkeep(Arc::clone(&app)));
    tasks::spawn(sweep_limits(Arc::clone(&app)));
    tasks::spawn(follow_config);

    tokio::select! {
        () = workers.accept(&app, data, &connections) => {}
        () = stop.asked() => {}
    }
    drain(&app, &connections, &mut stop).await;
    if let Some(shared) = app.gate.shared() {
        shared.leave().await;
    }
    ledger.close();
    Ok(())
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

fn certificate(files: Option<&Tls>) -> Result<Option<Arc<Certificate>>, Ending> {
    let load = |files: &Tls| {
        Certificate::load(files)
            .map_err(|error| Ending::Mistake(format!("{:#}", anyhow::Error::new(error))))
    };
    files.map(load).transpose()
}

fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, Ending> {
    server::listen(address)
        .map_err(|error| Ending::Mistake(format!("{key}: cannot listen on {address}: {error}")))
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

async fn open_people(config: &Config, db: Db) -> Result<People, Ending> {
    let people = People::open(db, &config.people, &config.server.data_dir).await;
    people.map_err(|error| {
        let error = anyhow::Error::new(error);
        Ending::Mistake(format!("server.data_dir: no users: {error:#}"))
    })
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

/// Says what a newcomer needs: where it listens, the first keys, the models, and a line to try.
fn announce(
    app: &App,
    data: &TcpListener,
    control: &TcpListener,
    [data_tls, control_tls]: &[Option<Arc<Certificate>>; 2],
    first: Option<&FirstKeys>,
) -> Result<(), Ending> {
    let url = |listener: &TcpListener, tls: &Option<Arc<Certificate>>| {
        let address = listener
            .local_addr()
            .context("a listener without an address")?;
        anyhow::Ok(format!(
            "{}://{address}",
            if tls.is_some() { "https" } else { "http" }
        ))
    };
    let data = url(data, data_tls)?;
    let snapshot = app.snapshot.load();
    let models: Vec<&str> = snapshot
        .config
        .models
        .iter()
        .map(|model| &*model.name)
        .collect();
    say(&format!("weir {}", env!("CARGO_PKG_VERSION")));
    say(&format!("  data plane     {data}/v1"));
    say(&format!("  control plane  {}", url(control, control_tls)?));
    say(&format!("  models         {}", models.join(" ")));
    if let Some(keys) = first {
        say(&format!("  API key        {}", keys.api.expose()));
        if let Some(admin) = &keys.admin {
            say(&format!("  admin key      {}", admin.expose()));
        }
        say(&format!(
            "  The keys are shown this once. They are also in {}",
            keys.file.display()
        ));
    }
    // A name that can be sent as it stands, and that needs no account if there is one.
    let named = || {
        let models = snapshot.config.models.iter();
        models.filter(|model| !model.name.contains('*'))
    };
    let simulated = named().find(|model| model.to[0].upstream.provider == Provider::Simulator);
    let model = simulated.or_else(|| named().next());
    let model = model.map_or("MODEL", |model| &*model.name);
    // In double quotes, so that the shell fills in the variable where there is no key to show.
    let key = first.map_or("$WEIR_API_KEY", |keys| keys.api.expose());
    say(&format!(
        "\n  curl -N {data}/v1/chat/completions -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
         -d '{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
    ));
    Ok(())
}

/// Has spend alerts go off.
fn alerts(app: &Arc<App>) -> impl Future<Output = ()> + use<> {
    let told = Arc::clone(app);
    alerts::follow(
        app.directory.clone(),
        app.reports.clone(),
        app.ledger.commits(),
        move |alert| told.events.publish_alert(alert),
    )
}

async fn upkeep(app: Arc<App>) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        app.metrics.upkeep();
    }
}

/// Gives back the memory of those whose limits nobody has asked about for long.
async fn sweep_limits(app: Arc<App>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let holders = || app.gate.engines().map(Engine::holders).sum::<usize>();
        if holders() == 0 {
            continue;
        }
        // What a budget has spent must be to be had again, and while the store is away it is not.
        let can_reload = app.reports.is_open().await;
        for engine in app.gate.engines() {
            for _ in 0..SWEEPS {
                if engine.sweep(can_reload, app.gate.now()).gone == 0 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        app.metrics.limit_holders.set(holders() as f64);
    }
}

fn follow_config(
    flags: Flags,
    source: Option<std::path::PathBuf>,
    app: Arc<App>,
) -> impl Future<Output = ()> {
    reload::watch(flags, source, move |outcome| take_up(&app, outcome))
}

/// Puts a changed configuration in force, whole, or says why not.
fn take_up(app: &App, outcome: Result<Loaded, Problems>) {
    metrics::reloaded(outcome.is_ok());
    match outcome {
        Ok(loaded) => {
            let restart = reload::needs_restart(&app.snapshot.load().config, &loaded.config);
            if let Err(error) = app.people.take_up(&loaded.config.people) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "kept the old keys of access tokens");
            }
            // First, so that a call that goes by the new configuration finds its queue.
            app.queues
                .take_up(&loaded.config.upstreams, &loaded.config.queue);
            if let Some(shared) = app.gate.shared() {
                shared.set_fallback(sharing::fallback(&loaded.config));
            }
            app.snapshot.store(Arc::new(Snapshot::new(loaded.config)));
            tracing::info!("took up the changed configuration");
            if !restart.is_empty() {
                tracing::warn!(
                    keys = restart.join(", "),
                    "these keys change at the next start only"
                );
            }
        }
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!(%problem, "kept the old configuration");
            }
        }
    }
}

/// The signals that ask Weir to end.
struct Stop {
    terminate: Signals,
    interrupt: Signals,
}

impl Stop {
    /// Hears them from now on.
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Takes no new work, waits for what runs, then ends it. A second signal ends it at once.
async fn drain(app: &Arc<App>, connections: &Arc<Connections>, stop: &mut Stop) {
    let grace = app.snapshot.load().config.server.shutdown_grace;
    tracing::info!(
        connections = connections.of_clients(),
        grace_s = grace.as_secs(),
        "draining"
    );
    app.drain.raise();
    tokio::select! {
        () = all_over(app, connections) => {}
        () = tokio::time::sleep(grace) => {}
        () = stop.asked() => {}
    }
    app.cut.raise();
    let _ = tokio::time::timeout(LAST_WORDS, all_over(app, connections)).await;
    tracing::info!(cut = connections.of_clients(), "stopped");
}

/// Waits until no client is connected and no call is in the air: an answer may be read to its end without its client,
/// and tokens may still be counted. Looking is cheap, and it happens once in a process's life.
async fn all_over(app: &App, connections: &Connections) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while connections.of_clients() > 0 || app.ledger.in_the_air() > 0 {
        ticks.tick().await;
    }
}

/// Each connection takes a descriptor, and what a process gets by default is for programs that open files.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    ) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
