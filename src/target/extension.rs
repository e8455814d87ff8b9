//! The CloudSync extension: where it lies, whether it can be used, and where an installed one belongs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use etcetera::BaseStrategy;

use super::error::TargetError;
use crate::failure::{Call, RawError};
use crate::session::{Loader, Opening, Session, hex};

/// Where the extension is looked for when the scenario does not say.
pub(crate) const EXTENSION_VARIABLE: &str = "STRESS_CLOUDSYNC_EXTENSION";
/// The version that `stress extension install` gets unless told otherwise.
pub(crate) const VERSION: &str = "1.1.4";
/// The SHA-256 of the extension's file in official packages, by platform and version: of the files that were tested. They
/// are taken from the package: `npm pack @sqliteai/sqlite-sync-linux-x86_64@1.1.4`, unpacked, `sha256sum package/cloudsync.so`.
const HASHES: [(&str, &str, &str); 1] =
    [("linux-x86_64", "1.1.4", "6a9ccc74a4dc28c59e4743f9f1d1c1a7a68c64e8457913aef272ddd4154619fc")];
/// Where a build of the extension leaves it.
const BUILT: &str = "dist";
const NAME: &str = "cloudsync";
const INSTALL: &str = "`stress extension install` installs it; or name one with `extension:` in the target or in STRESS_CLOUDSYNC_EXTENSION";
const NEWER: &str = "`stress extension install` installs version 1.1.4";

/// An extension that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    /// Its file.
    pub path: PathBuf,
    /// What it says that it is.
    pub version: String,
    /// The site id that it gave a new database.
    pub site_id: String,
}

/// The extension's file name on this system.
pub(crate) fn file_name() -> String {
    format!("{NAME}{}", std::env::consts::DLL_SUFFIX)
}

/// The official package for this platform; none where there is none.
pub(crate) fn package() -> Option<String> {
    Some(format!("@sqliteai/sqlite-sync-{}", this_platform()?))
}

fn this_platform() -> Option<&'static str> {
    platform(std::env::consts::OS, std::env::consts::ARCH, cfg!(target_env = "musl"))
}

/// Whether a file is the one of the official package in this version, which is known of tested versions only. Gives
/// whether it is known; one that is another is removed, and nothing of it is run.
pub(crate) fn verify(file: &Path, version: &str) -> Result<bool, TargetError> {
    let known = HASHES.iter().find(|(platform, of, _)| *of == version && Some(*platform) == this_platform());
    let Some((_, _, expected)) = known else { return Ok(false) };
    let shown = file.display();
    let bytes = std::fs::read(file)
        .map_err(|error| TargetError::new(format!("failed to read `{shown}`: {error}"), "install it again"))?;
    let found = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    if found == *expected {
        return Ok(true);
    }
    let removed = std::fs::remove_file(file)
        .map_or_else(|error| format!("cannot be removed: {error}"), |()| "was removed".to_owned());
    let message = format!(
        "the extension that npm brought is not that of version {version}: its SHA-256 is {found}, and {expected} was expected; the file {removed}"
    );
    Err(TargetError::new(message, "check which registry npm is configured to use (`npm config get registry`)"))
}

/// The platforms that it is published for, under the names that its own packages choose among:
/// `packages/node/src/platform.ts` of <https://github.com/sqliteai/sqlite-sync>.
fn platform(system: &str, machine: &str, musl: bool) -> Option<&'static str> {
    match (system, machine, musl) {
        ("linux", "x86_64", false) => Some("linux-x86_64"),
        ("linux", "x86_64", true) => Some("linux-x86_64-musl"),
        ("linux", "aarch64", false) => Some("linux-arm64"),
        ("linux", "aarch64", true) => Some("linux-arm64-musl"),
        ("macos", "x86_64", _) => Some("darwin-x86_64"),
        ("macos", "aarch64", _) => Some("darwin-arm64"),
        // There is none for Windows on other machines.
        ("windows", "x86_64", _) => Some("win32-x86_64"),
        _ => None,
    }
}

/// The user's directory for an installed extension.
pub(crate) fn home() -> Result<PathBuf, TargetError> {
    data_directory().map(|data| data.join("extension"))
}

/// The user's directory for what `stress` installs.
pub(super) fn data_directory() -> Result<PathBuf, TargetError> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        TargetError::new(format!("there is no data directory: {error}"), "set the environment variable HOME")
    })?;
    Ok(strategy.data_dir().join("stress"))
}

/// The file that is used: `named` by the scenario, else by the environment, else in `dist`, else installed, else in the
/// package below this directory or one above it.
pub(crate) fn find(named: Option<&str>) -> Result<PathBuf, TargetError> {
    let from_environment = std::env::var(EXTENSION_VARIABLE).ok().filter(|path| !path.is_empty());
    let found = match named.map(str::to_owned).or(from_environment) {
        Some(path) => either(Path::new(&path)).ok_or_else(|| {
            let message = format!("there is no extension at `{path}` (nor `{path}{}`)", std::env::consts::DLL_SUFFIX);
            TargetError::new(message, INSTALL)
        })?,
        None => usual_places().into_iter().find(|path| path.is_file()).ok_or_else(missing)?,
    };
    // SQLite hands the path to the system's loader, which searches its own places for a bare name.
    std::path::absolute(&found).map_err(|error| {
        TargetError::new(format!("`{}` has no absolute path: {error}", found.display()), "give the whole path")
    })
}

