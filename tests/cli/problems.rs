//! Every command tells a problem in the same way: `error: ` at the start of a line, what to do on a line of its own, and
//! the exit code by the kind of problem.

use crate::harness::Place;

/// Something that each command cannot do, with the exit code and what to do about it. clap's own refusals have no help.
const REFUSED: &[(&[&str], i32, Option<&str>)] = &[
    (&["run", "none.yaml"], 2, Some("check the path")),
    (&["run", "scenario.yaml", "--out", "file"], 3, Some("name a writable directory with `--out`")),
    (&["validate", "none.yaml"], 2, Some("check the path")),
    (&["validate", "*.yml"], 2, Some("check the folder and the ending, `.yaml` or `.yml`")),
    (&["plan", "none.yaml"], 2, Some("check the path")),
    (&["list", "empty"], 2, Some("write one with `stress new NAME`")),
    (&["new", "../mine"], 2, Some("use letters, digits, `-` and `_`, a letter or digit first")),
    (&["report", "nowhere"], 2, Some("`stress run` names a run's directory when it starts")),
    (&["report", "--serve"], 2, Some("name a run's directory")),
    (&["report", "damaged"], 3, Some("use the `stress` that made it")),
    (&["doctor", "none.yaml"], 2, Some("check the path")),
    (
        &["provision", "scenario.yaml"],
        3,
        Some("every run starts and stops its own; this command is for `target: {cloudsync: …}`"),
    ),
    (
        &["cleanup", "scenario.yaml"],
        3,
        Some("every run starts and stops its own; this command is for `target: {cloudsync: …}`"),
    ),
    (&["extension", "install", "--version", "?"], 3, Some("write it as 1.1.4")),
    (&["driver", "new", "file"], 2, Some("name another file, or remove this one first")),
    (&["compare", "damaged", "damaged"], 3, Some("use the `stress` that made it")),
    (&["clean"], 2, Some("name the directory of the runs with `--out`")),
    (&["selftest", "--only", "dorp_row"], 2, None),
    (&["hub", "--address", "127.0.0.1:0", "--data", "file"], 3, Some("choose a writable directory")),
    (&["schema", "nothing"], 2, None),
    (&["completions", "tcsh"], 2, None),
    (&["man", "file/pages"], 3, Some("name a writable directory")),
    (&["help", "repot"], 2, Some("did you mean `report`?")),
];

/// The commands that `stress --help` lists.
fn commands(place: &Place) -> Vec<String> {
    let help = place.stress(&["--help"]).done().exits(0).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_tells_a_problem_in_the_same_way() {
    let place = Place::of("");
    place.write("file", "");
    place.write("empty/readme.txt", "");
    place.write("damaged/record.json", "{\"version\": 99}");
    for command in commands(&place) {
        assert!(
            REFUSED.iter().any(|(arguments, ..)| arguments[0] == command),
            "no problem of `{command}` is looked at"
        );
    }
    for (arguments, code, help) in REFUSED {
        let done = place.stress(arguments).done().exits(*code).prints_nothing();
        assert!(done.err.lines().any(|line| line.starts_with("error: ")), "{done}");
        let told: Vec<&str> = done.err.lines().filter_map(|line| line.trim_start().strip_prefix("help: ")).collect();
        assert_eq!(told, Vec::from_iter(*help), "{done}");
        assert!(!done.err.contains('\u{1b}'), "{done}");
    }
}

#[test]
fn a_recorded_scenario_that_makes_no_plan_any_more_is_shown_with_the_place() {
    let place = Place::of("");
    place.stress(&["run", "scenario.yaml", "-q"]).done().exits(0);
    let path = place.run_dir("test").join("record.json");
    let record = std::fs::read_to_string(&path).expect("the run left it");
    std::fs::write(&path, record.replace("INSERT INTO notes", "INSERT INTO nots")).expect("there is room");
    for command in [&["report", "runs/test/latest"][..], &["compare", "runs/test/latest", "runs/test/latest"]] {
        let done = place.stress(command).done().exits(3).prints_nothing();
        let done = done.says(&["runs/test/latest/scenario.yaml:", "no such table: nots", "did you mean `notes`?"]);
        done.says(&["error: failed to plan the scenario recorded in runs/test/latest/record.json"]);
    }
}
