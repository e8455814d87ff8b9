//! The author's own names: whether `vars` and `matrix` can have them, and a scenario for every combination of the
//! `matrix`.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::names::{is_identifier, is_taken};
use crate::scenario::{Issue, Scenario, join};

/// Every combination of the scenario's `matrix` as a scenario of its own with what was chosen in `vars`, each with a
/// label such as `table=notes, rows=10`; the scenario itself with an empty label when it has no matrix. Gives the
/// problems of the matrix instead when it has any.
pub(crate) fn combinations(scenario: &Scenario) -> Result<Vec<(String, Scenario)>, Vec<Issue>> {
    let mut issues: Vec<Issue> = scenario.matrix.keys().filter_map(|name| name_issue("/matrix", name)).collect();
    for (name, _) in scenario.matrix.iter().filter(|(_, values)| values.is_empty()) {
        let message = format!("`{name}` has no values, so there is nothing to run");
        issues.push(
            Issue::new(join("/matrix", name), "vars::matrix", message).help("write a list with at least one value"),
        );
    }
    if !issues.is_empty() {
        return Err(issues);
    }
    let mut all = vec![(String::new(), Scenario { matrix: BTreeMap::new(), ..scenario.clone() })];
    for (name, values) in &scenario.matrix {
        all = all
            .into_iter()
            .flat_map(|(label, scenario)| {
                values.iter().map(move |value| {
                    let mut scenario = scenario.clone();
                    scenario.vars.insert(name.clone(), value.clone());
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let separator = if label.is_empty() { "" } else { ", " };
                    (format!("{label}{separator}{name}={value}"), scenario)
                })
            })
            .collect();
    }
    Ok(all)
}

/// Whether templates can use the names of `vars`.
pub(super) fn check(draft: &mut Draft<'_>, scenario: &Scenario) {
    draft.issues.extend(scenario.vars.keys().filter_map(|name| name_issue("/vars", name)));
}

/// What is wrong with a name of the author's own, which stands under `parent`.
fn name_issue(parent: &str, name: &str) -> Option<Issue> {
    let pointer = join(parent, name);
    if is_taken(name) {
        let message = format!("the variable name `{name}` is reserved");
        Some(Issue::new(pointer, "vars::reserved", message).at_key().help("choose another name"))
    } else if !is_identifier(name) {
        let message = format!("`{name}` cannot be used in a template");
        Some(
            Issue::new(pointer, "vars::name", message)
                .at_key()
                .help("use letters, digits and `_`, and start with a letter"),
        )
    } else {
        None
    }
}
