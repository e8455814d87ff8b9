use super::*;
use serde_json::json;

fn source(text: &str) -> Source {
    Source::parse("test.yaml", text)
}

fn codes(text: &str) -> Vec<&'static str> {
    source(text).problems.iter().map(|problem| problem.code).collect()
}

/// What is pointed at.
fn at<'t>(source: &'t Source, pointer: &str) -> &'t str {
    &source.text[source.span(pointer, false, None)]
}

/// What is pointed at for the first `needle` of the value's text.
fn inside<'t>(source: &'t Source, pointer: &str, needle: &str) -> &'t str {
    let value = source.value.pointer(pointer).and_then(Value::as_str).expect("a text");
    let start = value.find(needle).expect("the needle");
    &source.text[source.span(pointer, false, Some(start..start + needle.len()))]
}

#[test]
fn values_and_keys_are_pointed_at_exactly() {
    let source = source("é: ü\nname: &n \"a\"\nlist: [1, {b: 'x'}]\nother: *n\n\"quoted key\": 5\n");
    assert_eq!(source.problems, []);
    assert_eq!(source.value, json!({"é": "ü", "name": "a", "list": [1, {"b": "x"}], "other": "a", "quoted key": 5}));
    assert_eq!(at(&source, "/é"), "ü");
    assert_eq!(at(&source, "/name"), "\"a\"");
    assert_eq!(at(&source, "/list"), "[1, {b: 'x'}]");
    assert_eq!(at(&source, "/list/1"), "{b: 'x'}");
    assert_eq!(at(&source, "/list/1/b"), "'x'");
    assert_eq!(&source.text[source.span("/list/1/b", true, None)], "b");
    assert_eq!(at(&source, "/quoted key"), "5");
    let place = source.place("/other", false, None);
    assert_eq!(&source.text[place.span], "\"a\"");
    assert_eq!(place.alias.map(|alias| source.text[alias].to_string()).as_deref(), Some("*n"));
}

#[test]
fn a_pointer_to_nothing_falls_back_to_the_nearest_parent() {
    let source = source("a:\n  b: 1\n  c: 2\nd:\ne:\n  -\n");
    assert_eq!(at(&source, "/a"), "b: 1");
    assert_eq!(at(&source, "/a/x/y"), "a");
    assert_eq!(at(&source, "/d"), "d", "an empty value is pointed at by its key");
    assert_eq!(at(&source, "/e/0"), "-");
    assert_eq!(at(&source, ""), "a:");
}

#[test]
fn parts_of_text_are_found_in_every_way_of_writing_it() {
    let source = source(concat!(
        "plain: SELECT é FROM\n   notes WHERE x\n",
        "single: 'it''s {{ x }}\n   and {{ y }}'\n",
        "double: \"tab\\t \\\"q\\\" \\u00e9 {{ x\n  }} \\\n  end\"\n",
        "literal: |\n  one é\n    two\n\n  {{ three }}\n",
        "folded: >-\n  one\n  two\n\n  three {{ y }}\n",
        "flow: [a b, 'c d']\n",
    ));
    assert_eq!(source.problems, []);
    assert_eq!(inside(&source, "/plain", "é"), "é");
    assert_eq!(inside(&source, "/plain", "FROM notes"), "FROM\n   notes");
    assert_eq!(inside(&source, "/single", "s {{ x }}"), "s {{ x }}");
    assert_eq!(inside(&source, "/single", "'"), "''");
    assert_eq!(inside(&source, "/single", "y"), "y");
    assert_eq!(inside(&source, "/double", "\"q\""), "\\\"q\\\"");
    assert_eq!(inside(&source, "/double", "é"), "\\u00e9");
    assert_eq!(inside(&source, "/double", "end"), "end");
    assert_eq!(inside(&source, "/literal", "two"), "two");
    assert_eq!(inside(&source, "/literal", "three"), "three");
    assert_eq!(inside(&source, "/folded", "one two"), "one\n  two");
    assert_eq!(inside(&source, "/folded", "y"), "y");
    assert_eq!(inside(&source, "/flow/1", "d"), "d");
    // An empty range at the end, as parsers give for what is missing.
    let end = source.value["folded"].as_str().expect("text").len();
    let span = source.span("/folded", false, Some(end..end));
    assert!(source.text[..span.start].ends_with("y }}"));
}

#[test]
fn every_duplicate_key_is_reported_with_both_places() {
    let source = source("a: 1\nb: {c: 1, c: 2, 'c': 3}\na: 2\n");
    let found: Vec<_> = source
        .problems
        .iter()
        .map(|problem| (problem.span.start, problem.other.as_ref().map(|(other, _)| other.start)))
        .collect();
    assert_eq!(found, [(15, Some(9)), (21, Some(9)), (29, Some(0))]);
    assert_eq!(source.value, json!({"a": 1, "b": {"c": 1}}));
}

