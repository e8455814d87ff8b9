//! Under what the figures were measured: the machine and the versions of everything that takes part.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use stress::failure::Call;
use stress::session::{Loader, Opening, Session};

use crate::Bench;

/// Lines to print before the figures.
pub(crate) fn describe(bench: &Bench) -> String {
    let absent = || "–".to_owned();
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let value = text.lines().find(|line| line.starts_with(name))?.split_once(':')?.1.trim().to_owned();
        Some(value)
    };
    let line = |file: &str| fs::read_to_string(file).map(|text| text.trim().to_owned()).ok();
    let lines = [
        ("machine", field("/proc/cpuinfo", "model name").unwrap_or_else(absent)),
        ("processors", std::thread::available_parallelism().map_or_else(|_| absent(), |count| count.to_string())),
        ("memory", field("/proc/meminfo", "MemTotal").unwrap_or_else(absent)),
        ("system", format!("{} {}", std::env::consts::OS, line("/proc/sys/kernel/osrelease").unwrap_or_else(absent))),
        ("load before", line("/proc/loadavg").unwrap_or_else(absent)),
        ("stress", format!("{}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version())),
        ("sqlite3", bench.shell.as_ref().and_then(|shell| said(shell, "-version")).unwrap_or_else(absent)),
        ("extension", extension(bench).unwrap_or_else(absent)),
        ("rustc", said("rustc", "--version").unwrap_or_else(absent)),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<12} {value}");
    }
    if !cfg!(target_os = "linux") {
        text.push_str("not on Linux: memory during verify, descriptors and flushes are not measured\n");
    }
    text
}

/// The first line that a program says, when there is the program.
pub(crate) fn said(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned))?
}

fn extension(bench: &Bench) -> Option<String> {
    let loader = Loader::Extension(bench.extension.clone()?);
    let file = bench.directory.path().join("version.db");
    let opening = Opening { file: &file, loader: &loader, pragmas: &[], settings: &[], network: None };
    let session = Session::open(&opening).ok()?;
    session.call(Call::Open, "SELECT cloudsync_version()", &[]).ok()?
}
