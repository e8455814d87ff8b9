//! Writing a file whole or not at all: beside it first, then renamed over it. What is no file (a pipe, a device) is
//! written to as it is, and waited for only so long. Nothing here knows what is written.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{Builder, NamedTempFile};

use super::error::ExecuteError;
use super::stream;

/// How the names of files begin that are not whole yet.
pub(crate) const UNFINISHED: &str = ".stress-";
/// As many links lead to a file at most; Linux follows as many.
const MOST_LINKS: usize = 40;

/// The files that are not whole at this moment, for a process that ends without unwinding.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Writes this text to a file, or to whatever else is at `path`.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), ExecuteError> {
    write(path, |out| out.write_all(text.as_bytes()))
}

/// Writes this text to a file that is not there yet.
pub(crate) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let beside = Beside::of(path, |out| out.write_all(text.as_bytes()))?;
    beside.file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

/// Whether what is written to `path` goes to something that keeps no text: a pipe or a device.
pub(crate) fn is_stream(path: &Path) -> bool {
    matches!(destination(path), Ok(Destination::Stream(_)))
}

/// Sees that something can be written to `path`, before there is anything to write.
pub(crate) fn try_out(path: &Path) -> io::Result<()> {
    let Destination::File(path) = destination(path)? else { return Ok(()) };
    before(&path)?;
    beside(&path).map(drop)
}

/// Removes what is not whole at this moment: the process ends now.
pub(crate) fn abandon() {
    for path in OPEN.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_file(path);
    }
}

pub(super) fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ExecuteError> {
    let written = destination(path).and_then(|destination| match destination {
        Destination::Stream(path) => stream::open(&path).and_then(|out| through(out, write)).map(drop),
        Destination::File(path) => Beside::of(&path, write)?.replace(&path),
    });
    written.map_err(|error| ExecuteError::Io { path: path.to_owned(), error })
}

/// Writes by large pieces.
fn through<W: Write>(out: W, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<W> {
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Where a path leads.
enum Destination {
    /// To a file, which need not be there; no link is left in the last part of its path.
    File(PathBuf),
    /// To something that is opened as it is.
    Stream(PathBuf),
}

fn destination(path: &Path) -> io::Result<Destination> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let parent = parent(&path);
        // What is open already is not replaced by another file: `/dev/stdout`, `/proc/self/fd/3`.
        if parent.canonicalize().is_ok_and(|parent| parent == Path::new("/dev") || parent.starts_with("/proc")) {
            return stream::refused(&path.metadata()?).map_or(Ok(Destination::Stream(path)), Err);
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => path = parent.join(path.read_link()?),
            Ok(found) if found.is_file() => return Ok(Destination::File(path)),
            Ok(found) => return stream::refused(&found).map_or(Ok(Destination::Stream(path)), Err),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Destination::File(path)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links lead on from it"))
}

/// A new file, with the permissions that any new file has.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(UNFINISHED).suffix(".partial").make_in(parent(path), |path| File::create_new(path))
}

/// The directory of a file.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file that is written beside the one that it becomes, and removed unless it does.
struct Beside {
    file: NamedTempFile,
    _open: Open,
}

impl Beside {
    fn of(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let file = beside(path)?;
        let open = Open::new(file.path());
        through(file.as_file(), write)?;
        file.as_file().sync_all()?;
        Ok(Self { file, _open: open })
    }

    /// Takes the place of a file that may be there, and its permissions.
    fn replace(self, path: &Path) -> io::Result<()> {
        if let Some(before) = before(path)? {
            like(self.file.as_file(), &before)?;
        }
        self.file.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// What is known of a file that is to be replaced, if it is there. An error where it must not be written to.
fn before(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match File::options().write(true).open(path) {
        Ok(before) => before.metadata().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a file the owner and the permissions of another; the owner only where that is allowed.
fn like(file: &File, before: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let _ = std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()));
    }
    file.set_permissions(before.permissions())
}

/// That a file is not whole.
struct Open(PathBuf);

impl Open {
    fn new(path: &Path) -> Self {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| *open != self.0);
    }
}
