//! Which rule of `errors:` decides about a failure, and what is made of it.

use std::time::Duration;

use crate::failure::Failure;
use crate::scenario::{ErrorAction, ErrorActionName, ErrorActionOptions, ErrorMatch, ErrorRule, HumanDuration};

/// The pause before a retry, unless a rule says another.
const BACKOFF: Duration = Duration::from_millis(500);

/// The first rule that fits a failure.
pub(crate) fn rule_for<'a>(rules: &'a [ErrorRule], failure: &Failure) -> Option<&'a ErrorRule> {
    rules.iter().find(|rule| fits(&rule.matches, failure))
}

/// The pause before a call is made again after these failures of it, if a rule wants that. `attempt` is the number of the
/// call that failed, from 1 on.
pub(crate) fn retry(rules: &[ErrorRule], failures: &[Failure], attempt: u32) -> Option<Duration> {
    let actions = failures.iter().filter_map(|failure| rule_for(rules, failure)).flat_map(|rule| &rule.actions);
    let mut retries = actions.filter_map(|action| match action {
        ErrorAction::Options(ErrorActionOptions::Retry(retry)) => Some(retry),
        ErrorAction::Name(_) => None,
    });
    let wanted = retries.rfind(|retry| attempt <= retry.times)?;
    Some(wanted.backoff.map_or(BACKOFF, HumanDuration::get))
}

/// What is made of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is an error.
    Count,
    /// It is none.
    Ignore,
    /// It is told, and is none.
    Warn,
    /// Fails the run, whatever the thresholds allow.
    Fail,
}

/// What the rules make of a failure.
pub(crate) fn treatment(rules: &[ErrorRule], failure: &Failure) -> Treatment {
    let actions = rule_for(rules, failure).map_or(&[][..], |rule| &rule.actions);
    actions
        .iter()
        .find_map(|action| match action {
            ErrorAction::Name(ErrorActionName::Count) => Some(Treatment::Count),
            ErrorAction::Name(ErrorActionName::Ignore) => Some(Treatment::Ignore),
            ErrorAction::Name(ErrorActionName::Warn) => Some(Treatment::Warn),
            ErrorAction::Name(ErrorActionName::Fail | ErrorActionName::Stop) => Some(Treatment::Fail),
            ErrorAction::Options(ErrorActionOptions::Retry(_)) => None,
        })
        .map_or(Treatment::Count, |first| if has_fail(actions) { Treatment::Fail } else { first })
}

fn has_fail(actions: &[ErrorAction]) -> bool {
    actions.iter().any(|action| matches!(action, ErrorAction::Name(ErrorActionName::Fail | ErrorActionName::Stop)))
}

fn fits(wanted: &ErrorMatch, failure: &Failure) -> bool {
    wanted.kind.is_none_or(|kind| kind == failure.kind)
        && wanted.side.is_none_or(|side| side == failure.side)
        && wanted.http.is_none_or(|http| failure.http == Some(http))
        && wanted.text.as_ref().is_none_or(|text| failure.message.contains(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{FailureKind, Side};

    fn rule(matches: ErrorMatch) -> ErrorRule {
        ErrorRule { matches, actions: Vec::new() }
    }

    #[test]
    fn the_first_rule_of_which_everything_fits_decides() {
        let rules = [
            rule(ErrorMatch { kind: Some(FailureKind::Locked), side: Some(Side::Client), ..ErrorMatch::default() }),
            rule(ErrorMatch { http: Some(503), ..ErrorMatch::default() }),
            rule(ErrorMatch { text: Some("is locked".into()), ..ErrorMatch::default() }),
            rule(ErrorMatch::default()),
        ];
        let locked = Failure::new(FailureKind::Locked, Side::Server, "database is locked");
        assert_eq!(rule_for(&rules, &locked), Some(&rules[2]));
        assert_eq!(rule_for(&rules, &Failure { http: Some(503), ..locked.clone() }), Some(&rules[1]));
        let other = Failure::new(FailureKind::Sql, Side::Client, "no such table: notes");
        assert_eq!(rule_for(&rules, &other), Some(&rules[3]));
        assert_eq!(rule_for(&rules[..3], &other), None);
    }
}
