//! A value that matches none of several alternatives: picks the alternative that the author most likely meant, and
//! reports how the value differs from it.
//! "Not valid under any of the schemas" is never said.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::Issue;
use super::wish::{is_template, keys, kind, names, resolve, tag};
use super::wording::{self, not_one_of, unknown_key};
use crate::source::join;

/// An alternative, and the reasons why the value does not match it.
struct Branch<'s, 'e> {
    schema: &'s Value,
    errors: &'e [ValidationError<'static>],
}

/// Why `found`, which fits no alternative of `schema`, does not fit the one that was meant; or what is wrong with it when
/// none was.
pub(super) fn meant<'e>(
    root: &Value,
    schema: &Value,
    found: &Value,
    pointer: &str,
    context: &'e [Vec<ValidationError<'static>>],
) -> Result<&'e [ValidationError<'static>], Vec<Issue>> {
    let mut branches = Vec::new();
    flatten(root, schema, pointer, context, &mut branches);
    let of_kind = |wanted: &str| branches.iter().find(|branch| kind(branch.schema) == Some(wanted));
    let meant = match found {
        Value::Null | Value::Bool(_) => None,
        Value::Object(map) => {
            let fits = |branch: &&Branch| keys(branch.schema).iter().any(|key| map.contains_key(*key));
            let maps: Vec<&Branch> = branches.iter().filter(|branch| kind(branch.schema) == Some("object")).collect();
            match maps.iter().copied().find(fits) {
                Some(branch) => Some(branch),
                None if maps.len() == 1 && tag(maps[0].schema).is_none() => Some(maps[0]),
                None if maps.is_empty() => None,
                None => return Err(unknown_tag(&branches, map, pointer)),
            }
        }
        Value::String(text) => {
            let known: Vec<&str> = branches.iter().flat_map(|branch| names(branch.schema)).collect();
            if !known.is_empty() {
                return Err(vec![unknown_name(&branches, text, found, pointer, known)]);
            }
            // A text in place of a number or a template has the wrong type; elsewhere the string's own rule says more.
            of_kind("string").filter(|branch| !is_template(branch.schema))
        }
        Value::Number(_) => of_kind("integer").or_else(|| of_kind("number")),
        Value::Array(_) => of_kind("array"),
    };
    match meant {
        Some(branch) if !branch.errors.is_empty() => {
            if let (Some(tag), Value::Object(map)) = (tag(branch.schema), found)
                && let Some(other) = second_tag(&branches, tag, map)
            {
                let message = format!("`{tag}` and `{other}` are in one entry");
                let issue = Issue::new(join(pointer, other), "scenario::value", message).at_key();
                return Err(vec![issue.help(format!("write `{other}: …` as a separate entry"))]);
            }
            Ok(branch.errors)
        }
        _ => Err(vec![wording::wrong_type(root, schema, found, pointer)]),
    }
}

/// Alternatives of alternatives, with their errors.
fn flatten<'s, 'e>(
    root: &'s Value,
    schema: &'s Value,
    pointer: &str,
    context: &'e [Vec<ValidationError<'static>>],
    branches: &mut Vec<Branch<'s, 'e>>,
) {
    let schema = resolve(root, schema);
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    for (alternative, errors) in alternatives.into_iter().flatten().zip(context) {
        let schema = resolve(root, alternative);
        match errors.as_slice() {
            [error] if error.instance_path().as_str() == pointer => match error.kind() {
                ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                    flatten(root, schema, pointer, context, branches);
                }
                _ => branches.push(Branch { schema, errors }),
            },
            errors => branches.push(Branch { schema, errors }),
        }
    }
}

fn second_tag<'s>(
    branches: &[Branch<'s, '_>],
    tag_found: &str,
    map: &serde_json::Map<String, Value>,
) -> Option<&'s str> {
    let mut tags = branches.iter().filter_map(|branch| tag(branch.schema));
    tags.find(|tag| *tag != tag_found && map.contains_key(*tag))
}

/// A map whose keys no alternative knows.
fn unknown_tag(branches: &[Branch<'_, '_>], map: &serde_json::Map<String, Value>, pointer: &str) -> Vec<Issue> {
    let tags: Vec<&str> = branches.iter().flat_map(|branch| keys(branch.schema)).collect();
    let plain: Vec<&str> = branches.iter().flat_map(|branch| names(branch.schema)).collect();
    let Some((key, _)) = map.iter().next() else {
        let message = format!("{} is an empty map", wording::name(pointer));
        let help = crate::suggest::suggest("", tags, "known keys");
        return vec![Issue::new(pointer, "scenario::empty", message).help(help)];
    };
    if plain.contains(&key.as_str()) {
        let message = format!("`{key}` takes no options");
        let issue = Issue::new(join(pointer, key), "scenario::value", message).at_key();
        return vec![issue.help(format!("write `{key}` alone, without `:`"))];
    }
    map.keys().map(|key| unknown_key(pointer, key, &tags)).collect()
}

/// A text that is none of the names.
fn unknown_name<'s>(
    branches: &[Branch<'s, '_>],
    text: &str,
    found: &Value,
    pointer: &str,
    mut known: Vec<&'s str>,
) -> Issue {
    for branch in branches {
        let Some(tag) = tag(branch.schema) else { continue };
        if tag == text {
            let example = match branch.schema.pointer(&format!("/properties/{tag}")) {
                Some(options) if options.get("$ref").is_some_and(|target| target == "#/$defs/duration") => "1s",
                Some(options) if kind(options) == Some("integer") => "500",
                _ => "{…}",
            };
            let message = format!("`{tag}` needs a value");
            return Issue::new(pointer, "scenario::value", message).help(format!("write `{{{tag}: {example}}}`"));
        }
        if !known.contains(&tag) {
            known.push(tag);
        }
    }
    not_one_of(found, pointer, &known)
}
