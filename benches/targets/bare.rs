//! The bare loop: the seed's cycle as a plain program would run it. One thread per database, held statements, bound
//! parameters, and nothing else: no plan, no templates, no record, no checks. What `stress` costs beyond it is its own.
//!
//! `cargo bench --bench targets -- bare ROWS ITERATIONS DATABASES [--extension PATH] [--directory DIR]`

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use stress::failure::{Call, RawError};
use stress::session::{Loader, Opening, Session, raw_error, tune_sqlite};

use crate::Failed;
use crate::workload::{DELETE, INSERT, TABLE, UPDATE};

/// Those that every connection of `stress` has, unless its scenario says otherwise.
const PRAGMAS: [&str; 5] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = off",
    "PRAGMA journal_mode = wal",
    "PRAGMA synchronous = normal",
    "PRAGMA temp_store = memory",
];

#[derive(Args)]
pub(crate) struct Arguments {
    rows: u64,
    iterations: u64,
    databases: u64,
    /// Track the table with this extension; without it, the table is a plain one
    #[arg(long, value_name = "PATH")]
    extension: Option<PathBuf>,
    /// Where the databases are made; by default in a directory that is gone afterwards
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failed> {
    tune_sqlite();
    let temporary = tempfile::tempdir()?;
    let directory = arguments.directory.as_deref().unwrap_or(temporary.path());
    let changed = std::thread::scope(|threads| {
        let workers: Vec<_> = (1..=arguments.databases)
            .map(|database| {
                threads.spawn(move || work(arguments, database, &directory.join(format!("db{database}.db"))))
            })
            .collect();
        let mut changed = 0;
        for worker in workers {
            let done = worker.join().map_err(|_| "a worker panicked")?;
            changed += done.map_err(|error| format!("the bare loop failed: {}", error.message))?;
        }
        Ok::<_, Failed>(changed)
    })?;
    println!("{changed} rows changed");
    Ok(())
}

/// One database's life: a session to prepare it, and one for each iteration, as `stress` has by default.
fn work(arguments: &Arguments, database: u64, file: &Path) -> Result<usize, RawError> {
    let loader = arguments.extension.clone().map_or(Loader::Functions(|_| Ok(())), Loader::Extension);
    let pragmas = PRAGMAS.map(str::to_owned);
    let open = || Session::open(&Opening { file, loader: &loader, pragmas: &pragmas, settings: &[], network: None });
    let tracked = arguments.extension.is_some();
    // On a plain table there is nothing to terminate, which a close would tell as an error.
    let close = |session: Session| session.close().or_else(|error| if tracked { Err(error) } else { Ok(()) });
    let session = open()?;
    session.run(Call::Open, TABLE)?;
    if tracked {
        session.call(Call::Open, "SELECT cloudsync_init('test_sync')", &[])?;
    }
    close(session)?;
    let mut changed = 0;
    for iteration in 1..=arguments.iterations {
        let session = open()?;
        changed +=
            cycle(&session, arguments.rows, database, iteration).map_err(|error| raw_error(Call::Sql, &error))?;
        close(session)?;
    }
    Ok(changed)
}

fn cycle(session: &Session, rows: u64, database: u64, iteration: u64) -> rusqlite::Result<usize> {
    let connection = session.connection().expect("SQLite in this process");
    let user = format!("018ecfc2-b2b1-7cc3-a9f0-{:012}", database.div_ceil(2));
    let mut text = String::new();
    let mut changed = connection.execute(DELETE, [])?;
    connection.execute_batch("BEGIN")?;
    let mut insert = connection.prepare(INSERT)?;
    insert.raw_bind_parameter(2, user)?;
    for row in 1..=rows {
        text.clear();
        let _ = write!(text, "db{database}_r{iteration}_{row}");
        insert.raw_bind_parameter(1, text.as_str())?;
        text.clear();
        let _ = write!(text, "name_{database}_{iteration}_{row}");
        insert.raw_bind_parameter(3, text.as_str())?;
        insert.raw_bind_parameter(4, row.cast_signed())?;
        changed += insert.raw_execute()?;
    }
    connection.execute_batch("COMMIT")?;
    changed += connection.execute(UPDATE, [])?;
    Ok(changed)
}
