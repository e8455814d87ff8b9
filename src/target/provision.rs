//! From an empty server to a database with tables, policies and sync, through the administrator's HTTP calls. Each step
//! finds what was done already, so that a preparation that was cut off anywhere is made good by the next one. It must
//! not know whether the cloud or the embedded hub answers.

use std::time::{Duration, Instant};

use super::admin::Admin;
use super::attendant::Attendant;
use super::error::TargetError;
use super::management::{Management, Registration};
use crate::failure::RawError;
use crate::plan::{Plan, TablePlan};
use crate::sql::{quote, without_double_quotes};

/// How often a registration whose answer was lost is tried.
const REGISTRATIONS: u32 = 4;
/// The pause between two looks at whether the service is ready, at first and at most.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where a database is prepared.
pub(super) struct Site<'a> {
    pub(super) admin: &'a Admin,
    pub(super) management: Option<&'a Management>,
    pub(super) registration: Registration,
    /// The managed database id, where it is known beforehand.
    pub(super) known: Option<String>,
}

/// Prepares the plan's database and gives its managed database id. The order is the seed's.
pub(super) fn prepare(plan: &Plan, site: &Site<'_>, attendant: &mut Attendant<'_>) -> Result<String, TargetError> {
    let (admin, database) = (site.admin, site.registration.database.as_str());
    attendant.goes_on()?;
    create_database(admin, database, attendant)?;
    disable_companions(admin, database, attendant)?;
    // What refers to a table is dropped before it.
    for table in plan.tables.iter().rev() {
        attendant.goes_on()?;
        run(admin, &format!("drop the table `{}`", table.name), database, &drop_text(table))?;
    }
    for table in &plan.tables {
        attendant.goes_on()?;
        run(admin, &format!("create the table `{}`", table.name), database, &create_text(table))?;
        attendant.say(&format!("table {}: created anew", table.name));
    }
    for table in &plan.tables {
        attendant.goes_on()?;
        set_policies(admin, database, table, attendant)?;
    }
    let tables: Vec<String> = plan.tables.iter().map(|table| table.name.clone()).collect();
    let Some(management) = site.management else { return by_hand(site, &tables, attendant) };
    attendant.goes_on()?;
    let id = match &site.known {
        Some(id) => id.clone(),
        None => registered(management, &site.registration, attendant)?,
    };
    enabled(management, &id, &tables, attendant)?;
    Ok(id)
}

