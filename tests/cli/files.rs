//! Where reports go and what is read: nothing of the user's is destroyed on the way, and nothing is waited for for ever.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use crate::harness::{Done, Place, Report, files, json};

/// The longest that a refusal may take, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

fn small() -> Place {
    Place::of("scale: { databases: 2, iterations: 1, rows: 5 }\n")
}

fn fifo(place: &Place, path: &str) {
    place.shell(&format!("mkfifo {path}")).done().exits(0);
}

fn reported(place: &Place, to: &str) -> Done {
    place.stress(&["run", "scenario.yaml", "-q", "--report", to]).done()
}

/// Nothing is left of what was not whole.
fn nothing_is_unfinished(place: &Place) {
    let left = files(&place.path(""));
    let left: Vec<_> = left.iter().filter(|file| file.to_string_lossy().contains(".stress-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_report_to_a_device_or_a_pipe_leaves_it_what_it_is() {
    let place = small();
    // Through a link, as the device's own directory is the system's.
    symlink("/dev/null", place.path("null")).expect("a link");
    reported(&place, "json=null").exits(0);
    assert!(place.path("null").metadata().expect("it is there").file_type().is_char_device());
    assert!(place.path("null").symlink_metadata().expect("it is there").is_symlink());
    fifo(&place, "pipe");
    let line = "cat pipe > read & stress run scenario.yaml -q --report json=pipe && wait";
    place.shell(line).done().exits(0);
    assert!(place.path("pipe").metadata().expect("it is there").file_type().is_fifo());
    let read = fs::read_to_string(place.path("read")).expect("it was read");
    assert_eq!(Report::parse(&read).verdict(), "pass");
    let line = "stress run scenario.yaml -q --report json=/dev/full";
    place.shell(line).done().exits(3).says(&["failed to write `/dev/full`: No space left on device"]);
    nothing_is_unfinished(&place);
}

#[test]
fn a_pipe_that_nobody_reads_is_waited_for_only_so_long() {
    let place = small();
    fifo(&place, "pipe");
    let done = reported(&place, "json=pipe").exits(3);
    let done = done.says(&["failed to write `pipe`: nobody reads from it", "help: start the reader first"]);
    assert!(done.out.starts_with("PASS: ") && done.took < SOON, "{done}");
    // A reader that opens it and reads nothing: more than a pipe takes.
    let line =
        "sleep 60 < pipe & stress report runs/test/latest --report html=pipe > said; code=$?; kill $!; exit $code";
    place.shell(line).done().exits(3).says(&["its reader takes nothing more"]);
    assert!(place.path("pipe").metadata().expect("it is there").file_type().is_fifo());
}

#[test]
fn a_report_to_stdout_by_its_device_is_not_written_over_the_rest() {
    let place = small();
    let line = "stress run scenario.yaml --report json=/dev/stdout > out";
    place.shell(line).done().exits(0);
    assert_eq!(Report::parse(&fs::read_to_string(place.path("out")).expect("it is there")).verdict(), "pass");
}

#[test]
fn a_report_follows_a_link_and_keeps_permissions() {
    let place = small();
    place.write("elsewhere/target.json", "before");
    fs::set_permissions(place.path("elsewhere/target.json"), PermissionsExt::from_mode(0o640)).expect("it is ours");
    symlink("elsewhere/target.json", place.path("link.json")).expect("a link");
    symlink("elsewhere/new.json", place.path("new.json")).expect("a link");
    for link in ["link.json", "new.json"] {
        reported(&place, &format!("json={link}")).exits(0);
        assert!(place.path(link).symlink_metadata().expect("it is there").is_symlink(), "{link}");
        assert_eq!(json(&place.path(link))["verdict"], "pass", "{link}");
    }
    let mode = |path: &str| place.path(path).metadata().expect("it is there").mode() & 0o777;
    assert_eq!(mode("elsewhere/target.json"), 0o640);
    place.shell("umask 027 && stress run scenario.yaml -q --report json=mine.json").done().exits(0);
    assert_eq!(mode("mine.json"), 0o640);
    symlink("b", place.path("a")).expect("a link");
    symlink("a", place.path("b")).expect("a link");
    reported(&place, "json=a").exits(3).prints_nothing().says(&["failed to write `a`: "]);
    nothing_is_unfinished(&place);
}

#[test]
fn a_file_of_the_users_with_a_name_like_ours_stays() {
    let place = small();
    place.write("keep.partial", "mine");
    place.write("precious", "mine, too");
    symlink("precious", place.path("o.partial")).expect("a link");
    for to in ["json=keep.json", "json=o.json"] {
        reported(&place, to).exits(0);
    }
    place.stress(&["compare", "runs/test/latest", "runs/test/latest", "--html", "o.html"]).done().exits(0);
    let read = |path: &str| fs::read_to_string(place.path(path)).expect("it is there");
    assert_eq!((read("keep.partial"), read("precious")), ("mine".to_owned(), "mine, too".to_owned()));
    assert!(place.path("o.partial").symlink_metadata().expect("it is there").is_symlink());
}

#[test]
fn what_takes_no_report_is_refused_before_the_run() {
    let place = small();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket")).expect("a socket");
    fs::create_dir(place.path("directory")).expect("there is room");
    for (to, why) in [
        ("json=socket", "failed to write `socket`: it is a socket"),
        ("json=directory", "failed to write `directory`: it is a directory"),
        ("json=/dev/nul", "failed to write `/dev/nul`: No such file"),
    ] {
        reported(&place, to).exits(3).prints_nothing().says(&[why]);
    }
    assert!(!place.path("runs").exists(), "no run was made");
    fifo(&place, "pipe");
    let run = ["run", "scenario.yaml", "--repeat", "2", "--report"];
    let done = place.stress(&[&run[..], &["csv=pipe"]].concat()).done().exits(2);
    done.says(&["`--report csv=pipe` would write 2 reports into one stream"]);
    symlink("/dev/null", place.path("null")).expect("a link");
    place.stress(&[&run[..], &["json=null"]].concat()).done().exits(0);
    assert!(!place.path("null-1").exists() && place.path("null").symlink_metadata().is_ok_and(|it| it.is_symlink()));
}

#[test]
fn a_hub_leaves_the_files_of_its_directory_alone() {
    let place = small();
    place.write("data/.writable", "mine");
    let mut hub = place.stress(&["hub", "--data", "data", "--address", "127.0.0.1:0"]).start();
    hub.until("its files", || place.path("data").read_dir().expect("it is there").count() > 1);
    hub.signal("INT");
    hub.done().exits(0);
    assert_eq!(fs::read_to_string(place.path("data/.writable")).expect("it stays"), "mine");
}

#[test]
fn what_is_no_record_is_not_read_for_ever() {
    let place = small();
    place.stress(&["run", "scenario.yaml", "-q"]).done().exits(0);
    fs::create_dir(place.path("piped")).expect("there is room");
    fifo(&place, "piped/record.json");
    fs::create_dir(place.path("large")).expect("there is room");
    let large = fs::File::create(place.path("large/record.json")).expect("there is room");
    // A file of nothing but holes, which takes no room.
    large.set_len(4 << 30).expect("it can be long");
    for (directory, why) in
        [("piped", "it is not a regular file"), ("large", "it has 4.0 GiB, and no file of more than")]
    {
        for command in [&["report", directory][..], &["compare", directory, "runs/test/latest"]] {
            let done = place.stress(command).done().exits(3).prints_nothing();
            let done = done.says(&[&format!("failed to read {directory}/record.json: {why}")]);
            assert!(done.took < SOON, "{done}");
        }
    }
    // What lies beside a record, too.
    let directory = place.run_dir("test");
    fs::remove_file(directory.join("scenario.yaml")).expect("it was there");
    fifo(&place, "runs/test/latest/scenario.yaml");
    let done = place.stress(&["report", "runs/test/latest"]).done();
    done.disagrees(&["scenario.yaml beside it cannot be read: it is not a regular file"]);
    fifo(&place, "pipe");
    place.stress(&["report", "pipe"]).done().exits(2).prints_nothing().says(&["pipe is not a directory"]);
    place.stress(&["compare", "pipe", "pipe"]).done().exits(2).prints_nothing();
}

#[test]
fn manual_pages_and_scenarios_are_written_whole_or_not_at_all() {
    let place = small();
    place.stress(&["man", "man"]).done().exits(0);
    let page = fs::read_to_string(place.path("man/stress-list.1")).expect("it is there");
    let line = "ulimit -f 0; stress man man; echo $?; stress new mine --scale small; echo $?";
    let done = place.shell(line).done();
    assert_eq!(done.out, "3\n3\n", "{done}");
    done.says(&[
        "failed to write `scenarios/mine.yaml`: File too large",
        "failed to write `man/",
        "`ulimit -f unlimited`",
    ]);
    assert_eq!(fs::read_to_string(place.path("man/stress-list.1")).expect("it stays"), page);
    assert!(!place.path("scenarios/mine.yaml").exists());
    nothing_is_unfinished(&place);
    place.stress(&["new", "mine", "--scale", "small"]).done().exits(0);
    let done = place.stress(&["new", "mine", "--scale", "small"]).done().exits(2);
    done.says(&["`scenarios/mine.yaml` exists already"]);
}
