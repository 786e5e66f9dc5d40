//! An upstream that does what its script says, to the byte: chunk boundaries, silences, resets.

use super::within;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

/// A model server with a script.
pub struct FakeUpstream {
    pub address: SocketAddr,
    script: Arc<Script>,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    connections: AtomicUsize,
}

/// What to do with one request.
#[derive(Clone)]
pub struct Reply {
    acts: Vec<Act>,
    /// Do it as soon as the head is there.
    at_once: bool,
}

#[derive(Clone)]
enum Act {
    Write(Vec<u8>),
    /// One frame of the chunked coding.
    Chunk(Vec<u8>),
    /// Frames as the test hands them over; the stream goes on when the test has dropped its end.
    Fed(Pieces),
    /// Bytes as the test hands them over, head and all.
    FedRaw(Pieces),
    /// The same frame for as long as anybody takes it.
    Endless(Vec<u8>),
    Hang,
    Reset,
    Close,
}

/// What a test is still to hand over.
type Pieces = Arc<Mutex<Option<mpsc::UnboundedReceiver<Vec<u8>>>>>;

/// The test's end of a stream that it feeds.
pub type Feed = mpsc::UnboundedSender<Vec<u8>>;

/// A request that has arrived.
pub struct Received {
    /// Request line and headers as they came.
    pub head: String,
    pieces: mpsc::UnboundedReceiver<Vec<u8>>,
    closed: watch::Receiver<bool>,
    /// Bytes of the answer that the other side has taken.
    pub written: Arc<AtomicU64>,
}

impl FakeUpstream {
    /// Starts one that answers 500 until it is told better.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script::default());
        let (sender, received) = mpsc::unbounded_channel();
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (script, sender) = (Arc::clone(&shared), sender.clone());
                tokio::spawn(async move {
                    // A connection that breaks is what many tests are about.
                    let _ = serve(stream, script, sender).await;
                });
            }
        });
        Self {
            address,
            script,
            received: tokio::sync::Mutex::new(received),
        }
    }

    /// One with a script; the last reply is for all requests after.
    pub async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let upstream = Self::start().await;
        upstream.script.replies.lock().unwrap().extend(replies);
        upstream
    }

    /// Puts another script in place.
    pub fn now(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.script.replies.lock().unwrap() = replies.into_iter().collect();
    }

    /// The next request.
    pub async fn request(&self) -> Received {
        let mut received = self.received.lock().await;
        within("a request at the upstream", received.recv())
            .await
            .unwrap()
    }

    /// Whether no request has come that was not asked for.
    pub async fn is_untouched(&self) -> bool {
        self.received.lock().await.is_empty()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.script.connections.load(Ordering::SeqCst)
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Reply {
    fn new(acts: Vec<Act>) -> Self {
        Self {
            acts,
            at_once: false,
        }
    }

    /// Exactly these bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::new(vec![Act::Write(bytes.as_ref().to_vec())])
    }

    /// A whole answer with a length.
    pub fn with(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut bytes = head(status, &[headers, &[("content-length", &length)]].concat());
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// A whole JSON answer.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::with(status, &[("content-type", "application/json")], body)
    }

    /// A stream of events, each piece in a chunk and a write of its own.
    pub fn streams<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = P>) -> Self {
        Self::streams_as(&[("content-type", "text/event-stream")], pieces)
    }

    /// A chunked answer with these headers.
    pub fn streams_as<P: AsRef<[u8]>>(
        headers: &[(&str, &str)],
        pieces: impl IntoIterator<Item = P>,
    ) -> Self {
        let mut reply = Self::begins(headers);
        let chunks = pieces
            .into_iter()
            .map(|piece| Act::Chunk(piece.as_ref().to_vec()));
        reply.acts.extend(chunks);
        reply.then_chunk_end()
    }

    fn begins(headers: &[(&str, &str)]) -> Self {
        let head = head(
            200,
            &[headers, &[("transfer-encoding", "chunked")]].concat(),
        );
        Self::new(vec![Act::Write(head)])
    }

    /// A stream whose pieces the test hands over one by one; it ends when the test drops its end.
    pub fn fed() -> (Self, Feed) {
        Self::fed_as(&[("content-type", "text/event-stream")])
    }

    /// The same with other headers.
    pub fn fed_as(headers: &[(&str, &str)]) -> (Self, Feed) {
        let (feed, pieces) = mpsc::unbounded_channel();
        let mut reply = Self::begins(headers);
        reply
            .acts
            .push(Act::Fed(Arc::new(Mutex::new(Some(pieces)))));
        (reply.then_chunk_end(), feed)
    }

    /// Bytes that the test hands over one by one, from the first of the head on.
    pub fn fed_raw() -> (Self, Feed) {
        let (feed, pieces) = mpsc::unbounded_channel();
        let pieces = Arc::new(Mutex::new(Some(pieces)));
        (Self::new(vec![Act::FedRaw(pieces)]), feed)
    }

    /// A stream of one event, again and again.
    pub fn endless(piece: impl AsRef<[u8]>) -> Self {
        let mut reply = Self::begins(&[("content-type", "text/event-stream")]);
        reply.acts.push(Act::Endless(piece.as_ref().to_vec()));
        reply
    }

    /// No answer at all.
    pub fn silence() -> Self {
        Self::new(vec![Act::Hang])
    }

    /// A reset before any answer.
    pub fn reset() -> Self {
        Self::new(vec![Act::Reset])
    }

    fn then_chunk_end(mut self) -> Self {
        self.acts.push(Act::Write(b"0\r\n\r\n".to_vec()));
        self
    }

    fn without_chunk_end(mut self) -> Self {
        if matches!(self.acts.last(), Some(Act::Write(end)) if end == b"0\r\n\r\n") {
            self.acts.pop();
        }
        self
    }

    /// Resets the connection in place of the end of the body.
    pub fn then_dies(self) -> Self {
        self.without_chunk_end().then(Act::Reset)
    }

    /// Closes the connection in place of the end of the body.
    pub fn then_closes(self) -> Self {
        self.without_chunk_end().then(Act::Close)
    }

    /// Falls silent in place of the end of the body.
    pub fn then_hangs(self) -> Self {
        self.without_chunk_end().then(Act::Hang)
    }

    /// Waits for nothing but the head of the request.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status} Scripted\r\n{lines}\r\n").into_bytes()
}

