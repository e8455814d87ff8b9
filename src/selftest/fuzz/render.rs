//! A drawn scenario as the scenario that is run.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::made::{Conflict, Extra, Fill, Hostility, Made, Phase, Policy, Style, Table, Which, Work};
use super::plant::{self, meet};
use super::sql::{LOG, MEMBERS, OTHER_TEAM, OWN_TEAM, Writer, has_parent, insert, row, victim};
use crate::load::{LoadError, Loaded, Overrides, load_source};
use crate::scenario::{
    Barrier, Check, CheckName, CheckOptions, Count, EmbeddedOptions, HumanDuration, Kind, Policies, Query, QueryOn,
    Rls, Scale, Scenario, Schema, Session, Settle, Sql, Step, SyncCall, SyncName, Target, TargetOptions,
};
use crate::source::Source;
use crate::sql::quote;

/// More rounds than any drawn scenario needs.
const ROUNDS: u32 = 20;

impl Made {
    /// The name of its scenario and of its run directory.
    pub(crate) fn name(&self) -> String {
        let kind = if self.planted.is_some() { "planted" } else { "clean" };
        format!("fuzz-{kind}-{}", self.seed)
    }

    /// The scenario as YAML.
    pub(crate) fn yaml(&self) -> String {
        self.scenario().to_yaml()
    }

    /// The scenario, read and planned as a file would be.
    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        load_source(Source::parse(format!("{}.yaml", self.name()), self.yaml()), &Overrides::default())
    }

    fn scenario(&self) -> Scenario {
        let options = EmbeddedOptions {
            writers: self.writers,
            journal_mode: self.journal,
            faults: plant::faults(self),
            ..EmbeddedOptions::default()
        };
        let pragmas = self.pragmas.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut setup = self.members();
        setup.extend(plant::setup(self));
        // A step that does nothing is refused.
        let phases = self.phases.iter().filter(|phase| phase.work != Work::Nothing || !phase.sync.is_empty());
        let mut phases: Vec<Step> = phases.map(|phase| phase.step(self)).collect();
        let teardown = phases.split_off(phases.len() - usize::from(self.teardown && phases.len() > 1));
        Scenario {
            version: 1,
            name: self.name(),
            description: String::new(),
            vars: Map::new(),
            scale: Scale {
                databases: Count::Number(self.databases),
                iterations: Count::Number(self.iterations),
                time_limit: HumanDuration::from_secs(60),
                ..Scale::default()
            },
            profiles: BTreeMap::new(),
            matrix: BTreeMap::new(),
            seed: Some(self.seed),
            target: Target::Options(TargetOptions::Embedded(options)),
            schema: Schema { tables: self.schema() },
            rls: self.rls(),
            session: Session { open: self.open, pragmas: pragmas.collect(), ..Session::default() },
            setup,
            phases,
            teardown,
            settle: Settle { rounds: ROUNDS, wait: Some(HumanDuration::from_millis(1)) },
            verify: self.verify(),
            thresholds: Vec::new(),
            errors: Vec::new(),
            expect: None,
        }
    }

    fn schema(&self) -> Vec<crate::scenario::Table> {
        let make = |name: &str, sql: String, also: Vec<String>| crate::scenario::Table {
            name: name.to_owned(),
            sql,
            also,
            filter: None,
            algo: crate::scenario::Algorithm::default(),
            columns: std::collections::BTreeMap::new(),
        };
        let mut tables: Vec<crate::scenario::Table> =
            self.tables.iter().map(|table| make(&table.name, table.create(self), table.also())).collect();
        // Before the table whose trigger writes it.
        if self.has_log() {
            tables.insert(0, make("log", LOG.to_owned(), vec![]));
        }
        if self.policy == Some(Policy::Team) {
            tables.insert(0, make("members", MEMBERS.to_owned(), vec![]));
        }
        tables
    }

    fn has_log(&self) -> bool {
        self.tables.iter().any(|table| table.extras.contains(&Extra::TriggerOtherTable))
    }

    fn rls(&self) -> Option<Rls> {
        let policy = self.policy?;
        let of = |[select, insert, update, delete]: [Option<String>; 4]| Policies { select, insert, update, delete };
        let mut policies: BTreeMap<String, Policies> =
            self.tables.iter().map(|table| (table.name.clone(), of(table.policies(policy)))).collect();
        let all = || Some("1".to_owned());
        if self.has_log() {
            policies.insert("log".to_owned(), of([all(), all(), all(), all()]));
        }
        if policy == Policy::Team {
            let own = Some("auth_userid() = NEW.member_id".to_owned());
            policies.insert("members".to_owned(), of([all(), own, None, None]));
        }
        Some(Rls { databases_per_user: u32::try_from(self.per_user).ok(), policies })
    }

    /// Teams are known to the server before anybody writes for one.
    fn members(&self) -> Vec<Step> {
        if self.policy != Some(Policy::Team) {
            return Vec::new();
        }
        let sql = "INSERT INTO members (id, member_id, member_of) VALUES ('m{{ db }}', :user_id, {{ user % 2 }})";
        let join = |name: &str, sql: &str, when: Option<&str>| Step {
            name: Some(name.to_owned()),
            kind: Some(Kind::Insert),
            sql: Some(Sql::One(sql.to_owned())),
            when: when.map(str::to_owned),
            sync: vec![SyncCall::Name(SyncName::Send)],
            ..Step::default()
        };
        let mut steps = vec![join("join", sql, None)];
        if self.phases.iter().any(|phase| phase.work == Work::Move) {
            let both = "INSERT INTO members (id, member_id, member_of) VALUES ('both{{ db }}', :user_id, {{ (user + 1) % 2 }})";
            steps.push(join("join-both", both, Some("user == 1")));
        }
        steps.push(meet());
        steps
    }

    fn verify(&self) -> Option<Vec<Check>> {
        if !self.bootstrap && !self.query {
            return None;
        }
        let mut checks = vec![CheckName::Written, CheckName::Converged, CheckName::Server]
            .into_iter()
            .map(Check::Name)
            .collect::<Vec<_>>();
        if self.policy.is_some() {
            checks.push(Check::Name(CheckName::Isolation));
        }
        if self.bootstrap {
            checks.push(Check::Name(CheckName::Bootstrap));
        }
        if let Some(table) = self.tables.first().filter(|_| self.query) {
            let on = if self.seed.is_multiple_of(2) { QueryOn::Server } else { QueryOn::Databases };
            let sql = format!("SELECT count(*) FROM {} WHERE {} < 0", quote(&table.name), quote(&table.number));
            checks.push(Check::Options(CheckOptions::Query(Query { on, sql, equals: json!(0) })));
        }
        Some(checks)
    }
}

