//! The seed's cycle (delete all, insert, update all) in the forms in which it is run: as a scenario, as the seed's own
//! script, and as a bare loop. All three run the same statements on the same rows.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{Measured, measure};
use crate::{Bench, Failed};

/// The table, as the seed has it.
pub(crate) const TABLE: &str =
    "CREATE TABLE test_sync (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', name TEXT, value INTEGER)";
pub(crate) const DELETE: &str = "DELETE FROM test_sync";
pub(crate) const INSERT: &str = "INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, :name, :row)";
pub(crate) const UPDATE: &str = "UPDATE test_sync SET value = value + 1";

/// Exit codes of a run that syncs with nobody: UNKNOWN as long as nothing was synced, PASS otherwise.
const LOCAL: [i32; 2] = [0, 4];

/// How much of it.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) rows: u64,
    pub(crate) iterations: u64,
    pub(crate) databases: u64,
}

impl Bench {
    /// `stress run` of the cycle without a sync call: on the extension's table, or on a plain one.
    pub(crate) fn ours(&self, size: Size, extension: Option<&PathBuf>) -> Result<Measured, Failed> {
        self.run(&cycle(size, extension), &[], &LOCAL)
    }

    /// The seed's script, the same work.
    pub(crate) fn seed(&self, size: Size, shell: &str, extension: Option<&PathBuf>) -> Result<Measured, Failed> {
        let place = self.place()?;
        let mut command = Command::new("bash");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/seed-way.sh"));
        command.args([size.rows, size.iterations, size.databases].map(|number| number.to_string()));
        command.env("SQLITE", shell).env("DIR", place.path());
        match extension {
            Some(path) => command.env("EXTENSION", path),
            None => command.env_remove("EXTENSION"),
        };
        let measured = measure(&mut command, &place.path().join("log"), &[0], None)?;
        if measured.output.lines().last() != Some("PASS") {
            return Err(format!("the seed's script did not do its work:\n{}", measured.output).into());
        }
        Ok(measured)
    }

    /// The bare loop, the same work.
    pub(crate) fn bare(&self, size: Size, extension: Option<&PathBuf>) -> Result<Measured, Failed> {
        let place = self.place()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").args([size.rows, size.iterations, size.databases].map(|number| number.to_string()));
        command.arg("--directory").arg(place.path());
        if let Some(path) = extension {
            command.arg("--extension").arg(path);
        }
        measure(&mut command, &place.path().join("log"), &[0], None)
    }
}

/// The cycle as a scenario. A plain table is one that no `name` declares: sync does not know it.
fn cycle(size: Size, extension: Option<&PathBuf>) -> String {
    let Size { rows, iterations, databases, .. } = size;
    let (target, table) = match extension {
        Some(path) => (cloudsync(path), format!("{{ name: test_sync, sql: \"{TABLE}\" }}")),
        None => (
            String::new(),
            format!("{{ name: unused, sql: CREATE TABLE unused (id TEXT PRIMARY KEY), also: [\"{TABLE}\"] }}"),
        ),
    };
    format!(
        "version: 1
name: cycle
scale: {{ databases: {databases}, iterations: {iterations}, rows: {rows}, time_limit: 1h }}
{target}
schema:
  tables:
    - {table}
phases:
  - {{ name: delete, kind: delete, sql: {DELETE} }}
  - name: insert
    kind: insert
    rows: {rows}
    sql: {INSERT}
    bind: {{ name: \"name_{{{{ db }}}}_{{{{ iteration }}}}_{{{{ row }}}}\" }}
  - {{ name: update, kind: update, sql: {UPDATE} }}
settle: {{ rounds: 0 }}
verify: []
"
    )
}

/// The real extension, with nobody at the other end: a port of loopback on which nothing listens.
pub(crate) fn cloudsync(extension: &std::path::Path) -> String {
    format!(
        "target:
  cloudsync:
    extension: '{}'
    address: http://127.0.0.1:9
    managed_database_id: db_bench
    apikey: \"{{{{ env.BENCH_APIKEY }}}}\"",
        extension.display()
    )
}
