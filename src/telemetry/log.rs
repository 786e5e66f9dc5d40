//! The log: lines are handed to one thread that writes them, so that a slow terminal or pipe delays no request.

use crate::config::{self, Level, LogFormat};
use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing_subscriber::{
    filter::LevelFilter, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Text that waits to be written; beyond this, lines are dropped and counted.
const WAITING_MAX_BYTES: usize = 4 << 20;
/// How long a line may wait for company, so that many lines share one write.
const GATHER: Duration = Duration::from_millis(20);

/// Where log lines go.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    format: LogFormat,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    is_writing: bool,
}

/// Starts the log as the process's own.
pub fn start(config: &config::Log) -> Log {
    let shared = Arc::new(Shared::default());
    let log = Log {
        shared: Arc::clone(&shared),
        format: config.format,
    };
    std::thread::Builder::new()
        .name("weir-log".to_owned())
        .spawn(move || write_lines(&shared))
        .expect("a thread can be started at start-up");
    let level = match config.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(log.clone())
        .with_ansi(false);
    let registry = tracing_subscriber::registry().with(level);
    match config.format {
        LogFormat::Text => registry.with(layer.with_target(false)).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
    log
}

impl Log {
    /// How its lines look.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Hands over one line, which ends with a line feed.
    pub fn line(&self, line: &[u8]) {
        let mut waiting = self.shared.lock();
        if waiting.text.len() + line.len() > WAITING_MAX_BYTES {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// Lines that were dropped because nobody read them fast enough.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines so far are written, a second at most.
    pub fn flush(&self) {
        let waiting = self.shared.lock();
        let unwritten = |waiting: &mut Waiting| waiting.is_writing || !waiting.text.is_empty();
        drop(
            self.shared
                .written
                .wait_timeout_while(waiting, Duration::from_secs(1), unwritten),
        );
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it is held")
    }
}

fn write_lines(shared: &Shared) {
    let mut text = Vec::new();
    loop {
        let waiting = shared.lock();
        let waiting = shared
            .filled
            .wait_while(waiting, |waiting| waiting.text.is_empty());
        drop(waiting);
        std::thread::sleep(GATHER);
        let mut waiting = shared.lock();
        std::mem::swap(&mut waiting.text, &mut text);
        waiting.is_writing = true;
        drop(waiting);
        // Standard error is the last resort: where it fails there is nobody to tell.
        let _ = io::stderr().write_all(&text);
        text.clear();
        shared.lock().is_writing = false;
        shared.written.notify_all();
    }
}

/// One line in the making; it is handed over whole.
pub struct Line<'a> {
    log: &'a Log,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.log.line(&self.text);
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            log: self,
            text: Vec::new(),
        }
    }
}
