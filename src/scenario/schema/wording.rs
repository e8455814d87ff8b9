//! What is said of a value that breaks the schema: how it is called, what was found, and what to write.

use serde_json::Value;

use super::Issue;
use super::profiles::NOT_IN_PROFILES;
use super::wish::{self, describe, is_duration, is_rate, is_template, keys, kind, names};
use crate::source::{join, segments};
use crate::suggest::{list, suggest};

pub(super) fn unknown_key(pointer: &str, key: &str, known: &[&str]) -> Issue {
    if let Some(profile) = pointer.strip_prefix("/profiles/").filter(|name| !name.contains('/'))
        && NOT_IN_PROFILES.contains(&key)
    {
        let message = format!("the profile `{profile}` cannot set `{key}`");
        let issue = Issue::new(join(pointer, key), "scenario::unknown_key", message).at_key();
        return issue.help("remove it here: it applies to the whole file");
    }
    let place = if pointer.is_empty() { String::new() } else { format!(" in {}", name(pointer)) };
    Issue::new(join(pointer, key), "scenario::unknown_key", format!("unknown key `{key}`{place}"))
        .at_key()
        .help(suggest(key, known.iter().copied(), "known keys"))
}

pub(super) fn empty(root: &Value, schema: &Value, pointer: &str) -> Issue {
    let wish = describe(root, schema);
    Issue::new(pointer, "scenario::empty", format!("{} is empty", name(pointer)))
        .help(format!("write {wish}, or remove the {}", if is_entry(pointer) { "entry" } else { "key" }))
}

/// A value of another type than the schema wants.
pub(super) fn wrong_type(root: &Value, schema: &Value, found: &Value, pointer: &str) -> Issue {
    if found.is_null() {
        return empty(root, schema, pointer);
    }
    let message = format!("{} must be {}, found {}", name(pointer), describe(root, schema), show(found));
    let help = type_help(root, schema, found).unwrap_or_else(|| format!("write {}", describe(root, schema)));
    Issue::new(pointer, "scenario::type", message).help(help)
}

/// The help for a value of the wrong type.
fn type_help(root: &Value, schema: &Value, found: &Value) -> Option<String> {
    let alternatives = wish::alternatives(root, schema);
    let wants = |wanted: &str| alternatives.iter().any(|schema| kind(schema) == Some(wanted));
    let free_text = alternatives.iter().any(|schema| kind(schema) == Some("string") && names(schema).is_empty());
    let duration = alternatives.iter().any(|schema| is_duration(schema));
    let rate = alternatives.iter().any(|schema| is_rate(schema));
    match found {
        Value::String(text) if wants("integer") || wants("number") => Some(number_help(text, &alternatives)),
        Value::String(text) if wants("boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some(format!("`{text}` is text in YAML 1.2: write `true`")),
            "no" | "off" | "n" | "false" => Some(format!("`{text}` is text in YAML 1.2: write `false`")),
            _ => Some("write `true` or `false`".into()),
        },
        Value::Number(number) if duration => Some(format!("write the unit, as in `{number}s`")),
        Value::Number(number) if rate => Some(format!("write the unit, as in `{number}/s`")),
        Value::Number(number) if wants("integer") => Some(format!("write a whole number instead of {number}")),
        Value::Number(_) | Value::Bool(_) if free_text => Some(format!("quote it: `\"{found}\"`")),
        Value::String(_) | Value::Number(_) | Value::Bool(_) if wants("array") => {
            Some(format!("write a list: `[{}]`", short(found)))
        }
        Value::Object(_) if wants("array") => Some("write a list: start each entry with `- `".into()),
        _ if wants("object") => {
            let known: Vec<&str> = alternatives.iter().flat_map(|schema| keys(schema)).take(12).collect();
            Some(if known.is_empty() {
                "write `key: value` lines under it, indented".into()
            } else {
                format!("known keys: {}", list(&known))
            })
        }
        Value::Array(items) if items.len() == 1 => Some("remove the brackets or the `- `".into()),
        _ => None,
    }
}

fn number_help(text: &str, alternatives: &[&Value]) -> String {
    let digits: String = text.chars().filter(|digit| !matches!(digit, '_' | ',' | ' ' | '\'')).collect();
    if !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits == text {
            return format!("write {digits} without quotes");
        }
        return format!("`{text}` is text in YAML 1.2: write `{digits}`");
    }
    if alternatives.iter().any(|schema| is_template(schema)) {
        return "write a number, or quote a template: `\"{{ scale.rows }}\"`".into();
    }
    "write a number".into()
}

/// The issue for a name that is not one of the allowed names.
pub(super) fn not_one_of(found: &Value, pointer: &str, known: &[&str]) -> Issue {
    let message = format!("{} is not {}", show(found), known_as(pointer));
    let help = suggest(found.as_str().unwrap_or_default(), known.iter().copied(), "write one of");
    Issue::new(pointer, "scenario::value", message).help(help)
}

/// The role of a value in messages: ``a value of `kind` ``, ``an entry of `sync` ``.
fn known_as(pointer: &str) -> String {
    let parts: Vec<String> = segments(pointer).collect();
    match parts.as_slice() {
        [.., list, _] if is_entry(pointer) => format!("an entry of `{list}`"),
        [.., key] => format!("a value of `{key}`"),
        [] => "a scenario".into(),
    }
}

fn is_entry(pointer: &str) -> bool {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a value in messages: `` `rows` ``, `` entry 2 of `sync` ``, `the scenario`.
pub(super) fn name(pointer: &str) -> String {
    let parts: Vec<String> = segments(pointer).collect();
    match parts.as_slice() {
        [] => "the scenario".into(),
        [.., list, index] if is_entry(pointer) => {
            let number = index.parse::<usize>().unwrap_or(0) + 1;
            format!("entry {number} of `{list}`")
        }
        [.., key] => format!("`{key}`"),
    }
}

/// The value found, in words: ``the text `x` ``, `the number 5`, `a list`.
pub(super) fn show(found: &Value) -> String {
    match found {
        Value::Null => "nothing".into(),
        Value::Bool(_) => format!("`{found}`"),
        Value::Number(_) => format!("the number {found}"),
        Value::String(text) if text.is_empty() => "an empty text".into(),
        Value::String(_) => format!("the text `{}`", short(found)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

fn short(found: &Value) -> String {
    let text = found.as_str().map_or_else(|| found.to_string(), |text| text.trim_end().replace('\n', " "));
    if text.chars().count() <= 40 { text } else { text.chars().take(40).chain(['…']).collect() }
}