#[test]
fn merge_keys_add_what_the_map_does_not_have() {
    let source = source("base: &b {x: 1, y: 2}\nmore: &m {z: 3}\none: {<<: *b, y: 5}\ntwo: {<<: [*b, *m], '<<': 9}\n");
    assert_eq!(source.problems, []);
    assert_eq!(source.value["one"], json!({"y": 5, "x": 1}));
    assert_eq!(source.value["two"], json!({"<<": 9, "x": 1, "y": 2, "z": 3}));
    let place = source.place("/one/x", false, None);
    assert_eq!((&source.text[place.span], place.alias.is_some()), ("1", true));
    assert_eq!(codes("a: {<<: 5}"), ["yaml::merge"]);
}

#[test]
fn bombs_and_absurd_nesting_are_problems_and_not_a_hang() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let line = format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
        bomb.push_str(&line);
    }
    assert_eq!(codes(&bomb), ["yaml::too_many"]);
    for open in ["[", "{a: ", "- ", "? "] {
        assert_eq!(codes(&open.repeat(100_000)), ["yaml::too_deep"], "{open}");
    }
    assert_eq!(codes(&"- a\n".repeat(super::node::MAX_NODES + 1)), ["yaml::too_many"]);
    assert_eq!(codes("a: &a [*a]"), ["yaml::alias"]);
    let text = "x".repeat(1_000_000);
    let repeated = format!("a: &a {text}\nb: [{}]", ["*a"; 1000].join(", "));
    assert_eq!(codes(&repeated), ["yaml::too_many"], "long texts weigh more");
}

#[test]
fn an_unquoted_template_is_told_to_be_quoted_and_read_as_meant() {
    let source = source("a: {{ x }}\nb:\n  - {{ scale.rows }}\nc: [{{y}}, 1]\n");
    assert_eq!(source.problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["yaml::template"; 3]);
    assert_eq!(source.value, json!({"a": "{{ x }}", "b": ["{{ scale.rows }}"], "c": ["{{y}}", 1]}));
    for text in ["a: {{ x }} foo\n", "a: {b: db{{ x }}_r}\n", "a: {{ f('x', 1) }}\n", "- {{ a.b[0] }}_x"] {
        assert_eq!(codes(text), ["yaml::template"], "{text}");
    }
    assert_eq!(codes("sql: DELETE FROM {{ table }}\n"), [""; 0]);
}

#[test]
fn syntax_errors_say_what_to_write() {
    for (text, code, message) in [
        ("", "yaml::empty", "empty"),
        ("# only\n", "yaml::empty", "no keys"),
        ("~", "yaml::empty", "keys"),
        ("a: 1\n---\nb: 2\n", "yaml::second_document", "second document"),
        ("a: !!str 5\n", "yaml::tag", "`!!str`"),
        ("a: .inf\n", "yaml::number", "finite"),
        ("? [a]\n: b\n", "yaml::key", "`[a]`"),
        (": b\n", "yaml::key", "missing"),
        (&format!("? {}\n: b\n", "k".repeat(300)), "yaml::key", "256 bytes"),
        ("a: SELECT 'a: b'\n", "yaml::syntax", "`: ` inside unquoted text"),
        ("a: b\n c: d\n", "yaml::syntax", "indentation of the lines above"),
        ("a:\n\tb: 1\n", "yaml::syntax", "tab"),
        ("a: [1, 2\n", "yaml::syntax", "`]`"),
        ("a: \"x\n", "yaml::syntax", "never closed"),
        ("a: @x\n", "yaml::syntax", "cannot start"),
        ("a: *x\n", "yaml::syntax", "anchor"),
        ("- a\n-b\n", "yaml::syntax", "neither"),
    ] {
        let source = source(text);
        let first = source.problems.first().unwrap_or_else(|| panic!("a problem in {text:?}"));
        assert_eq!(first.code, code, "{text:?} {first:?}");
        assert!(first.message.contains(message), "{text:?} {first:?}");
        assert!(first.help.is_some(), "{text:?}");
    }
}

#[test]
fn spans_never_cut_a_character() {
    for text in ["é: [ü, 'ä'\nc: }", "ééé: {ü", "é: \"ü", "é: *ü", "\u{feff}é: ü\né: ä", "é: {{ ü }}ä", "- é\n-ü"]
    {
        for problem in source(text).problems {
            let spans = [Some(problem.span.clone()), problem.other.clone().map(|(span, _)| span)];
            for span in spans.into_iter().flatten() {
                assert!(text.get(span.clone()).is_some(), "{text:?} {span:?} {problem:?}");
            }
        }
    }
}

#[test]
fn words_that_older_readers_take_for_booleans_are_found_among_values_only() {
    let source = source("no: {on: \"yes\", a: no, b: [010, 'off', OFF]}\n");
    let found: Vec<_> = source.lookalikes().into_iter().map(|found| (found.pointer, found.meaning)).collect();
    assert_eq!(
        found,
        [
            ("/no/a".to_string(), Meaning::Text),
            ("/no/b/0".to_string(), Meaning::Decimal),
            ("/no/b/2".to_string(), Meaning::Text)
        ]
    );
}

#[test]
fn many_keys_and_long_files_are_read_in_linear_time() {
    let lines: Vec<String> = (0..60_000).map(|key| format!("key{key}: é\n")).collect();
    let text = lines.concat();
    let start = std::time::Instant::now();
    assert_eq!(source(&text).problems, []);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