fn missing() -> TargetError {
    let places: Vec<String> = usual_places().iter().take(2).map(|path| format!("`{}`", path.display())).collect();
    let message =
        format!("the CloudSync extension was not found (looked for {} and in node_modules)", places.join(", "));
    TargetError::new(message, INSTALL)
}

/// The file itself, or the one with the system's suffix.
fn either(path: &Path) -> Option<PathBuf> {
    let mut suffixed = path.as_os_str().to_owned();
    suffixed.push(std::env::consts::DLL_SUFFIX);
    [path.to_owned(), suffixed.into()].into_iter().find(|path| path.is_file())
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = vec![Path::new(BUILT).join(file_name())];
    places.extend(home().ok().map(|home| home.join(file_name())));
    if let (Some(package), Ok(here)) = (package(), std::env::current_dir()) {
        places.extend(here.ancestors().map(|above| above.join("node_modules").join(&package).join(file_name())));
    }
    places
}

/// What was probed last stays loaded: SQLite unloads a library with the last session that uses it, and the next one would
/// load it again.
static LOADED: Mutex<Option<Session>> = Mutex::new(None);

/// Loads the extension once, to say early and clearly when it cannot be, or is too old.
pub(crate) fn probe(path: &Path) -> Result<Extension, TargetError> {
    let shown = path.display();
    let loader = Loader::Extension(path.to_owned());
    let opening = Opening { file: Path::new(":memory:"), loader: &loader, pragmas: &[], settings: &[], network: None };
    let session = Session::open(&opening).map_err(|error| {
        let help = "it must be built for this system, and its libraries must be installed (on Linux: libssl.so.3 and libcrypto.so.3); `stress extension install` installs the right one";
        let why = if is_library(path) { error.message.as_str() } else { "it is not a library" };
        TargetError::new(format!("the extension `{shown}` cannot be loaded: {why}"), help)
    })?;
    let strange = |error: &RawError| {
        TargetError::new(format!("`{shown}` is not the CloudSync extension: {}", error.message), INSTALL)
    };
    let call = |sql: &str| session.call(Call::Open, sql, &[]).map_err(|error| strange(&error));
    let version = call("SELECT cloudsync_version()")?.unwrap_or_default();
    let has = "SELECT count(*) FROM pragma_function_list WHERE name = 'cloudsync_network_receive_changes'";
    if call(has)?.as_deref() == Some("0") {
        let what = "has no cloudsync_network_receive_changes()";
        return Err(too_old(path, &version, what));
    }
    if older(&version, VERSION) {
        return Err(too_old(path, &version, "has no timeouts, so a run could hang"));
    }
    session.run(Call::Open, "CREATE TABLE probe (id TEXT PRIMARY KEY)").map_err(|error| strange(&error))?;
    let site_id = call("SELECT cloudsync_init('probe')")?.unwrap_or_default();
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).replace(session);
    Ok(Extension { path: path.to_owned(), version, site_id })
}

/// Whether a file begins like a library of any system. The system's own words for one that does not are about another
/// name, which SQLite tries after this one.
fn is_library(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    let starts: [&[u8]; 6] =
        [b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe"];
    read.is_ok() && starts.iter().any(|begin| start.starts_with(begin))
}

fn too_old(path: &Path, version: &str, what: &str) -> TargetError {
    TargetError::new(format!("the extension `{}` is too old: version {version} {what}", path.display()), NEWER)
}

/// Whether a version is before another; one that cannot be read is not.
fn older(version: &str, than: &str) -> bool {
    let numbers =
        |text: &str| -> Option<Vec<u32>> { text.split('-').next()?.split('.').map(|part| part.parse().ok()).collect() };
    numbers(version).zip(numbers(than)).is_some_and(|(version, than)| version < than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(older("0.8.59", "1.1.4") && older("1.1.3", "1.1.4") && older("1.1", "1.1.4"));
        assert!(!older("1.1.4", "1.1.4") && !older("1.10.0", "1.1.4") && !older("2.0.0-rc", "1.1.4"));
        assert!(!older("nightly", "1.1.4"));
    }

    #[test]
    fn every_published_platform_has_its_package_and_no_other() {
        for (system, machine, musl, name) in [
            ("linux", "x86_64", false, Some("linux-x86_64")),
            ("linux", "aarch64", true, Some("linux-arm64-musl")),
            ("macos", "aarch64", false, Some("darwin-arm64")),
            ("windows", "x86_64", false, Some("win32-x86_64")),
            ("windows", "aarch64", false, None),
            ("freebsd", "x86_64", false, None),
            ("linux", "riscv64", false, None),
        ] {
            assert_eq!(platform(system, machine, musl), name, "{system} on {machine}");
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_told_apart_from_a_missing_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join(file_name());
        let missing = find(Some(&file.display().to_string())).expect_err("nothing is there");
        assert!(missing.message.starts_with("there is no extension at"), "{missing}");
        std::fs::write(&file, "text").expect("written");
        let bare = directory.path().join("cloudsync").display().to_string();
        assert_eq!(find(Some(&bare)).expect("the suffix is added"), file);
        let broken = probe(&file).expect_err("it is text");
        assert!(broken.message.contains("cannot be loaded"), "{broken}");
    }
}