impl Phase {
    fn step(&self, made: &Made) -> Step {
        let mut step = Step {
            when: self.when.map(str::to_owned),
            repeat: self.repeat.map(Count::Number),
            // Only sync calls can start together.
            barrier: (self.barrier && !self.sync.is_empty()).then_some(Barrier::Flag(true)),
            sync: self.sync.clone(),
            ..Step::default()
        };
        let Some(table) = made.tables.get(self.table).filter(|_| self.work != Work::Nothing) else { return step };
        step.name = Some(format!("p{}", self.id));
        step.transaction = self.transaction;
        step.expect_rows = self.expect_rows.then_some(Count::Number(self.rows));
        let (kind, sql, by_row) = self.work(made, table);
        step.kind = Some(kind);
        step.sql = Some(sql);
        if by_row {
            step.rows = Some(Count::Number(self.rows));
            step.bind = self.bind(made);
        } else {
            step.transaction = None;
        }
        step.hostile = matches!(self.work, Work::Hostile(_));
        step
    }

    /// Its kind, its SQL, and whether the SQL runs once per row.
    fn work(&self, made: &Made, table: &Table) -> (Kind, Sql, bool) {
        let one = |sql: String| Sql::One(sql);
        match self.work {
            Work::Insert | Work::Nothing => {
                (Kind::Insert, one(insert(table, ":n", Some(":id"), &self.writer(":n", made, table), "")), true)
            }
            Work::Series => {
                let number = format!("({{{{ {} }}}} + value)", first_number(self.id));
                let writer = Writer { parent: "NULL", ..self.writer(&number, made, table) };
                (Kind::Insert, one(series(table, &writer, self.rows)), false)
            }
            Work::Hot(conflict) => {
                let writer = Writer { parent: "NULL", ..self.writer(":n", made, table) };
                (Kind::Insert, one(hot(table, &writer, conflict)), true)
            }
            Work::Update(which, style) => {
                (Kind::Update, one(self.update(made, table, which, style)), style == Style::Rows)
            }
            Work::Delete(which, style) => {
                let sql =
                    format!("DELETE FROM {}{}", quote(&table.name), table.condition(made, which, style, self.rows));
                (Kind::Delete, one(sql), style == Style::Rows)
            }
            Work::ChangeKeys => {
                let condition = table.condition(made, Which::Third, Style::Set, self.rows);
                let sql = format!("UPDATE {} SET {}{condition}", quote(&table.name), table.other_key());
                (Kind::Update, one(sql), false)
            }
            Work::Move => (Kind::Update, one(table.change_team()), false),
            Work::TakeValues => {
                let writer = Writer { unique: ":old", ..self.writer(":n", made, table) };
                (Kind::Insert, one(insert(table, ":n", Some(":id"), &writer, "OR REPLACE ")), true)
            }
            Work::Statements => (Kind::Insert, self.statements(made, table), true),
            Work::Hostile(Hostility::Insert) => {
                let writer = Writer { parent: "NULL", user: victim(), team: OTHER_TEAM, number: ":n", unique: ":n" };
                (Kind::Insert, one(insert(table, ":n", Some(":id"), &writer, "")), true)
            }
            Work::Hostile(Hostility::Delete) => (Kind::Delete, one(table.hostile(made, Hostility::Delete)), false),
            Work::Hostile(Hostility::Takeover) => (Kind::Update, one(table.hostile(made, Hostility::Takeover)), false),
        }
    }

