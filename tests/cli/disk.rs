//! A disk that is full: never a half-written report that looks whole.

use crate::harness::{Place, json, skip};
use crate::small_disk::SmallDisk;

#[test]
fn a_full_disk_is_told_and_leaves_nothing_that_looks_whole() {
    for (size, rows) in [("64k", "10"), ("200k", "10"), ("300k", "1000"), ("1m", "3000"), ("2m", "3000")] {
        let place = Place::of("scale: { databases: 2, iterations: 5, rows: 10 }\n");
        let Some(disk) = SmallDisk::mount(&place.path("disk"), size) else {
            skip("a_full_disk_is_told_and_leaves_nothing_that_looks_whole", "a tmpfs cannot be mounted here");
            return;
        };
        let done = place.stress(&["run", "scenario.yaml", "--out", "disk/runs", "--rows", rows]).done();
        let told = format!("{}{}", done.out, done.err);
        assert!(matches!(done.code, Some(1 | 3)), "{size}: {done}");
        // SQLite says "disk I/O error" where the file of its shared memory cannot grow: the help names the disk then.
        assert!(
            ["disk is full", "No space left", "the disk has room", "free some disk space"]
                .iter()
                .any(|text| told.contains(text)),
            "{size}: {done}"
        );
        if done.code == Some(3) {
            assert!(
                done.out.is_empty() && done.err.contains("disk/runs") && done.err.contains("--out"),
                "{size}: {done}"
            );
        }
        let latest = disk.0.join("runs/test/latest");
        for name in ["record.json", "report.json"] {
            if latest.join(name).exists() {
                // Whole, or not there.
                json(&latest.join(name));
            }
        }
        if latest.join("report.json").exists() {
            assert_eq!(json(&latest.join("report.json"))["verdict"], "fail", "{size}");
        }
        if let Ok(entries) = std::fs::read_dir(&latest) {
            let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
            assert!(
                names.into_iter().all(|name| !name.starts_with(".stress-")),
                "{size}: something unfinished is left"
            );
        }
    }
}
