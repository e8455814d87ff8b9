//! Disks that fill up, at every place where something is written. Each size is twice the one before.

use std::path::{Path, PathBuf};

use crate::acknowledged::Acknowledged;
use crate::harness::{Done, Report, files, skip};
use crate::scene::{Scene, start_hub, whole_or_absent};
use crate::small_disk::SmallDisk;
use crate::tally::{Case, campaign, times};

/// A run that takes about a megabyte.
const SCALE: &str = "scale: { databases: 3, iterations: 4, rows: 21, time_limit: 60s }\n";
/// What a person reads of a full disk.
const TOLD: [&str; 4] = ["disk is full", "No space left", "the disk has room", "free some disk space"];

/// Mounts a disk of `smallest << n` kibibytes, where `n` grows with the case; later cases take a size between.
fn disk(case: &mut Case<'_>, at: &Path, smallest: u64, sizes: u64) -> SmallDisk {
    let size = if case.number < sizes { smallest << case.number } else { smallest + case.below(smallest << sizes) };
    SmallDisk::mount(at, &format!("{size}k")).expect("it was possible before")
}

fn can_mount(test: &str) -> bool {
    let directory = tempfile::tempdir().expect("there is room");
    let can = SmallDisk::mount(&directory.path().join("disk"), "64k").is_some();
    if !can {
        skip(test, "a tmpfs cannot be mounted here");
    }
    can
}

/// A run beside a disk that may be full passes, or says that the disk is.
fn passes_or_names_the_disk(case: &mut Case<'_>, done: &Done) {
    case.ended(done);
    let told = format!("{}{}", done.out, done.err);
    let named = TOLD.iter().any(|text| told.contains(text));
    assert!(done.code == Some(0) || (matches!(done.code, Some(1 | 3)) && named), "{done}");
}

/// Nothing under a directory is a file that was half written.
fn nothing_is_partial(under: &Path) {
    let partial = files(under).into_iter().filter(|file| file.to_string_lossy().contains(".partial"));
    assert_eq!(partial.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn a_full_disk_under_the_runs_is_named() {
    if !can_mount("a_full_disk_under_the_runs_is_named") {
        return;
    }
    campaign("a full disk: the run's directory", times(8), |case| {
        let scene = Scene::new(case.number % 2 == 1, false, SCALE);
        let disk = disk(case, &scene.place.path("disk"), 32, 8);
        let done = scene.run(1, &["--out", "disk/runs"]).done();
        passes_or_names_the_disk(case, &done);
        let latest = disk.0.join("runs/test/latest");
        if latest.exists() {
            whole_or_absent(&latest);
            nothing_is_partial(&disk.0);
        }
        if done.code == Some(0) {
            let report = std::fs::read_to_string(latest.join("report.json")).expect("a run that passed has a report");
            assert_eq!(Report::parse(&report).verdict(), "pass");
        }
    });
}

#[test]
fn a_full_disk_under_the_hub_loses_nothing_that_was_acknowledged() {
    if !can_mount("a_full_disk_under_the_hub_loses_nothing_that_was_acknowledged") {
        return;
    }
    campaign("a full disk: the hub's data", times(6), |case| {
        let mut scene = Scene::new(false, false, SCALE);
        let _disk = disk(case, &scene.place.path("hub"), 64, 6);
        match start_hub(&scene.place, "") {
            Ok(hub) => scene.hub = Some(hub),
            Err(done) => return passes_or_names_the_disk(case, &done),
        }
        scene.write(SCALE);
        let done = scene.run(1, &[]).done();
        passes_or_names_the_disk(case, &done);
        let sent = scene.latest().map(|run| Acknowledged::read(&run)).unwrap_or_default();
        sent.held_by_the_server(1, &scene.place);
    });
}

#[test]
fn a_full_disk_for_temporary_files_is_named() {
    if !can_mount("a_full_disk_for_temporary_files_is_named") {
        return;
    }
    campaign("a full disk: TMPDIR", times(2), |case| {
        let scene = Scene::new(false, false, SCALE);
        let disk = disk(case, &scene.place.path("tmp"), 16, 2);
        let filled = std::fs::write(disk.0.join("filled"), vec![0; 1 << 20]);
        assert!(filled.is_err(), "it is small");
        let tmp = disk.0.display().to_string();
        let run = scene.run(1, &[]).env("TMPDIR", &tmp).env("SQLITE_TMPDIR", &tmp);
        passes_or_names_the_disk(case, &run.done());
    });
}

#[test]
fn a_full_disk_for_reports_is_named_and_keeps_the_run() {
    if !can_mount("a_full_disk_for_reports_is_named_and_keeps_the_run") {
        return;
    }
    campaign("a full disk: the reports", times(6), |case| {
        let scene = Scene::new(false, false, SCALE);
        let disk = disk(case, &scene.place.path("disk"), 8, 6);
        let reports = "html=disk/r.html,json=disk/r.json,junit=disk/r.xml,csv=disk/r.csv,markdown=disk/r.md";
        let done = scene.run(1, &["--report", reports]).done();
        passes_or_names_the_disk(case, &done);
        nothing_is_partial(&disk.0);
        let json = disk.0.join("r.json");
        if json.exists() {
            Report::parse(&std::fs::read_to_string(json).expect("it is text"));
        }
        assert_eq!(files(&disk.0).len() == 5, done.code == Some(0), "{done}");
        // The run itself has its report.
        let own = scene.latest().expect("there was a run").join("report.json");
        assert_eq!(Report::parse(&std::fs::read_to_string(own).expect("it is text")).verdict(), "pass");
    });
}
