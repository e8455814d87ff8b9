//! A child process, run and measured: wall, processor time and peak memory from the system's own accounting, and what
//! can only be seen while it runs. It must not know what the figures are for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wait4::Wait4;

use crate::Failed;

/// How often a running process is looked at. Counting three thousand descriptors takes a millisecond.
const EVERY: Duration = Duration::from_millis(20);

/// What a process took, with its own children.
pub(crate) struct Measured {
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Peak resident memory in bytes.
    pub(crate) peak: u64,
    /// Exit code.
    pub(crate) code: i32,
    /// What it printed on both streams.
    pub(crate) output: String,
    /// When it was gone.
    pub(crate) gone: Timestamp,
    /// What was seen of it while it ran; empty where the system does not tell (not on Linux).
    pub(crate) samples: Vec<Sample>,
    /// How long `record.partial` was there, each time: a flush of the record as seen from outside.
    pub(crate) flushes: Vec<Span>,
}

/// A running process at one moment.
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

/// From when to when.
pub(crate) struct Span {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

/// Runs a command to its end with its output in `log`; another exit code than the `accepted` ones is a failure.
/// `runs` is where the run's directory appears, when it is to be watched.
pub(crate) fn measure(
    command: &mut Command,
    log: &Path,
    accepted: &[i32],
    runs: Option<&Path>,
) -> Result<Measured, Failed> {
    let out = File::create(log)?;
    command.stdin(std::process::Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("failed to start {command:?}: {error}"))?;
    let (id, done) = (child.id(), AtomicBool::new(false));
    let (ended, gone, wall, seen) = std::thread::scope(|threads| {
        let watcher = runs.map(|runs| threads.spawn(|| watch(id, runs, &done)));
        let ended = child.wait4();
        let (gone, wall) = (Timestamp::now(), start.elapsed());
        done.store(true, Ordering::Relaxed);
        let seen = watcher.and_then(|watcher| watcher.join().ok()).unwrap_or_default();
        (ended, gone, wall, seen)
    });
    let ended = ended?;
    let output = fs::read_to_string(log)?;
    let code = ended.status.code().unwrap_or(-1);
    if !accepted.contains(&code) {
        let end: Vec<&str> = output.lines().rev().take(12).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        return Err(format!("{command:?} ended with {}:\n{}", ended.status, end.join("\n")).into());
    }
    let cpu = ended.rusage.utime + ended.rusage.stime;
    let (samples, flushes) = seen;
    Ok(Measured { wall, cpu, peak: ended.rusage.maxrss, code, output, gone, samples, flushes })
}

fn watch(id: u32, runs: &Path, done: &AtomicBool) -> (Vec<Sample>, Vec<Span>) {
    let process = PathBuf::from(format!("/proc/{id}"));
    let (mut samples, mut flushes, mut partial, mut since) = (Vec::new(), Vec::new(), None::<PathBuf>, None);
    while !done.load(Ordering::Relaxed) {
        let now = Timestamp::now();
        if let (Some(resident), Ok(open)) = (resident(&process), fs::read_dir(process.join("fd"))) {
            samples.push(Sample { at: now, resident, descriptors: open.count() });
        }
        partial = partial.or_else(|| run_directory(runs).map(|directory| directory.join("record.partial")));
        match (partial.as_ref().is_some_and(|file| file.exists()), since) {
            (true, None) => since = Some(now),
            (false, Some(start)) => {
                flushes.push(Span { start, end: now });
                since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        std::thread::sleep(EVERY);
    }
    (samples, flushes)
}

/// Resident memory in bytes.
fn resident(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The directory of the only run under `runs`.
pub(crate) fn run_directory(runs: &Path) -> Option<PathBuf> {
    let scenario = fs::read_dir(runs).ok()?.flatten().next()?.path();
    fs::canonicalize(scenario.join("latest")).ok()
}
