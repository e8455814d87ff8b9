//! The extension installed, looked up, and told apart from what is missing, broken or too old. npm is played by a few
//! lines of shell, which lay down the package that the tests were given.

use crate::cloudsync::extension;
use crate::harness::{Invocation, Place, scenario, skip};

const PACKAGE: &str = "node_modules/@sqliteai/sqlite-sync-linux-x86_64";

/// A place whose `npm` does what the script says, after `$prefix` was found.
fn place(script: &str) -> Place {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let head = "#!/bin/sh\nfor word; do case $word in --prefix=*) prefix=${word#--prefix=};; esac; done\nprintf '%s\\n' \"$*\" >> \"$HOME/asked\"\n";
    place.write("bin/npm", &format!("{head}{script}\n"));
    let npm = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path("bin/npm"), npm).expect("it is ours");
    place
}

fn stress(place: &Place, arguments: &[&str]) -> Invocation {
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    place.stress(arguments).env("PATH", &path)
}

/// The script that lays the package down.
fn lays_down(file: &str) -> String {
    format!(
        "mkdir -p \"$prefix/{PACKAGE}\" && cp '{file}' \"$prefix/{PACKAGE}/cloudsync.so\" && echo terms > \"$prefix/{PACKAGE}/LICENSE.md\""
    )
}

/// The extension's file; none, and said so, where there is none for this test.
fn file(test: &str) -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        skip(test, "the package of the tests is that of linux on x86_64");
        return None;
    }
    extension(test).map(|path| if std::path::Path::new(&path).is_file() { path } else { format!("{path}.so") })
}

#[test]
fn it_is_installed_from_its_package_with_its_licence_and_found_from_then_on() {
    let Some(file) = file("it_is_installed_from_its_package_with_its_licence") else { return };
    let place = place(&lays_down(&file));
    stress(&place, &["extension", "path"]).done().exits(3).says(&["was not found", "stress extension install"]);
    let done =
        stress(&place, &["extension", "install"]).done().exits(0).says(&["licence: Elastic License 2.0", "1.1.4"]);
    assert!(done.out.contains("version: 1.1.4\n") && done.out.contains("site id of a new database: "), "{done}");
    let asked = std::fs::read_to_string(place.path("asked")).expect("npm was asked");
    assert!(
        asked.contains("--ignore-scripts") && asked.trim_end().ends_with("@sqliteai/sqlite-sync-linux-x86_64@1.1.4"),
        "{asked}"
    );
    let home = place.path(".local/share/stress/extension");
    let mut held: Vec<String> = std::fs::read_dir(&home)
        .expect("it is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    held.sort();
    assert_eq!(held, ["LICENSE.md", "cloudsync.so"], "nothing else is left");
    let path = stress(&place, &["extension", "path"]).done().exits(0);
    assert_eq!(path.out.trim_end(), home.join("cloudsync.so").display().to_string());
    // A second time, over the first.
    stress(&place, &["extension", "install", "--version", "1.1.4"]).done().exits(0);
}

#[test]
fn what_cannot_be_installed_leaves_what_is_there_alone() {
    let Some(file) = file("what_cannot_be_installed_leaves_what_is_there_alone") else { return };
    let place = place(&lays_down(&file));
    stress(&place, &["extension", "install"]).done().exits(0);
    let refused = "echo 'npm error code E404' >&2; exit 1";
    let empty = format!("mkdir -p \"$prefix/{PACKAGE}\"");
    let broken = format!("{empty} && echo text > \"$prefix/{PACKAGE}/cloudsync.so\"");
    for (script, says) in [(refused, "npm error code E404"), (&empty, "has no `cloudsync.so`"), (&broken, "SHA-256")] {
        let other = self::place(script);
        std::fs::copy(other.path("bin/npm"), place.path("bin/npm")).expect("it is ours");
        stress(&place, &["extension", "install"]).done().exits(3).prints_nothing().says(&[says, "help:"]);
        stress(&place, &["extension", "path"]).done().exits(0);
    }
    // Of another version no hash is stored.
    let done = stress(&place, &["extension", "install", "--version", "1.1.5"]).done().exits(3);
    done.says(&["npm alone has checked the package", "it is not a library"]);
    assert_eq!(std::fs::read_dir(place.path(".local/share/stress/extension")).expect("it is there").count(), 2);
    stress(&place, &["extension", "install", "--version", "1; rm"]).done().exits(3).says(&["is not a version"]);
    let without = place.stress(&["extension", "install"]).env("PATH", "/nowhere");
    without.done().exits(3).says(&["npm was not found", "Node.js"]);
}

#[test]
fn an_extension_that_was_changed_is_removed_before_any_of_its_code_runs() {
    let Some(file) = file("an_extension_that_was_changed_is_removed_before_any_of_its_code_runs") else { return };
    // Good to load, and not what was published.
    let changed = format!("{} && printf x >> \"$prefix/{PACKAGE}/cloudsync.so\"", lays_down(&file));
    let place = place(&changed);
    let done = stress(&place, &["extension", "install"]).done().exits(3).prints_nothing();
    done.says(&["is not that of version 1.1.4", "6a9ccc74a4dc28c5", "was removed", "npm config get registry"]);
    assert!(!place.path(".local/share/stress/extension/cloudsync.so").exists());
}

#[test]
fn it_is_looked_for_in_the_documented_order() {
    let place = Place::new();
    let found = |place: &Place, variable: &str| {
        let done = place.stress(&["extension", "path"]).env("STRESS_CLOUDSYNC_EXTENSION", variable).done().exits(0);
        let path = std::fs::canonicalize(done.out.trim_end()).expect("it is there");
        let place = std::fs::canonicalize(place.path("")).expect("it is there");
        path.strip_prefix(place).expect("it is in the place").display().to_string()
    };
    let name = format!("cloudsync{}", std::env::consts::DLL_SUFFIX);
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        place.write(&format!("{PACKAGE}/{name}"), "");
        assert_eq!(found(&place, ""), format!("{PACKAGE}/{name}"));
        place.write(&format!(".local/share/stress/extension/{name}"), "");
        assert_eq!(found(&place, ""), format!(".local/share/stress/extension/{name}"));
    }
    place.write(&format!("dist/{name}"), "");
    assert_eq!(found(&place, ""), format!("dist/{name}"));
    place.write(&format!("own/{name}"), "");
    assert_eq!(found(&place, "own/cloudsync"), format!("own/{name}"));
    place.write("scenario/x", "");
    let body = "target: { cloudsync: { extension: scenario/x, managed_database_id: db_x, apikey: \"{{ env.TEST_KEY }}\" } }\nverify: [converged]\n";
    place.write("scenario.yaml", &scenario(body));
    let run = place.stress(&["run", "scenario.yaml"]).env("STRESS_CLOUDSYNC_EXTENSION", "own/cloudsync");
    run.env("TEST_KEY", "hush-hush").done().exits(3).says(&["scenario/x", "cannot be loaded"]);
}
