//! A scenario with its plan: the one place where plans are made.

use super::problems::LoadError;
use crate::plan::{Grant, Plan, combinations};
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

impl Variation {
    /// Plans every combination of a scenario. Gives those without a problem, and each problem and warning once.
    pub(super) fn all(scenario: &Scenario, grant: &Grant) -> (Vec<Self>, Vec<Issue>) {
        let (mut variations, mut issues) = (Vec::new(), Vec::new());
        let combinations = match combinations(scenario) {
            Ok(combinations) => combinations,
            Err(issues) => return (variations, issues),
        };
        for (label, scenario) in combinations {
            let found = match Plan::new(&scenario, grant) {
                Ok((plan, warnings)) => {
                    variations.push(Self { label, scenario, plan });
                    warnings
                }
                Err(problems) => problems,
            };
            for issue in found {
                if !issues.contains(&issue) {
                    issues.push(issue);
                }
            }
        }
        (variations, issues)
    }

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
