//! The files that the laws of the house are about.

use std::path::{Path, PathBuf};

/// A file of the sources, or of the tests.
pub(crate) struct File {
    /// Its path under `src` or `tests`, such as `plan/tables.rs`.
    pub(crate) path: String,
    /// What it says, without comments and tests.
    pub(crate) lines: Vec<String>,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), lines: without_tests(text) }
    }

    /// The room it belongs to; none for `lib.rs` and `main.rs`.
    pub(crate) fn room(&self) -> Option<&str> {
        match self.path.split_once('/') {
            Some((room, _)) => Some(room),
            None => self.path.strip_suffix(".rs").filter(|name| !["lib", "main"].contains(name)),
        }
    }

    /// The names that lead from the crate to its module: `["plan", "tables"]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').filter(|name| *name != "lib").collect()
    }
}

pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files but those of tests.
pub(crate) fn files() -> Vec<File> {
    read(&source(), &["tests", "tests.rs", "fixture.rs", "fuzzing.rs"])
}

/// All files under a directory but those of these names.
pub(crate) fn read(root: &Path, without: &[&str]) -> Vec<File> {
    let mut open = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory of the sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if without.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a file of the sources");
                let path = path.strip_prefix(root).expect("it lies there").to_string_lossy().replace('\\', "/");
                files.push(File::new(&path, &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The lines before the tests, which come last, without comments.
fn without_tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1] == "mod tests {");
    let lines = lines[..tests.unwrap_or(lines.len())].iter();
    lines.filter(|line| !line.trim_start().starts_with("//")).map(|line| (*line).to_owned()).collect()
}
