//! The author's own names: whether `vars` and `matrix` can have them, and a scenario for every combination of the
//! `matrix`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::Draft;
use super::names::{is_identifier, is_taken};
use crate::scenario::{Issue, Scenario, join};

/// What is wrong with the scenario's `matrix`, which may have this many combinations.
pub(crate) fn check_matrix(scenario: &Scenario, most: u64) -> Vec<Issue> {
    let mut issues: Vec<Issue> = scenario.matrix.keys().filter_map(|name| name_issue("/matrix", name)).collect();
    for (name, _) in scenario.matrix.iter().filter(|(_, values)| values.is_empty()) {
        let message = format!("`{name}` has no values, so there is nothing to run");
        issues.push(
            Issue::new(join("/matrix", name), "vars::matrix", message).help("write a list with at least one value"),
        );
    }
    let count = count(scenario);
    if count > most {
        let message = format!("the matrix has {count} combinations, and each is a run: more than {most}");
        let help = "use fewer values, or allow more runs with `--max-runs N`";
        issues.push(Issue::new("/matrix", "vars::matrix", message).at_key().help(help));
    }
    issues
}

/// How many combinations the scenario's `matrix` has; one when it has no matrix.
pub(crate) fn count(scenario: &Scenario) -> u64 {
    scenario.matrix.values().fold(1, |count, values| count.saturating_mul(values.len() as u64))
}

/// Every combination of the scenario's `matrix` as a scenario of its own with what was chosen in `vars`, each with a
/// label such as `table=notes, rows=10`; the scenario itself with an empty label when it has no matrix. Each is made when
/// it is asked for.
pub(crate) fn combinations(scenario: &Scenario) -> impl Iterator<Item = (String, Scenario)> {
    (0..count(scenario)).map(|index| {
        let mut chosen = Vec::new();
        let mut rest = index;
        // The last name changes fastest.
        for (name, values) in scenario.matrix.iter().rev() {
            let values_count = values.len() as u64;
            chosen.extend(usize::try_from(rest % values_count).ok().and_then(|at| Some((name, values.get(at)?))));
            rest /= values_count;
        }
        chosen.reverse();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let label: Vec<String> = chosen.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        let mut vars = scenario.vars.clone();
        vars.extend(chosen.into_iter().map(|(name, value)| (name.clone(), value.clone())));
        (label.join(", "), Scenario { matrix: BTreeMap::new(), vars, ..scenario.clone() })
    })
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
