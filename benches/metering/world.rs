//! What lies around the gateway: clients, and the server that they want answers of. They take little, and the gateway
//! meets each event by itself.

use crate::texts::event;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncReadExt,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};

/// Streams a side.
const STREAMS: usize = 100;
/// Clients that ask again and again.
const ASKERS: usize = 4;
/// How long it is between looks at what was read.
const GAP: Duration = Duration::from_micros(100);
/// In each event once and nowhere else.
const MARK: u8 = b'~';
/// How long anybody waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which of its ways the gateway answers by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    With,
    Without,
}

impl Side {
    /// Both, in turn: neither is always first.
    pub(crate) fn both(turn: usize) -> [Self; 2] {
        match turn % 2 {
            0 => [Self::With, Self::Without],
            _ => [Self::Without, Self::With],
        }
    }

    /// What a request asks for it by.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::With => "/with",
            Self::Without => "/without",
        }
    }
}

/// How events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Now and then: each is met by a gateway that has gone to sleep.
    Rest,
    /// One of each stream, as fast as they are written: the gateway has no time to sleep.
    Load,
}

impl Pace {
    pub(crate) const ALL: [Self; 2] = [Self::Rest, Self::Load];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "at rest",
            Self::Load => "under load",
        }
    }
}

/// The server behind the gateway.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The streams that were asked for and got no owner yet.
    begun: Arc<Mutex<mpsc::Receiver<TcpStream>>>,
}

/// Serves answers on a port of its own.
pub(crate) fn upstream() -> io::Result<Upstream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (begins, begun) = mpsc::channel();
    spawn(move || {
        for stream in listener.incoming() {
            let (stream, begins) = (stream?, begins.clone());
            spawn(move || answer(stream, &begins))?;
        }
        Ok(())
    })?;
    Ok(Upstream {
        address,
        begun: Arc::new(Mutex::new(begun)),
    })
}

const WHOLE: &str = r#"{"id":"chatcmpl-0123456789","object":"chat.completion","created":1795260325,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"The answer depends on how you count."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20}}"#;

/// Answers what comes over a connection: whole, or with the head of a stream whose events are somebody else's business.
fn answer(mut stream: TcpStream, begins: &mpsc::Sender<TcpStream>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(body) = message(&mut stream)? {
        if memchr::memmem::find(&body, br#""stream":true"#).is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
            begins.send(stream.try_clone()?).map_err(io::Error::other)?;
        } else {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{WHOLE}",
                WHOLE.len()
            );
            stream.write_all(head.as_bytes())?;
        }
    }
    Ok(())
}

