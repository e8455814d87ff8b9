//! The values that a part of the schema allows, in words. Nothing here knows what was found instead.

use serde_json::Value;

use crate::suggest::list;

/// Follows `$ref`s.
pub(super) fn resolve<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    // Our schema never nests more than two references; the limit guards against a cycle.
    for _ in 0..8 {
        let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'))
        else {
            break;
        };
        let Some(target) = root.pointer(target) else { break };
        schema = target;
    }
    schema
}

/// The schema that holds the keyword at `path`, a canonical or an evaluated location.
pub(super) fn holder<'s>(root: &'s Value, path: &str) -> &'s Value {
    let mut segments: Vec<String> = crate::source::segments(path).collect();
    segments.pop();
    let mut schema = root;
    for segment in segments {
        if segment == "$ref" {
            schema = resolve(root, schema);
            continue;
        }
        let schema_here = resolve(root, schema);
        let next = schema.get(&segment).or_else(|| schema_here.get(&segment));
        let next = next.or_else(|| segment.parse::<usize>().ok().and_then(|index| schema.get(index)));
        let Some(next) = next else { return &Value::Null };
        schema = next;
    }
    schema
}

/// The alternatives of a schema, unions inside unions flattened, `null` left out.
pub(super) fn alternatives<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let schema = resolve(root, schema);
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(branches) => branches.iter().flat_map(|branch| alternatives(root, branch)).collect(),
        None if kind(schema) == Some("null") => Vec::new(),
        None => vec![schema],
    }
}

/// The `type` of an alternative.
pub(super) fn kind(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

/// Whether this is the schema of a duration.
pub(super) fn is_duration(schema: &Value) -> bool {
    schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.contains("|ms|"))
}

/// Whether this is the schema of a rate.
pub(super) fn is_rate(schema: &Value) -> bool {
    schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.contains("(s|m|h)"))
}

/// Whether this is the schema of a template that evaluates to a number.
pub(super) fn is_template(schema: &Value) -> bool {
    schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.contains(r"\{\{"))
}

/// The names that an alternative allows: those of an enum, or a constant.
pub(super) fn names(schema: &Value) -> Vec<&str> {
    let one = schema.get("const").and_then(Value::as_str);
    let many = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    one.into_iter().chain(many.iter().filter_map(Value::as_str)).collect()
}

/// The keys that an alternative knows.
pub(super) fn keys(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The only key of an alternative that consists of one key with its options, such as `wait` in `{wait: 1s}`.
pub(super) fn tag(schema: &Value) -> Option<&str> {
    let required = schema.get("required")?.as_array()?;
    match (keys(schema).as_slice(), required.as_slice()) {
        ([key], [required]) if required == key => Some(*key),
        _ => None,
    }
}

/// The values that the schema allows: `a whole number or a quoted template`.
pub(super) fn describe(root: &Value, schema: &Value) -> String {
    let mut wishes: Vec<String> = Vec::new();
    let alternatives = alternatives(root, schema);
    let all: Vec<&str> = alternatives.iter().flat_map(|alternative| names(alternative)).collect();
    if !all.is_empty() {
        let quoted = list(&all);
        wishes.push(if all.len() == 1 || all.len() > 8 { quoted } else { format!("one of {quoted}") });
    }
    for alternative in alternatives {
        if names(alternative).is_empty() {
            wishes.push(describe_one(root, alternative));
        }
    }
    wishes.dedup();
    match wishes.as_slice() {
        [] => "another value".to_string(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn describe_one(root: &Value, schema: &Value) -> String {
    match kind(schema) {
        Some("integer") => "a whole number".into(),
        Some("number") => "a number".into(),
        Some("boolean") => "`true` or `false`".into(),
        Some("string") if is_duration(schema) => "a duration such as `1s`".into(),
        Some("string") if is_rate(schema) => "a rate such as `2/s`".into(),
        Some("string") if is_template(schema) => "a quoted template".into(),
        Some("string") => "text".into(),
        Some("array") => match schema.get("items") {
            Some(items) if items.is_object() && kind(resolve(root, items)) == Some("string") => {
                "a list of texts".into()
            }
            _ => "a list".into(),
        },
        Some("object") => match (tag(schema), keys(schema).as_slice()) {
            (Some(tag), _) => format!("`{{{tag}: …}}`"),
            (None, keys) if (1..=6).contains(&keys.len()) => format!("a map with {}", list(keys)),
            (None, _) => "a map".into(),
        },
        _ => "another value".into(),
    }
}
