//! Odd surroundings: what is not there, what is named strangely, what is not what it should be.
#![cfg(unix)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::harness::Place;

fn small() -> Place {
    Place::of("scale: { databases: 2, iterations: 1, rows: 5 }\n")
}

#[test]
fn a_run_needs_nothing_of_its_environment() {
    let place = small();
    for line in [
        "env -i $(which stress) run scenario.yaml -q",
        "HOME=/nonexistent stress run scenario.yaml -q",
        "TZ=Nowhere/Odd LANG=C LC_ALL=C TERM=none COLUMNS=0 stress run scenario.yaml",
        "stress run scenario.yaml -q <&-",
        "stress run scenario.yaml -q >&-",
    ] {
        let done = place.shell(line).done().exits(0);
        assert!(!done.err.contains("error"), "{done}");
    }
}

#[test]
fn a_directory_that_is_gone_is_told() {
    let place = small();
    let line = "mkdir gone; scenario=$PWD/scenario.yaml; out=$PWD/out; cd gone; rmdir ../gone; stress run $scenario -q";
    place.shell(line).done().exits(3).says(&["failed to create a run directory in `runs`: No such file"]);
    place.shell(&format!("{line} --out $out")).done().exits(0);
    place.shell("mkdir gone; cd gone; rmdir ../gone; stress list").done().exits(2).says(&["`scenarios`"]);
}

#[test]
fn odd_names_are_names() {
    let place = small();
    let long = format!("{}.json", "x".repeat(250));
    for line in [
        "stress run scenario.yaml -q --out 'a b\n$c'",
        "stress run scenario.yaml -q --out \"$(printf 'not\\377utf8')\"",
        "cp scenario.yaml 'a b\nc.yaml'; stress run 'a b\nc.yaml' -q",
        &format!("stress run scenario.yaml -q --report json={long}"),
    ] {
        place.shell(line).done().exits(0);
    }
    assert!(place.path(&long).is_file());
    assert!(place.path("").join(OsStr::from_bytes(b"not\xffutf8")).join("test/latest/report.json").exists());
    let longer = "y".repeat(300);
    place.stress(&["run", "scenario.yaml", "--out", &longer]).done().exits(3).says(&["File name too long"]);
    let report = format!("json={longer}");
    let done = place.stress(&["run", "scenario.yaml", "--report", &report]).done().exits(3).prints_nothing();
    done.says(&["File name too long"]);
}

#[test]
fn an_out_directory_that_is_none_is_told_and_a_link_to_one_is_one() {
    let place = small();
    place.write("file", "mine");
    std::fs::create_dir(place.path("real")).expect("there is room");
    symlink("real", place.path("link")).expect("a link");
    symlink("nowhere", place.path("dangling")).expect("a link");
    for out in ["file", "file/below", "dangling"] {
        let done = place.stress(&["run", "scenario.yaml", "--out", out]).done().exits(3).prints_nothing();
        done.says(&[&format!("failed to create a run directory in `{out}`")]);
    }
    place.stress(&["run", "scenario.yaml", "-q", "--out", "link"]).done().exits(0);
    assert!(place.path("real/test/latest/report.json").exists());
    place.stress(&["clean", "--keep", "0", "--out", "link"]).done().exits(0);
    assert!(place.path("link").symlink_metadata().is_ok_and(|it| it.is_symlink()) && !place.path("real/test").exists());
}
