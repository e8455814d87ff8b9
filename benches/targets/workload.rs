//! The seed's cycle (delete all, insert, update all) in the forms in which it is run: as a scenario, as the seed's own
//! script, and as a bare loop. All three run the same statements on the same rows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Measured, measure};
use crate::{Bench, Failed, Watch};

/// The table, as the seed has it.
pub(crate) const TABLE: &str =
    "CREATE TABLE test_sync (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', name TEXT, value INTEGER)";
pub(crate) const DELETE: &str = "DELETE FROM test_sync";
pub(crate) const INSERT: &str = "INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, :name, :row)";
pub(crate) const UPDATE: &str = "UPDATE test_sync SET value = value + 1";

/// Exit codes of a run that syncs with nobody: UNKNOWN as long as nothing was synced, PASS otherwise.
const LOCAL: [i32; 2] = [0, 4];

/// Where a scenario finds its key, which nobody asks for.
pub(crate) const APIKEY: &str = "CLOUDSYNC_BENCH_APIKEY";

/// How much of it.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) rows: u64,
    pub(crate) iterations: u64,
    pub(crate) databases: u64,
}

impl Size {
    /// Rows deleted, inserted and updated in all; the first iteration has nothing to delete.
    pub(crate) fn changes(self) -> u64 {
        self.databases * self.rows * (3 * self.iterations - 1)
    }
}

impl Bench {
    /// `stress run` of the cycle without a sync call: on the extension's table, or on a plain one.
    pub(crate) fn ours(&self, size: Size, extension: Option<&PathBuf>) -> Result<Measured, Failed> {
        let run = self.run_text(&cycle(size, extension), &[], &LOCAL, Watch::Never)?;
        let (changed, wanted) = (run.changed(), size.changes());
        if changed != wanted {
            return Err(format!("the run changed {changed} rows, not {wanted}").into());
        }
        Ok(run.measured)
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
        // Its own PASS is what is left when its log has no word of an error, also when nothing was done.
        let done = format!("exit=0 iterations={} errors=0", size.iterations);
        if measured.output.lines().filter(|line| line.ends_with(&done)).count() as u64 != size.databases {
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
        let measured = measure(&mut command, &place.path().join("log"), &[0], None)?;
        if measured.output != format!("{} rows changed\n", size.changes()) {
            return Err(format!("the bare loop did not do its work: {}", measured.output).into());
        }
        Ok(measured)
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
pub(crate) fn cloudsync(extension: &Path) -> String {
    format!(
        "target:
  cloudsync:
    extension: '{}'
    address: http://127.0.0.1:9
    managed_database_id: db_bench
    apikey: \"{{{{ env.{APIKEY} }}}}\"",
        extension.display()
    )
}
