//! The limits that the system sets to a process: each ends in an error that names it, or in a verdict.
#![cfg(unix)]

use crate::harness::{Place, json, skip};

#[test]
fn too_little_address_space_is_told_before_the_run() {
    let place = Place::of("");
    // Beyond these, the program itself does not start; below a good gigabyte, threads or allocations fail at random.
    for kilobytes in [100_000, 300_000, 600_000] {
        let done = place.shell(&format!("ulimit -v {kilobytes}; stress run scenario.yaml -q")).done().exits(3);
        done.prints_nothing().says(&["2 databases need", "of address space", "`ulimit -v unlimited`"]);
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn too_few_open_files_are_told_with_what_would_do() {
    let place = Place::of("");
    let done = place.shell("ulimit -n 20; stress run scenario.yaml -q").done().exits(3).prints_nothing();
    let done = done.says(&["2 databases need 142 open files, and the system allows 20", "`ulimit -n 142`"]);
    assert!(!done.err.contains("--databases"), "no number of databases would do: {done}");
    let done = place.shell("ulimit -n 150; stress run scenario.yaml -q --databases 9").done().exits(3);
    done.says(&["raise the limit with `ulimit -n 191`, or run with `--databases 3`"]);
    place.shell("ulimit -n 150; stress run scenario.yaml -q --databases 3").done().exits(0);
    assert_eq!(std::fs::read_dir(place.path("runs/test")).expect("the run").count(), 2, "a run and the link to it");
}

#[test]
fn a_file_that_may_not_grow_is_an_error_or_a_verdict() {
    let place = Place::of("scale: { databases: 2, iterations: 3, rows: 100 }\n");
    for blocks in [1, 16, 100, 400] {
        let done = place.shell(&format!("ulimit -f {blocks}; stress run scenario.yaml -q")).done();
        assert!(matches!(done.code, Some(1 | 3)), "{blocks}: {done}");
        let done = done.says(&["the system limits files to", "`ulimit -f`"]);
        let latest = place.path("runs/test/latest");
        for name in ["record.json", "report.json"] {
            if latest.join(name).exists() {
                json(&latest.join(name));
            }
        }
        assert!(!done.err.contains("free some disk space"), "{done}");
    }
}

#[test]
fn threads_that_do_not_start_are_told() {
    let place = Place::of("");
    // The limit does not hold for root, nor for what root may do.
    let nobody = "setpriv --reuid 65534 --clear-groups prlimit --nproc=";
    std::fs::set_permissions(place.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    if place.shell(&format!("{nobody}100 stress run scenario.yaml -q")).done().code != Some(0) {
        skip("threads_that_do_not_start_are_told", "the program cannot be run as somebody else here");
        return;
    }
    for processes in [1, 4, 12] {
        let done = place.shell(&format!("{nobody}{processes} stress run scenario.yaml -q --out {processes}")).done();
        done.exits(3).prints_nothing().says(&["`ulimit -u`"]);
        assert!(!place.path(&processes.to_string()).exists());
    }
}

#[test]
fn numbers_beyond_all_bounds_are_told_or_shown() {
    let place = Place::of("");
    let most = u64::MAX.to_string();
    for flag in ["--rows", "--iterations"] {
        place.stress(&["plan", "scenario.yaml", flag, &most]).done().exits(0);
    }
    for flag in ["--databases", "--rows", "--iterations", "--seed"] {
        let done = place.stress(&["run", "scenario.yaml", flag, "-1"]).done().exits(2).prints_nothing();
        let done = done.says(&[&format!("invalid value '-1' for '{flag} <N>': write a whole number, 0 or more")]);
        assert!(!done.err.contains("tip:"), "{done}");
        let done = place.stress(&["run", "scenario.yaml", flag, "18446744073709551616"]).done().exits(2);
        done.says(&["write 18446744073709551615 or less"]);
    }
    let done = place.stress(&["run", "scenario.yaml", "--time-limit", "-3s"]).done().exits(2);
    done.says(&["`-3s` is not a duration"]);
    let done = place.stress(&["run", "scenario.yaml", "--repeat", "-2"]).done().exits(2);
    done.says(&["invalid value '-2' for '--repeat <N>'"]);
    place.stress(&["run", "scenario.yaml", "--databases", "0"]).done().exits(2).says(&["it must be at least 1"]);
}
