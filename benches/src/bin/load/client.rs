//! Connections that ask again and again.

use crate::{
    Args,
    tally::{Meter, Tally},
};
use anyhow::{bail, ensure};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};
use tokio::{
    net::TcpStream,
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};
use weir_benches::{
    report::Report,
    stamp::{self, Finder},
};

/// How long a target may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for as long as the arguments say.
pub(crate) async fn run(args: &Args) -> anyhow::Result<Report> {
    let mut meter = Meter::new(args);
    let tally = Rc::new(Tally::default());
    let question = Rc::new(Question::new(args));
    let schedule = args.rate.map(Schedule::new).map(Rc::new);
    for i in 0..args.connections {
        let asking = Asking {
            question: Rc::clone(&question),
            tally: Rc::clone(&tally),
            schedule: schedule.clone(),
        };
        let late = Duration::from_secs_f64(args.warm * f64::from(i) / f64::from(args.connections));
        spawn_local(async move {
            sleep(late).await;
            asking.forever().await;
        });
    }
    sleep(Duration::from_secs_f64(args.warm)).await;
    meter.begin();
    tally.is_open.set(true);
    sleep(Duration::from_secs_f64(args.seconds)).await;
    tally.is_open.set(false);
    meter.end();
    Ok(tally.report(&meter))
}

struct Asking {
    question: Rc<Question>,
    tally: Rc<Tally>,
    schedule: Option<Rc<Schedule>>,
}

impl Asking {
    async fn forever(self) {
        let mut connection = None;
        loop {
            let asked_ns = match &self.schedule {
                None => stamp::now(),
                Some(schedule) => schedule.turn().await,
            };
            match tokio::time::timeout(PATIENCE, self.once(&mut connection, asked_ns)).await {
                Ok(Ok(())) => self.tally.answered(stamp::now() - asked_ns),
                Ok(Err(_)) | Err(_) => {
                    self.tally.failed();
                    connection = None;
                    sleep(Duration::from_millis(20)).await; // a target that is gone is not hammered
                }
            }
        }
    }

    async fn once(&self, connection: &mut Option<Sender>, asked_ns: u64) -> anyhow::Result<()> {
        let mut open = match connection.take() {
            Some(open) => open,
            None => self.question.connect().await?,
        };
        let body = self.question.ask(&mut open).await?;
        match self.question.events.is_some() {
            true => self.read_stream(body, asked_ns).await?,
            false => ensure!(
                !body.collect().await?.to_bytes().is_empty(),
                "an empty answer"
            ),
        }
        *connection = Some(open);
        Ok(())
    }

    async fn read_stream(&self, mut body: Incoming, asked_ns: u64) -> anyhow::Result<()> {
        let (mut finder, mut events) = (Finder::default(), 0);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            let now = stamp::now();
            finder.feed(&data, |made_ns| {
                if events == 0 {
                    self.tally.first(now - asked_ns);
                }
                events += 1;
                self.tally.event(now.saturating_sub(made_ns));
            });
        }
        ensure!(finder.is_done(), "a stream that broke off");
        ensure!(Some(events) == self.question.events, "{events} events");
        Ok(())
    }
}

/// When requests are due.
struct Schedule {
    start: Instant,
    rate: f64,
    taken: Cell<u32>,
}

impl Schedule {
    fn new(rate: f64) -> Self {
        Self {
            start: Instant::now(),
            rate,
            taken: Cell::new(0),
        }
    }

    /// Waits for the next free turn; the time at which it was due, or now if it came in time: timers are a little
    /// late, and that is not the target's doing.
    async fn turn(&self) -> u64 {
        let turn = self.taken.get();
        self.taken.set(turn + 1);
        let due = self.start + Duration::from_secs_f64(f64::from(turn) / self.rate);
        let late = Instant::now().saturating_duration_since(due);
        if late.is_zero() {
            sleep_until(due).await;
        }
        stamp::now() - late.as_nanos() as u64
    }
}

pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// One and the same request, as often as wanted.
pub(crate) struct Question {
    target: SocketAddr,
    authorization: String,
    body: Bytes,
    /// Events that are expected, of a stream.
    events: Option<u32>,
}

impl Question {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            target: args.target,
            authorization: format!("Bearer {}", args.key),
            body: args.body().into(),
            events: args.stream.then_some(args.words),
        }
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Sender> {
        let tcp = TcpStream::connect(self.target).await?;
        tcp.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        spawn_local(connection);
        Ok(sender)
    }

    pub(crate) async fn ask(&self, connection: &mut Sender) -> anyhow::Result<Incoming> {
        let request = Request::post("/v1/chat/completions")
            .header(header::HOST, "bench.localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::USER_AGENT, "weir-benches")
            .body(Full::new(self.body.clone()))?;
        connection.ready().await?;
        let answer = connection.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            let text = answer.into_body().collect().await?.to_bytes();
            bail!("{status}: {}", String::from_utf8_lossy(&text));
        }
        Ok(answer.into_body())
    }
}
