//! The hub's files: for its user alone, and its directory for one hub at a time. It must not know what they hold.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, OpenFlags};

use super::super::error::HubError;

/// The file by which a hub holds its directory.
const LOCK: &str = "hub.lock";
/// How the name of a database's file ends.
pub(super) const DATABASE: &str = "sqlite";

/// Makes the directory and takes it, until the file is dropped.
pub(super) fn claim(directory: &Path) -> Result<File, HubError> {
    let data = |source| HubError::Data { path: directory.to_owned(), source };
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory).map_err(data)?;
    let lock = private(&directory.join(LOCK)).map_err(data)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(HubError::Taken { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(data(source)),
    }
}

/// Opens a database, and creates it when missing. Its name is a path and never a URI, which could name options.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    // What is wrong with the file is told by SQLite. Its journals get the rights of the database.
    let _ = private(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// How many databases a hub's directory has, and when the oldest of them was last changed.
pub(crate) fn kept(directory: &Path) -> (u64, Option<SystemTime>) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let databases = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == DATABASE));
    // One whose age the system does not tell counts all the same.
    let changed = databases.map(|entry| entry.metadata().and_then(|it| it.modified()).ok());
    changed.fold((0, None), |(count, oldest), changed| (count + 1, [oldest, changed].into_iter().flatten().min()))
}

/// A file that nobody else may read, as it is or new.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
