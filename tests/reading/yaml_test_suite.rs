//! The reader beside yaml-test-suite, which the parsers of YAML are compared with: what is valid is accepted with the value
//! that the suite gives, and what is invalid is refused. `yaml-test-suite.jsonl` holds its release 2022-01-17, a case on each
//! line; its licence is beside it.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use stress::source::Source;

use super::here;

/// What the suite calls valid and the reader refuses on purpose: the code that it gives, and the cases.
const REFUSED: &[(&str, &str)] = &[
    // A scenario has a value.
    ("yaml::empty", "8G76 98YD AVM7 DK95/07 HWV9 MUS6/02 MUS6/03 MUS6/04 MUS6/05 MUS6/06 QT73"),
    // Keys are texts that are written; YAML allows lists, maps and nothing.
    (
        "yaml::key",
        "2JQS 4FJ6 6BFJ 6M2F 6PBE 9MMW CFD4 DFF7 FRK4 KK5P LX3P M2N8/00 M2N8/01 M5DY NHX8 NKF9 PW8X Q9WF RZP5 S3PD \
         SBG9 SM9W/01 UKK6/00 V9D5 X38W XW4D",
    ),
    // A file is one scenario.
    ("yaml::second_document", "6XDY 6ZKB 7Z25 9DXL JHB9 KSS4 L383 M7A3 PUW8 RZT7 U9NS UT92 W4TN"),
    // Types come from the schema, not from tags.
    (
        "yaml::tag",
        "2AUY 2XXW 33X3 35KP 52DL 565N 57H4 5TYM 6CK3 6JWB 6WLZ 735Y 74H7 7FWL 8MK2 9KAX 9WXW BU8L C4HZ CC74 CUP7 \
         EHF6 F2C7 FH7J HMQ5 J7PZ L94M LE5A M5C3 P76L S4JQ U3C3 UGM3 UKK6/02 WZ62 Z67P Z9M4",
    ),
];

#[derive(Deserialize)]
struct Case {
    id: String,
    yaml: String,
    valid: bool,
    /// The values of its documents, where JSON can hold them.
    documents: Option<Vec<Value>>,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(here().join("yaml-test-suite.jsonl")).expect("the suite");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

/// How the reader differs from the suite in this case.
fn deviation(case: &Case) -> Option<String> {
    let source = Source::parse(case.id.as_str(), case.yaml.as_str());
    match (case.valid, source.problems.first()) {
        (true, Some(problem)) => Some(problem.code.to_owned()),
        (false, None) => Some("accepted".to_owned()),
        (true, None) => {
            let documents = case.documents.as_ref()?;
            (documents.as_slice() != [source.value]).then(|| "another value".to_owned())
        }
        (false, Some(_)) => None,
    }
}

#[test]
fn what_the_suite_calls_valid_is_read_and_what_it_calls_invalid_is_refused() {
    let cases = cases();
    assert_eq!((cases.len(), cases.iter().filter(|case| !case.valid).count()), (402, 94));
    let found: BTreeSet<_> = cases.iter().filter_map(|case| Some((deviation(case)?, case.id.clone()))).collect();
    let each = |(code, ids): &(&str, &'static str)| {
        let code = (*code).to_owned();
        ids.split(' ').map(move |id| (code.clone(), id.to_owned()))
    };
    let known: BTreeSet<_> = REFUSED.iter().flat_map(each).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not known: {new:?}; known, but gone: {gone:?}");
}
