//! Processor time and memory of processes, as the kernel counts them in /proc.

use std::fs;

/// Ticks a second in /proc: 100 on every Linux that distributions ship.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process and the children it has reaped have used; a zombie still says it.
pub fn of(pid: u32) -> f64 {
    fields(pid).map_or(0.0, |fields| fields.iter().skip(11).take(4).sum::<f64>() / TICKS)
}

/// As [`of`], with every living child: a server and its sessions.
pub fn with_children(pid: u32) -> f64 {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    of(pid) + children.filter(|child| fields(*child).is_some_and(|f| f.get(1) == Some(&f64::from(pid)))).map(of).sum::<f64>()
}

/// Nanoseconds that this thread has run; what others did meanwhile does not count.
pub fn of_this_thread() -> u64 {
    // The kernel brings the number up to date at its ticks, 4 ms apart, and whenever a thread gives way.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts a thread's time");
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).expect("nanoseconds")
}

/// Whether a process has ended and waits to be reaped.
pub fn is_zombie(pid: u32) -> bool {
    stat(pid).is_none_or(|stat| stat.starts_with('Z'))
}

/// The most memory that a process ever held, in megabytes; `None` when it has ended.
pub fn peak_rss(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

/// What follows the name, which may hold anything.
fn stat(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.to_owned())
}

/// Numbers of /proc/PID/stat from its third field on; the state, a letter, counts as 0.
fn fields(pid: u32) -> Option<Vec<f64>> {
    Some(stat(pid)?.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect())
}
