use std::path::Path;

use super::topics::Topic;
use super::variants::variants;
use crate::failure::FailureKind;
use crate::plan::CheckKind;
use crate::plan::threshold::Metric;
use crate::scenario::schema::json_schema;
use crate::verify::RowState;

fn page(topic: Topic, width: usize) -> String {
    anstream::adapter::strip_str(&topic.page().laid_out(width)).to_string()
}

#[test]
fn every_topic_is_told() {
    for topic in Topic::ALL {
        insta::assert_snapshot!(format!("topic_{}", topic.name()), page(topic, 100));
    }
}

#[test]
fn a_topic_fits_the_terminal() {
    for topic in Topic::ALL {
        for width in [60, 80, 200] {
            for line in page(topic, width).lines() {
                let is_one_word = line.split_whitespace().count() < 3 || line.starts_with("    ");
                assert!(line.chars().count() <= width || is_one_word, "{topic:?} at {width}: {line}");
            }
        }
    }
}

#[test]
fn names_and_their_documentation_belong_together() {
    let squeezed = |name: &str| name.replace(['.', '_'], "").to_lowercase();
    for (metric, (name, meaning)) in Metric::ALL.into_iter().zip(variants::<Metric>()) {
        assert_eq!(squeezed(metric.as_str()), squeezed(&name));
        assert!(!meaning.is_empty(), "{name}");
    }
    for (check, (name, _)) in CheckKind::ALL.into_iter().zip(variants::<CheckKind>()) {
        assert_eq!(squeezed(check.as_str()), squeezed(&name));
    }
    for (state, (name, _)) in RowState::ALL.into_iter().zip(variants::<RowState>()) {
        assert_eq!(state.as_str(), squeezed(&name));
    }
    let lengths = (variants::<Metric>().len(), variants::<CheckKind>().len(), variants::<RowState>().len());
    assert_eq!(lengths, (Metric::ALL.len(), CheckKind::ALL.len(), RowState::ALL.len()));
    assert!(variants::<FailureKind>().iter().all(|(name, meaning)| !name.is_empty() && !meaning.is_empty()));
}

#[test]
fn the_format_names_every_key_of_the_schema() {
    fn keys(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                    all.extend(properties.keys().cloned());
                }
                map.values().for_each(|value| keys(value, all));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| keys(value, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    keys(&json_schema(), &mut all);
    let page = page(Topic::Format, 100);
    for key in all {
        let named = page.lines().any(|line| {
            let term = line.trim().split(' ').next().unwrap_or_default().trim_end_matches('*');
            term == key || term.ends_with(&format!(".{key}"))
        });
        assert!(named, "{key}");
    }
}

#[test]
fn every_example_is_good() {
    for topic in Topic::ALL {
        for example in topic.page().examples() {
            let mut text = String::from("version: 1\nname: example\n");
            for (key, rest) in [
                (
                    "schema",
                    "{tables: [{name: notes, sql: \"CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, body TEXT, size INTEGER)\"}]}",
                ),
                (
                    "phases",
                    "[{name: insert, kind: insert, sql: \"INSERT INTO notes (id) VALUES (:id)\", sync: [send]}]",
                ),
            ] {
                if !example.lines().any(|line| line.starts_with(key)) {
                    text = format!("{text}{key}: {rest}\n");
                }
            }
            text.push_str(example);
            let source = crate::source::Source::parse(Path::new("example.yaml"), text);
            let loaded = crate::load::load_source(source, &crate::load::Overrides::default());
            let loaded = loaded.unwrap_or_else(|error| panic!("{topic:?}: {error}"));
            assert!(loaded.diagnostics().is_empty(), "{topic:?}: {:?}", loaded.diagnostics());
        }
    }
}
