//! The gateway that is measured: hyper's server, Weir's client and tap, and on one side all that lies between them.

use crate::{cpu, world::Side};
use anyhow::Context;
use arc_swap::ArcSwap;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::Path as FilePath,
    sync::{Arc, mpsc},
    task::{Context as Polled, Poll},
    thread,
    time::SystemTime,
};
use tokio::{net::TcpListener, time::Instant};
use weir::{
    app::{App, BodyMemory, Finishing, Snapshot, Worker},
    auth::Keys,
    body::Body,
    catalog::Catalog,
    config::{self, Config, Flags},
    directory::Directory,
    domain::{Arrival, Caller, Endpoint, KeyId, ModelRule, RequestId},
    events::{Bus, CallInfo, What},
    ledger::{Ledger, Options, Reports},
    limits::{Gate, Source},
    people::People,
    pipeline::{self, Call, Payload},
    providers,
    queue::Queues,
    route,
    store::Db,
    tap::{Content, Manner, Report, Tap, Watch},
    tasks::Signal,
    telemetry::{self, metrics},
    tokens::Counter,
    upstream::{Path, Pool},
    wire::{
        answer::Part,
        error::ErrorBody,
        request::{Facts, Reader},
    },
};

/// Starts it on a thread of its own and says where it listens.
pub(crate) fn start(
    dir: &FilePath,
    upstream: SocketAddr,
    models: &[&str],
) -> anyhow::Result<SocketAddr> {
    let config = configured(dir, upstream, models)?;
    let (tell, told) = mpsc::channel();
    thread::Builder::new()
        .name(format!("{}-gateway", cpu::GATEWAY))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let served = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
                runtime.block_on(async {
                    let worker = open(config).await?;
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    tell.send(Ok(listener.local_addr()?))?;
                    serve(&worker, &listener).await
                })
            });
            if let Err(error) = served {
                // Whoever waited for the address has it or is told why not.
                let _ = tell.send(Err(error));
            }
        })?;
    told.recv().context("no gateway")?
}

fn configured(dir: &FilePath, upstream: SocketAddr, models: &[&str]) -> anyhow::Result<Config> {
    let mut text = format!(
        "[server]\ndata_dir = {dir:?}\n[log]\nlevel = \"error\"\naccess = false\n\
         [[upstream]]\nname = \"world\"\nprovider = \"openai\"\nprice_list = \"\"\nbase_url = \"http://{upstream}/v1\"\n"
    );
    for model in models {
        write!(
            text,
            "[[model]]\nname = \"{model}\"\nto = [\"world\"]\n\
             [[price]]\nmodel = \"{model}\"\nvalid_from = \"2025-01-01\"\ninput = 1.0\noutput = 2.0\n"
        )?;
    }
    let file = dir.join("weir.toml");
    fs::write(&file, text)?;
    let flags = Flags {
        config: Some(file),
        listen: None,
        control_listen: None,
        data_dir: None,
    };
    Ok(config::load(&flags)
        .map_err(|problems| anyhow::anyhow!("{problems}"))?
        .config)
}

/// All that requests need.
async fn open(config: Config) -> anyhow::Result<Arc<Worker>> {
    let log = telemetry::start(&config.log);
    let db = Db::open(&config.store.at)?;
    let keys = Keys::open(db.clone()).await?;
    let (ledger, threads) = Ledger::open(Options {
        table: config.store.flight.clone(),
        store: config.store.at.clone(),
        slots: config.ledger.slots,
        flush: config.ledger.flush,
        retention: config.ledger.retention,
    })?;
    // The writer works for as long as the process does.
    std::mem::forget(threads);
    let app = App {
        directory: Directory::open(db.clone(), keys.clone()).await?,
        people: People::open(db.clone(), &config.people, &config.server.data_dir).await?,
        keys,
        gate: Gate::new(Source::Own),
        events: Bus::default(),
        ledger,
        counter: Counter::start()?,
        reports: Reports::new(db),
        metrics: Arc::new(metrics::install()?),
        log,
        drain: Signal::default(),
        cut: Signal::default(),
        body_memory: BodyMemory::default(),
        queues: Queues::default(),
        finishing: Finishing::default(),
        catalog: Catalog::default(),
        started: SystemTime::now(),
        snapshot: ArcSwap::from_pointee(Snapshot::new(config)),
    };
    Ok(Arc::new(Worker {
        app: Arc::new(app),
        pool: Pool::default(),
    }))
}

