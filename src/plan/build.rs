//! From the scenario as written to the plan: the order of the decisions. Each is made by the file that is named after it.

use std::time::Duration;

use super::draft::Draft;
use super::grant::Grant;
use super::steps::Steps;
use super::tables::Tables;
use super::{
    Plan, SettlePlan, alter, differences, driver, judging, policies, scale, schema, session, target, variables,
};
use crate::scenario::{HumanDuration, Issue, Scenario};

impl Plan {
    /// Decides everything about a run to which this much is granted. Gives the plan and its warnings, or every problem of the scenario at once.
    pub fn new(scenario: &Scenario, grant: &Grant) -> Result<(Self, Vec<Issue>), Vec<Issue>> {
        let mut draft = Draft::new(&scenario.vars, scale::scope(scenario), grant);
        match plan(&mut draft, scenario) {
            Some(plan) if draft.is_sound() => Ok((plan, draft.issues)),
            _ => Err(draft.issues),
        }
    }
}

/// The most entries of these lists: much of a plan looks at each of them for each of them.
const MOST_ENTRIES: usize = 2_000;

/// Notes a list of the scenario that is too long to be planned.
fn check_lengths(draft: &mut Draft<'_>, scenario: &Scenario) -> Option<()> {
    let lengths = [
        ("/vars", scenario.vars.len()),
        ("/schema/tables", scenario.schema.tables.len()),
        ("/setup", scenario.setup.len()),
        ("/phases", scenario.phases.len()),
        ("/teardown", scenario.teardown.len()),
        ("/thresholds", scenario.thresholds.len()),
    ];
    let (pointer, length) = lengths.into_iter().find(|(_, length)| *length > MOST_ENTRIES)?;
    let message = format!("{length} entries are more than {MOST_ENTRIES}, so the scenario is not planned");
    let help = "repeat a step with `repeat`, or split the scenario";
    draft.issues.push(Issue::new(pointer, "plan::too_long", message).at_key().help(help));
    Some(())
}

fn plan(draft: &mut Draft<'_>, scenario: &Scenario) -> Option<Plan> {
    if check_lengths(draft, scenario).is_some() {
        return None;
    }
    variables::check(draft, scenario);
    let scale = scale::decide(draft, scenario);
    let target = target::decide(draft, scenario, scale.users.len());
    let cloudsync = !target.kind().is_driven();
    let tables = Tables::new(draft.grant.is_sandbox(), cloudsync).map_err(|error| {
        draft.issues.push(Issue::new("/schema", "sql::sqlite", format!("SQLite does not start: {error}")));
    });
    let mut tables = tables.ok()?;
    let mut table_plans = schema::decide(draft, scenario, &mut tables);
    policies::decide(draft, scenario, &mut tables, &mut table_plans);
    session::check_credentials(draft, scenario, &target, scale.databases.len());
    let steps = Steps::decide(draft, scenario, &scale, &tables, &mut table_plans);
    let all = steps.all();
    if table_plans.iter().any(|table| table.altered) {
        schema::renew(&mut tables, &mut table_plans);
        policies::renew(&tables, &mut table_plans);
    }
    alter::check(draft, scenario, &target, &all);
    let session::Pragmas { statements: pragmas, foreign_keys } = session::pragmas(draft, scenario, &target, &all);
    let thresholds = judging::thresholds(draft, scenario, &all, scale.databases.len());
    let syncs = all.iter().any(|step| step.syncs());
    let checks = judging::decide(draft, scenario, &target, &tables, syncs);
    judging::check_hostile(draft, scenario, &checks, &all);
    session::check_reuse(draft, scenario, &target, &all);
    driver::check(draft, scenario, &target, &all);
    differences::warn(draft, scenario, &target, (&tables, &table_plans), &all);
    let wait = scenario.settle.wait.map_or_else(|| target.settle_wait(), HumanDuration::get);
    Some(Plan {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        seed: scenario.seed.unwrap_or(0),
        scope: draft.scope.clone(),
        target,
        databases: scale.databases,
        users: scale.users,
        rls: scenario.rls.is_some(),
        iterations: scale.iterations?,
        rate: scenario.scale.rate,
        ramp_up: scenario.scale.ramp_up.map_or(Duration::ZERO, HumanDuration::get),
        rows: scale.rows?,
        time_limit: scenario.scale.time_limit.get(),
        tables: table_plans,
        open: scenario.session.open,
        reuse: scenario.session.reuse,
        pragmas,
        foreign_keys,
        setup: steps.setup,
        phases: steps.phases,
        teardown: steps.teardown,
        settle: SettlePlan { rounds: scenario.settle.rounds, wait },
        checks,
        thresholds,
        grant: draft.grant.clone(),
        errors: scenario.errors.clone(),
        expect: scenario.expect.clone(),
    })
}
