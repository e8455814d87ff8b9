//! Diagnostics as SARIF, the format of code scanning. Nothing here knows which files the user named.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::Diagnostic;

/// The characters of a path that an address does not encode.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The problems of files as a SARIF 2.1.0 log. A problem without a place belongs to its file as a whole.
pub fn sarif(files: &[(&str, &[Diagnostic])]) -> Value {
    let mut codes: Vec<&str> = files.iter().flat_map(|(_, all)| all.iter().map(|one| one.code)).collect();
    codes.sort_unstable();
    codes.dedup();
    let rule = |code: &&str| {
        let words = code.rsplit("::").next().unwrap_or_default().replace('_', " ");
        json!({ "id": code, "shortDescription": { "text": words } })
    };
    let results = files.iter().flat_map(|(file, all)| all.iter().map(|one| result(file, one, &codes)));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "stress",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": codes.iter().map(rule).collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn result(file: &str, diagnostic: &Diagnostic, codes: &[&str]) -> Value {
    let text = match diagnostic.place {
        Some(_) => diagnostic.message.clone(),
        None => format!("{}: {}", diagnostic.subject, diagnostic.message),
    };
    let help = diagnostic.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    let mut place = Map::new();
    place.insert("artifactLocation".into(), json!({ "uri": address(file) }));
    if let Some((region, span)) = region(diagnostic).zip(diagnostic.span()) {
        let bytes = json!({ "byteOffset": span.start, "byteLength": span.len() });
        place.insert("region".into(), merged(region, bytes));
    }
    json!({
        "ruleId": diagnostic.code,
        "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
        "level": if diagnostic.warning { "warning" } else { "error" },
        "message": { "text": format!("{text}{help}") },
        "locations": [{ "physicalLocation": place }],
    })
}

/// The region from the first character to the one after the last.
fn region(diagnostic: &Diagnostic) -> Option<Value> {
    let (place, from) = (diagnostic.place.as_ref()?, diagnostic.position()?);
    let to = place.file.position(place.span.end);
    Some(json!({ "startLine": from.line, "startColumn": from.column, "endLine": to.line, "endColumn": to.column }))
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// A path as an address. Relative paths stay relative to the working directory of the command.
fn address(path: &str) -> String {
    let path = path.replace('\\', "/");
    let encoded = utf8_percent_encode(&path, PATH).to_string();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::diagnose;
    use crate::scenario::Issue;
    use crate::source::Source;

    #[test]
    fn problems_have_their_place_in_characters_and_in_bytes() {
        let source = Source::parse("an é.yaml", "name: é\nscale: {rows: 1, rows: 2}\n");
        let mut all = diagnose(&source, &[Issue::new("/name", "scenario::value", "é is no name").warning()]);
        all.push(Diagnostic::free("--profile", "load::unknown_profile", "there is none"));
        let log = sarif(&[("an é.yaml", &all), ("/good.yaml", &[])]);
        insta::assert_snapshot!(format!("{log:#}"));
        let schema = include_str!("../../tests/formats/sarif-2.1.0.schema.json");
        // An erratum of the standard: a bracket without its first.
        let schema = schema.replace("[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "[a-zA-Z]{2}-[a-zA-Z]{2}$");
        let schema = serde_json::from_str(&schema).expect("the official schema is JSON");
        let validator = jsonschema::validator_for(&schema).expect("it is a schema");
        let problems: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(address("/a b/c.yaml"), "file:///a%20b/c.yaml");
    }
}
