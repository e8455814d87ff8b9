//! What text is written to that is no file: pipes and devices. A pipe without a reader is waited for only so long.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a pipe may take nothing.
const PATIENCE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(10);

/// Why nothing is written to what a path leads to; none where text can be.
#[cfg(unix)]
pub(super) fn refused(found: &Metadata) -> Option<io::Error> {
    use std::os::unix::fs::FileTypeExt;
    let kind = found.file_type();
    let what = match () {
        () if kind.is_dir() => "it is a directory",
        () if kind.is_socket() => "it is a socket, which cannot be opened for writing",
        () if kind.is_block_device() => "it is a disk, and the text would destroy what is on it",
        () => return None,
    };
    Some(io::Error::other(what))
}

/// Why nothing is written to what a path leads to; none where text can be.
#[cfg(not(unix))]
pub(super) fn refused(found: &Metadata) -> Option<io::Error> {
    found.is_dir().then(|| io::Error::other("it is a directory"))
}

/// Opens it, once somebody reads from it.
pub(super) fn open(path: &Path) -> io::Result<impl Write> {
    let mut options = File::options();
    options.append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    patiently("nobody reads from it", has_no_reader, || options.open(path)).map(Stream)
}

/// Whether a pipe could not be opened for want of a reader.
#[cfg(unix)]
fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

/// Whether a pipe could not be opened for want of a reader.
#[cfg(not(unix))]
fn has_no_reader(_: &io::Error) -> bool {
    false
}

/// Tries until something else comes of it than what `passes`.
fn patiently<T>(
    what: &str,
    passes: impl Fn(&io::Error) -> bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if passes(&error) && start.elapsed() < PATIENCE => std::thread::sleep(TICK),
            Err(error) if passes(&error) => {
                let told = format!("{what}, after a wait of {} s", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, told));
            }
            result => return result,
        }
    }
}

/// An open pipe or device. A reader that goes away has seen what it wanted.
struct Stream(File);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        match patiently("its reader takes nothing more", full, || self.0.write(bytes)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
