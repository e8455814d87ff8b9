//! The names and meanings of the variants of a type, as its schema has them.

use schemars::JsonSchema;
use serde_json::Value;

/// The names of an enum's variants with their doc comments, in the order of their declaration.
pub(super) fn variants<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array);
    let text = |variant: &Value, key: &str| variant.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = |variant: &Value| (text(variant, "const"), text(variant, "description"));
    variants.map(|variants| variants.iter().map(named).collect()).unwrap_or_default()
}