impl Received {
    /// The method and the target.
    pub fn line(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap(), words.next().unwrap())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let matching = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a header.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there twice: {}", self.head);
        all.first().copied()
    }

    /// The whole body, without the framing.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend(piece);
        }
        body
    }

    /// The body as text.
    pub async fn text(&mut self) -> String {
        String::from_utf8(self.body().await).unwrap()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        within("more of the request", self.pieces.recv()).await
    }

    /// Waits until the other side has closed the connection, or reset it.
    pub async fn closed(&mut self) {
        let closed = within(
            "the connection's end",
            self.closed.wait_for(|closed| *closed),
        )
        .await;
        closed.expect("the upstream looks for it");
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    sender: mpsc::UnboundedSender<Received>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&read, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8(read.drain(..end).collect()).expect("ASCII headers");
        let (pieces, receiver) = mpsc::unbounded_channel();
        let (is_closed, closed) = watch::channel(false);
        let written = Arc::new(AtomicU64::new(0));
        let framing = Framing::of(&head);
        let received = Received {
            head,
            pieces: receiver,
            closed,
            written: Arc::clone(&written),
        };
        let reply = {
            let mut replies = script.replies.lock().unwrap();
            let next = match replies.len() {
                0 => None,
                1 => replies.front().cloned(),
                _ => replies.pop_front(),
            };
            next.unwrap_or_else(|| Reply::json(500, "{}"))
        };
        // The test may have seen enough.
        let _ = sender.send(received);
        if !reply.at_once
            && take_body(&mut stream, &mut read, framing, &pieces)
                .await
                .is_err()
        {
            let _ = is_closed.send(true);
            return Ok(());
        }
        drop(pieces);
        if !perform(&mut stream, reply, &written, &is_closed).await? {
            return Ok(());
        }
    }
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Framing {
    fn of(head: &str) -> Self {
        let lower = head.to_ascii_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            return Self::Chunked;
        }
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        Self::Length(length.map_or(0, |length| length.trim().parse().unwrap()))
    }
}

