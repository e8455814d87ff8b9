//! The JSON schema of a scenario, generated from its types, and the check of a value against that schema. `stress`
//! accepts exactly what an editor with the schema accepts. Nothing here knows where a value stands in a file.

mod hover;
mod profiles;
mod union;
mod violation;
mod wish;
mod wording;

pub(crate) use profiles::{MAX_PROFILES, NOT_IN_PROFILES};

use std::collections::HashSet;
use std::sync::LazyLock;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, Validator};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Issue, Scenario};
use crate::source::join;

static SCHEMA: LazyLock<Value> = LazyLock::new(generate);

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options().with_keyword("format", whole_number).build(&SCHEMA).expect("our own schema is a valid one")
});

/// The JSON schema (draft 2020-12) of a scenario. `schemas/scenario.schema.json` is this value.
pub fn json_schema() -> Value {
    SCHEMA.clone()
}

/// Every place where `value` breaks the schema. A value without violations always deserializes into a [`Scenario`].
pub fn violations(value: &Value) -> Vec<Issue> {
    let mut issues: Vec<Issue> = Vec::new();
    for error in VALIDATOR.iter_errors(value) {
        violation::report(&SCHEMA, &error, &mut issues);
    }
    drop_followers(&mut issues);
    issues
}

/// Reports a mistyped key only once, and not also as missing under its correct name.
fn drop_followers(issues: &mut Vec<Issue>) {
    let slips: HashSet<String> = issues
        .iter()
        .filter(|issue| issue.code == "scenario::unknown_key")
        .filter_map(|issue| {
            let meant = issue.help.as_deref()?.strip_prefix("did you mean `")?.strip_suffix("`?")?;
            Some(join(issue.pointer.rsplit_once('/')?.0, meant))
        })
        .collect();
    issues.retain(|issue| {
        let missing = issue.message.rsplit_once("has no `").map(|(_, key)| key.trim_end_matches('`'));
        issue.code != "scenario::missing_key" || missing.is_none_or(|key| !slips.contains(&join(&issue.pointer, key)))
    });
}

fn generate() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
    tidy(&mut schema);
    profiles::give_keys(&mut schema);
    hover::arrange(&mut schema);
    // Serializing puts the keywords into the order in which people read them.
    let ordered = schemars::Schema::try_from(schema).ok().and_then(|schema| serde_json::to_value(schema).ok());
    ordered.expect("it was a schema, and changing keywords left it one")
}

/// Tightens the generated schema. An optional key must not be null: otherwise `rls:` with its lines commented out would
/// silently be a run without row-level security. Numbers get the maximum of their types.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    map.shift_remove("anyOf");
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            if map.get("default") == Some(&Value::Null) {
                map.shift_remove("default");
            }
            if map.get("format") == Some(&json!("uint32")) {
                map.entry("maximum").or_insert(json!(u32::MAX));
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Accepts only numbers written as integers. JSON schema takes `1000.0` for an integer; serde does not.
struct WholeNumber;

impl<'i> Keyword<'i> for WholeNumber {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("not written as a whole number")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        // `type` already rejects a number with a fraction.
        instance.as_f64().is_none_or(|number| number.fract() != 0.0) || !instance.is_f64()
    }
}

struct Anything;

impl<'i> Keyword<'i> for Anything {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        true
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is the validator's")]
fn whole_number<'a>(
    _: &'a Map<String, Value>,
    format: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let whole = format.as_str().is_some_and(|format| format.starts_with("uint") || format.starts_with("int"));
    Ok(if whole { Box::new(WholeNumber) } else { Box::new(Anything) })
}

#[cfg(test)]
mod tests;
