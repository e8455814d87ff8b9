//! From the scenario as written to the plan: renders, decides, and collects every problem on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::names::PHASE_NAMES;
use super::steps;
use super::tables::Tables;
use super::target::server_can_be_asked;
use super::threshold::{self, ThresholdPlan};
use super::{Action, CheckKind, CheckPlan, DatabasePlan, Plan, Question, SettlePlan, StepPlan, TablePlan, UserPlan};
use crate::scenario::{
    Check, CheckName, CheckOptions, Cleanup, Count, HumanDuration, Issue, Scenario, Target, TargetName, TargetOptions,
    Threshold, WrongCredential,
};
use crate::suggest::suggest;
use crate::template::{GENERATORS, Number, Scope, Text, Variables};

/// The user ids' fixed part, the seed's.
const USER_PREFIX: &str = "018ecfc2-b2b1-7cc3-a9f0-";
/// More threads than this do not start on an ordinary machine.
const MOST_DATABASES: u64 = 10_000;

impl Plan {
    /// Decides everything about a run. Gives the plan and its warnings, or every problem of the scenario at once.
    pub fn new(scenario: &Scenario) -> Result<(Self, Vec<Issue>), Vec<Issue>> {
        let mut builder = Builder::new(scenario);
        let plan = builder.plan(scenario);
        match plan {
            Some(plan) if builder.issues.iter().all(|issue| issue.warning) => Ok((plan, builder.issues)),
            _ => Err(builder.issues),
        }
    }

    /// The scope of the whole run, in which its templates are rendered.
    pub fn scope(scenario: &Scenario) -> Scope {
        Scope::new(Variables {
            vars: scenario.vars.clone(),
            scale: scale_values(scenario),
            seed: scenario.seed.unwrap_or(0),
        })
    }
}

/// Every combination of the scenario's `matrix`, as scenarios of their own with what was chosen in `vars`; the
/// scenario itself when it has none.
pub fn combinations(scenario: &Scenario) -> Vec<(Scenario, String)> {
    let mut all = vec![(Scenario { matrix: BTreeMap::new(), ..scenario.clone() }, String::new())];
    for (name, values) in &scenario.matrix {
        all = all
            .into_iter()
            .flat_map(|(scenario, label)| {
                values.iter().map(move |value| {
                    let mut scenario = scenario.clone();
                    scenario.vars.insert(name.clone(), value.clone());
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let separator = if label.is_empty() { "" } else { ", " };
                    (scenario, format!("{label}{separator}{name}={value}"))
                })
            })
            .collect();
    }
    all
}

fn scale_values(scenario: &Scenario) -> Map<String, Value> {
    let count = |count: &Count| match count {
        Count::Number(number) => json!(number),
        Count::Template(text) => {
            let none = Map::new();
            let scope =
                Scope::new(Variables { vars: scenario.vars.clone(), scale: none, seed: scenario.seed.unwrap_or(0) });
            let number = Text::compile(text).and_then(|text| Number::Rendered(text).value(&scope));
            number.map_or_else(|_| json!(0), |number| json!(number))
        }
    };
    let scale = &scenario.scale;
    let mut values = Map::new();
    values.insert("databases".to_owned(), count(&scale.databases));
    values.insert("iterations".to_owned(), count(&scale.iterations));
    values.insert("rows".to_owned(), count(&scale.rows));
    values
}

/// Collects problems while it decides.
pub(super) struct Builder {
    pub(super) issues: Vec<Issue>,
    pub(super) scope: Scope,
    pub(super) vars: Map<String, Value>,
    pub(super) scale_keys: Vec<String>,
}

impl Builder {
    fn new(scenario: &Scenario) -> Self {
        let scale_keys = scale_values(scenario).keys().cloned().collect();
        Self { issues: Vec::new(), scope: Plan::scope(scenario), vars: scenario.vars.clone(), scale_keys }
    }

