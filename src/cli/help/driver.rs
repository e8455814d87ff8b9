//! The topic `driver`: how a program drives an engine for `stress`.

use serde_json::Value;

use super::page::Page;
use super::variants::variants;
use crate::session::driver::{self, Ability, Promise};

pub(super) fn describe(page: Page) -> Page {
    let schema = driver::json_schema();
    page.text(
        "With `target: {driver: {command: […]}}`, `stress` tests a sync engine through a program of yours, the driver. \
         `stress` keeps the scenario, the threads, the records, the checks and the verdict. The driver opens databases, \
         executes SQL, sends and receives. `stress driver new` writes a driver in Python that works; `stress driver check` \
         tests one alone.",
    )
    .example(
        "target:
  driver:
    command: [python3, my-driver.py]
    server:
      command: [my-server, --port, \"{{ port }}\", --data, \"{{ directory }}/server\"]
      ready: { tcp: \"127.0.0.1:{{ port }}\" }
    settings: { url: \"http://127.0.0.1:{{ port }}\", token: \"{{ env.STRESS_TOKEN }}\" }
    timeout: 60s",
    )
    .text(
        "`stress` starts the driver once per run. It writes one request per line of JSON to the driver's stdin, and the \
         driver writes one answer per line to its stdout: `{\"id\": 7, \"op\": \"send\", \"db\": 2, \"options\": {}}` and \
         `{\"id\": 7, \"rows\": 0}`. What the driver writes to stderr is kept in the run's directory, as `driver.log`. \
         Requests of different databases are in flight at the same time, and are answered in any order; a database gets its \
         next request only after the answer to the last. Both sides ignore fields that they do not know. When stdin ends, \
         the driver closes its databases and exits with 0. The operations, with the fields of the request:",
    )
    .terms(operations(&schema))
    .text("What the answers hold beside `id`; what an engine does not know is left out:")
    .terms(answers(&schema))
    .text(
        "An answer to `query` may come in several lines: each but the last has `\"more\": true`. Values are null, texts and \
         numbers. A number without point and exponent is an integer, one with is a real. What JSON cannot hold exactly is an \
         object of one key: `{\"i\": \"9223372036854775807\"}` for integers beyond 2^53 - 1, `{\"r\": \"Infinity\"}` and \
         `{\"r\": \"1.0\"}` for reals without a fraction, `{\"b\": \"…\"}` for blobs in base64.",
    )
    .text(
        "An error is `{\"id\": 7, \"error\": {\"message\": \"database is locked\", \"code\": \"SQLITE_BUSY\", \"http\": null, \
         \"where\": \"client\", \"retry\": true}}`. Only `message` is needed: the engine's own text. `where` is `client`, \
         `network` or `server`. The code `interrupted` is that of a request which `stress` interrupted. `stress help \
         failures` lists the kinds to which errors come. A line that is no answer, an answer that nobody asked for, silence \
         for longer than `timeout`, and an exit are failures of the kind `driver`: `stress` ends the driver and tells its \
         last words.",
    )
    .text("`does` in the answer to `hello` says what the driver can be asked for. A scenario that needs more is refused:")
    .terms(variants::<Ability>())
    .text("`promises` says what the engine promises:")
    .terms(variants::<Promise>())
    .text(
        "The check `written` needs to know what each phase wrote. `stress` reads the tables before and after each phase \
         through the driver, outside the phase's time; without `written` in `verify`, nothing is read. At the end `stress` \
         reads all tables of all databases, and compares them here. These keys are CloudSync's and are refused: `alter`, \
         `admin`, `crash`, `filter`, `algo`, `columns`, `logout`, `reset_sync_version`, `pragmas`, `credentials`, `reuse`.",
    )
    .text("`stress schema driver` prints the JSON schema of all messages.")
}

/// The operations with their fields, from the schema.
fn operations(schema: &Value) -> Vec<(String, String)> {
    let variants = schema.pointer("/$defs/Request/oneOf").and_then(Value::as_array).into_iter().flatten();
    let operation = |variant: &Value| {
        let name = text(variant.pointer("/properties/op")?, "const");
        Some((name, format!("{}{}", text(variant, "description"), fields(variant))))
    };
    variants.filter_map(operation).collect()
}

/// What the answers hold, by the operation, from the schema.
fn answers(schema: &Value) -> Vec<(String, String)> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let answer = |(name, property): (&String, &Value)| {
        let held = schema.pointer(text(property, "$ref").strip_prefix('#')?)?;
        let operations = text(property, "description");
        let operations: Vec<&str> = operations.split('`').skip(1).step_by(2).collect();
        (name != "request" && name != "answer").then(|| (operations.join(", "), fields(held).trim_start().to_owned()))
    };
    properties.filter_map(answer).collect()
}

/// The fields of an object.
fn fields(object: &Value) -> String {
    let told = |(field, schema): (&String, &Value)| {
        let meaning = text(schema, "description");
        format!(" `{field}`: {}{}.", meaning[..1].to_lowercase(), meaning[1..].trim_end_matches('.'))
    };
    let fields = object.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.filter(|(field, _)| field.as_str() != "op").map(told).collect()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
