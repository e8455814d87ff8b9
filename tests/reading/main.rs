//! Reading scenarios, as authors meet it: what each file in `bad/` is told, and laws of the reader.

#[cfg(unix)]
mod beside_python;
#[cfg(unix)]
mod mutated;
mod yaml_test_suite;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Map, Value};
use stress::diagnostic::{diagnose, render, render_lines};
use stress::source::{Source, join};
use stress::{Overrides, load, load_source};

/// The folder of this test.
fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading")
}

#[test]
fn bad_scenarios_are_told_what_is_wrong_and_what_to_write() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(here().join("bad"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() > 20);
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let error = load(&file, &Overrides::default()).expect_err(&name);
        let diagnostics = error.diagnostics();
        let folder = format!("{}/", here().join("bad").display());
        let text = format!("{}\n{}", render_lines(&diagnostics), render(&diagnostics, false, 100)).replace(&folder, "");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn the_scenario_of_the_format_is_good_in_every_profile() {
    let file = here().join("good/large.yaml");
    for profile in [None, Some("small".to_string()), Some("medium".to_string())] {
        let overrides = Overrides { profile, ..Overrides::default() };
        let loaded = load(&file, &overrides).expect("it is good");
        assert_eq!((loaded.diagnostics().len(), loaded.profiles.len()), (0, 2));
        // As resolved and written out, it is a good scenario again.
        let written = loaded.variations.iter().next().expect("one").scenario.to_yaml();
        let again = load_source(Source::parse("again.yaml", written), &Overrides::default());
        assert_eq!(
            again.expect("it is good").variations.iter().collect::<Vec<_>>(),
            loaded.variations.iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_file_full_of_mistakes_is_refused_without_a_long_wait() {
    let head = "version: 1\nname: x\nschema: {tables: [{name: t, sql: x}]}\n";
    let profiles: Vec<String> =
        (0..10_000).map(|profile| format!("  p{profile}: {{ scale: {{ row: 1 }} }}\n")).collect();
    for body in [
        format!("phases:\n  - sync: [{}]\n", "snd, ".repeat(10_000)),
        format!("phases:\n{}", "  - { wait: 1, x: }\n".repeat(10_000)),
        format!("phases: [{{}}]\nprofiles:\n{}", profiles.concat()),
    ] {
        let start = std::time::Instant::now();
        let source = Source::parse("x.yaml", format!("{head}{body}"));
        let error = load_source(source, &Overrides::default()).expect_err("mistakes");
        let diagnostics = error.diagnostics();
        assert!(diagnostics.len() > 1, "{}", diagnostics.len());
        render(&diagnostics, false, 100);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}

/// Values that a YAML file can hold.
fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-zé漢 ]{0,8}",
        "[ -~]{0,12}",
        "[a-z:#'\"{}\\[\\]&*!|>%@`,?\\-\n é]{0,16}",
        "(no|yes|null|~|true|1_000|010|0x1f|1e3|\\.inf|-|---|<<|=|12:30|2001-01-01|\\{\\{ x \\}\\})",
        "([a-zé]{1,5}[ \n]{1,3}){1,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-zé ~/:#\\-]{1,6}|<<x|no|1|k", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every value with its pointer.
fn each<'v>(value: &'v Value, pointer: &str, visit: &mut dyn FnMut(&str, &'v Value)) {
    visit(pointer, value);
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| each(value, &join(pointer, key), visit)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| each(value, &format!("{pointer}/{index}"), visit));
        }
        _ => {}
    }
}

/// Bits of YAML, to be thrown together.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "é",
        "漢",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "'",
        "\"",
        "&a ",
        "*a",
        "!t ",
        "| ",
        "|\n",
        ">-\n",
        "{{ x }}",
        "{{",
        "}}",
        "#",
        " # c",
        "? ",
        "<<: ",
        "---\n",
        "...\n",
        "%",
        "@",
        "`",
        "\t",
        "\\",
        "\u{feff}",
        "\r\n",
        "1",
        ".inf",
        "no",
        "name: ",
        "version: 1\n",
        "phases:\n",
        "\u{85}",
        "\u{2028}",
        "\0",
        "\u{1b}",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_reads_what_the_writer_wrote_as_its_own_reader_does(value in values()) {
        let value = Value::Object(std::iter::once(("root".to_string(), value)).collect());
        let text = serde_yaml::to_string(&value).expect("a value can be written");
        let oracle: Value = serde_yaml::from_str(&text).expect("it can be read back");
        let source = Source::parse("x.yaml", text.as_str());
        prop_assert_eq!(&source.problems, &[], "{}", text);
        prop_assert_eq!(&source.value, &oracle, "{}", text);

        each(&source.value, "", &mut |pointer, value| {
            let written = &text[source.span(pointer, false, None)];
            assert!(text.get(source.span(pointer, true, None)).is_some());
            match value {
                Value::String(value) if !written.starts_with(['"', '\'']) && !written.contains('\n') && !value.contains('\n') => {
                    // An empty text has quotes; so this is a plain scalar, or one line of a block.
                    assert_eq!(written, value.trim(), "{pointer} in {text}");
                }
                Value::Number(_) | Value::Bool(_) => {
                    assert_eq!(&serde_yaml::from_str::<Value>(written).expect("a scalar"), value, "{written}");
                }
                _ => {}
            }
        });
    }

    #[test]
    fn every_character_of_a_text_is_found_where_it_is_written(text in "[a-zé漢 '\"\\\\:#\n\t{}]{1,40}") {
        for yaml in [serde_yaml::to_string(&[&text]).expect("a list can be written"), serde_json::to_string(&[&text]).expect("JSON")] {
            let source = Source::parse("x.yaml", yaml.as_str());
            prop_assert_eq!(source.value[0].as_str(), Some(text.as_str()), "{}", yaml);
            let mut last = 0;
            for (at, character) in text.char_indices().filter(|(_, character)| !character.is_whitespace()) {
                let span = source.span("/0", false, Some(at..at + character.len_utf8()));
                let written = &yaml[span.clone()];
                let expected = [character.to_string(), format!("\\{character}"), format!("{character}{character}")];
                prop_assert!(expected.iter().any(|expected| expected == written), "{written:?} for {character:?} in {yaml}");
                prop_assert!(span.start >= last);
                last = span.end;
            }
        }
    }

    #[test]
    fn a_slip_anywhere_in_a_good_file_is_told_or_harmless(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, soup()), 1..3)) {
        let mut text = include_str!("good/large.yaml").to_string();
        for (at, length, new) in cuts {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let at = at.index(places.len());
            let end = places.get(at + length).copied().unwrap_or(text.len());
            text.replace_range(places[at]..end, &new);
        }
        if let Err(error) = load_source(Source::parse("x.yaml", text.as_str()), &Overrides::default()) {
            let diagnostics = error.diagnostics();
            prop_assert!(diagnostics.iter().any(|diagnostic| !diagnostic.warning), "{text}");
            render(&diagnostics, true, 80);
            for diagnostic in &diagnostics {
                prop_assert!(text.get(diagnostic.span().expect("a place")).is_some());
                prop_assert!(!diagnostic.message.contains("breaks the rule"), "{}", diagnostic.line());
                prop_assert!(!diagnostic.message.contains("cannot be read"), "{}", diagnostic.line());
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic_or_cut_a_character(text in soup()) {
        let source = Source::parse("x.yaml", text.as_str());
        let mut issues = stress::scenario::schema::violations(&source.value);
        each(&source.value, "", &mut |pointer, value| {
            let length = value.as_str().map_or(1, str::len);
            let issue = stress::scenario::Issue::new(pointer, "x", "x");
            issues.extend([issue.clone().at_key(), issue.range(Some(length / 2..length + 1))]);
        });
        for problem in &source.problems {
            for span in [Some(&problem.span), problem.other.as_ref().map(|(span, _)| span)].into_iter().flatten() {
                prop_assert!(text.get(span.clone()).is_some(), "{span:?}");
            }
        }
        let diagnostics = diagnose(&source, &issues);
        render(&diagnostics, true, 80);
        for diagnostic in &diagnostics {
            prop_assert!(text.get(diagnostic.span().expect("a place")).is_some());
        }
    }
}