async fn serve(worker: &Arc<Worker>, listener: &TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let worker = Arc::clone(worker);
        let service = service_fn(move |request| answer(Arc::clone(&worker), request));
        tokio::spawn(async move {
            // A client that goes when all is over is none that misses something.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Reads a request as the gateway does, and answers it by the side that it names.
async fn answer(worker: Arc<Worker>, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let snapshot = worker.app.snapshot.load_full();
    let mut reader = Reader::new(snapshot.config.server.json_depth_max);
    reader
        .feed(&body)
        .map_err(|_| anyhow::anyhow!("not JSON"))?;
    let facts = reader.finish(&body, Endpoint::Chat);
    let facts = facts.map_err(|_| anyhow::anyhow!("no request for a chat"))?;
    let at = SystemTime::now();
    let millis = at.duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64;
    let mut arrival = Arrival {
        id: RequestId::new(millis, 7),
        started: Instant::now(),
        at,
        client: [127, 0, 0, 1].into(),
        method: head.method.clone(),
        path: head.uri.path().into(),
        key: None,
        model: None,
        is_read: true,
        caller: None,
        standing: None,
        metered: false,
    };
    let model = snapshot
        .routes
        .model(&facts.model)
        .context("no such model")?;
    let targets = route::plan(&model.to, arrival.id.dice());
    let call = Box::new(Call {
        id: arrival.id.clone(),
        caller: Caller {
            key: KeyId::parse(b"benchmarkkey0001").expect("16 letters and digits"),
            models: ModelRule::All,
            on_hangup: None,
            owner: None,
            terms: None,
        },
        endpoint: Endpoint::Chat,
        method: head.method,
        path: Path::known(Endpoint::Chat.path()),
        headers: providers::openai::of_client(&head.headers),
        label: Arc::clone(&model.name),
        model: Arc::clone(&model.name),
        stream: facts.stream,
        payload: held(&worker.app, body, facts),
    });
    if head.uri.path() == Side::With.path() {
        let answered = pipeline::run(&worker, &snapshot, call, targets, &mut arrival).await;
        return answered.map_err(refused);
    }
    pass(&worker, call, &targets[0], &arrival).await
}

fn refused(error: weir::error::Error) -> anyhow::Error {
    anyhow::anyhow!("refused: {}", error.code())
}

fn held(app: &App, body: bytes::Bytes, facts: Facts) -> Payload {
    Payload::Held {
        body,
        facts,
        reserved: app.body_memory.reserve(),
    }
}

/// Sends a call upstream and taps what comes back, for nobody but who hears events.
async fn pass(
    worker: &Worker,
    mut call: Box<Call>,
    target: &config::Target,
    arrival: &Arrival,
) -> anyhow::Result<Response<Body>> {
    let (request, hide_usage) = call.request(target).map_err(refused)?;
    let sent = worker
        .pool
        .send(&target.upstream, call.endpoint, &target.timeouts, request);
    let (mut head, source) = sent.await?.into_parts();
    let content = match call.stream {
        true => Content::Events {
            hide_usage,
            says_its_end: true,
        },
        false => Content::Document,
    };
    head.headers = providers::openai::of_upstream(head.headers);
    head.extensions.clear();
    let manner = Manner {
        content,
        idle: target.timeouts.idle,
        deadline: arrival.started + target.timeouts.total,
        heartbeat: worker.app.snapshot.load().config.server.heartbeat,
    };
    let bystander = Bystander {
        app: Arc::clone(&worker.app),
        call: Arc::new(CallInfo {
            request: arrival.id.clone(),
            key: call.caller.key,
            endpoint: call.endpoint,
            model: call.model,
            stream: call.stream,
        }),
    };
    let tap = Tap::new(source, manner, worker.app.cut.clone(), bystander);
    Ok(Response::from_parts(head, tap.boxed_unsync()))
}

/// Sees an answer pass and says so, and that is all.
struct Bystander {
    app: Arc<App>,
    call: Arc<CallInfo>,
}

impl Watch for Bystander {
    fn wants_text(&self) -> bool {
        false
    }

    fn text(&mut self, _: u32, _: Part, _: &str) {}

    fn text_passes(&mut self) {}

    fn may_hold_back(&self) -> bool {
        false
    }

    fn poll_pass(&mut self, _: u64, _: &mut Polled<'_>) -> Poll<Result<(), ErrorBody>> {
        Poll::Ready(Ok(()))
    }

    fn chunk(&mut self, chunks: u64, _: u64, _: Instant) {
        self.app
            .events
            .publish(&self.call, What::StreamChunk { chunks });
    }

    fn has_enough(&self) -> bool {
        false
    }

    fn end(&mut self, _: Report<'_>) {}

    fn poll_settled(&mut self, _: &mut Polled<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
