//! The program proves its checker, as CI and people without an account run it.

use std::process::Command;

#[test]
fn every_planted_failure_is_found_and_no_clean_run_goes_red() {
    let temporary = tempfile::tempdir().expect("there is room for a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .arg("selftest")
        .env("TMPDIR", temporary.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts");
    let (table, progress) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let told = format!("{table}\n{progress}");
    assert!(!table.contains("NOT "), "{told}");
    assert!(table.trim_end().lines().last().is_some_and(|line| line.starts_with("PASS: ")), "{told}");
    assert_eq!(output.status.code(), Some(0), "{told}");
    // What a good selftest leaves is nothing.
    assert_eq!(std::fs::read_dir(temporary.path()).expect("it is there").count(), 0, "{told}");
}

#[test]
fn one_planted_failure_is_run_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["selftest", "--only", "drop_row", "--seed", "7"])
        .output()
        .expect("the program starts");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.ends_with("PASS: 1 of 1 injected fault reported with the right side\n"), "{table}");
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["selftest", "--only", "drop_rows"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("did you mean `drop_row`?"), "{told}");
}
