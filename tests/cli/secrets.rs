//! Secrets while a run is at work, and after it was struck down: not in the titles of any of its processes and threads,
//! and in nothing that it leaves behind.

use std::path::{Path, PathBuf};

use base64::Engine;

use crate::cloudsync::extension;
use crate::harness::{Place, RLS, files};
use crate::provision::armed;
use crate::standin::{API_KEY, MANAGEMENT_KEY, StandIn};

/// Works until it is told not to.
const ENDLESS: &str = "
scale: { databases: 4, iterations: 1000000, rows: 5, time_limit: 10m }
settle: { rounds: 1, wait: 1ms }
verify: [converged]
";

/// Every secret of a run with two users, in every form.
fn forms() -> Vec<String> {
    let tokens = (1..=4).map(|index| format!("{index}|sqa_s3cret+{index}"));
    let secrets = [API_KEY.to_owned(), MANAGEMENT_KEY.to_owned()].into_iter().chain(tokens);
    let forms = |secret: String| {
        let encoded = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&secret);
        [secret, encoded, base64]
    };
    secrets.flat_map(forms).collect()
}

fn has_none(bytes: &[u8], whose: &Path) {
    for form in forms() {
        let held = bytes.windows(form.len()).any(|window| window == form.as_bytes());
        assert!(!held, "{form} in {}: {}", whose.display(), String::from_utf8_lossy(bytes));
    }
}

/// A run with tokens of its own, at work.
fn working(standin: &StandIn, place: &Place, extension: &str) -> crate::harness::Running {
    let keys = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n";
    let text = format!("{}{}{ENDLESS}", standin.target(keys), RLS.replace("user: 1", "user: 2"));
    place.write("scenario.yaml", &crate::harness::scenario(&text));
    let run = armed(place.stress(&["run", "scenario.yaml"])).env("STRESS_CLOUDSYNC_EXTENSION", extension);
    let mut running = run.start();
    let log = place.path("runs/test/latest/logs/db4.log");
    running.until("work", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("iter 1")));
    running
}

#[cfg(target_os = "linux")]
#[test]
fn no_title_of_a_process_or_thread_has_a_secret() {
    let Some(extension) = extension("no_title_of_a_process_or_thread_has_a_secret") else { return };
    let (standin, place) = (StandIn::start(), Place::new());
    let running = working(&standin, &place, &extension);
    let seen = titles(running.id());
    assert!(seen.len() > 2 * (1 + 4), "it and its threads: {seen:?}");
    for title in seen {
        has_none(&std::fs::read(&title).unwrap_or_default(), &title);
    }
    running.signal("INT");
    running.done().exits(130);
}

#[cfg(target_os = "linux")]
#[test]
fn npm_is_started_without_a_secret_in_its_title() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write(
        "bin/npm",
        "#!/bin/sh\necho there > \"$HOME/there\"\nwhile test -e \"$HOME/there\"; do sleep 0.1; done\nexit 1\n",
    );
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path("bin/npm"), executable).expect("it is ours");
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut running = armed(place.stress(&["extension", "install"])).env("PATH", &path).start();
    running.until("npm", || place.path("there").exists());
    let seen = titles(running.id());
    let told: Vec<u8> = seen.iter().flat_map(|title| std::fs::read(title).unwrap_or_default()).collect();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("bin/npm") && told.contains("--ignore-scripts"), "npm was looked at: {told}");
    has_none(told.as_bytes(), Path::new("npm"));
    std::fs::remove_file(place.path("there")).expect("it is there");
    running.done().exits(3);
}

/// The files with the titles of a process, its threads, and all processes that it started.
#[cfg(target_os = "linux")]
fn titles(process: u32) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![process]);
    while let Some(process) = open.pop() {
        let proc = PathBuf::from(format!("/proc/{process}"));
        found.push(proc.join("cmdline"));
        for thread in std::fs::read_dir(proc.join("task")).into_iter().flatten().flatten() {
            found.push(thread.path().join("comm"));
            found.push(thread.path().join("cmdline"));
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found
}

#[test]
fn what_a_run_leaves_that_was_aborted_has_no_secret() {
    let Some(extension) = extension("what_a_run_leaves_that_was_aborted_has_no_secret") else { return };
    let (standin, place) = (StandIn::start(), Place::new());
    let running = working(&standin, &place, &extension);
    running.signal("ABRT");
    let done = running.done();
    assert_eq!(done.code, None, "{done}");
    has_none(format!("{}{}", done.out, done.err).as_bytes(), Path::new("its output"));
    let left = files(&place.path("runs"));
    assert!(left.iter().any(|file| file.ends_with("db1.db")), "{left:?}");
    for file in left {
        has_none(&std::fs::read(&file).expect("a file"), &file);
    }
}
