//! A real gateway: the binary, a directory of its own, ports of the system's choosing.

use super::{Conn, Dir, FakeUpstream, Response, until, within};
use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

/// A gateway that is still to be started.
#[derive(Default)]
pub struct Setup {
    config: String,
    server: String,
    environment: Vec<(String, String)>,
}

/// A running gateway; killed when dropped.
pub struct Gateway {
    pub data: SocketAddr,
    pub control: SocketAddr,
    /// The first API key.
    pub key: String,
    /// The first admin key; empty if the config brings one.
    pub admin: String,
    pub dir: Dir,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// A key that `weir key` has made.
pub struct Key {
    pub id: String,
    pub key: String,
}

/// How a command ended.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Lines that a process has written so far.
#[derive(Clone, Default)]
struct Lines {
    text: Arc<Mutex<Vec<String>>>,
    more: Arc<Notify>,
}

impl Lines {
    fn follow(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let (text, more) = (Arc::clone(&lines.text), Arc::clone(&lines.more));
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                text.lock().unwrap().push(line);
                more.notify_waiters();
            }
        });
        lines
    }

    fn all(&self) -> String {
        self.text.lock().unwrap().join("\n")
    }

    async fn wait_for(&self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            let found = self
                .text
                .lock()
                .unwrap()
                .iter()
                .find(|line| fits(line))
                .cloned();
            if let Some(found) = found {
                return found;
            }
            more.await;
        }
    }
}

impl Setup {
    /// Adds tables to the config file.
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Adds lines to its `[server]` table.
    pub fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self.server.push('\n');
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an upstream under `name`, with more lines for its table, and with the model `name` that goes there.
    pub fn upstream(self, name: &str, upstream: &FakeUpstream, lines: &str) -> Self {
        let url = upstream.url();
        self.config(&format!(
            "[[upstream]]\nname = \"{name}\"\nprovider = \"openai\"\nbase_url = \"{url}\"\n{lines}\n\
             [[model]]\nname = \"{name}\"\nto = [\"{name}\"]"
        ))
    }

    /// The config file's text.
    pub fn text(&self) -> String {
        format!("[server]\nworkers = 1\n{}\n{}", self.server, self.config)
    }

    /// Starts it.
    pub async fn start(self) -> Gateway {
        self.start_in(Dir::new()).await
    }

    /// Starts it in a directory where one may have run before.
    pub async fn start_in(self, dir: impl Into<Dir>) -> Gateway {
        let dir = dir.into();
        std::fs::write(dir.path().join("config.toml"), self.text()).unwrap();
        let mut command = command(dir.path());
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--control-listen",
                "127.0.0.1:0",
            ])
            .envs(self.environment);
        let mut child = command.spawn().expect("the binary runs");
        let stdout = Lines::follow(child.stdout.take().unwrap());
        let stderr = Lines::follow(child.stderr.take().unwrap());
        let ready = stdout.wait_for(|line| line.trim_start().starts_with("curl "));
        let started = tokio::time::timeout(super::PATIENCE, ready).await;
        assert!(started.is_ok(), "no start: {}", stderr.all());
        let text = stdout.all();
        let field = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.trim_start().strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let address = |name: &str| {
            let url = field(name);
            let authority = url.split("://").nth(1).unwrap_or_default();
            authority.trim_end_matches("/v1").parse().expect(&text)
        };
        Gateway {
            data: address("data plane"),
            control: address("control plane"),
            key: field("API key"),
            admin: field("admin key"),
            dir,
            child,
            stdout,
            stderr,
        }
    }
}

impl Gateway {
    /// One that is still to be set up.
    pub fn setup() -> Setup {
        Setup::default()
    }

    /// One before `upstream`, which serves the model `up`.
    pub async fn before(upstream: &FakeUpstream) -> Self {
        Self::setup().upstream("up", upstream, "").start().await
    }

    /// Sends a JSON body to the data plane under the first key.
    pub async fn post(&self, path: &str, body: impl ToString) -> Response {
        self.post_with(&self.key, path, body.to_string()).await
    }

    /// Sends a JSON body under another key.
    pub async fn post_with(&self, key: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
        let mut conn = Conn::open(self.data).await;
        conn.post(path, key, body).await;
        conn.response().await
    }

    /// Asks for a chat completion.
    pub async fn chat(&self, body: impl ToString) -> Response {
        self.post("/v1/chat/completions", body).await
    }

    /// Asks for a stream and returns the connection once its head is there.
    pub async fn stream(&self, body: impl ToString) -> Conn {
        let mut conn = Conn::open(self.data).await;
        conn.post("/v1/chat/completions", &self.key, body.to_string())
            .await;
        let head = conn.head().await;
        assert_eq!(head.status, 200, "{}", head.raw);
        conn
    }

