//! What is measured: how each proxy is set up and started, with as many workers as the others.

use crate::{machine::Place, measure::Bench};
use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A proxy that can be started.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) key: String,
    kind: Kind,
}

enum Kind {
    Nginx,
    Floor { client: &'static str },
    Weir { binary: PathBuf, data: PathBuf },
}

/// nginx, if it is there.
pub(crate) fn nginx() -> Option<Target> {
    let version = Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status();
    version.is_ok().then(|| Target {
        name: "nginx".into(),
        key: NO_KEY.into(),
        kind: Kind::Nginx,
    })
}

/// For those who do not look at it.
const NO_KEY: &str = "sk-weir-benches";

impl Target {
    /// A bare hyper proxy, and what it forwards with.
    pub(crate) fn floor(name: &str, client: &'static str) -> Self {
        Self {
            name: name.into(),
            key: NO_KEY.into(),
            kind: Kind::Floor { client },
        }
    }

    /// A Weir with a key of its own. Its first start is behind it then: what is measured is an ordinary one.
    pub(crate) fn weir(name: &str, binary: PathBuf, place: &Place) -> anyhow::Result<Self> {
        let binary = fs::canonicalize(&binary)
            .with_context(|| format!("{} cannot be run", binary.display()))?;
        let data = place.path().join(format!("data-{name}"));
        fs::create_dir_all(&data)?;
        let minted = Command::new(&binary)
            .args(["key", "create", "--name", "benches", "--data-dir"])
            .arg(&data)
            .current_dir(place.path())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{} cannot be run", binary.display()))?;
        ensure!(minted.status.success(), "{} makes no key", binary.display());
        let key = String::from_utf8(minted.stdout)?.trim().to_owned();
        Ok(Self {
            name: name.into(),
            key,
            kind: Kind::Weir { binary, data },
        })
    }

    /// Starts it and waits for its first answer.
    pub(crate) fn start(&self, bench: &Bench) -> anyhow::Result<Running> {
        let address = bench.ports.free();
        let log = bench.place.path().join(format!("{}.log", self.name));
        let mut command = self.command(bench, address)?;
        command
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        let begun = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        let mut running = Running {
            child,
            address,
            started: Duration::ZERO,
        };
        if let Err(error) = running.wait(&self.key) {
            let log = fs::read_to_string(log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            bail!("{error:#}; its log, last line first: {last:#?}");
        }
        running.started = begun.elapsed();
        Ok(running)
    }

    fn command(&self, bench: &Bench, address: SocketAddr) -> anyhow::Result<Command> {
        let place = bench.place.path();
        let mut command;
        match &self.kind {
            Kind::Nginx => {
                let config = place.join("nginx.conf");
                fs::write(&config, nginx_config(bench, address))?;
                command = Command::new("nginx");
                command
                    .arg("-c")
                    .arg(config)
                    .arg("-e")
                    .arg(place.join("nginx.log"));
            }
            Kind::Floor { client } => {
                command = Command::new(&bench.tools.floor);
                command.args([
                    "--listen",
                    &address.to_string(),
                    "--upstream",
                    &bench.upstream_address.to_string(),
                ]);
                command.args(["--workers", &bench.workers.to_string(), "--client", client]);
            }
            Kind::Weir { binary, data } => {
                let config = place.join(format!("{}.toml", self.name));
                fs::write(&config, weir_config(bench))?;
                command = Command::new(binary);
                command.args(["serve", "--listen", &address.to_string()]);
                command.args(["--control-listen", &bench.ports.free().to_string()]);
                command
                    .arg("--config")
                    .arg(config)
                    .arg("--data-dir")
                    .arg(data);
            }
        }
        Ok(command)
    }
}

/// As Weir comes, with the access log on: what is not written here is its default.
fn weir_config(bench: &Bench) -> String {
    format!(
        r#"
[server]
workers = {}

[[upstream]]
name = "bench"
provider = "openai"
base_url = "http://{}/v1"

[[model]]
name = "bench-*"
to = ["bench"]
"#,
        bench.workers, bench.upstream_address
    )
}

/// Buffering off, since a stream must pass at once; no access log, which makes it the floor that it is.
fn nginx_config(bench: &Bench, address: SocketAddr) -> String {
    let (workers, upstream, place) = (
        bench.workers,
        bench.upstream_address,
        bench.place.path().display(),
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("    {kind}_temp_path {place}/{kind};\n"))
        .collect();
    format!(
        "daemon off;
worker_processes {workers};
pid {place}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 1000000000;
    client_body_buffer_size 1m;
    upstream bench {{ server {upstream}; keepalive 4096; keepalive_requests 1000000000; }}
    server {{
        listen {address} reuseport backlog=4096;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header connection '';
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"
    )
}

/// A process that answers; it ends with this.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) started: Duration,
}

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(15);
/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_micros(500);
/// How long an end may take.
const END_MAX: Duration = Duration::from_secs(5);

impl Running {
    /// Starts the upstream.
    pub(crate) fn upstream(binary: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let child = Command::new(binary)
            .args(["--listen", &address.to_string()])
            .spawn()?;
        let mut running = Self {
            child,
            address,
            started: Duration::ZERO,
        };
        running.wait(NO_KEY)?;
        Ok(running)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, key: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let answer = ask(self.address, key);
            match answer {
                Ok(head) if head.starts_with("HTTP/1.1 200") => return Ok(()),
                _ if begun.elapsed() < START_MAX => {}
                Ok(head) => bail!("no good answer: {head}"),
                Err(error) => return Err(error).context("no answer"),
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended: {status}");
            }
            std::thread::sleep(TRY_EVERY);
        }
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > END_MAX {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("process {} could not be stopped: {error:#}", self.pid());
        }
    }
}

/// One short answer, over a connection of its own; its beginning.
fn ask(address: SocketAddr, key: &str) -> anyhow::Result<String> {
    let body =
        r#"{"model":"bench-model","messages":[{"role":"user","content":"order(1w 0us plain)"}]}"#;
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(
        tcp,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench.localhost\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    tcp.take(4 << 10).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