    fn plan(&mut self, scenario: &Scenario) -> Option<Plan> {
        self.check_variables(scenario);
        let databases = self.scale("/scale/databases", &scenario.scale.databases, 1, MOST_DATABASES);
        let iterations = self.scale("/scale/iterations", &scenario.scale.iterations, 0, u64::MAX);
        let rows = self.scale("/scale/rows", &scenario.scale.rows, 0, u64::MAX);
        let mut tables = match Tables::new() {
            Ok(tables) => tables,
            Err(error) => {
                let message = format!("SQLite does not start: {error}");
                self.issues.push(Issue::new("/schema", "sql::sqlite", message));
                return None;
            }
        };
        let table_plans = self.tables(scenario, &mut tables);
        let rls = scenario.rls.is_some();
        let databases = u32::try_from(databases.unwrap_or(1)).unwrap_or(1);
        let (databases, users) = users(databases, scenario);
        self.check_target(scenario, users.len());
        self.check_credential_lanes(scenario, databases.len());
        let setup = steps::build(self, &tables, "/setup", &scenario.setup);
        let phases = steps::build(self, &tables, "/phases", &scenario.phases);
        let teardown = steps::build(self, &tables, "/teardown", &scenario.teardown);
        self.check_step_names([&setup, &phases, &teardown]);
        let steps = setup.iter().chain(&phases).chain(&teardown);
        let pragmas = self.pragmas(scenario, statement_journals(scenario, steps));
        let phase_names: Vec<String> =
            setup.iter().chain(&phases).chain(&teardown).map(|step| step.name.clone()).collect();
        let database_count = u32::try_from(databases.len()).unwrap_or(u32::MAX);
        let thresholds = self.thresholds(scenario, &phase_names, database_count);
        let syncs = setup.iter().chain(&phases).chain(&teardown).any(StepPlan::syncs);
        let checks = self.checks(scenario, &tables, syncs);
        self.check_hostile(scenario, &checks, [&setup, &phases, &teardown]);
        self.check_reuse(scenario, [&setup, &phases, &teardown]);
        let wait = scenario.settle.wait.map_or_else(|| default_settle_wait(&scenario.target), HumanDuration::get);
        Some(Plan {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            seed: scenario.seed.unwrap_or(0),
            target: scenario.target.clone(),
            databases,
            users,
            rls,
            iterations: iterations?,
            rate: scenario.scale.rate,
            ramp_up: scenario.scale.ramp_up.map_or(Duration::ZERO, HumanDuration::get),
            rows: rows?,
            time_limit: scenario.scale.time_limit.get(),
            tables: table_plans,
            open: scenario.session.open,
            reuse: scenario.session.reuse,
            pragmas,
            setup,
            phases,
            teardown,
            settle: SettlePlan { rounds: scenario.settle.rounds, wait },
            checks,
            thresholds,
            errors: scenario.errors.clone(),
            expect: scenario.expect.clone(),
        })
    }

    fn check_variables(&mut self, scenario: &Scenario) {
        let reserved: BTreeSet<&str> =
            PHASE_NAMES.into_iter().chain(["row", "seed", "scale", "env", "id"]).chain(GENERATORS).collect();
        let named = scenario.vars.keys().map(|name| ("/vars", name));
        for (parent, name) in named.chain(scenario.matrix.keys().map(|name| ("/matrix", name))) {
            let pointer = format!("{parent}/{}", escape(name));
            if reserved.contains(name.as_str()) {
                let message = format!("the variable name `{name}` is taken: it always has a meaning of its own");
                self.issues.push(Issue::new(pointer, "vars::reserved", message).at_key().help("choose another name"));
            } else if !is_identifier(name) {
                let message = format!("`{name}` cannot be used in a template");
                let help = "use letters, digits and `_`, a letter first";
                self.issues.push(Issue::new(pointer, "vars::name", message).at_key().help(help));
            }
        }
        for (name, values) in &scenario.matrix {
            if values.is_empty() {
                let message = format!("`{name}` has no values, so that there is nothing to run");
                self.issues.push(Issue::new(format!("/matrix/{}", escape(name)), "vars::matrix", message));
            }
        }
    }

