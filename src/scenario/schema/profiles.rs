//! What a profile may hold: the keys of a scenario, but for those that are about the whole file.

use serde_json::{Map, Value, json};

/// The keys of a scenario that a profile may not set.
pub(crate) const NOT_IN_PROFILES: [&str; 2] = ["version", "profiles"];

/// The maximum number of profiles in a scenario. Each profile is checked as a scenario of its own, which takes time.
pub(crate) const MAX_PROFILES: usize = 100;

/// Gives profiles the keys of the scenario, all optional, so that editors complete keys inside profiles too.
pub(super) fn give_keys(schema: &mut Value) {
    let Some(keys) = schema.get("properties").and_then(Value::as_object).cloned() else { return };
    let mut partial = Map::new();
    for (key, mut property) in keys.into_iter().filter(|(key, _)| !NOT_IN_PROFILES.contains(&key.as_str())) {
        let Some(property_map) = property.as_object_mut() else { continue };
        let description = property_map.shift_remove("description");
        property_map.shift_remove("default");
        let target = property_map.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        if let Some(Value::Object(target)) = target.and_then(|target| schema.pointer(target))
            && target.contains_key("required")
        {
            *property_map = target.clone();
            property_map.shift_remove("required");
            property_map.shift_remove("description");
        }
        let removal = json!({"description": "Removes the key in this profile.", "type": "null"});
        let mut entry = Map::new();
        entry.extend(description.map(|description| ("description".to_string(), description)));
        entry.insert("anyOf".into(), Value::Array(vec![property, removal]));
        partial.insert(key, Value::Object(entry));
    }
    if let Some(profiles) = schema.pointer_mut("/properties/profiles") {
        profiles["additionalProperties"] =
            json!({"type": "object", "properties": partial, "additionalProperties": false});
        profiles["maxProperties"] = MAX_PROFILES.into();
    }
}
