//! What a template may use, by where it stands in the scenario, and what is said about a name that it may not.

use std::ops::Range;

use serde_json::Value;

use super::build::Builder;
use crate::scenario::Issue;
use crate::suggest::suggest;
use crate::template::{GENERATORS, TemplateProblem, Text};

/// What a template may use, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Names {
    /// `vars`, `scale` and `seed`: rendered once for the run.
    Run,
    /// The same and `env`: under `target`.
    Target,
    /// Also where in the run: database, user, iteration.
    Phase,
    /// Also the row, and generated values.
    Row,
}

pub(super) const PHASE_NAMES: [&str; 6] = ["db", "iteration", "repeat", "rows", "user", "user_id"];
/// Names that belong to the template language itself.
const LANGUAGE: [&str; 6] = ["range", "dict", "namespace", "debug", "loop", "self"];
impl Builder {
    /// A text rendered once for the run.
    pub(super) fn rendered(&mut self, pointer: &str, source: &str) -> Option<String> {
        let text = self.text(pointer, source, Names::Run)?;
        text.render(&self.scope).map_err(|problem| self.template_issue(pointer, problem)).ok()
    }

    pub(super) fn rendered_value(&mut self, pointer: &str, value: &Value) -> Option<Value> {
        let Value::String(source) = value else { return Some(value.clone()) };
        let text = self.text(pointer, source, Names::Run)?;
        let value = text.value(&self.scope).map_err(|problem| self.template_issue(pointer, problem)).ok()?;
        serde_json::to_value(&value).ok()
    }

    /// Compiles a text and checks the names it uses.
    pub(super) fn text(&mut self, pointer: &str, source: &str, names: Names) -> Option<Text> {
        let text = Text::compile(source).map_err(|problem| self.template_issue(pointer, problem)).ok()?;
        let known =
            text.variables().into_iter().all(|(name, range)| self.check_name(pointer, &name, range.as_ref(), names));
        known.then_some(text)
    }

    pub(super) fn check_name(&mut self, pointer: &str, name: &str, range: Option<&Range<usize>>, names: Names) -> bool {
        let (root, key) = name.split_once('.').map_or((name, None), |(root, key)| (root, Some(key)));
        let issue = |message: String| Issue::new(pointer, "template::name", message).range(range.cloned());
        if LANGUAGE.contains(&root) || root == "seed" || self.vars.contains_key(root) {
            return true;
        }
        if root == "scale" {
            return match key.filter(|key| !self.scale_keys.iter().any(|known| known == key)) {
                None => true,
                Some(key) => {
                    let help = suggest(key, self.scale_keys.iter().map(String::as_str), "keys of `scale`");
                    self.issues.push(issue(format!("`scale` has no `{key}`")).help(help));
                    false
                }
            };
        }
        let allowed_from = if root == "env" {
            Some((Names::Target, "`env` can be used under `target` only, so that no secret ends up in data or logs"))
        } else if PHASE_NAMES.contains(&root) {
            Some((
                Names::Phase,
                "it differs between databases and iterations, and this text is rendered once for the run",
            ))
        } else if root == "row" || GENERATORS.contains(&root) {
            Some((Names::Row, "it differs from row to row; it can be used in `bind` and `sql`"))
        } else {
            None
        };
        match allowed_from {
            Some((Names::Target, _)) if names == Names::Target => true,
            Some((least, _)) if least != Names::Target && names >= least => true,
            Some((_, why)) => {
                self.issues.push(issue(format!("`{root}` has no meaning here")).help(why));
                false
            }
            None => {
                let mut all: Vec<String> = self.vars.keys().cloned().collect();
                all.extend(["scale", "seed"].map(str::to_owned));
                if names >= Names::Phase {
                    all.extend(PHASE_NAMES.map(str::to_owned));
                }
                if names >= Names::Row {
                    all.push("row".to_owned());
                    all.extend(GENERATORS.map(str::to_owned));
                }
                let help = suggest(root, all.iter().map(String::as_str), "declare it under `vars`; there are");
                self.issues.push(issue(format!("unknown variable `{root}`")).help(help));
                false
            }
        }
    }

    pub(super) fn template_issue(&mut self, pointer: &str, problem: TemplateProblem) {
        self.issues.push(Issue::new(pointer, "template::syntax", problem.message).range(problem.range));
    }
}
