//! `kill -9` at random moments: every call that a client saw anything of is on the ledger once, with the right count.
//!
//! `WEIR_CRASHES` and `WEIR_CRASH_CLIENTS` make it longer and wider.

use crate::support::{Database, Dir, END, Gateway, chat, event, until, within};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use weir::tokens::Encoding;

/// What an event carries: several tokens, and fewer if the next is right behind it.
const TEXT: &str = "antidisestab\n\nlish";

/// Events that the upstream has begun to send, by request id.
type Sent = Arc<Mutex<HashMap<String, u64>>>;

/// What a client saw of one call.
#[derive(Debug)]
struct Saw {
    id: String,
    stream: bool,
    /// Events of the whole answer, and the tokens that the provider reports.
    tokens: u64,
    /// Those that arrived.
    received: u64,
    anything: bool,
    whole: bool,
}

/// An upstream that answers with as many tokens as the model's name says, and says so.
async fn upstream() -> (SocketAddr, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Sent::default();
    let shared = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sent = Arc::clone(&shared);
            tokio::spawn(async move {
                // A gateway that is killed breaks its connections.
                let _ = answer(stream, &sent).await;
            });
        }
    });
    (address, sent)
}

async fn answer(mut stream: TcpStream, sent: &Sent) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    let head = loop {
        if let Some(at) = memchr::memmem::find(&read, b"\r\n\r\n") {
            break String::from_utf8(read.drain(..at + 4).collect()).unwrap();
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap()
    };
    let length: usize = header("content-length").parse().unwrap();
    while read.len() < length {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    let request: serde_json::Value = serde_json::from_slice(&read).unwrap();
    let model = request["model"].as_str().unwrap();
    let tokens: u64 = model.split('-').next_back().unwrap().parse().unwrap();
    let id = header("x-request-id");
    let usage = format!("\"usage\":{{\"prompt_tokens\":11,\"completion_tokens\":{tokens}}}");
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: ";
    if tokens == 0 {
        // An answer that does not say: the gateway loads what it counts with.
        let end = "content-length: 14\r\n\r\n{\"choices\":[]}";
        let answer = format!("{head}application/json\r\n{end}");
        return stream.write_all(answer.as_bytes()).await;
    }
    if request["stream"] != true {
        sent.lock().unwrap().insert(id, tokens);
        let body = format!("{{\"choices\":[],{usage}}}");
        let length = body.len();
        let answer = format!("{head}application/json\r\ncontent-length: {length}\r\n\r\n{body}");
        return stream.write_all(answer.as_bytes()).await;
    }
    stream
        .write_all(format!("{head}text/event-stream\r\n\r\n").as_bytes())
        .await?;
    for _ in 0..tokens {
        *sent.lock().unwrap().entry(id.clone()).or_default() += 1;
        stream.write_all(event(TEXT).as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let (stop, done) = END.split_once("data: [DONE]").unwrap();
    let last = format!("{stop}data: {{\"choices\":[],{usage}}}\n\ndata: [DONE]{done}");
    stream.write_all(last.as_bytes()).await
}

/// Calls the gateway until it is gone.
async fn client(gateway: SocketAddr, key: String, name: String) -> Vec<Saw> {
    let mut all = Vec::new();
    for number in 0_u64.. {
        let stream = !(number + name.len() as u64).is_multiple_of(3);
        let tokens = 1 + fastrand(&name, number) % 40;
        let mut saw = Saw {
            id: format!("{name}-{number}"),
            stream,
            tokens,
            received: 0,
            anything: false,
            whole: false,
        };
        let done = call(gateway, &key, &mut saw).await;
        all.push(saw);
        if done.is_err() {
            break;
        }
    }
    all
}

async fn call(gateway: SocketAddr, key: &str, saw: &mut Saw) -> std::io::Result<()> {
    let mut request = chat(&format!("gpt-4o-{}", saw.tokens));
    request["stream"] = saw.stream.into();
    let (body, id) = (request.to_string(), &saw.id);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\nx-request-id: {id}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut conn = TcpStream::connect(gateway).await?;
    conn.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    let end = loop {
        match conn.read_buf(&mut read).await {
            Ok(0) if !read.is_empty() => break Ok(()),
            Ok(0) => break Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    let text = String::from_utf8_lossy(&read);
    saw.anything = !read.is_empty();
    saw.received = text.matches("lish\"").count() as u64;
    let last = match saw.stream {
        true => "data: [DONE]\n\n".to_owned(),
        false => format!("\"completion_tokens\":{}}}}}", saw.tokens),
    };
    saw.whole = text.contains(&last);
    match saw.whole {
        true => Ok(()),
        false => end.and(Err(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// A number that looks like chance and is the same in every run.
fn fastrand(seed: &str, number: u64) -> u64 {
    let mix = |sum: u64, byte: u64| (sum ^ byte).wrapping_mul(0x0000_0100_0000_01b3);
    let sum = seed
        .bytes()
        .map(u64::from)
        .chain([number])
        .fold(0xcbf2_9ce4_8422_2325, mix);
    sum >> 24
}

/// What a row says: outcome, source, input, output.
type Row = (String, Option<String>, Option<i64>, Option<i64>);

fn rows(dir: &Dir) -> HashMap<String, Vec<Row>> {
    let sql = "SELECT request_id, outcome, source, input, output FROM entry";
    let mut rows: HashMap<String, Vec<Row>> = HashMap::new();
    for row in dir.query(sql) {
        let id: String = row.get(0).unwrap();
        let row = (
            row.get(1).unwrap(),
            row.get(2).unwrap(),
            row.get(3).unwrap(),
            row.get(4).unwrap(),
        );
        rows.entry(id).or_default().push(row);
    }
    rows
}

#[track_caller]
fn check(saw: &Saw, rows: &[Row], sent: u64) {
    if !saw.anything {
        assert!(rows.len() < 2, "{saw:?}: {rows:?}");
        return;
    }
    let [(outcome, source, input, output)] = rows else {
        panic!("{saw:?} has {} rows: {rows:?}", rows.len());
    };
    if saw.whole {
        assert_eq!(outcome, "completed", "{saw:?}");
    }
    // A call is settled before its client has the end, so one that was cut off just then is exact as well.
    if outcome == "completed" {
        assert_eq!(source.as_deref(), Some("provider"), "{saw:?}");
        assert_eq!(
            (*input, *output),
            (Some(11), Some(saw.tokens as i64)),
            "{saw:?}"
        );
    } else if saw.stream {
        // None: not even the head of the upstream's answer had come.
        let output = output.unwrap_or(0) as u64;
        if source.is_some() {
            assert_eq!(source.as_deref(), Some("counted"), "{saw:?}");
        }
        // What more text adds can be less than nothing, so any number of events in between may explain the figure.
        let counts = (saw.received..=sent).map(|n| Encoding::O200k.count(&TEXT.repeat(n as usize)));
        let bounds = counts.clone().min().unwrap()..=counts.max().unwrap();
        assert!(
            bounds.contains(&output),
            "{saw:?}: {output} not in {bounds:?}"
        );
    }
}

/// Has the encoding loaded. Until it is, what a crash leaves of a stream is an estimate.
async fn warm_up(gateway: &Gateway, key: &str) {
    let counted = || {
        let sql = "SELECT count(*) FROM entry WHERE model = 'gpt-4o-0' AND source = 'counted'";
        gateway.dir.query(sql)[0].get::<i64>(0).unwrap()
    };
    let before = counted();
    let body = chat("gpt-4o-0").to_string();
    gateway.post_with(key, "/v1/chat/completions", body).await;
    until("the row of a call that was counted", async || {
        (counted() > before).then_some(())
    })
    .await;
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test]
async fn kill_9_loses_nothing_on_sqlite() {
    crash(Dir::on(Database::Sqlite).unwrap()).await;
}

#[tokio::test]
async fn kill_9_loses_nothing_on_postgres() {
    if let Some(dir) = Dir::on(Database::Postgres) {
        crash(dir).await;
    }
}

async fn crash(mut dir: Dir) {
    let (address, sent) = upstream().await;
    let setup = || {
        Gateway::setup().config(&format!(
            "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"http://{address}/v1\"\n\
             [[model]]\nname = \"gpt-4o-*\"\nto = [\"up\"]"
        ))
    };
    let mut key = String::new();
    let mut seen = Vec::new();
    for round in 0..number("WEIR_CRASHES", 4) {
        let gateway = setup().start_in(dir).await;
        if round == 0 {
            key.clone_from(&gateway.key);
        }
        warm_up(&gateway, &key).await;
        let mut clients = JoinSet::new();
        for name in 0..number("WEIR_CRASH_CLIENTS", 24) {
            clients.spawn(client(gateway.data, key.clone(), format!("{round}-{name}")));
        }
        let moment = 20 + fastrand("moment", round) % 400;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        dir = gateway.killed();
        let all = within("the end of the clients", clients.join_all()).await;
        seen.extend(all.into_iter().flatten());
    }
    let gateway = setup().start_in(dir).await;
    gateway.terminate();
    let dir = gateway.dir_after_exit().await;

    let sent = sent.lock().unwrap().clone();
    let rows = rows(&dir);
    for saw in &seen {
        let rows = rows.get(&saw.id).map_or(&[][..], Vec::as_slice);
        check(saw, rows, sent.get(&saw.id).copied().unwrap_or(0));
    }
    let interrupted = rows.values().flatten().filter(|row| row.0 == "interrupted");
    eprintln!(
        "{} calls, {} whole, {} rows, {} interrupted",
        seen.len(),
        seen.iter().filter(|saw| saw.whole).count(),
        rows.len(),
        interrupted.count()
    );
    assert!(
        seen.iter().any(|saw| saw.whole),
        "the test is worth something"
    );
    let doctor = crate::support::weir(dir.path(), &["doctor"], &[]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
}
