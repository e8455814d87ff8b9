//! The template language as scenarios have it: strict, without escaping, with an end to every rendering, and with the
//! functions that generate values.

use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::generate;
use crate::sql::quote;

/// The maximum number of instructions, and bytes of texts put together, for one rendering: enough for any real statement,
/// and a stop for `range(10**9)`.
const FUEL: u64 = 2_000_000;

pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.add_filter("ident", |name: String| quote(&name));
    environment.add_filter("quote", |text: String| format!("'{}'", text.replace('\'', "''")));
    generate::register(&mut environment);
    environment
});
