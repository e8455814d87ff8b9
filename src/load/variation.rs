//! A scenario with its plan: the one place where plans are made.

use super::problems::LoadError;
use crate::plan::{Grant, Plan, check_matrix, combinations, count};
use crate::scenario::{Issue, Scenario};
use crate::source::Source;

/// One combination of a scenario's `matrix`, planned; the scenario itself when it has no matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Variation {
    /// What was chosen, such as `table=notes, rows=10`; empty without a matrix.
    pub label: String,
    /// The scenario with what was chosen in its `vars`.
    pub scenario: Scenario,
    /// Every decision about its run.
    pub plan: Plan,
}

/// All combinations of a scenario that is good, each planned when it is asked for: together they may be too many.
#[derive(Debug, Clone, PartialEq)]
pub struct Variations {
    scenario: Scenario,
    grant: Grant,
}

impl Variations {
    /// Plans every combination, and keeps none. Gives each problem and warning once.
    pub(super) fn check(scenario: Scenario, most: u64, grant: Grant) -> (Self, Vec<Issue>) {
        let mut issues = check_matrix(&scenario, most);
        if issues.is_empty() {
            for (_, scenario) in combinations(&scenario) {
                let found = Plan::new(&scenario, &grant).map_or_else(|problems| problems, |(_, warnings)| warnings);
                for issue in found {
                    if !issues.contains(&issue) {
                        issues.push(issue);
                    }
                }
                if issues.len() >= ENOUGH {
                    break;
                }
            }
        }
        (Self { scenario, grant }, issues)
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        count(&self.scenario)
    }

    /// Each of them, planned.
    pub fn iter(&self) -> impl Iterator<Item = Variation> {
        combinations(&self.scenario).filter_map(|(label, scenario)| {
            // What was planned before is planned again.
            let (plan, _) = Plan::new(&scenario, &self.grant).ok()?;
            Some(Variation { label, scenario, plan })
        })
    }
}

/// The problems after which no further combination is looked at.
const ENOUGH: usize = 100;

impl Variation {
    /// Plans a scenario that is in no file as it is: a recorded one, or one with another seed or target than its file
    /// has. Problems are shown in its text, under the name `path`.
    pub fn of(scenario: Scenario, path: &str, grant: &Grant) -> Result<Self, LoadError> {
        match Plan::new(&scenario, grant) {
            Ok((plan, _)) => Ok(Self { label: String::new(), scenario, plan }),
            Err(problems) => {
                let source = Some(Box::new(Source::parse(path, scenario.to_yaml())));
                Err(LoadError { source, problems, messages: Vec::new() })
            }
        }
    }
}