/// The body of the next message with a length; none if nothing comes any more.
fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(&all, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap_or("0");
            let length = length.lines().next().unwrap_or_default();
            let length: usize = length.trim().parse().map_err(io::Error::other)?;
            if all.len() >= end + 4 + length {
                return Ok(Some(all.split_off(end + 4)));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Clients of both sides, and the streams that they wait on.
pub(crate) struct World {
    streams: [Vec<TcpStream>; 2],
    listener: Listener,
    askers: Vec<TcpStream>,
    model: &'static str,
    /// Pieces of an answer that all streams of a side have got.
    rounds: usize,
}

impl World {
    /// Opens the streams of both sides, in this order.
    pub(crate) fn new(
        gateway: SocketAddr,
        upstream: &Upstream,
        listener: &Listener,
        model: &'static str,
        order: [Side; 2],
    ) -> anyhow::Result<Self> {
        let open = |side: Side| -> anyhow::Result<Vec<TcpStream>> {
            let begun = (upstream.begun.lock()).unwrap_or_else(PoisonError::into_inner);
            let one = |_| -> anyhow::Result<TcpStream> {
                let mut client = TcpStream::connect(gateway)?;
                client.write_all(&request(side, model, true))?;
                listener.clients.send(client)?;
                Ok(begun.recv_timeout(PATIENCE)?)
            };
            (0..STREAMS).map(one).collect()
        };
        let mut streams = [Vec::new(), Vec::new()];
        for side in order {
            streams[side as usize] = open(side)?;
        }
        let asker = |_| TcpStream::connect(gateway);
        Ok(Self {
            streams,
            listener: listener.clone(),
            askers: (0..ASKERS).map(asker).collect::<io::Result<_>>()?,
            model,
            rounds: 0,
        })
    }

    /// Sends events, one stream after the other, and waits until all are read; says how many.
    pub(crate) fn events(
        &mut self,
        side: Side,
        pieces: &[&str],
        pace: Pace,
        span: Duration,
    ) -> anyhow::Result<u64> {
        let mut due = self.listener.read.load(Ordering::SeqCst);
        let before = due;
        let until = Instant::now() + span;
        while Instant::now() < until {
            let piece = chunk(pieces[self.rounds % pieces.len()]);
            for stream in &mut self.streams[side as usize] {
                stream.write_all(&piece)?;
                if pace == Pace::Rest {
                    thread::sleep(GAP);
                }
            }
            self.rounds += 1;
            due += STREAMS as u64;
            // Two events of a stream would be read as one piece.
            self.listener.wait(due)?;
        }
        Ok(due - before)
    }

    /// Asks as fast as answers come; says how often.
    pub(crate) fn requests(&mut self, side: Side, span: Duration) -> anyhow::Result<u64> {
        let request = request(side, self.model, false);
        let until = Instant::now() + span;
        let ask = |asker: &mut TcpStream| -> io::Result<u64> {
            let mut asked = 0;
            while Instant::now() < until {
                asker.write_all(&request)?;
                let answer = message(asker)?;
                if answer.is_none_or(|answer| answer != WHOLE.as_bytes()) {
                    return Err(io::Error::other("an answer is not whole"));
                }
                asked += 1;
            }
            Ok(asked)
        };
        let asked = thread::scope(|scope| {
            let askers: Vec<_> = (self.askers.iter_mut())
                .map(|asker| scope.spawn(|| ask(asker)))
                .collect();
            let asked = askers
                .into_iter()
                .map(|asker| asker.join().expect("it does not panic"));
            asked.sum::<io::Result<u64>>()
        });
        Ok(asked?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for stream in self.streams.iter().flatten() {
            // One that is over already is none that goes on.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Reads what all clients are sent. One thread, wherever it is: threads of their own would be woken by the gateway from
/// here or from another core, and those of one side might happen to be the dearer ones.
#[derive(Clone)]
pub(crate) struct Listener {
    clients: UnboundedSender<TcpStream>,
    /// Events that clients have read.
    read: Arc<AtomicU64>,
}

impl Listener {
    /// Waits until so many events were read.
    fn wait(&self, due: u64) -> anyhow::Result<()> {
        let patience = Instant::now() + PATIENCE;
        while self.read.load(Ordering::SeqCst) < due {
            anyhow::ensure!(Instant::now() < patience, "events were lost");
            thread::sleep(GAP);
        }
        Ok(())
    }
}

/// Starts to listen for clients that are yet to come.
pub(crate) fn listener() -> io::Result<Listener> {
    let (clients, mut come) = unbounded_channel::<TcpStream>();
    let read = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&read);
    spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        runtime.block_on(async {
            while let Some(client) = come.recv().await {
                client.set_nonblocking(true)?;
                let client = tokio::net::TcpStream::from_std(client)?;
                tokio::spawn(listen(client, Arc::clone(&counted)));
            }
            Ok(())
        })
    })?;
    Ok(Listener { clients, read })
}

/// Counts the events that come in.
async fn listen(mut client: tokio::net::TcpStream, read: Arc<AtomicU64>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let n = client.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let events = memchr::memchr_iter(MARK, &buffer[..n]).count();
        read.fetch_add(events as u64, Ordering::SeqCst);
    }
}

fn request(side: Side, model: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"What does it depend on?"}}]}}"#
    );
    // Nobody asks for more over a stream's connection.
    let connection = match stream {
        true => "close",
        false => "keep-alive",
    };
    format!(
        "POST {} HTTP/1.1\r\nhost: gateway\r\nconnection: {connection}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        side.path(),
        body.len()
    )
    .into_bytes()
}

/// An event with this piece of an answer, in a chunk of its own.
fn chunk(piece: &str) -> Vec<u8> {
    let event = event(&format!("chatcmpl-0123456789{}", char::from(MARK)), piece);
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// A thread that ends with what it serves.
fn spawn(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let work = move || {
        // What breaks a connection shows in what is not read.
        let _ = work();
    };
    thread::Builder::new()
        .name("world".to_owned())
        .stack_size(64 << 10)
        .spawn(work)
        .map(drop)
}
