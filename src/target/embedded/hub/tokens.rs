//! `/v2/tokens`: access tokens of users.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::policy::Caller;
use super::registry::Registry;
use super::reply::{AUTH, Reply, text};

/// Answers a request below `/v2/tokens`.
pub(super) fn answer(
    registry: &Registry,
    method: &str,
    path: &[&str],
    (caller, bearer): (&Caller, &str),
    body: &[u8],
) -> Reply {
    let is_admin = *caller == Caller::Admin;
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let named = body.get("token").and_then(Value::as_str);
    match (method, path) {
        ("GET", ["authorized"]) => Reply::empty(204),
        ("GET", ["details"]) => details(registry, bearer),
        ("POST", ["details"]) if is_admin => details(registry, named.unwrap_or("")),
        ("POST", []) if is_admin => create(registry, &body),
        ("DELETE", []) if is_admin || named == Some(bearer) => match registry.revoke(named.unwrap_or("")) {
            Ok(true) => data(&json!("OK")),
            Ok(false) => Reply::error(404, 10001, "the token does not exist"),
            Err(error) => Reply::error(500, 10003, &text(&error)),
        },
        ("GET", ["users", user]) if is_admin => {
            data(&registry.tokens_of(user).iter().map(super::registry::Token::json).collect())
        }
        ("POST" | "DELETE", _) if !is_admin => Reply::error(403, AUTH, "this takes the api key"),
        _ => Reply::error(405, 10002, &format!("{method} is not known here")),
    }
}

fn data(data: &Value) -> Reply {
    Reply::json(200, &json!({ "data": data, "metadata": {} }))
}

fn details(registry: &Registry, token: &str) -> Reply {
    registry
        .token(token)
        .map_or_else(|| Reply::error(404, 10001, "the token does not exist"), |token| data(&token.json()))
}

fn create(registry: &Registry, body: &Value) -> Reply {
    let field = |name: &str| body.get(name).and_then(Value::as_str);
    let Some((name, user)) = field("name").zip(field("userId")) else {
        return Reply::error(400, 10005, "the body needs `name` and `userId`");
    };
    let expires = match field("expiresAt").map(parse_time) {
        Some(None) => return Reply::error(400, 10005, "`expiresAt` is no time: write 2026-01-31T12:00:00Z"),
        Some(expires) => expires,
        None => None,
    };
    let attributes = match body.get("attributes") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    match registry.create_token(name, user, attributes, expires) {
        Ok((token, text)) => {
            let mut answer = token.json();
            answer["token"] = json!(text.expose());
            data(&answer)
        }
        Err(error) => Reply::error(500, 10003, &text(&error)),
    }
}

/// ISO 8601, or `YYYY-MM-DD HH:MM:SS` in UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{}Z", text.replace(' ', "T")).parse().ok())
}
