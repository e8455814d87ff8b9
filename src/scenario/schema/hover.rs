//! The schema as editors show it. Editors take the first description they meet, from the inside out. Alternatives must
//! therefore not have a description that would hide the description of the key, and the names of an enum belong in one
//! list with their meanings.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::wish::{is_duration, is_rate, is_template, tag};

/// The keyword with the meanings of the names in an `enum`. Editors read it; validators ignore it.
const MEANINGS: &str = "markdownEnumDescriptions";

/// Arranges the descriptions for editors.
pub(super) fn arrange(schema: &mut Value) {
    alternatives(schema);
    let mut outside = BTreeSet::new();
    referenced_elsewhere(schema, false, &mut outside);
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for (name, definition) in definitions.into_iter().flatten() {
        if let Some(definition) = definition.as_object_mut().filter(|_| !outside.contains(&format!("#/$defs/{name}"))) {
            definition.shift_remove("description");
        }
    }
    in_words(schema);
}

/// Repeats each Markdown description under the keyword that editors render, and gives each pattern an error message.
fn in_words(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(in_words);
            if let Some(text) =
                map.get("description").filter(|text| text.as_str().is_some_and(|text| text.contains('`')))
            {
                map.insert("markdownDescription".into(), text.clone());
            }
            if map.get("pattern").is_some_and(Value::is_string) {
                let wanted = match &*schema {
                    pattern if is_duration(pattern) => "write a duration with its unit: `500ms`, `30s`, `1m 30s`",
                    pattern if is_rate(pattern) => "write a rate with its unit: `2/s`, `30/m`, `100/h`",
                    pattern if is_template(pattern) => "write a template: `\"{{ scale.rows }}\"`",
                    _ => "use letters, digits, `-` and `_`",
                };
                schema["patternErrorMessage"] = wanted.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(in_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Rearranges the alternatives of every union: constants become one list of names, and a key with options takes over
/// the description of its alternative.
fn alternatives(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(alternatives);
            for union in ["oneOf", "anyOf"] {
                if let Some(Value::Array(branches)) = map.shift_remove(union) {
                    let branches = arranged(branches);
                    match <[Value; 1]>::try_from(branches) {
                        Ok([Value::Object(only)]) => map.extend(only),
                        Ok(only) => drop(map.insert(union.into(), only.to_vec().into())),
                        Err(several) => drop(map.insert(union.into(), several.into())),
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(alternatives),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn arranged(branches: Vec<Value>) -> Vec<Value> {
    let (names, mut others): (Vec<Value>, Vec<Value>) =
        branches.into_iter().partition(|branch| branch.get("const").is_some_and(Value::is_string));
    for branch in &mut others {
        let only = tag(branch).map(str::to_owned);
        let Some(map) = branch.as_object_mut().filter(|map| map.get("type") != Some(&json!("null"))) else { continue };
        let said = map.shift_remove("description");
        if let Some((said, only)) = said.zip(only)
            && let Some(property) = map.get_mut("properties").and_then(|keys| keys.get_mut(&only)?.as_object_mut())
            && !property.contains_key("description")
        {
            // The description comes first, where people read it.
            let rest = std::mem::take(property);
            property.insert("description".into(), said);
            property.extend(rest);
        }
    }
    if !names.is_empty() {
        let part = |key: &str| names.iter().map(|name| name.get(key).cloned().unwrap_or_default()).collect::<Vec<_>>();
        let mut list = Map::new();
        list.insert("type".into(), "string".into());
        list.insert("enum".into(), part("const").into());
        list.insert(MEANINGS.into(), part("description").into());
        others.insert(0, list.into());
    }
    others
}

/// The definitions that something other than an alternative refers to: these must keep their description.
fn referenced_elsewhere(schema: &Value, is_alternative: bool, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let own = map.contains_key("description") || is_alternative;
            if let Some(target) = map.get("$ref").and_then(Value::as_str).filter(|_| !own) {
                found.insert(target.to_owned());
            }
            for (key, value) in map {
                match value {
                    Value::Array(branches) if key == "anyOf" || key == "oneOf" => {
                        for branch in branches {
                            referenced_elsewhere(branch, true, found);
                        }
                    }
                    value => referenced_elsewhere(value, false, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referenced_elsewhere(item, false, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::json_schema;
    use super::*;

    /// Every key, by its way through the schema.
    fn each_key(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
        match schema {
            Value::Object(map) => {
                for (key, value) in map {
                    if let (true, Value::Object(properties)) = (key == "properties", value) {
                        properties.iter().for_each(|(key, property)| visit(&format!("{path} {key}"), property));
                    }
                    each_key(value, &format!("{path}/{key}"), visit);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| each_key(item, path, visit)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_key_says_what_it_is_for_and_no_alternative_is_in_the_way() {
        let schema = json_schema();
        let mut seen = 0;
        each_key(&schema, "", &mut |path, property| {
            seen += 1;
            let target = property["$ref"].as_str().and_then(|target| schema.pointer(&target[1..]));
            let described = |schema: &Value| schema["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described(property) || target.is_some_and(described), "{path}: {property}");
            for union in ["anyOf", "oneOf"] {
                let branches = target.unwrap_or(property)[union].as_array().cloned().unwrap_or_default();
                for branch in branches.iter().filter(|branch| branch["type"] != "null") {
                    assert!(!described(branch) && branch.get("const").is_none(), "{path}: {branch}");
                }
            }
        });
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn a_pattern_says_what_to_write() {
        let schema = json_schema();
        for (definition, example) in [("duration", "`30s`"), ("rate", "`2/s`")] {
            let message = schema["$defs"][definition]["patternErrorMessage"].as_str().unwrap_or_default();
            assert!(message.contains(example), "{definition}: {message}");
        }
    }

    #[test]
    fn every_name_has_its_meaning() {
        fn enums(schema: &Value, found: &mut Vec<Value>) {
            match schema {
                Value::Object(map) => {
                    if map.contains_key("enum") {
                        found.push(schema.clone());
                    }
                    map.values().for_each(|value| enums(value, found));
                }
                Value::Array(items) => items.iter().for_each(|item| enums(item, found)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut found = Vec::new();
        enums(&json_schema(), &mut found);
        assert!(found.len() > 10, "{}", found.len());
        for list in found {
            let meanings = list[MEANINGS].as_array().expect("it has them");
            assert_eq!(list["enum"].as_array().map(Vec::len), Some(meanings.len()), "{list}");
            assert!(meanings.iter().all(|meaning| meaning.as_str().is_some_and(|text| !text.is_empty())), "{list}");
        }
    }
}
