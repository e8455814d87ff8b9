//! From a path to text: only regular files of limited size in UTF-8. Nothing here knows YAML.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The maximum size of a scenario file in bytes: 4 MiB.
pub(super) const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The reason why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadProblem {
    /// The file.
    pub path: PathBuf,
    /// A stable code, such as `file::missing`.
    pub code: &'static str,
    /// The problem; the path comes before it.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for ReadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.message)
    }
}

impl std::error::Error for ReadProblem {}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, ReadProblem> {
    let problem = |code, message: String, help: Option<&str>| ReadProblem {
        path: path.to_path_buf(),
        code,
        message,
        help: help.map(str::to_string),
    };
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => problem("file::missing", "does not exist".into(), Some("check the path")),
        io::ErrorKind::PermissionDenied => {
            problem("file::unreadable", "is not readable by this user".into(), Some("check its permissions"))
        }
        _ => problem("file::unreadable", format!("cannot be read: {error}"), None),
    };
    let too_large = |bytes: u64| {
        let size = if bytes == 0 { String::new() } else { format!(" ({bytes} bytes)") };
        problem("file::too_large", format!("is larger than 4 MiB{size}"), Some("a scenario is a few kilobytes of YAML"))
    };

    // The metadata are read before the file is opened, because opening a FIFO waits for its writer.
    let metadata = path.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        let help = "name the files in it, as in `scenarios/*.yaml`";
        return Err(problem("file::directory", "is a directory, not a scenario".into(), Some(help)));
    }
    if !metadata.is_file() {
        let help = "save the scenario to a file first";
        return Err(problem("file::special", "is not a regular file".into(), Some(help)));
    }
    if metadata.len() > MAX_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(0));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(problem("file::encoding", "is UTF-16".into(), Some("save it as UTF-8")));
    }
    if bytes.contains(&0) {
        return Err(problem("file::binary", "is a binary file, not YAML".into(), None));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|byte| *byte == b'\n').count();
        problem("file::encoding", format!("is not UTF-8: line {line} has an invalid byte"), Some("save it as UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(path: &Path) -> &'static str {
        read(path).expect_err("a problem").code
    }

    #[test]
    fn what_is_not_a_readable_text_file_is_named_for_what_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };
        assert_eq!(code(directory.path()), "file::directory");
        assert_eq!(code(&directory.path().join("none.yaml")), "file::missing");
        assert_eq!(code(&file("nul", b"a: \0")), "file::binary");
        assert_eq!(code(&file("utf16", &[0xff, 0xfe, b'a', 0])), "file::encoding");
        assert_eq!(code(&file("large", &vec![b'a'; 4 * 1024 * 1024 + 1])), "file::too_large");
        let latin = read(&file("latin1", b"a: 1\nb: \xe9\n")).expect_err("a problem");
        assert!(latin.message.contains("line 2"), "{latin}");
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused_without_waiting() {
        assert_eq!(code(Path::new("/dev/zero")), "file::special");
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(code(&pipe), "file::special");
    }
}