    /// Sends a request without a body to the data plane, with the first key and more header lines.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let authorization = format!("Bearer {}", self.key);
        let all = [&[("authorization", authorization.as_str())], headers].concat();
        request(self.data, method, path, &all).await
    }

    /// Gets a path of the data plane with the first key.
    pub async fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[]).await
    }

    /// Sends a request without a key or a body to the data plane.
    pub async fn bare(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        request(self.data, method, path, headers).await
    }

    /// Gets a path of the control plane.
    pub async fn control(&self, path: &str) -> Response {
        request(self.control, "GET", path, &[]).await
    }

    /// Gets a path of the control plane with a credential.
    pub async fn control_with(&self, path: &str, authorization: &str) -> Response {
        request(
            self.control,
            "GET",
            path,
            &[("authorization", authorization)],
        )
        .await
    }

    /// All metrics.
    pub async fn metrics(&self) -> String {
        self.control("/metrics").await.text()
    }

    /// Waits until a metric has this value; `series` is its name with all its labels.
    pub async fn metric(&self, series: &str, value: u64) {
        let wanted = format!("{series} {value}");
        until(&wanted, async || {
            self.metrics()
                .await
                .lines()
                .any(|line| line == wanted)
                .then_some(())
        })
        .await;
    }

    /// Waits for a line of the log.
    pub async fn log_line(&self, fits: impl Fn(&str) -> bool) -> String {
        match tokio::time::timeout(super::PATIENCE, self.stderr.wait_for(fits)).await {
            Ok(line) => line,
            Err(_) => panic!("no such line in the log:\n{}", self.log()),
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.stderr.all()
    }

    /// What was printed so far.
    pub fn printed(&self) -> String {
        self.stdout.all()
    }

    /// Its config file.
    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    /// Writes its config file anew, as a whole.
    pub fn rewrite(&self, config: &str) {
        let draft = self.dir.path().join("config.new");
        std::fs::write(&draft, config).unwrap();
        std::fs::rename(draft, self.config_path()).unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Waits for its end; returns the exit code and its directory.
    pub async fn exited(mut self) -> (Option<i32>, String) {
        let code = until("the end of the process", async || {
            self.child.try_wait().unwrap()
        })
        .await
        .code();
        (code, self.log())
    }

    /// Waits for its end, which must be a good one, and hands over its directory.
    pub async fn dir_after_exit(mut self) -> Dir {
        let status = until("the end of the process", async || {
            self.child.try_wait().unwrap()
        })
        .await;
        assert!(status.success(), "{status}: {}", self.log());
        std::mem::take(&mut self.dir)
    }

    /// Kills it and hands over its directory.
    pub fn killed(mut self) -> Dir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.dir)
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Runs a command of `weir` on its config and data.
    pub async fn weir(&self, arguments: &[&str]) -> Exit {
        weir(self.dir.path(), arguments, &[]).await
    }

    /// Makes a project with this id.
    pub async fn make_project(&self, id: &str) {
        let exit = self.weir(&["project", "create", id, "--id", id]).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }

    /// Makes a key.
    pub async fn make_key(&self, arguments: &[&str]) -> Key {
        let exit = self
            .weir(&[&["key", "create", "--json"], arguments].concat())
            .await;
        Key::of(&exit)
    }

    /// Makes a key, and waits until the gateway knows it, which costs the key nothing.
    pub async fn make_known_key(&self, arguments: &[&str]) -> Key {
        let key = self.make_key(arguments).await;
        let authorization = format!("Bearer {}", key.key);
        let headers = [("authorization", authorization.as_str())];
        until("the key", async || {
            let response = self.bare("GET", "/v1/models", &headers).await;
            (response.status() == 200).then_some(())
        })
        .await;
        key
    }
}

impl Key {
    /// The key that a command with `--json` has printed.
    pub fn of(exit: &Exit) -> Self {
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let made: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            // As the ledger has it.
            id: text("id").replacen("key_", "", 1),
            key: text("key"),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the gateway's log\n{}\n---", self.log());
        }
    }
}

/// Runs a command of `weir` to its end, in `dir`.
pub async fn weir(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Exit {
    let mut command = command(dir);
    command.args(arguments).envs(environment.iter().copied());
    end(command).await
}

/// The same where what it prints finds no room.
pub async fn weir_unheard(dir: &Path, arguments: &[&str]) -> Exit {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = command(dir);
    command.args(arguments).stdout(full.unwrap());
    end(command).await
}

async fn end(mut command: Command) -> Exit {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = within("the end of the command", run).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Exit {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The binary in `dir`, with nothing of this process's environment.
fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .current_dir(dir)
        .env_clear()
        .envs(super::dir::store_variable(dir))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// An address that was free a moment ago, for what must be refused there.
pub async fn free_port() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Response {
    let mut conn = Conn::open(address).await;
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    conn.send(format!(
        "{method} {path} HTTP/1.1\r\nhost: weir\r\n{lines}\r\n"
    ))
    .await;
    let head = conn.head().await;
    let (body, is_whole) = match method {
        "HEAD" => (Vec::new(), true),
        _ => conn.body(&head).await,
    };
    Response {
        head,
        body,
        is_whole,
    }
}
