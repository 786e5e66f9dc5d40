//! `weir serve`: builds the gateway, says where it is, serves until SIGTERM, drains.

mod announce;
mod background;
mod door;
mod drain;
mod open;
mod reload;
mod sharing;

use super::Ending;
use crate::{
    app::Worker,
    config::{self, Flags, Loaded},
    server::{self, Connections, Workers},
    tasks,
    telemetry::{self, Log},
    upstream::Pool,
};
use anyhow::Context;
use clap::Args;
use door::Door;
use drain::{Stop, drain};
use open::{Opened, open};
use std::sync::Arc;

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

/// The life of a gateway.
async fn serve(flags: Flags, loaded: Loaded, log: Log) -> Result<(), Ending> {
    let Loaded {
        config,
        source,
        left_out,
    } = loaded;
    raise_descriptor_limit();
    let server = &config.server;
    let data = Door::open("server.listen", server.listen, server.tls.as_ref())?;
    let control = Door::open(
        "server.control_listen",
        server.control_listen,
        server.control_tls.as_ref(),
    )?;
    let workers = server.workers;
    let Opened {
        app,
        first_keys,
        ledger,
    } = open(config, log).await?;
    for name in left_out {
        tracing::info!(
            upstream.name = name,
            "upstream left out: its credential is not there"
        );
    }

    let connections = Connections::new();
    let workers = Workers::start(&app, workers, data.certificate.as_ref())
        .context("no threads to serve with")?;
    // From here on a signal is an instruction: one that comes as soon as Weir is announced must not kill it.
    let mut stop = Stop::listen().context("signals cannot be heard")?;
    let follow_config = reload::follow(flags, source, Arc::clone(&app));
    announce::announce(&app, &data, &control, first_keys.as_ref())?;

    data.follow_certificate();
    control.follow_certificate();
    background::start(&app);
    tasks::spawn(follow_config);
    let own = Arc::new(Worker {
        app: Arc::clone(&app),
        pool: Pool::default(),
    });
    tasks::spawn(server::control(
        own,
        control.listener,
        control.certificate,
        Arc::clone(&connections),
    ));
    workers
        .accept(&app, data.listener, &connections)
        .context("no thread to accept connections with")?;
    stop.asked().await;

    drain(&app, &connections, &mut stop).await;
    if let Some(shared) = app.gate.shared() {
        shared.leave().await;
    }
    ledger.close();
    Ok(())
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