    fn scale(&mut self, pointer: &str, count: &Count, least: u64, most: u64) -> Option<u64> {
        let number = match count {
            Count::Number(number) => *number,
            Count::Template(source) => {
                let text = self.text(pointer, source, super::names::Names::Run)?;
                match Number::Rendered(text).value(&self.scope) {
                    Ok(number) => number,
                    Err(problem) => {
                        self.template_issue(pointer, problem);
                        return None;
                    }
                }
            }
        };
        if (least..=most).contains(&number) {
            return Some(number);
        }
        let bound = if number < least { format!("at least {least}") } else { format!("at most {most}") };
        self.issues.push(Issue::new(pointer, "scale::range", format!("{number} is out of range: {bound} is wanted")));
        None
    }

    fn tables(&mut self, scenario: &Scenario, tables: &mut Tables) -> Vec<TablePlan> {
        let mut plans: Vec<TablePlan> = Vec::new();
        for (index, table) in scenario.schema.tables.iter().enumerate() {
            let pointer = format!("/schema/tables/{index}");
            let name = self.rendered(&format!("{pointer}/name"), &table.name);
            let sql = self.rendered(&format!("{pointer}/sql"), &table.sql);
            let (Some(name), Some(sql)) = (name, sql) else { continue };
            if plans.iter().any(|plan| plan.name.eq_ignore_ascii_case(&name)) {
                let message = format!("table `{name}` is declared twice");
                self.issues.push(Issue::new(format!("{pointer}/name"), "sql::create", message));
                continue;
            }
            let Some(columns) = tables.create(&pointer, &name, &sql, &mut self.issues) else { continue };
            let mut also = Vec::new();
            for (place, source) in table.also.iter().enumerate() {
                let pointer = format!("{pointer}/also/{place}");
                let Some(sql) = self.rendered(&pointer, source) else { continue };
                if let Err(problem) = tables.run(&sql) {
                    self.sql_issue(&pointer, source, problem);
                }
                also.push(sql);
            }
            plans.push(TablePlan {
                name,
                sql,
                also,
                columns: columns.all,
                primary_key: columns.primary_key,
                policies: None,
            });
        }
        self.policies(scenario, tables, &mut plans);
        plans
    }

    fn policies(&mut self, scenario: &Scenario, tables: &Tables, plans: &mut [TablePlan]) {
        let Some(rls) = &scenario.rls else { return };
        let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
        for (written, policies) in &rls.policies {
            let pointer = format!("/rls/policies/{}", escape(written));
            let Some(name) = self.rendered(&pointer, written) else { continue };
            let mut rendered = policies.clone();
            let each = [
                ("select", &mut rendered.select),
                ("insert", &mut rendered.insert),
                ("update", &mut rendered.update),
                ("delete", &mut rendered.delete),
            ];
            for (operation, policy) in each {
                if let Some(source) = policy {
                    *policy = self.rendered(&format!("{pointer}/{operation}"), source);
                }
            }
            match plans.iter_mut().find(|plan| plan.name == name) {
                Some(plan) => {
                    tables.check_policies(&pointer, &name, &rendered, &mut self.issues);
                    plan.policies = Some(rendered);
                }
                None if names.is_empty() => {}
                None => {
                    let help = suggest(&name, names.iter().map(String::as_str), "the scenario's tables");
                    let message = format!("there is no table `{name}` in this scenario");
                    self.issues.push(Issue::new(pointer, "rls::table", message).at_key().help(help));
                }
            }
        }
        for plan in plans.iter().filter(|plan| plan.policies.is_none()) {
            let message = format!("table `{}` has no policies, so that no user sees any of its rows", plan.name);
            let help = format!("add `{}:` with its select, insert, update and delete policies", plan.name);
            self.issues.push(Issue::new("/rls/policies", "rls::table", message).help(help));
        }
    }

