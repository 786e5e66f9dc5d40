//! What the threads of the gateway have taken, by the scheduler's account.

use anyhow::Context;
use std::{fs, time::Duration};

/// How the names of the gateway's threads begin.
pub(crate) const GATEWAY: &str = "weir";

/// The CPU time of all of the gateway's threads. Exact only while they rest.
pub(crate) fn taken() -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        // A thread may end while the others are read.
        let Ok(name) = fs::read_to_string(task.join("comm")) else {
            continue;
        };
        if name.starts_with(GATEWAY) {
            let account = fs::read_to_string(task.join("schedstat"))?;
            let on_cpu = account.split(' ').next().context("no account")?;
            nanos += on_cpu.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}
