//! Where a scenario has secrets: which keys of a target are secret, which variables they are made of, and what is secret
//! in an address.

use serde_json::Value;

use crate::failure::Secret;
use crate::scenario::{CloudsyncOptions, join};
use crate::template::Text;

/// The keys of a target whose values are secrets.
const KEYS: [&str; 4] = ["connection_string", "management_key", "apikey", "tokens"];
/// The keys of a target that are addresses, which may hold a password or a key.
const ADDRESSES: [&str; 4] = ["address", "admin_address", "management_address", "hub"];

/// Whether the value of a target's key is a secret as a whole.
pub(crate) fn is_secret(key: &str) -> bool {
    KEYS.contains(&key)
}

/// The secret texts of the options, each with the pointer of its key.
pub(super) fn texts<'o>(at: &str, options: &'o CloudsyncOptions) -> Vec<(String, &'o String)> {
    let single = [
        ("connection_string", &options.connection_string),
        ("management_key", &options.management_key),
        ("apikey", &options.apikey),
    ];
    let single = single.into_iter().filter_map(|(key, text)| Some((join(at, key), text.as_ref()?)));
    let tokens = options.tokens.iter().enumerate().map(|(index, text)| (format!("{at}/tokens/{index}"), text));
    single.chain(tokens).collect()
}

/// What is secret in an address: the password, or the user where there is none, and the values of the query.
pub(crate) fn in_address(address: &str) -> Vec<Secret> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = location.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.map(|user| user.split_once(':').map_or(user, |(_, password)| password));
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    user.into_iter().chain(password).chain(values).filter(|text| !text.is_empty()).map(Secret::from).collect()
}

/// The secrets that stand in a document which is, or should be, a scenario: in its targets, and in the variables that
/// their secrets are made of.
pub(crate) fn written(document: &Value) -> Vec<Secret> {
    let profiles = document.get("profiles").and_then(Value::as_object);
    let parts: Vec<&Value> =
        std::iter::once(document).chain(profiles.into_iter().flat_map(|all| all.values())).collect();
    let targets = parts.iter().filter_map(|part| part.get("target")?.as_object()).flat_map(|target| target.values());
    let mut secrets = Vec::new();
    for (key, value) in targets.filter_map(Value::as_object).flatten() {
        let texts = std::iter::once(value).chain(value.as_array().into_iter().flatten()).filter_map(Value::as_str);
        for text in texts {
            if is_secret(key) {
                secrets.push(Secret::from(text));
                secrets.extend(variables(text).iter().flat_map(|name| values(&parts, name)));
            }
            if is_secret(key) || ADDRESSES.contains(&key.as_str()) {
                secrets.extend(in_address(text));
            }
        }
    }
    // A template is no secret; what it is made of may be.
    secrets.retain(|secret| !secret.expose().contains("{{"));
    secrets
}

/// The names of the variables that a template uses.
fn variables(text: &str) -> Vec<String> {
    Text::compile(text).map(|text| text.variables().into_keys().collect()).unwrap_or_default()
}

/// The values that parts of a document give a variable.
fn values(parts: &[&Value], name: &str) -> Vec<Secret> {
    let text = |value: &Value| Secret::from(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let of = |part: &Value| {
        let single = part.get("vars").and_then(|vars| vars.get(name)).map(text);
        let several = part.get("matrix").and_then(|matrix| matrix.get(name)?.as_array());
        single.into_iter().chain(several.into_iter().flatten().map(text)).collect::<Vec<_>>()
    };
    parts.iter().flat_map(|part| of(part)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exposed(secrets: &[Secret]) -> Vec<&str> {
        secrets.iter().map(Secret::expose).collect()
    }

    #[test]
    fn passwords_and_queries_of_addresses_are_secret() {
        assert_eq!(exposed(&in_address("http://anna:pass/@host:1/x?a=1&key=k2&bare")), ["1", "k2", "bare"]);
        assert_eq!(exposed(&in_address("http://anna:pass@host:1/x@y")), ["anna:pass", "pass"]);
        assert_eq!(exposed(&in_address("http://t0ken@host")), ["t0ken", "t0ken"]);
        assert!(in_address("https://host/path").is_empty());
    }

    #[test]
    fn secrets_are_found_in_targets_of_profiles_and_in_variables() {
        let document = json!({
            "vars": {"key": "from vars", "table": "notes"},
            "matrix": {"key": ["one", 2]},
            "target": {"cloudsync": {"apikey": "literal", "management_key": "{{ key }}", "database": "{{ table }}"}},
            "profiles": {"p": {"vars": {"key": "of p"}, "target": {"cloudsync": {"tokens": ["a", "{{ env.B }}"]}}}},
        });
        assert_eq!(exposed(&written(&document)), ["literal", "from vars", "one", "2", "of p", "a"]);
        assert!(written(&json!({"target": "embedded"})).is_empty() && written(&json!([])).is_empty());
    }
}
