//! Old runs are removed, and nothing else is.

use std::fs;
use std::path::Path;

use crate::harness::{Place, files, json};

const ONCE: &str = "scale: { databases: 2, iterations: 1, rows: 5 }\n";

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it can be read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A place with this many runs, and the directories of them, the oldest first.
fn made(count: usize) -> (Place, Vec<String>) {
    let place = Place::of(ONCE);
    place.stress(&["run", "scenario.yaml", "-q"]).done().exits(0);
    let first = place.run_dir("test");
    let runs: Vec<String> = (0..count).map(|day| format!("202601{:02}T120000Z-abcde{day}", day + 1)).collect();
    for run in &runs {
        let copy = place.path("runs/test").join(run);
        for file in files(&first) {
            let to = copy.join(file.strip_prefix(&first).expect("it lies there"));
            fs::create_dir_all(to.parent().expect("it has one")).expect("there is room");
            fs::copy(&file, to).expect("there is room");
        }
    }
    fs::remove_dir_all(&first).expect("it is ours");
    (place, runs)
}

#[test]
fn the_newest_runs_stay_and_the_link_leads_to_one() {
    let (place, runs) = made(7);
    let before = names(&place.path("runs/test"));
    let dry = place.stress(&["clean", "--dry-run", "--keep", "2"]).done().exits(0);
    assert!(dry.out.contains(&format!("would remove runs/test/{}, ", runs[4])), "{dry}");
    assert!(
        dry.last_line().starts_with("5 runs would be removed, ") && dry.last_line().ends_with("; 2 runs kept"),
        "{dry}"
    );
    assert_eq!(names(&place.path("runs/test")), before);
    // The run of the link is gone.
    let done = place.stress(&["clean"]).done().exits(0);
    assert!(
        done.last_line().starts_with("2 runs removed, ") && done.last_line().contains("KiB of disk space"),
        "{done}"
    );
    assert_eq!(fs::read_link(place.path("runs/test/latest")).expect("a link"), Path::new(&runs[6]));
    place.stress(&["report", "runs/test/latest"]).done().exits(0);
    place.stress(&["clean", "--older", "1d", "test"]).done().exits(0);
    assert!(!place.path("runs/test").exists(), "nothing was left in it");
    place.stress(&["clean"]).done().exits(0);
    let done = place.stress(&["clean", "tset"]).done().exits(2);
    done.says(&["there are no runs of a scenario `tset` in `runs`"]);
}

#[test]
fn the_young_stay_and_what_no_run_has_made() {
    let (place, runs) = made(3);
    place.stress(&["run", "scenario.yaml", "-q"]).done().exits(0);
    place.write("runs/notes.txt", "mine");
    place.write("runs/test/notes/mine.txt", "mine");
    place.write(&format!("runs/test/{}/notes.txt", runs[0]), "mine");
    place.write("precious/record.json", "{}");
    #[cfg(unix)]
    for (to, link) in [("../../precious", "runs/test/20250101T120000Z-aaaaaa"), ("../precious", "runs/linked")] {
        std::os::unix::fs::symlink(to, place.path(link)).expect("a link");
    }
    let done = place.stress(&["clean", "--older", "7d"]).done().exits(0);
    let done = done.says(&[&format!("kept runs/test/{}: no run has made `notes.txt` in it", runs[0])]);
    assert!(done.last_line().starts_with("2 runs removed, "), "{done}");
    let left = names(&place.path("runs/test"));
    assert!(left.contains(&runs[0]) && !left.contains(&runs[1]) && !left.contains(&runs[2]), "{left:?}");
    for mine in ["runs/notes.txt", "runs/test/notes/mine.txt", "precious/record.json"] {
        assert!(place.path(mine).exists(), "{mine}");
    }
    assert!(place.run_dir("test").join("report.json").exists());
    for bad in [&["clean", "../precious"][..], &["clean", ".."], &["clean", "linked"], &["clean", "--out", "none"]] {
        place.stress(bad).done().exits(2).prints_nothing();
    }
}

#[test]
fn a_run_that_goes_on_stays() {
    let place = Place::of("scale: { databases: 2, iterations: 1000000, rows: 5, time_limit: 10m }\n");
    let mut running = place.stress(&["run", "scenario.yaml", "-q"]).start();
    let log = place.path("runs/test/latest/logs/db1.log");
    running.until("its first iteration", || fs::read_to_string(&log).is_ok_and(|log| log.contains("[iter 1]")));
    let done = place.stress(&["clean", "--keep", "0"]).done().exits(0).says(&[": the run goes on"]);
    assert!(done.last_line().starts_with("0 runs removed"), "{done}");
    assert!(log.exists());
    running.signal("INT");
    running.done().exits(130);
    place.stress(&["clean", "--keep", "0"]).done().exits(0);
    assert!(!place.path("runs/test").exists());
}

#[test]
fn databases_that_the_next_run_continues_with_and_devices_stay_known() {
    let (place, runs) = made(2);
    let record = place.path("runs/test").join(&runs[0]).join("record.json");
    let mut cloud = json(&record);
    cloud["target"]["kind"] = "cloudsync".into();
    cloud["workers"][0]["site_id"] = "00112233445566778899aabbccddeeff".into();
    fs::write(&record, cloud.to_string()).expect("there is room");
    place.write("runs/test/databases/reuse.json", "{}");
    place.write(
        "runs/test/repeat.json",
        &format!(
            "{{\"version\": 1, \"scenario\": \"test\", \"planned\": 1, \"runs\": [{{\"directory\": \"{}\"}}]}}",
            runs[0]
        ),
    );
    let done = place.stress(&["clean", "--keep", "0"]).done().exits(0);
    done.says(&["kept runs/test/databases: runs with `reuse` continue with them; `stress cleanup FILE` removes them"]);
    let left = names(&place.path("runs/test"));
    assert!(left.starts_with(&["databases".to_owned(), "devices.json".to_owned()]), "{left:?}");
    let devices = json(&place.path("runs/test/devices.json")).to_string();
    assert!(devices.contains("00112233445566778899aabbccddeeff"), "{devices}");
}

#[test]
fn the_list_of_a_series_goes_with_its_runs() {
    let place = Place::of(ONCE);
    place.stress(&["run", "scenario.yaml", "-q", "--repeat", "3"]).done().exits(0);
    assert!(place.path("runs/test/repeat.json").exists());
    place.stress(&["clean", "--keep", "3"]).done().exits(0);
    assert!(place.path("runs/test/repeat.json").exists());
    place.stress(&["clean", "--keep", "1"]).done().exits(0).says(&["the list of a series is removed with its runs"]);
    assert_eq!(names(&place.path("runs/test")).len(), 2, "a run and the link to it");
}
