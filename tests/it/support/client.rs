//! A client that writes what it likes and sees what comes, down to the frames of the chunked coding.

use super::within;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// A connection to the gateway.
pub struct Conn<S = TcpStream> {
    pub stream: S,
    read: Vec<u8>,
    is_over: bool,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    /// As they came: names in their own case, repeated ones repeated.
    pub headers: Vec<(String, String)>,
    pub raw: String,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
    /// The body ended as its framing promised.
    pub is_whole: bool,
}

impl Conn {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address))
            .await
            .expect("the gateway listens");
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    /// Speaks over `stream`.
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
            is_over: false,
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = within(
            "room for the request",
            self.stream.write_all(bytes.as_ref()),
        )
        .await;
        sent.expect("the gateway takes the request");
    }

    /// Sends a request with a JSON body.
    pub async fn post(&mut self, path: &str, key: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send([head.as_bytes(), body].concat()).await;
    }

    /// Reads more; false at the end of the connection, clean or not.
    async fn fill(&mut self) -> bool {
        if self.is_over {
            return false;
        }
        let mut piece = vec![0; 64 << 10];
        let n = within("more of the answer", self.stream.read(&mut piece))
            .await
            .unwrap_or(0);
        self.read.extend_from_slice(&piece[..n]);
        self.is_over = n == 0;
        n > 0
    }

    /// Everything up to and with `end`; `None` if the connection ends before.
    async fn take_through(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        while self.read.len() < len {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.read.drain(..len).collect())
    }

    /// The head of the next answer; `None` if the connection is closed without one.
    pub async fn try_head(&mut self) -> Option<Head> {
        let raw = String::from_utf8(self.take_through(b"\r\n\r\n").await?).expect("ASCII headers");
        let mut lines = raw.trim_end().split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header line");
            (name.to_owned(), value.trim().to_owned())
        };
        let headers = lines.map(header).collect();
        Some(Head {
            status,
            headers,
            raw,
        })
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> Head {
        self.try_head().await.expect("an answer")
    }

    /// The next frame of a chunked body; `None` at its proper end, an error if it breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, &'static str> {
        let line = self.take_through(b"\r\n").await.ok_or("broken off")?;
        let digits = std::str::from_utf8(&line).unwrap().trim();
        let len = usize::from_str_radix(digits.split(';').next().unwrap(), 16).expect(digits);
        let mut chunk = self.take(len + 2).await.ok_or("broken off in a chunk")?;
        chunk.truncate(len);
        Ok((len > 0).then_some(chunk))
    }

    /// Frames of a chunked body until `len` bytes have come, which must be at a frame's end.
    pub async fn chunks(&mut self, len: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < len {
            all.extend(
                self.chunk()
                    .await
                    .expect("a whole stream")
                    .expect("more of the stream"),
            );
        }
        all
    }

    /// The rest of a body, and whether it came to its proper end.
    pub async fn body(&mut self, head: &Head) -> (Vec<u8>, bool) {
        if head.status == 204 || head.status == 304 || head.status < 200 {
            return (Vec::new(), true);
        }
        if head
            .all("transfer-encoding")
            .iter()
            .any(|value| value.contains("chunked"))
        {
            let mut all = Vec::new();
            loop {
                match self.chunk().await {
                    Ok(Some(chunk)) => all.extend(chunk),
                    Ok(None) => return (all, true),
                    Err(_) => return (all, false),
                }
            }
        }
        match head.get("content-length") {
            Some(len) => {
                let len: usize = len.parse().unwrap();
                match self.take(len).await {
                    Some(body) => (body, true),
                    None => (std::mem::take(&mut self.read), false),
                }
            }
            None => {
                while self.fill().await {}
                (std::mem::take(&mut self.read), true)
            }
        }
    }

    /// The whole of the next answer.
    pub async fn response(&mut self) -> Response {
        let head = self.head().await;
        let (body, is_whole) = self.body(&head).await;
        Response {
            head,
            body,
            is_whole,
        }
    }

    /// Waits until the gateway has closed the connection; returns what came before that.
    pub async fn closed(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    /// Whether bytes are there that nobody has asked for.
    pub fn has_more(&self) -> bool {
        !self.read.is_empty()
    }
}

impl Head {
    /// The one value of a header; two of them fail the test.
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there twice: {}", self.raw);
        all.first().copied()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let matching = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }
}

impl Response {
    /// The status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The one value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON in {}{}", self.head.raw, self.text()))
    }

    /// Asserts that this is Weir's own refusal with `status` and `code`, whole in every respect; returns its error.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(self.status(), status, "{}{}", self.head.raw, self.text());
        let error = super::error_of(&self.body);
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-weir-origin"), Some("gateway"));
        let id = self.header("x-request-id").expect("a request id");
        assert!(!id.is_empty());
        error
    }
}