    fn writer<'a>(&self, number: &'a str, made: &Made, table: &Table) -> Writer<'a> {
        let has_parent = self.work == Work::Insert && has_parent(made, table);
        let parent = if has_parent { ":parent" } else { "NULL" };
        Writer { number, unique: number, user: ":user_id".to_owned(), team: OWN_TEAM, parent }
    }

    fn update(&self, made: &Made, table: &Table, which: Which, style: Style) -> String {
        let number = format!("({} + {{{{ iteration + db }}}})", quote(&table.number));
        let writer = Writer { number: &number, unique: &number, ..self.writer("", made, table) };
        let mut sets: Vec<String> = table
            .columns
            .iter()
            .filter(|column| column.is_valued())
            .filter_map(|column| {
                let name = quote(&column.name);
                let value = if style == Style::Same { name.clone() } else { column.value(&writer)? };
                Some(format!("{name} = {value}"))
            })
            .collect();
        if sets.is_empty() {
            sets.push(format!("{0} = {0}", quote(&table.number)));
        }
        let condition = table.condition(made, which, style, self.rows);
        format!("UPDATE {} SET {}{condition}", quote(&table.name), sets.join(", "))
    }

    /// A row is written, changed, and every second one deleted.
    fn statements(&self, made: &Made, table: &Table) -> Sql {
        let (name, number) = (quote(&table.name), quote(&table.number));
        let writer = Writer { parent: "NULL", ..self.writer(":n", made, table) };
        let later = Writer { number: "(:n + 1)", unique: ":n", parent: "NULL", ..self.writer("", made, table) };
        let mut statements = vec![insert(table, ":n", Some(":id"), &writer, "")];
        let valued = table.columns.iter().find(|column| column.is_valued());
        if let Some((column, value)) = valued.and_then(|column| Some((column, column.value(&later)?))) {
            statements.push(format!("UPDATE {name} SET {} = {value} WHERE {number} = :n", quote(&column.name)));
        }
        statements.push(format!("DELETE FROM {name} WHERE {number} = :n AND :row % 2 = 0"));
        Sql::Many(statements)
    }

    fn bind(&self, made: &Made) -> Map<String, Value> {
        let mut bind = Map::new();
        let number = match self.work {
            Work::Update(..) | Work::Delete(..) => return bind,
            // Users who may not write each other's rows share rows among their own databases only.
            Work::Hot(_) if made.is_partial() => "{{ user * 1000 + row }}".to_owned(),
            Work::Hot(_) => "{{ row }}".to_owned(),
            _ => format!("{{{{ {} + row }}}}", first_number(self.id)),
        };
        bind.insert("n".to_owned(), json!(number));
        let bound = made.tables.get(self.table).and_then(Table::bound);
        bind.extend(bound.map(|value| ("bound".to_owned(), json!(value))));
        if self.work == Work::TakeValues {
            // Those of the rows that the first phase of the table wrote.
            let first = made.phases.iter().find(|phase| phase.table == self.table).map_or(self.id, |first| first.id);
            bind.insert("old".to_owned(), json!(format!("{{{{ {} + row }}}}", first_number(first))));
        }
        if !matches!(self.work, Work::Hot(_)) && (self.id > 1 || self.repeat.is_some()) {
            let row = format!("({} * 10 + repeat) * 1000 + row", self.id);
            bind.insert("id".to_owned(), json!(format!("db{{{{ db }}}}_r{{{{ iteration }}}}_{{{{ {row} }}}}")));
        }
        let has_parent = made.tables.get(self.table).is_some_and(|table| {
            has_parent(made, table) && table.columns.iter().any(|column| column.fill == Fill::Parent)
        });
        if self.work == Work::Insert && has_parent {
            // The row of the first phase with the same number.
            bind.insert("parent".to_owned(), json!("db{{ db }}_r{{ iteration }}_{{ row }}"));
        }
        bind
    }
}

/// The number before that of the first row of the phase with this number, as a template's expression.
fn first_number(id: u64) -> String {
    format!("(((db * 100 + {id}) * 10 + repeat) * 100 + iteration) * 1000")
}

fn series(table: &Table, writer: &Writer<'_>, rows: u64) -> String {
    let (names, values) = row(table, writer.number, None, writer);
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM generate_series(1, {rows})",
        quote(&table.name),
        names.join(", "),
        values.join(", ")
    )
}

fn hot(table: &Table, writer: &Writer<'_>, conflict: Conflict) -> String {
    let word = match conflict {
        Conflict::Upsert => "",
        Conflict::Replace => "OR REPLACE ",
        Conflict::Ignore => "OR IGNORE ",
    };
    let sql = insert(table, ":n", None, writer, word);
    if conflict != Conflict::Upsert {
        return sql;
    }
    let valued = table.columns.iter().filter(|column| matches!(column.fill, Fill::Values(_)));
    let sets: Vec<String> = valued.map(|column| format!("{0} = excluded.{0}", quote(&column.name))).collect();
    let action = if sets.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", sets.join(", ")) };
    let collation = if table.clause.contains("NOCASE") { " COLLATE NOCASE" } else { "" };
    format!("{sql} ON CONFLICT ({}{collation}) DO {action}", table.keys().join(", "))
}
