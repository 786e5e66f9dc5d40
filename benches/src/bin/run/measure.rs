//! One measurement: a target is started, driven and stopped, alone with the upstream and the client.

use crate::{
    Args,
    build::Tools,
    machine::{self, Others, Place, Ports},
    scenario::{Drive, Scenario},
    target::{Running, Target},
};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::{
    cell::Cell,
    net::SocketAddr,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use weir_benches::{process, report::Report};

/// What a run is made with.
pub(crate) struct Bench {
    pub(crate) tools: Tools,
    pub(crate) workers: usize,
    pub(crate) ports: Ports,
    pub(crate) upstream_address: SocketAddr,
    longer: f64,
    /// What is left of it.
    patience: Cell<Duration>,
    _upstream: Running,
    pub(crate) place: Place,
}

/// What one measurement found.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Sample {
    /// From the start of the process to its first answer.
    pub(crate) start_ms: f64,
    /// Memory soon after.
    pub(crate) rss_bytes: u64,
    /// What the client saw.
    pub(crate) report: Report,
    /// Cores that something else kept busy.
    pub(crate) others: f64,
}

/// How often a start is repeated in one round: it is short, and the disk is in it.
const STARTS: usize = 5;
/// How long a process may still be busy with having started.
const SETTLE: Duration = Duration::from_millis(200);
/// How busy others may be in a quiet measurement, in cores: what a desktop or a virtual machine does anyway.
const QUIET_CORES: f64 = 0.15;
/// How often one measurement is repeated, so that patience is left for the others.
const REPEATS_MAX: usize = 4;

impl Bench {
    pub(crate) fn new(tools: Tools, args: &Args) -> anyhow::Result<Self> {
        let (ports, place) = (Ports::new(), Place::new()?);
        let upstream_address = ports.free();
        let upstream =
            Running::upstream(&tools.upstream, upstream_address).context("no upstream")?;
        Ok(Self {
            tools,
            workers: args.workers.unwrap_or(machine::cores().min(2)),
            ports,
            upstream_address,
            longer: args.longer,
            patience: Cell::new(Duration::from_secs_f64(args.patience)),
            _upstream: upstream,
            place,
        })
    }

    /// Measures once, or again while others are busy and there is patience left; keeps the quietest.
    pub(crate) fn measure(&self, scenario: &Scenario, target: &Target) -> anyhow::Result<Sample> {
        let mut best = self.once(scenario, target)?;
        for _ in 0..REPEATS_MAX {
            if best.others <= QUIET_CORES || self.patience.get().is_zero() {
                break;
            }
            let begun = Instant::now();
            let next = self.once(scenario, target)?;
            if next.others < best.others {
                best = next;
            }
            self.patience
                .set(self.patience.get().saturating_sub(begun.elapsed()));
        }
        Ok(best)
    }

    fn once(&self, scenario: &Scenario, target: &Target) -> anyhow::Result<Sample> {
        match scenario.drive {
            Drive::Start => self.starts(target),
            Drive::Load { args, seconds } => self.load(target, args, seconds * self.longer),
        }
    }

    /// The median of some starts.
    fn starts(&self, target: &Target) -> anyhow::Result<Sample> {
        let mut samples = Vec::new();
        for _ in 0..STARTS {
            let others = Others::watch();
            let running = target.start(self)?;
            sleep(SETTLE);
            let used = process::tree(running.pid());
            samples.push(Sample {
                start_ms: running.started.as_secs_f64() * 1e3,
                rss_bytes: used.rss_bytes,
                report: Report::default(),
                others: others.cores(Duration::ZERO),
            });
        }
        samples.sort_by(|a, b| a.start_ms.total_cmp(&b.start_ms));
        Ok(samples[STARTS / 2])
    }

    fn load(&self, target: &Target, args: &str, seconds: f64) -> anyhow::Result<Sample> {
        let running = target.start(self)?;
        sleep(SETTLE);
        let rss_bytes = process::tree(running.pid()).rss_bytes;
        let others = Others::watch();
        let output = Command::new(&self.tools.load)
            .args([
                "--target",
                &running.address.to_string(),
                "--key",
                &target.key,
            ])
            .args([
                "--pid",
                &running.pid().to_string(),
                "--seconds",
                &seconds.to_string(),
            ])
            .args(args.split_whitespace())
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "the client gave up");
        let report: Report = serde_json::from_slice(&output.stdout)?;
        Ok(Sample {
            start_ms: running.started.as_secs_f64() * 1e3,
            rss_bytes,
            report,
            others: others.cores(Duration::from_secs_f64(report.client_cpu_us / 1e6)),
        })
    }
}

/// All measurements of a run.
#[derive(Default, Serialize)]
pub(crate) struct Results {
    measured: Vec<Measured>,
    pub(crate) failures: usize,
}

#[derive(Serialize)]
struct Measured {
    scenario: &'static str,
    target: String,
    round: usize,
    #[serde(flatten)]
    sample: Sample,
}

impl Results {
    pub(crate) fn add(
        &mut self,
        scenario: &Scenario,
        target: &Target,
        round: usize,
        sample: Sample,
    ) {
        let (scenario, target) = (scenario.name, target.name.clone());
        self.measured.push(Measured {
            scenario,
            target,
            round,
            sample,
        });
    }

    /// A target's samples in a scenario, each with its round.
    pub(crate) fn of<'a>(
        &'a self,
        scenario: &'a str,
        target: &'a str,
    ) -> impl Iterator<Item = (usize, &'a Sample)> {
        self.measured
            .iter()
            .filter(move |measured| measured.scenario == scenario && measured.target == target)
            .map(|measured| (measured.round, &measured.sample))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Sample> {
        self.measured.iter().map(|measured| &measured.sample)
    }
}
