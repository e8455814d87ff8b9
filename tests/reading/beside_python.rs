//! The schema of a scenario as `stress` applies it, beside Python's `jsonschema` with the published file: both accept and
//! refuse the same files. `.ci/run` installs it into `target/python`; without it the test says that it was skipped.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stress::scenario::schema::violations;
use stress::source::Source;

use super::mutated::{mutated, seeds};
use super::{each, here};

/// How many mutated files are looked at. A third of them are YAML.
const FILES: u64 = 2_000;

/// A scenario with all that the format has, once for each of its places and each of these values in that place.
fn with_odd_values() -> Vec<Value> {
    let odd =
        [json!(null), json!(-1), json!(1.0), json!(u64::MAX), json!("x"), json!("5s"), json!([]), json!({"x": 1})];
    let whole = Source::read(&here().join("good/large.yaml")).expect("the scenario").value;
    let mut values = Vec::new();
    each(&whole, "", &mut |pointer, _| {
        for odd in &odd {
            let mut value = whole.clone();
            *value.pointer_mut(pointer).expect("the place") = odd.clone();
            values.push(value);
        }
    });
    values
}

/// Reads the schema and a list of values, and says of each whether it is valid. JSON schema takes `1.0` for an integer,
/// which `stress` refuses on purpose.
const SCRIPT: &str = "
import json, sys
from jsonschema import Draft202012Validator, validators
schema, values = (json.load(open(path, encoding='utf-8')) for path in sys.argv[1:])
types = Draft202012Validator.TYPE_CHECKER.redefine('integer', lambda _, value: type(value) is int)
Draft202012Validator.check_schema(schema)
validator = validators.extend(Draft202012Validator, type_checker=types)(schema)
print(json.dumps([validator.is_valid(value) for value in values]))
";

/// What Python says of these values; nothing where Python or its library is missing.
fn python(values: &[Value]) -> Option<Vec<bool>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = || {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "120", "python3", "-c"]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PYTHONPATH", root.join("target/python"));
        command
    };
    let there = python().arg("import jsonschema").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return None;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("values.json");
    std::fs::write(&file, serde_json::to_vec(values).expect("JSON")).expect("room");
    let said = python().arg(SCRIPT).arg(root.join("schemas/scenario.schema.json")).arg(file).output().expect("it runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    Some(serde_json::from_slice(&said.stdout).expect("a list"))
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn the_schema_is_applied_as_python_applies_it() {
    let seeds = seeds();
    let texts = (0..FILES).filter_map(|number| String::from_utf8(mutated(&seeds, number)).ok());
    let sources = seeds.iter().cloned().chain(texts).map(|text| Source::parse("x.yaml", text));
    let values = sources.filter(Source::is_complete).map(|source| source.value);
    let values: Vec<Value> = values.chain(with_odd_values()).collect();
    let ours: Vec<bool> = values.iter().map(|value| violations(value).is_empty()).collect();
    let good = ours.iter().filter(|good| **good).count();
    assert!(good > 100 && ours.len() - good > 1_000, "{good} of {} are good", ours.len());
    let Some(theirs) = python(&values) else {
        return eprintln!("skipped: the_schema_is_applied_as_python_applies_it: no jsonschema, .ci/run installs it");
    };
    assert_eq!(theirs.len(), ours.len());
    let apart: Vec<_> = (0..ours.len()).filter(|at| ours[*at] != theirs[*at]).collect();
    let shown = apart.first().map(|at| (ours[*at], &values[*at]));
    assert!(apart.is_empty(), "{} of {} are judged otherwise: {shown:#?}", apart.len(), ours.len());
}
