//! Each violation of the schema as a message: the value found, the value expected, and what to write instead.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::wish::{holder, is_duration, is_rate, keys, names, resolve};
use super::wording::{empty, name, not_one_of, show, unknown_key, wrong_type};
use super::{Issue, union};

/// Adds the issues that explain one error of the validator.
pub(super) fn report(root: &Value, error: &ValidationError<'_>, issues: &mut Vec<Issue>) {
    let pointer = error.instance_path().as_str().to_string();
    let schema = holder(root, error.schema_path().as_str());
    let found: &Value = error.instance();
    if found.is_null() {
        issues.push(empty(root, schema, &pointer));
        return;
    }
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match union::meant(root, schema, found, &pointer, context) {
                Ok(errors) => errors.iter().for_each(|error| report(root, error, issues)),
                Err(wrong) => issues.extend(wrong),
            }
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = keys(schema);
            issues.extend(unexpected.iter().map(|key| unknown_key(&pointer, key, &known)));
        }
        ValidationErrorKind::Required { property } => {
            issues.push(missing_key(root, schema, &pointer, property.as_str().unwrap_or_default()));
        }
        ValidationErrorKind::Type { .. } => issues.push(wrong_type(root, schema, found, &pointer)),
        kind => issues.push(wrong_value(schema, found, kind, &pointer)),
    }
}

fn missing_key(root: &Value, schema: &Value, pointer: &str, key: &str) -> Issue {
    let property = schema.pointer(&format!("/properties/{key}")).unwrap_or(&Value::Null);
    let description = property.get("description").or_else(|| resolve(root, property).get("description"));
    let sentence = description.and_then(Value::as_str).and_then(first_sentence).unwrap_or_default();
    Issue::new(pointer, "scenario::missing_key", format!("{} has no `{key}`", name(pointer)))
        .help(format!("add `{key}: …`{}{sentence}", if sentence.is_empty() { "" } else { ": " }))
}

/// The first sentence of a description, in lower case and without the full stop.
fn first_sentence(description: &str) -> Option<String> {
    let description = description.replace('\n', " ");
    let first = description.split(". ").next()?.trim_end_matches('.');
    let mut characters = first.chars();
    let start = characters.next()?;
    Some(start.to_lowercase().chain(characters).collect())
}

/// A value of the right type that is not allowed.
fn wrong_value(schema: &Value, found: &Value, kind: &ValidationErrorKind, pointer: &str) -> Issue {
    let name = name(pointer);
    let issue = |message: String, help: String| Issue::new(pointer, "scenario::value", message).help(help);
    match kind {
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            not_one_of(found, pointer, &names(schema))
        }
        ValidationErrorKind::Pattern { .. } if is_duration(schema) => issue(
            format!("{} is not a duration", show(found)),
            match found.as_str() {
                Some(text) if text.trim().parse::<f64>().is_ok() => format!("write the unit, as in `{}s`", text.trim()),
                _ => "write a number and its unit, as in `500ms`, `30s` or `10m`".into(),
            },
        )
        .code("scenario::duration"),
        ValidationErrorKind::Pattern { .. } if is_rate(schema) => issue(
            format!("{} is not a rate", show(found)),
            "write a number per second, minute or hour, as in `2/s`, `30/m` or `100/h`".into(),
        )
        .code("scenario::rate"),
        ValidationErrorKind::Pattern { .. } => issue(
            format!("{name} cannot be {}", show(found)),
            "use letters, digits, `-` and `_`, and start with a letter or digit".into(),
        ),
        ValidationErrorKind::MaxLength { limit } => {
            issue(format!("{name} is longer than {limit} characters"), "shorten it".into())
        }
        ValidationErrorKind::MaxProperties { limit } => {
            issue(format!("{name} has more than {limit} entries"), "remove some, or split the scenario".into())
        }
        ValidationErrorKind::MinItems { .. } => {
            issue(format!("{name} is an empty list"), "add an entry: start its line with `- `".into())
        }
        ValidationErrorKind::Minimum { limit } | ValidationErrorKind::Maximum { limit } if pointer == "/version" => {
            issue(format!("version {found} of the scenario format is unknown"), format!("write `version: {limit}`"))
        }
        ValidationErrorKind::Minimum { limit } => {
            issue(format!("{name} is {found}, below {}", plain(limit)), format!("write {} or more", plain(limit)))
        }
        ValidationErrorKind::Maximum { limit } => {
            issue(format!("{name} is {found}, above {}", plain(limit)), format!("write {} or less", plain(limit)))
        }
        ValidationErrorKind::Custom { .. } => {
            let whole = found.as_f64().map(|number| format!("write it as `{number:.0}`")).unwrap_or_default();
            issue(format!("{name} must be a whole number, found {found}"), whole).code("scenario::type")
        }
        // Keywords that our schema does not use; the validator's own words are better than none.
        other => issue(format!("{name} breaks the rule `{}`", other.keyword()), "see `stress schema`".into()),
    }
}

/// A limit as people write it: `1`, not `1.0`.
fn plain(limit: &Value) -> String {
    limit.to_string().trim_end_matches(".0").to_string()
}

trait WithCode {
    fn code(self, code: &'static str) -> Self;
}

impl WithCode for Issue {
    fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }
}
