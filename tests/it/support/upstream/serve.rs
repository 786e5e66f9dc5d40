//! A connection to the scripted upstream.

use super::{
    Script,
    received::Received,
    reply::{Act, Reply},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
};

/// Answers the requests of one connection by the script.
pub(super) async fn serve(
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
