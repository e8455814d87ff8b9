use std::collections::BTreeMap;

use minijinja::value::{Value, ValueKind};
use serde_json::json;

use super::*;

fn scope() -> Scope {
    let vars = json!({"table": "notes", "limit": 5}).as_object().expect("a map").clone();
    let scale = json!({"rows": 10}).as_object().expect("a map").clone();
    Scope::new(Variables { vars, scale, seed: 7 }).database(3, 2, "018e").iteration(4).salted(Salt::of("id"))
}

fn render(source: &str) -> String {
    Text::compile(source).expect(source).render(&scope().row(9)).expect(source)
}

#[test]
fn variables_of_the_author_and_of_the_run_are_rendered() {
    assert_eq!(render("db{{ db }}_r{{ iteration }}_{{ row }}"), "db3_r4_9");
    assert_eq!(render("DELETE FROM {{ table }} LIMIT {{ limit + scale.rows }}"), "DELETE FROM notes LIMIT 15");
    assert_eq!(render("{% if db == 3 %}é{{ user }}{% endif %}"), "é2");
    assert_eq!(render("{{ {'a': '}}'}['a'] }}"), "}}");
}

#[test]
fn a_single_expression_keeps_its_type() {
    let value = |source: &str| Text::compile(source).expect(source).value(&scope().row(9)).expect(source);
    assert_eq!(value("{{ row * 2 }}"), Value::from(18));
    assert_eq!(value("{{ none }}").kind(), ValueKind::None);
    assert_eq!(value("x{{ row }}"), Value::from("x9"));
}

#[test]
fn an_undefined_name_is_an_error_at_its_place() {
    let text = Text::compile("é {{ tabel }}").expect("it compiles");
    assert_eq!(text.variables(), BTreeMap::from([("tabel".to_owned(), Some(6..11))]));
    assert!(text.render(&scope()).is_err());
}

#[test]
fn what_is_not_closed_or_does_not_parse_is_an_error_at_its_place() {
    let problem = Text::compile("a {{ b").expect_err("not closed");
    assert_eq!(problem.range, Some(2..4));
    let problem = Text::compile("a {{ b + }}").expect_err("not an expression");
    assert!(problem.range.is_some(), "{problem:?}");
}

#[test]
fn a_template_without_end_runs_out_of_fuel() {
    let text = Text::compile("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}")
        .expect("it compiles");
    assert!(text.render(&scope()).expect_err("too long").message.contains("too many steps"));
}
