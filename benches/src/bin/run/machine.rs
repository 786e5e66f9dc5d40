//! This machine: its cores, its ports, and who else uses it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    cell::Cell,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use weir_benches::process;

/// Cores that may be used.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many wanted to run over the last minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Lets this process and its children have as many connections as the system allows.
pub(crate) fn raise_descriptor_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(())
}

/// Free ports of the loopback interface.
pub(crate) struct Ports(Cell<u16>);

impl Ports {
    /// Two runs at a time start far apart.
    pub(crate) fn new() -> Self {
        Self(Cell::new(FIRST + (std::process::id() % 200) as u16 * 100))
    }

    /// A port that nobody listens on.
    pub(crate) fn free(&self) -> SocketAddr {
        loop {
            let port = self.0.get();
            self.0.set(if port >= LAST { FIRST } else { port + 1 });
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        }
    }
}

/// Below what the kernel gives to outgoing connections, of which a benchmark opens thousands.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// A directory that is gone afterwards.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("weir-benches-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Watches how many cores are busy with anything but this benchmark.
pub(crate) struct Others {
    begun: Instant,
    busy: Duration,
    own: Duration,
}

impl Others {
    pub(crate) fn watch() -> Self {
        Self {
            begun: Instant::now(),
            busy: busy(),
            own: own(),
        }
    }

    /// Cores since then; `ended` is the CPU of children that lived in between.
    pub(crate) fn cores(&self, ended: Duration) -> f64 {
        let own = own().saturating_sub(self.own) + ended;
        let others = busy().saturating_sub(self.busy).saturating_sub(own);
        others.as_secs_f64() / self.begun.elapsed().as_secs_f64()
    }
}

fn own() -> Duration {
    Duration::from_nanos(process::tree(std::process::id()).cpu_ns)
}

/// What all cores have worked since the start of the machine.
fn busy() -> Duration {
    /// Linux shows hundredths of a second to programs, whatever it counts in.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1);
    let ticks: Vec<u32> = fields.filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return Duration::ZERO;
    };
    TICK * (user + nice + system + irq + softirq + steal)
}
