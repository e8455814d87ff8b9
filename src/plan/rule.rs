//! Which rule of `errors:` decides about a failure.

use crate::failure::Failure;
use crate::scenario::{ErrorMatch, ErrorRule};

/// The first rule that fits a failure.
pub fn rule_for<'a>(rules: &'a [ErrorRule], failure: &Failure) -> Option<&'a ErrorRule> {
    rules.iter().find(|rule| fits(&rule.matches, failure))
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