async fn take_body(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
    framing: Framing,
    pieces: &mpsc::UnboundedSender<Vec<u8>>,
) -> Result<(), ()> {
    let fill = async |stream: &mut TcpStream, read: &mut Vec<u8>| match stream.read_buf(read).await
    {
        Ok(0) | Err(_) => Err(()),
        Ok(_) => Ok(()),
    };
    match framing {
        Framing::Length(mut left) => {
            while left > 0 {
                if read.is_empty() {
                    fill(stream, read).await?;
                }
                let piece: Vec<u8> = read.drain(..left.min(read.len())).collect();
                left -= piece.len();
                let _ = pieces.send(piece);
            }
        }
        Framing::Chunked => loop {
            let line = loop {
                if let Some(at) = memchr::memmem::find(read, b"\r\n") {
                    break at;
                }
                fill(stream, read).await?;
            };
            let len = usize::from_str_radix(std::str::from_utf8(&read[..line]).unwrap(), 16);
            let (start, len) = (line + 2, len.unwrap());
            while read.len() < start + len + 2 {
                fill(stream, read).await?;
            }
            let chunk: Vec<u8> = read.drain(..start + len + 2).collect();
            if len == 0 {
                break;
            }
            let _ = pieces.send(chunk[start..start + len].to_vec());
        },
    }
    Ok(())
}

/// Does what the reply says; false if the connection is over.
async fn perform(
    stream: &mut TcpStream,
    reply: Reply,
    written: &AtomicU64,
    is_closed: &watch::Sender<bool>,
) -> std::io::Result<bool> {
    let (mut reader, mut writer) = stream.split();
    let acts = async {
        for act in reply.acts {
            match act {
                Act::Write(bytes) => writer.write_all(&bytes).await?,
                Act::Chunk(piece) => writer.write_all(&frame(&piece)).await?,
                Act::Fed(pieces) => {
                    let pieces = pieces.lock().unwrap().take();
                    let mut pieces = pieces.expect("a stream is fed once");
                    while let Some(piece) = pieces.recv().await {
                        writer.write_all(&frame(&piece)).await?;
                    }
                }
                Act::FedRaw(pieces) => {
                    let pieces = pieces.lock().unwrap().take();
                    let mut pieces = pieces.expect("an answer is fed once");
                    while let Some(piece) = pieces.recv().await {
                        writer.write_all(&piece).await?;
                    }
                }
                Act::Endless(piece) => {
                    let frame = frame(&piece);
                    loop {
                        writer.write_all(&frame).await?;
                        written.fetch_add(frame.len() as u64, Ordering::SeqCst);
                    }
                }
                Act::Hang => std::future::pending().await,
                Act::Reset => return Ok::<_, std::io::Error>(Some(true)),
                Act::Close => return Ok(Some(false)),
            }
        }
        Ok(None)
    };
    let gone = async {
        let mut rest = [0; 4096];
        while matches!(reader.read(&mut rest).await, Ok(n) if n > 0) {}
    };
    let ending = tokio::select! {
        biased;
        ending = acts => ending,
        () = gone => {
            let _ = is_closed.send(true);
            return Ok(false);
        }
    };
    match ending {
        Ok(None) => Ok(true),
        Ok(Some(reset)) => {
            if reset {
                stream.set_zero_linger()?;
            }
            Ok(false)
        }
        Err(error) => {
            let _ = is_closed.send(true);
            Err(error)
        }
    }
}

fn frame(piece: &[u8]) -> Vec<u8> {
    let mut frame = format!("{:x}\r\n", piece.len()).into_bytes();
    frame.extend_from_slice(piece);
    frame.extend_from_slice(b"\r\n");
    frame
}