/// The steps of [`prepare`] with what is said of them beforehand.
pub(super) fn outline(plan: &Plan, database: &str, managed: bool, known: bool) -> Vec<String> {
    let mut steps = vec![
        format!("create the database {database}, unless it exists"),
        "CLOUDSYNC DISABLE for every table that an earlier run left enabled".to_owned(),
    ];
    let names = plan.tables.iter().map(|table| table.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    steps.push(format!("drop and create {names}"));
    for table in &plan.tables {
        if let Some(policies) = &table.policies {
            let count = policies.iter().count();
            steps.push(format!("ENABLE RLS for {} and set {count} policies", table.name));
        }
    }
    if managed {
        if !known {
            steps.push("register the database with the management API, unless it is registered".to_owned());
        }
        steps.push(format!("enable CloudSync for {names}, and wait until the service is ready"));
    } else {
        steps.push(format!(
            "ask a person to enable CloudSync for {names} in the dashboard (exit code 3 without a terminal)"
        ));
    }
    steps
}

fn create_database(admin: &Admin, database: &str, attendant: &mut Attendant<'_>) -> Result<(), TargetError> {
    let failed = |error: &RawError| admin.failed(&format!("create the database `{database}`"), error);
    let there = exists(admin, database).map_err(|error| failed(&error))?;
    if !there {
        let sql = format!("CREATE DATABASE {} IF NOT EXISTS", word(database));
        admin.command(None, &sql).map_err(|error| failed(&error))?;
    }
    attendant.say(&format!("database {database}: {}", if there { "exists" } else { "created" }));
    Ok(())
}

/// Whether the project has a database of this name.
pub(super) fn exists(admin: &Admin, database: &str) -> Result<bool, RawError> {
    let listed = admin.list(None, "LIST DATABASES")?;
    Ok(listed.iter().any(|row| row.get("name").and_then(serde_json::Value::as_str) == Some(database)))
}

/// The tables of a database.
pub(super) fn tables(admin: &Admin, database: &str) -> Result<Vec<String>, RawError> {
    let listed = admin.list(Some(database), "LIST TABLES")?;
    let name = |row: &serde_json::Map<String, serde_json::Value>| Some(row.get("name")?.as_str()?.to_owned());
    Ok(listed.iter().filter_map(name).collect())
}

/// Switches sync off for every table that has the companion by which sync keeps track of it.
pub(super) fn disable_companions(
    admin: &Admin,
    database: &str,
    attendant: &mut Attendant<'_>,
) -> Result<(), TargetError> {
    let listed = tables(admin, database);
    let listed = listed.map_err(|error| admin.failed(&format!("list the tables of `{database}`"), &error))?;
    let tracked = listed.iter().filter(|table| listed.contains(&format!("{table}_cloudsync")));
    for table in tracked {
        attendant.goes_on()?;
        let step = format!("disable sync for the table `{table}`");
        run(admin, &step, database, &format!("CLOUDSYNC DISABLE {}", word(table)))?;
        attendant.say(&format!("table {table}: sync disabled"));
    }
    Ok(())
}

pub(super) fn drop_text(table: &TablePlan) -> String {
    format!("DROP TABLE IF EXISTS {}", quote(&table.name))
}

/// One request that may be repeated: each is a connection of its own, and a lost answer says nothing.
fn create_text(table: &TablePlan) -> String {
    let own = std::iter::once(&table.sql).chain(&table.also);
    let own = own.map(|sql| sql.trim().trim_end_matches(';').to_owned());
    std::iter::once(drop_text(table)).chain(own).collect::<Vec<_>>().join(";\n")
}

fn set_policies(
    admin: &Admin,
    database: &str,
    table: &TablePlan,
    attendant: &mut Attendant<'_>,
) -> Result<(), TargetError> {
    let Some(policies) = &table.policies else { return Ok(()) };
    let step = format!("set the policies of the table `{}`", table.name);
    let place = format!("RLS DATABASE {} TABLE {}", word(database), word(&table.name));
    run(admin, &step, database, &format!("ENABLE {place}"))?;
    let mut count = 0;
    for (operation, policy) in policies.iter() {
        let operation = operation.to_uppercase();
        // The server takes the policy in double quotes.
        let policy = without_double_quotes(policy).replace('"', "\"\"");
        run(admin, &step, database, &format!("SET {place} {operation} \"{policy}\""))?;
        count += 1;
    }
    attendant.say(&format!("table {}: row-level security with {count} policies", table.name));
    Ok(())
}

fn run(admin: &Admin, step: &str, database: &str, sql: &str) -> Result<(), TargetError> {
    admin.command(Some(database), sql).map_err(|error| admin.failed(step, &error))
}

/// A name as the server's own commands take it: bare where it can be.
pub(super) fn word(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    if name.chars().all(bare) { name.to_owned() } else { quote(name) }
}

/// Registers the database, unless it is.
fn registered(
    management: &Management,
    registration: &Registration,
    attendant: &mut Attendant<'_>,
) -> Result<String, TargetError> {
    let database = &registration.database;
    let failed = |error: &RawError| management.failed(&format!("register `{database}` for sync"), error);
    let find = || management.find(&registration.project, database).map_err(|error| failed(&error));
    if let Some(id) = find()? {
        attendant.say(&format!("managed database {id}: registered already"));
        return Ok(id);
    }
    for attempt in 1.. {
        attendant.goes_on()?;
        let error = match management.register(registration) {
            Ok(id) => {
                attendant.say(&format!("managed database {id}: registered"));
                return Ok(id);
            }
            Err(error) => error,
        };
        // Somebody was faster, the answer was lost, or the server cannot now.
        if error.http.is_some_and(|status| status < 500 && status != 409 && status != 429) {
            return Err(failed(&error));
        }
        attendant.halt().sleep(PAUSE * 2_u32.pow(attempt));
        if let Some(id) = find()? {
            attendant.say(&format!("managed database {id}: registered"));
            return Ok(id);
        }
        if attempt == REGISTRATIONS {
            return Err(failed(&error));
        }
    }
    unreachable!("the last attempt returns")
}

/// Enables sync for the tables, and waits until the service says that it is.
fn enabled(
    management: &Management,
    id: &str,
    tables: &[String],
    attendant: &mut Attendant<'_>,
) -> Result<(), TargetError> {
    let names = tables.join(", ");
    wait(management, &format!("enable sync for {names}"), attendant, || {
        management.switch(id, tables, true)?;
        Ok(Look::Ready)
    })?;
    attendant.say(&format!("sync: enabled for {names}"));
    wait(management, "wait for the sync service", attendant, || {
        let missing = management.missing(id, tables)?;
        if !missing.is_empty() {
            return Ok(Look::NotYet(format!("sync is not enabled yet for {}", missing.join(", "))));
        }
        Ok(match management.unreachable(id)? {
            None => Look::Ready,
            Some((why, true)) => Look::NotYet(why),
            Some((why, false)) => Look::Never(why),
        })
    })?;
    attendant.say("sync: ready");
    Ok(())
}

/// How a look at the service came out.
enum Look {
    Ready,
    NotYet(String),
    Never(String),
}

/// Looks until the service is ready, for as long as a step may take.
fn wait(
    management: &Management,
    step: &str,
    attendant: &Attendant<'_>,
    mut look: impl FnMut() -> Result<Look, RawError>,
) -> Result<(), TargetError> {
    let until = Instant::now() + management.time();
    let mut pause = PAUSE;
    loop {
        attendant.goes_on()?;
        let why = match look() {
            Ok(Look::Ready) => return Ok(()),
            Ok(Look::NotYet(why)) => why,
            Ok(Look::Never(why)) => {
                let message = format!("failed to {step} at {}: {why}", management.address());
                return Err(TargetError::new(
                    message,
                    "the service cannot reach the project: fix the cause that it names",
                ));
            }
            // What was registered a moment ago may not be known everywhere yet.
            Err(error) if matches!(error.http, Some(404 | 409)) => {
                if Instant::now() + pause >= until {
                    return Err(management.failed(step, &error));
                }
                error.message
            }
            Err(error) => return Err(management.failed(step, &error)),
        };
        if Instant::now() + pause >= until {
            let message = format!("failed to {step} at {} in {:?}: {why}", management.address(), management.time());
            return Err(TargetError::new(message, "run the command again, or allow more time with `admin_timeout`"));
        }
        attendant.halt().sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Without a key of the management API a person enables sync, and says which database it is.
fn by_hand(site: &Site<'_>, tables: &[String], attendant: &mut Attendant<'_>) -> Result<String, TargetError> {
    let (names, database) = (tables.join(", "), &site.registration.database);
    let task = format!(
        "enable CloudSync for {names} of the database {database} on the project's OffSync page in the dashboard"
    );
    let question = match &site.known {
        Some(id) => format!("{task}, then press Enter (managed database id {id}, or paste another one): "),
        None => format!("{task}, then paste the managed database id here: "),
    };
    // Where nobody is asked, an id that is known does not mean that the new tables are enabled.
    let given = attendant.ask(&question);
    let given = if attendant.can_ask() { given.or_else(|| site.known.clone()) } else { None };
    let Some(id) = given else {
        return Err(TargetError::new(
            format!("the tables are ready, but a person must enable CloudSync for them ({names} of {database})"),
            format!(
                "{task}; then set `managed_database_id` to the id that the dashboard shows, remove `provision`, and run again (or add a `management_key`, with which `stress` does all of this)"
            ),
        ));
    };
    if !id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        return Err(TargetError::new(
            format!("`{id}` is not a managed database id"),
            "an id looks like `db_…` and contains only letters, digits, `_` and `-`",
        ));
    }
    attendant.say(&format!("managed database {id}: as given"));
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_only_where_it_must_be() {
        assert_eq!(word("test_1.sqlite"), "test_1.sqlite");
        assert_eq!(word("my notes"), "\"my notes\"");
        assert_eq!(word("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn a_table_is_dropped_and_created_in_one_request() {
        let table = TablePlan {
            name: "notes".into(),
            sql: "CREATE TABLE notes (id TEXT PRIMARY KEY);\n".into(),
            also: vec!["CREATE INDEX i ON notes (id)".into()],
            filter: None,
            algorithm: crate::scenario::Algorithm::default(),
            ..crate::fixture::plan(1).tables.remove(0)
        };
        assert_eq!(
            create_text(&table),
            "DROP TABLE IF EXISTS \"notes\";\nCREATE TABLE notes (id TEXT PRIMARY KEY);\nCREATE INDEX i ON notes (id)"
        );
    }
}