    fn pragmas(&mut self, scenario: &Scenario, temp_store: &str) -> Vec<String> {
        // Foreign keys off is SQLite's own default, which the bundled build turns round.
        let mut pragmas = BTreeMap::from(
            [
                ("journal_mode", "wal"),
                ("busy_timeout", "5000"),
                ("synchronous", "normal"),
                ("temp_store", temp_store),
                ("foreign_keys", "off"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        for (name, value) in &scenario.session.pragmas {
            let pointer = format!("/session/pragmas/{}", escape(name));
            if !is_identifier(name) {
                let message = format!("`{name}` is not the name of a pragma");
                self.issues.push(Issue::new(pointer, "session::pragma", message).at_key());
                continue;
            }
            let rendered = match value {
                Value::String(source) => self.rendered(&pointer, source),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(flag) => Some(u8::from(*flag).to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    self.issues.push(Issue::new(&pointer, "session::pragma", "a pragma's value is a number or a text"));
                    None
                }
            };
            let Some(rendered) = rendered else { continue };
            if !rendered.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
                let message = format!("`{rendered}` is not the value of a pragma");
                self.issues.push(Issue::new(pointer, "session::pragma", message));
                continue;
            }
            pragmas.insert(name.to_ascii_lowercase(), rendered);
        }
        pragmas.into_iter().map(|(name, value)| format!("PRAGMA {name} = {value}")).collect()
    }

    fn check_credential_lanes(&mut self, scenario: &Scenario, databases: usize) {
        for (at, rule) in scenario.session.credentials.iter().enumerate() {
            let pointer = format!("/session/credentials/{at}");
            for (place, index) in rule.databases.iter().enumerate() {
                if *index == 0 || *index as usize > databases {
                    let message = format!("there is no database {index}: there are {databases}, counted from 1");
                    self.issues.push(Issue::new(
                        format!("{pointer}/databases/{place}"),
                        "session::credentials",
                        message,
                    ));
                }
            }
            if rule.uses == WrongCredential::Expired
                && (scenario.rls.is_none() || !server_can_be_asked(&scenario.target))
            {
                let message = "an expired token needs `rls`, and an administrator who makes it";
                let help = "declare `rls` and give the target a `connection_string`, or use `wrong`";
                self.issues.push(Issue::new(format!("{pointer}/use"), "session::credentials", message).help(help));
            }
        }
    }

    fn check_step_names(&mut self, lists: [&Vec<super::StepPlan>; 3]) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for step in lists.into_iter().flatten() {
            if !seen.insert(&step.name) {
                let message =
                    format!("the name `{}` is given twice, and reports could not tell the two apart", step.name);
                let pointer = format!("{}/name", step.pointer);
                self.issues.push(Issue::new(pointer, "phase::name", message).help("give each phase a name of its own"));
            }
        }
    }

    /// Hostile phases are judged by the policies, under `isolation`.
    fn check_hostile(&mut self, scenario: &Scenario, checks: &[CheckPlan], lists: [&Vec<super::StepPlan>; 3]) {
        let isolation = checks.iter().any(|check| check.kind() == CheckKind::Isolation);
        for step in lists.into_iter().flatten() {
            let super::Action::Sql(sql) = &step.action else { continue };
            if !sql.hostile {
                continue;
            }
            let pointer = format!("{}/hostile", step.pointer);
            if scenario.rls.is_none() {
                let issue = Issue::new(
                    pointer,
                    "phase::hostile",
                    "without `rls` nothing is denied, so that nothing is hostile",
                );
                self.issues.push(issue.at_key().help("declare the policies under `rls`"));
            } else if !isolation {
                let issue =
                    Issue::new(pointer, "phase::hostile", "what hostile phases attempt is checked by `isolation`");
                self.issues.push(issue.at_key().help("add `isolation` to `verify`"));
            }
        }
    }

    /// Rows that one side loses between two runs would look like rows that sync lost.
    fn check_reuse(&mut self, scenario: &Scenario, lists: [&Vec<super::StepPlan>; 3]) {
        if !scenario.session.reuse {
            return;
        }
        let mut refuse = |pointer: String, message: &str, help: &str| {
            self.issues.push(Issue::new(pointer, "session::reuse", message).at_key().help(help));
        };
        if let Target::Options(TargetOptions::Cloudsync(options)) = &scenario.target {
            if options.provision {
                refuse(
                    "/target/cloudsync/provision".to_owned(),
                    "the server's tables would be dropped, and the databases that are reused keep their rows",
                    "leave `provision` out: `stress provision FILE` prepares the server once",
                );
            }
            if options.cleanup == Some(Cleanup::Drop) {
                refuse(
                    "/target/cloudsync/cleanup".to_owned(),
                    "the server's tables would be dropped, and the databases that are reused keep their rows",
                    "leave `cleanup` out: `stress cleanup FILE` drops the tables and removes the databases",
                );
            }
        }
        for step in lists.into_iter().flatten() {
            if matches!(&step.action, super::Action::Sql(sql) if sql.hostile) {
                refuse(
                    format!("{}/hostile", step.pointer),
                    "what the server denies stays in the databases, and a later run could not tell it from a loss",
                    "leave `session.reuse` out",
                );
            }
        }
    }

    fn thresholds(&mut self, scenario: &Scenario, phases: &[String], databases: u32) -> Vec<ThresholdPlan> {
        let mut plans = Vec::new();
        for (index, written) in scenario.thresholds.iter().enumerate() {
            let pointer = format!("/thresholds/{index}");
            match ThresholdPlan::new(&pointer, written, phases, databases) {
                Ok(plan) => plans.push(plan),
                Err(problem) => {
                    let pointer = match written {
                        Threshold::Text(_) => pointer,
                        Threshold::Options(_) => format!("{pointer}/expr"),
                    };
                    let issue =
                        Issue::new(pointer, "threshold::expression", problem.message).range(Some(problem.range));
                    self.issues.push(match problem.help {
                        Some(help) => issue.help(help),
                        None => issue,
                    });
                }
            }
        }
        threshold::with_built_in(plans)
    }

    fn checks(&mut self, scenario: &Scenario, tables: &Tables, syncs: bool) -> Vec<CheckPlan> {
        let Some(written) = &scenario.verify else {
            if !syncs {
                return Vec::new();
            }
            let mut names = vec![CheckName::Converged];
            if server_can_be_asked(&scenario.target) {
                names.push(CheckName::Server);
            }
            if scenario.rls.is_some() {
                names.push(CheckName::Isolation);
            }
            let check = |name| CheckPlan { pointer: None, question: Question::Named(name) };
            return names.into_iter().map(check).collect();
        };
        let mut checks = Vec::new();
        for (index, check) in written.iter().enumerate() {
            let pointer = format!("/verify/{index}");
            match check {
                Check::Name(name) => {
                    if !syncs {
                        let message = "no step asks for a sync call, so that there is nothing to compare";
                        let help = "add `sync: [send, receive]` to a step, or leave this check out; a `query` on databases needs no sync";
                        self.issues.push(Issue::new(&pointer, "verify::check", message).help(help));
                    }
                    if *name == CheckName::Isolation && scenario.rls.is_none() {
                        let message = "`isolation` has nothing to check without `rls`";
                        let help = "declare the policies under `rls`, or leave this check out";
                        self.issues.push(Issue::new(&pointer, "verify::check", message).help(help));
                    }
                    if *name == CheckName::Server {
                        self.require_server(&scenario.target, &pointer);
                    }
                    checks.push(CheckPlan { pointer: Some(pointer), question: Question::Named(*name) });
                }
                Check::Options(CheckOptions::Query(query)) => {
                    if query.on == crate::scenario::QueryOn::Server {
                        self.require_server(&scenario.target, &format!("{pointer}/query/on"));
                    }
                    let sql_pointer = format!("{pointer}/query/sql");
                    let Some(sql) = self.rendered(&sql_pointer, &query.sql) else { continue };
                    match tables.prepare(&sql) {
                        Ok(prepared) if prepared.columns != 1 || !prepared.readonly => {
                            let message = "this check wants a query that gives one column";
                            let help = "such as `SELECT count(*) FROM …`";
                            self.issues.push(Issue::new(sql_pointer, "verify::query", message).help(help));
                        }
                        Ok(_) => {}
                        Err(problem) => self.sql_issue(&sql_pointer, &query.sql, problem),
                    }
                    let Some(equals) = self.rendered_value(&format!("{pointer}/query/equals"), &query.equals) else {
                        continue;
                    };
                    let question = Question::Query { on: query.on, sql, equals };
                    checks.push(CheckPlan { pointer: Some(pointer), question });
                }
            }
        }
        checks
    }

    fn require_server(&mut self, target: &Target, pointer: &str) {
        if !server_can_be_asked(target) {
            let message = "the server cannot be asked: the target has no `connection_string`";
            let help =
                "add `connection_string: \"{{ env.SQLITECLOUD_CONNECTION }}\"` to the target, or leave this check out";
            self.issues.push(Issue::new(pointer, "verify::server", message).help(help));
        }
    }

    /// A problem of SQL whose text was rendered from `source`: its place holds in `source` up to the first template.
    pub(super) fn sql_issue(&mut self, pointer: &str, source: &str, problem: super::tables::SqlProblem) {
        let first_template = source.find("{{").or_else(|| source.find("{%")).unwrap_or(source.len());
        let range = problem.range.filter(|range| range.end <= first_template);
        let missing =
            problem.message.strip_prefix("no such ").and_then(|rest| rest.split_once(": ")).map(|(_, name)| name);
        let range = range.or_else(|| find_word(source, missing?));
        let issue = Issue::new(pointer, "sql::prepare", format!("the SQL does not prepare: {}", problem.message));
        let issue = issue.range(range);
        self.issues.push(match problem.help {
            Some(help) => issue.help(help),
            None => issue,
        });
    }
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
    let users = (1..=last).map(|index| UserPlan { index, id: format!("{USER_PREFIX}{index:012}") }).collect();
    (databases, users)
}

fn is_embedded(target: &Target) -> bool {
    matches!(target, Target::Name(TargetName::Embedded) | Target::Options(TargetOptions::Embedded(_)))
}

/// Where SQLite keeps statement journals. Memory takes half the time of files, with one exception: behind the journal of
/// a statement that changes many rows within a transaction lie those of the statements that the extension's triggers
/// run, and in memory SQLite walks the former for each of the latter. 100,000 rows updated so took over two minutes, with
/// files two seconds. A statement that is its own transaction has no journal.
fn statement_journals<'a>(scenario: &Scenario, mut steps: impl Iterator<Item = &'a StepPlan>) -> &'static str {
    let several = |step: &StepPlan| match &step.action {
        Action::Sql(sql) => sql.rows.is_none() && sql.statements.len() > 1 && sql.batch != Some(1),
        Action::Admin(_) | Action::Wait(_) | Action::Nothing => false,
    };
    if !is_embedded(&scenario.target) && steps.any(several) { "file" } else { "memory" }
}

