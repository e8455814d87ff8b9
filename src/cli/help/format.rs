//! The topic `format`: the JSON schema of a scenario as text. It lists every key with its description.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::page::Page;
use crate::scenario::schema::json_schema;

/// Adds every key of a scenario. Required keys come first; a definition used in several places appears once.
pub(super) fn describe(page: Page) -> Page {
    let schema = json_schema();
    let mut reader = Reader { schema: &schema, terms: Vec::new(), seen: BTreeMap::new() };
    reader.keys("", &schema);
    page.text(
        "`a.b` is the key `b` of `a`; `a[].b` is the key `b` of every entry of the list `a`. Keys marked * are required. \
         Editors with a YAML language server show the same texts. `stress schema` prints the JSON schema.",
    )
    .terms(reader.terms)
}

struct Reader<'s> {
    schema: &'s Value,
    terms: Vec<(String, String)>,
    /// The path at which each definition was already described.
    seen: BTreeMap<String, String>,
}

impl<'s> Reader<'s> {
    /// The keys of a map.
    fn keys(&mut self, path: &str, map: &'s Value) {
        let Some(keys) = map.get("properties").and_then(Value::as_object) else { return };
        // A map with a single key is one of several alternatives, so its key is not required.
        let required = |key: &str| {
            keys.len() > 1 && map["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key))
        };
        let mut keys: Vec<(&String, &Value)> = keys.iter().collect();
        keys.sort_by_key(|(key, _)| !required(key));
        for (key, value) in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.value(&path, if required(key) { "*" } else { "" }, value);
        }
    }

    /// The description of a value, then its own keys.
    fn value(&mut self, path: &str, star: &str, value: &'s Value) {
        let meant = self.meant(value);
        let own = value.get("description").or_else(|| meant.get("description"));
        let description = own.and_then(Value::as_str).unwrap_or_default();
        let kind = self.kind(value);
        let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
        self.terms.push((format!("{path}{star}"), format!("{description}{kind}")));
        self.inside(path, value);
    }

    /// The keys inside a value, at any depth.
    fn inside(&mut self, path: &str, value: &'s Value) {
        if let Some(name) = value.get("$ref").and_then(Value::as_str) {
            let meant = self.meant(value);
            if !has_keys(meant) {
                return self.parts(path, meant);
            }
            if let Some(told) = self.seen.get(name) {
                let told = format!("The same keys as `{told}`.");
                return self.terms.push((format!("{path}.…"), told));
            }
            self.seen.insert(name.to_owned(), path.to_owned());
            return self.parts(path, meant);
        }
        self.parts(path, value);
    }

    fn parts(&mut self, path: &str, value: &'s Value) {
        // A profile has the keys of the scenario.
        if path == "profiles" {
            return;
        }
        self.keys(path, value);
        for branch in branches(value) {
            self.inside(path, branch);
        }
        if let Some(items) = value.get("items") {
            self.inside(&format!("{path}[]"), items);
        }
        if let Some(others) = value.get("additionalProperties").filter(|others| others.is_object()) {
            self.inside(&format!("{path}.<name>"), others);
        }
    }

    /// The definition that a reference points to.
    fn meant(&self, value: &'s Value) -> &'s Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        target.and_then(|target| self.schema.pointer(target)).unwrap_or(value)
    }

    /// The type of a value, in words: `duration`, `from 1 to 64`, `wal | delete`.
    fn kind(&self, value: &'s Value) -> String {
        if value.get("$ref").and_then(Value::as_str) == Some("#/$defs/duration") {
            return "duration".to_owned();
        }
        let meant = self.meant(value);
        let names = branches(meant).into_iter().map(|branch| self.name(branch).unwrap_or_else(|| self.kind(branch)));
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        if !names.is_empty() {
            return names.join(" | ");
        }
        if let Some(names) = meant.get("enum").and_then(Value::as_array) {
            return names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
        }
        let bounds = bounds(meant.as_object());
        match meant.get("type").and_then(Value::as_str) {
            Some("integer" | "number") if !bounds.is_empty() => bounds,
            Some("integer") => "whole number".to_owned(),
            Some("number") => "number".to_owned(),
            Some("string") if meant["pattern"] == r"\{\{" => "template".to_owned(),
            Some("string") => "text".to_owned(),
            Some("boolean") => "true | false".to_owned(),
            Some("array") => match self.kind(&meant["items"]) {
                kind if kind.is_empty() => "list".to_owned(),
                kind => format!("list of {kind}"),
            },
            Some(_) | None => String::new(),
        }
    }

    /// The name of an alternative that is a map.
    fn name(&self, branch: &'s Value) -> Option<String> {
        let keys: Vec<&String> = self.meant(branch)["properties"].as_object().map(|keys| keys.keys().collect())?;
        match keys.as_slice() {
            [only] => Some(format!("{{{only}: …}}")),
            _ => Some("{…}".to_owned()),
        }
    }
}

fn branches(value: &Value) -> Vec<&Value> {
    let all = value.get("oneOf").or_else(|| value.get("anyOf")).and_then(Value::as_array);
    all.map(|all| all.iter().collect()).unwrap_or_default()
}

/// Whether the value is a map with keys of its own.
fn has_keys(value: &Value) -> bool {
    value.get("properties").is_some()
}

/// `from 1 to 64`, `from 1`; empty if the type has no limits of its own.
fn bounds(keys: Option<&Map<String, Value>>) -> String {
    let bound = |key: &str| keys.and_then(|keys| keys.get(key)).and_then(Value::as_f64);
    let least = bound("minimum").filter(|least| *least > 0.0);
    let most = bound("maximum").filter(|most| *most < f64::from(u32::MAX));
    match (bound("minimum"), least, most) {
        (Some(least), _, Some(most)) if (least - most).abs() < f64::EPSILON => least.to_string(),
        (Some(least), _, Some(most)) => format!("from {least} to {most}"),
        (_, Some(least), None) => format!("from {least}"),
        _ => String::new(),
    }
}
