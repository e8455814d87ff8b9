//! Laying a profile over the scenario, and finding the way back: where a merged value was written.
//! It must not know what the values mean, but for the target, whose kinds exclude each other.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::origin::Origin;
use crate::scenario::schema::NOT_IN_PROFILES;
use crate::source::join;

/// A scenario with a profile and overrides laid over it.
pub(super) struct Merged {
    pub(super) value: Value,
    /// Where laid values come from, by pointer; what is below them comes from there too.
    pub(super) laid: BTreeMap<String, Origin>,
}

/// Where the value at `pointer` comes from, if something laid it over the file.
pub(super) fn origin<'o>(origins: &'o BTreeMap<String, Origin>, pointer: &str) -> Option<&'o Origin> {
    let mut pointer = pointer;
    loop {
        if let Some(origin) = origins.get(pointer) {
            return Some(origin);
        }
        pointer = pointer.rsplit_once('/')?.0;
    }
}

/// The pointer into the file at which the value at `pointer` of the merged scenario was written.
pub(crate) fn written_at(origins: &BTreeMap<String, Origin>, pointer: &str) -> String {
    match origin(origins, pointer) {
        Some(Origin::Profile(profile)) => format!("{}{pointer}", join("/profiles", profile)),
        Some(Origin::File | Origin::Flag(_) | Origin::VarsFile(_) | Origin::Environment(_) | Origin::Default)
        | None => pointer.to_string(),
    }
}

/// Lays the profile over the file's value key by key: maps merge, a key set to null is left out, everything else
/// replaces. `None` if the file or the profile is no map; the schema has said so then.
pub(super) fn lay(file: &Value, profile: Option<&str>) -> Option<Merged> {
    let file = file.as_object()?;
    let kept = file.iter().filter(|(key, _)| *key != "profiles");
    let mut base: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut laid = BTreeMap::new();
    if let Some(name) = profile {
        let over = file.get("profiles").and_then(|profiles| profiles.get(name)).and_then(Value::as_object)?;
        let origin = Origin::Profile(name.to_string());
        for (key, value) in over {
            if NOT_IN_PROFILES.contains(&key.as_str()) {
                continue;
            }
            if value.is_null() {
                base.shift_remove(key);
            } else {
                lay_key(&mut base, "", key, value, &origin, &mut laid);
            }
        }
    }
    Some(Merged { value: Value::Object(base), laid })
}

fn lay_key(
    base: &mut Map<String, Value>,
    parent: &str,
    key: &str,
    value: &Value,
    origin: &Origin,
    laid: &mut BTreeMap<String, Origin>,
) {
    let pointer = join(parent, key);
    match (base.get_mut(key), value) {
        (Some(Value::Object(below)), Value::Object(above)) if !replaces(&pointer, below, above) => {
            for (key, value) in above {
                lay_key(below, &pointer, key, value, origin, laid);
            }
        }
        _ => {
            base.insert(key.to_string(), value.clone());
            laid.insert(pointer, origin.clone());
        }
    }
}

/// Whether a map takes the place of another instead of merging with it: another kind of target.
fn replaces(pointer: &str, below: &Map<String, Value>, above: &Map<String, Value>) -> bool {
    pointer == "/target" && !above.keys().any(|key| below.contains_key(key))
}

/// The entries of a value that is a map.
pub(super) fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}
