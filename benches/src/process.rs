//! What a process and all its children have used, as the kernel counts it.

use std::fs;

/// What a process tree uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Time on a CPU, all threads that still live together.
    pub cpu_ns: u64,
    /// Memory that is resident, what processes share counted once for each.
    pub rss_bytes: u64,
}

/// Reads what `pid` and its descendants use. A process that is gone uses nothing.
pub fn tree(pid: u32) -> Used {
    let mut used = one(pid);
    for child in children(pid) {
        let more = tree(child);
        used.cpu_ns += more.cpu_ns;
        used.rss_bytes += more.rss_bytes;
    }
    used
}

fn one(pid: u32) -> Used {
    let cpu_ns = tasks(pid, "schedstat")
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum();
    Used {
        cpu_ns,
        rss_bytes: rss_bytes(pid).unwrap_or(0),
    }
}

fn children(pid: u32) -> Vec<u32> {
    tasks(pid, "children")
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A file of each thread of a process.
fn tasks(pid: u32, file: &'static str) -> impl Iterator<Item = String> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .filter_map(move |task| fs::read_to_string(task.ok()?.path().join(file)).ok())
}

fn rss_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_cpu_and_memory_and_a_gone_one_nothing() {
        let used = tree(std::process::id());
        assert!(used.cpu_ns > 0 && used.rss_bytes > 0);
        assert_eq!(tree(u32::MAX), Used::default());
    }
}