fn default_settle_wait(target: &Target) -> Duration {
    if is_embedded(target) { Duration::from_millis(10) } else { Duration::from_secs(1) }
}

/// Where a name stands in a text as a word of its own.
fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(start, found)| start..start + found.len())
        .find(|range| !text[..range.start].ends_with(part_of_word) && !text[range.end..].starts_with(part_of_word))
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}

/// A key as a part of a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_journals_go_to_files_where_the_extension_would_have_them_walked() {
        let store = |target: &Value, sql: Value| {
            let scenario = json!({
                "version": 1, "name": "journals", "target": target,
                "schema": {"tables": [{"name": "t", "sql": "CREATE TABLE t (id TEXT PRIMARY KEY)"}]},
                "phases": [{"name": "delete", "kind": "delete", "sql": sql, "sync": ["send"]}],
            });
            let (plan, _) = Plan::new(&serde_json::from_value(scenario).expect("a scenario")).expect("a plan");
            plan.pragmas.iter().find_map(|pragma| pragma.strip_prefix("PRAGMA temp_store = ").map(str::to_owned))
        };
        let one = || json!("DELETE FROM t");
        let two = || json!(["DELETE FROM t WHERE id > 'm'", "DELETE FROM t"]);
        let extension = json!({"cloudsync": {"managed_database_id": "db_x", "connection_string": "{{ env.C }}"}});
        assert_eq!(store(&extension, one()).as_deref(), Some("memory"));
        assert_eq!(store(&extension, two()).as_deref(), Some("file"));
        assert_eq!(store(&json!("embedded"), two()).as_deref(), Some("memory"));
    }
}
