//! `stress validate`: is each of these files a good scenario? Reads files and prints; every answer comes from `load`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::exit::Exit;
use super::github::annotations;
use super::hidden;
use super::overrides;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::diagnostic::{Diagnostic, sarif};
use crate::load::Overrides;
use crate::plan::Grant;

/// Check scenarios without running them: every problem of every file at once, in every profile.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stress validate 'scenarios/*.yaml'
  stress validate scenarios/large.yaml --profile medium
  stress validate 'scenarios/*.yaml' --format sarif > stress.sarif

On GitHub Actions (GITHUB_ACTIONS=true), problems also appear on the lines of the pull request.")]
pub(super) struct Arguments {
    /// Scenario files, or patterns such as 'scenarios/*.yaml'.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Check only this profile instead of every profile of the file.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The most combinations of a matrix [default: 1000]
    #[arg(long, value_name = "N")]
    max_runs: Option<u64>,
    /// The format of the problems.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    grants: overrides::Grants,
}

/// The format of the problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text that underlines the problem and says what to write instead.
    Text,
    /// One JSON document on stdout.
    Json,
    /// Workflow commands of GitHub Actions, which annotate the lines of a pull request.
    Github,
    /// SARIF 2.1.0 on stdout, for code scanning.
    Sarif,
}

/// What was found in one file.
struct Checked {
    file: String,
    profiles: Option<usize>,
    diagnostics: Vec<Diagnostic>,
}

/// Checks the files. As text, good ones are named on stdout, and problems are told on stderr.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let checked = check_all(arguments, arguments.grants.grant()?);
    let good = checked.iter().all(|checked| checked.profiles.is_some());
    match arguments.format {
        Format::Text => checked.into_iter().for_each(|checked| tell(checked, terminal)),
        Format::Json => terminal.print(&format!("{:#}\n", as_json(&checked))),
        Format::Github => {
            terminal.print(&checked.iter().map(|one| annotations(&one.diagnostics)).collect::<String>());
        }
        Format::Sarif => {
            let files: Vec<_> = checked.iter().map(|one| (one.file.as_str(), one.diagnostics.as_slice())).collect();
            terminal.print(&format!("{:#}\n", sarif(&files)));
        }
    }
    Ok(if good { Exit::Pass } else { Exit::Usage })
}

fn check_all(arguments: &Arguments, grant: Grant) -> Vec<Checked> {
    let (profile, max_runs) = (arguments.profile.clone(), arguments.max_runs);
    let overrides = Overrides { profile, max_runs, grant, ..Overrides::default() };
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut checked = Vec::new();
    for pattern in &arguments.files {
        match expand(pattern) {
            Ok(paths) => {
                for path in paths {
                    if !seen.contains(&path) {
                        checked.push(check(&path, &overrides));
                        seen.push(path);
                    }
                }
            }
            Err(diagnostic) => {
                checked.push(Checked { file: pattern.clone(), profiles: None, diagnostics: vec![*diagnostic] });
            }
        }
    }
    checked
}

fn check(path: &Path, overrides: &Overrides) -> Checked {
    let file = path.display().to_string();
    let (profiles, diagnostics) = match overrides::load(path, overrides) {
        Ok(loaded) => (Some(loaded.profiles.len()), loaded.diagnostics()),
        Err(error) => (None, error.diagnostics()),
    };
    // Here, before the secrets of the next file are hidden instead.
    Checked { file, profiles, diagnostics: diagnostics.iter().map(|one| one.mapped(hidden::redact)).collect() }
}

/// The files a pattern names; a path that exists is itself, whatever characters it has.
fn expand(pattern: &str) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let path = PathBuf::from(pattern);
    if !pattern.contains(['*', '?', '[']) || path.exists() {
        return Ok(vec![path]);
    }
    let found = glob::glob(pattern).map_err(|error| {
        let help = "write `*` for any part of a name, `**` for any folders";
        let message = format!("is not a pattern: {}", error.msg);
        Box::new(Diagnostic::free(pattern, "file::pattern", message).help(Some(help.into())))
    })?;
    let files: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| !path.is_dir()).collect();
    if files.is_empty() {
        let help = "check the folder and the ending, `.yaml` or `.yml`".to_string();
        return Err(Box::new(Diagnostic::free(pattern, "file::no_match", "matches no file").help(Some(help))));
    }
    Ok(files)
}

fn tell(Checked { file, profiles, diagnostics }: Checked, terminal: &mut Terminal) {
    match profiles {
        Some(profiles) => {
            terminal.show(&diagnostics);
            terminal.print(&format!("{file}: ok{}\n", in_profiles(profiles)));
        }
        None => {
            terminal.fail(&Problem::scenario(Path::new(&file), diagnostics));
        }
    }
}

fn in_profiles(profiles: usize) -> String {
    match profiles {
        0 => String::new(),
        1 => " (1 profile)".into(),
        profiles => format!(" ({profiles} profiles)"),
    }
}

fn as_json(checked: &[Checked]) -> Value {
    let files = checked.iter().map(|checked| {
        let problems: Vec<Value> = checked.diagnostics.iter().map(Diagnostic::json).collect();
        json!({ "file": checked.file, "ok": checked.profiles.is_some(), "problems": problems })
    });
    Value::Array(files.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version: 1\nname: a\nprofiles: {p: {}}\n\
        schema: {tables: [{name: t, sql: CREATE TABLE t (id TEXT PRIMARY KEY)}]}\nphases: [{sync: [send]}]\n";

    fn validate(files: &[String], format: Format) -> (Exit, String, String) {
        let grants = overrides::Grants::default();
        let arguments = Arguments { files: files.to_vec(), profile: None, max_runs: None, format, grants };
        let (mut terminal, out, err) = Terminal::for_test();
        let exit = run(&arguments, &mut terminal).expect("every problem is one of a file");
        (exit, out.take(), err.take())
    }

    #[test]
    fn good_files_are_named_and_bad_ones_told_about() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(at("good.yaml"), GOOD).expect("a file");
        std::fs::write(at("bad.yaml"), GOOD.replace("name: a", "nam: a")).expect("a file");

        let (exit, out, err) = validate(&[at("good.yaml"), at("g*.yaml")], Format::Text);
        assert_eq!((exit, out, err), (Exit::Pass, format!("{}: ok (1 profile)\n", at("good.yaml")), String::new()));

        let (exit, out, err) = validate(&[at("*.yaml")], Format::Text);
        assert_eq!((exit, out.lines().count()), (Exit::Usage, 1));
        assert!(err.contains("did you mean `name`?") && err.ends_with("bad.yaml`: 1 error\n"), "{err}");

        let (exit, _, err) = validate(&[at("*.yml")], Format::Text);
        assert!(exit == Exit::Usage && err.contains("matches no file"), "{err}");
        let (exit, _, err) = validate(&[at("none.yaml"), at("")], Format::Text);
        assert!(exit == Exit::Usage && err.contains("does not exist") && err.contains("is a directory"), "{err}");

        let (exit, out, err) = validate(&[at("bad.yaml")], Format::Github);
        assert!(exit == Exit::Usage && out.starts_with("::error file=") && err.is_empty(), "{out}");
        let (exit, out, _) = validate(&[at("*.yaml")], Format::Json);
        let value: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((exit, &value[0]["problems"][0]["line"], &value[1]["ok"]), (Exit::Usage, &json!(2), &json!(true)));
    }
}
