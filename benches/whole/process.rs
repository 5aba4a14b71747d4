//! What the system says of a process: CPU time by thread, memory.

use std::collections::BTreeMap;
use std::fs;

/// Kernel ticks of CPU time a second, on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds that a process has taken so far, user and system, threads that ended included.
pub fn cpu_seconds(pid: u32) -> f64 {
    ticks_in(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()) / TICKS
}

/// CPU nanoseconds of each group of live threads of a process, by the name of its threads without their numbers.
pub fn cpu_by_thread(pid: u32) -> BTreeMap<String, u64> {
    let mut groups = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let task = task.unwrap().path();
        // A thread may have ended meanwhile.
        let (Ok(name), Ok(took)) =
            (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
        else {
            continue;
        };
        let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || "-:#".contains(c)).to_owned();
        let took: u64 = took.split(' ').next().unwrap().parse().unwrap();
        *groups.entry(name).or_default() += took;
    }
    groups
}

/// Memory of a process in MB (10^6 bytes): resident, and its share of what it shares.
pub fn memory_mb(pid: u32) -> (f64, f64) {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let field = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024.0 / 1e6
    };
    (field("Rss:"), field("Pss:"))
}

/// utime and stime: fields 14 and 15, counted after the name, which may hold anything.
fn ticks_in(stat: &str) -> f64 {
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}
