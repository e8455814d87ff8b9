//! How much: the numbers of `scale`, the databases, and the users they belong to.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::names::{Names, SCALE_KEYS};
use super::{DatabasePlan, UserPlan};
use crate::scenario::{Count, Issue, Scenario};
use crate::template::{Number, Scope, Text, Variables};

/// The user ids' fixed part, the seed's.
const USER_PREFIX: &str = "018ecfc2-b2b1-7cc3-a9f0-";
/// More threads than this do not start on an ordinary machine.
const MOST_DATABASES: u64 = 10_000;

/// The scope of the whole run, in which its templates are rendered.
pub(super) fn scope(scenario: &Scenario) -> Scope {
    let with = |scale| Scope::new(Variables { vars: scenario.vars.clone(), scale, seed: scenario.seed.unwrap_or(0) });
    let own = with(Map::new());
    let value = |count: &Count| match count {
        Count::Number(number) => json!(number),
        // What is wrong with it is told when the number itself is decided.
        Count::Template(text) => {
            let number = Text::compile(text).and_then(|text| Number::Rendered(text).value(&own));
            number.map_or_else(|_| json!(0), |number| json!(number))
        }
    };
    let scale = &scenario.scale;
    let values = [&scale.databases, &scale.iterations, &scale.rows].map(value);
    with(SCALE_KEYS.into_iter().map(str::to_owned).zip(values).collect::<Map<String, Value>>())
}

/// The numbers of `scale`.
pub(super) struct ScalePlan {
    pub(super) databases: Vec<DatabasePlan>,
    pub(super) users: Vec<UserPlan>,
    pub(super) iterations: Option<u64>,
    pub(super) rows: Option<u64>,
}

pub(super) fn decide(draft: &mut Draft<'_>, scenario: &Scenario) -> ScalePlan {
    let scale = &scenario.scale;
    let databases = number(draft, "/scale/databases", &scale.databases, 1, MOST_DATABASES);
    let iterations = number(draft, "/scale/iterations", &scale.iterations, 0, u64::MAX);
    let rows = number(draft, "/scale/rows", &scale.rows, 0, u64::MAX);
    let databases = u32::try_from(databases.unwrap_or(1)).unwrap_or(1);
    let (databases, users) = users(databases, scenario);
    ScalePlan { databases, users, iterations, rows }
}

fn number(draft: &mut Draft<'_>, pointer: &str, count: &Count, least: u64, most: u64) -> Option<u64> {
    let number = match count {
        Count::Number(number) => *number,
        Count::Template(source) => {
            let text = draft.text(pointer, source, Names::Run)?;
            let number = Number::Rendered(text).value(&draft.scope);
            number.map_err(|problem| draft.template(pointer, problem)).ok()?
        }
    };
    if (least..=most).contains(&number) {
        return Some(number);
    }
    let bound = if number < least { format!("at least {least}") } else { format!("at most {most}") };
    draft.issues.push(Issue::new(pointer, "scale::range", format!("{number} is out of range: it must be {bound}")));
    None
}

fn users(databases: u32, scenario: &Scenario) -> (Vec<DatabasePlan>, Vec<UserPlan>) {
    let per_user = match &scenario.rls {
        None => databases.max(1),
        Some(rls) => rls.databases_per_user.unwrap_or(if databases <= 2 { 1 } else { 2 }).max(1),
    };
    let credential = |index: u32| {
        let rule = scenario.session.credentials.iter().find(|rule| rule.databases.contains(&index));
        rule.map(|rule| rule.uses)
    };
    let databases: Vec<DatabasePlan> = (1..=databases)
        .map(|index| DatabasePlan { index, user: (index - 1) / per_user + 1, credential: credential(index) })
        .collect();
    let last = databases.last().map_or(1, |database| database.user);
    (databases, (1..=last).map(|index| UserPlan { index, id: user_id(index) }).collect())
}

/// The id of a user, as policies see it.
pub(super) fn user_id(index: u32) -> String {
    format!("{USER_PREFIX}{index:012}")
}
