//! What the databases sync with, decided; whether the target's options fit together and fit the scenario: what must be
//! given, and which credential goes with row-level security.

use std::time::Duration;

use super::draft::Draft;
use super::names::Names;
use super::programs;
use super::secrets;
use crate::failure::Secret;
use crate::sandbox;
use crate::scenario::{
    Cleanup, CloudsyncOptions, DriverOptions, EmbeddedOptions, Issue, Scenario, Target, TargetKind, TargetOptions,
    TursoOptions,
};

/// The databases that may be changed when the scenario does not say.
pub(crate) const ALLOWED_DATABASES: &str = "test_*";

/// Whether a pattern of `allow_databases` covers a database.
pub(crate) fn covers(pattern: &str, database: &str) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(database))
}

/// What the databases sync with, with its options; secrets are still templates.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetPlan {
    /// The hub of this program.
    Embedded(EmbeddedOptions),
    /// The extension and its project.
    Cloudsync(CloudsyncOptions),
    /// An engine of the user's own.
    Driver(DriverOptions),
    /// Turso.
    Turso(TursoOptions),
}

impl TargetPlan {
    /// The target as written, the options of the short form at their defaults.
    fn of(target: &Target) -> Self {
        match target {
            Target::Name(TargetKind::Embedded) => Self::Embedded(EmbeddedOptions::default()),
            Target::Name(TargetKind::Cloudsync) => Self::Cloudsync(CloudsyncOptions::default()),
            Target::Name(TargetKind::Driver) => Self::Driver(DriverOptions::of_name()),
            Target::Name(TargetKind::Turso) => Self::Turso(TursoOptions::default()),
            Target::Options(TargetOptions::Embedded(options)) => Self::Embedded(options.clone()),
            Target::Options(TargetOptions::Cloudsync(options)) => Self::Cloudsync(options.clone()),
            Target::Options(TargetOptions::Driver(options)) => Self::Driver(options.clone()),
            Target::Options(TargetOptions::Turso(options)) => Self::Turso(options.clone()),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Embedded(_) => TargetKind::Embedded,
            Self::Cloudsync(_) => TargetKind::Cloudsync,
            Self::Driver(_) => TargetKind::Driver,
            Self::Turso(_) => TargetKind::Turso,
        }
    }

    /// Whether there is surely somebody who asks the server.
    pub fn has_administrator(&self) -> bool {
        match self {
            Self::Embedded(_) => true,
            Self::Cloudsync(options) => options.connection_string.is_some(),
            Self::Driver(_) => false,
            Self::Turso(_) => true,
        }
    }

    /// Whether the server can perhaps be asked: a driver says so only when it introduces itself.
    pub fn may_answer(&self) -> bool {
        match self {
            Self::Embedded(_) | Self::Cloudsync(_) => self.has_administrator(),
            Self::Driver(_) | Self::Turso(_) => true,
        }
    }

    /// The pause between two rounds of settling when the scenario does not say.
    pub(super) fn settle_wait(&self) -> Duration {
        match self {
            Self::Embedded(_) => Duration::from_millis(10),
            Self::Cloudsync(_) => Duration::from_secs(1),
            Self::Driver(_) | Self::Turso(_) => Duration::from_millis(100),
        }
    }
}

/// Decides the target for this many users.
pub(super) fn decide(draft: &mut Draft<'_>, scenario: &Scenario, users: usize) -> TargetPlan {
    match &scenario.target {
        Target::Name(TargetKind::Embedded | TargetKind::Turso) => {}
        Target::Name(TargetKind::Driver) => {
            let message = "the target `driver` needs a `command`";
            let help = "write `target: {driver: {command: [python3, my-driver.py]}}`; `stress driver new my-driver.py` writes one";
            draft.issues.push(Issue::new("/target", "target::driver", message).help(help));
        }
        Target::Name(TargetKind::Cloudsync) => {
            let message = "the target `cloudsync` needs a `managed_database_id`";
            let help = "write `target: {cloudsync: {managed_database_id: \"db_…\", apikey: \"{{ env.SQLITECLOUD_APIKEY }}\"}}`";
            draft.issues.push(Issue::new("/target", "target::cloudsync", message).help(help));
        }
        Target::Options(TargetOptions::Embedded(options)) => check_embedded(draft, options),
        Target::Options(TargetOptions::Cloudsync(options)) => check_cloudsync(draft, scenario, options, users),
        Target::Options(TargetOptions::Driver(options)) => programs::check_options(draft, options),
        Target::Options(TargetOptions::Turso(options)) => programs::check_turso(draft, options),
    }
    TargetPlan::of(&scenario.target)
}

fn check_embedded(draft: &mut Draft<'_>, options: &EmbeddedOptions) {
    if let Some(hub) = options.hub.as_deref().filter(|_| draft.grant.is_sandbox()) {
        check_local(draft, "/target/embedded/hub", hub);
    }
    if let Some(hub) = &options.hub
        && !hub.starts_with("http://")
    {
        let help = "write the address that `stress hub` prints, such as `http://127.0.0.1:7800`";
        let message = format!("`{hub}` is not the address of a hub");
        draft.issues.push(Issue::new("/target/embedded/hub", "target::embedded", message).help(help));
    }
}

fn check_cloudsync(draft: &mut Draft<'_>, scenario: &Scenario, options: &CloudsyncOptions, users: usize) {
    let at = "/target/cloudsync";
    let code = "target::cloudsync";
    let found = options.management_key.is_some() && options.connection_string.is_some();
    if options.managed_database_id.is_none() && !options.provision && !found {
        let message = "the target `cloudsync` needs a `managed_database_id`";
        let help = "copy it from the project's OffSync page after enabling CloudSync for the tables; or set `provision: true` to prepare the database, or a `management_key` to look the id up";
        draft.issues.push(Issue::new(at, code, message).help(help));
    }
    check_changes(draft, at, options);
    for (pointer, source) in secrets::texts(at, options) {
        draft.text(&pointer, source, Names::Target);
        if !source.contains("{{") {
            check_written(draft, pointer, source);
        }
    }
    let plain = [
        ("extension", &options.extension),
        ("address", &options.address),
        ("admin_address", &options.admin_address),
        ("management_address", &options.management_address),
        ("database", &options.database),
        ("managed_database_id", &options.managed_database_id),
    ];
    for (key, source) in plain.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
        draft.text(&format!("{at}/{key}"), source, Names::Target);
    }
    check_credentials(draft, at, options, scenario.rls.is_some(), users);
    if draft.grant.is_sandbox() {
        check_sandbox(draft, at, options);
    }
}

/// A secret that stands in the file. It is hidden in all that a run prints and keeps, if it is long enough for that.
fn check_written(draft: &mut Draft<'_>, pointer: String, source: &str) {
    let code = "target::secret";
    let help = "read it from the environment: `\"{{ env.SQLITECLOUD_APIKEY }}\"`";
    draft.issues.push(if Secret::from(source).is_too_short() {
        let least = Secret::SHORTEST;
        let message =
            format!("this secret is shorter than {least} characters, so that messages and reports could not hide it");
        Issue::new(pointer, code, message).at_key().help(format!("use a longer one, and {help}"))
    } else {
        let message = "this secret is part of the scenario file, which is usually kept in git";
        Issue::new(pointer, code, message).at_key().help(help).warning()
    });
}

/// What a sandbox lets the target reach: nothing of the file system that the scenario names, and only this machine.
fn check_sandbox(draft: &mut Draft<'_>, at: &str, options: &CloudsyncOptions) {
    let code = "target::sandbox";
    if options.extension.is_some() {
        let message = "the sandbox does not let a scenario name code to be loaded";
        let help = "leave `extension` out: the installed extension is used, or the one in STRESS_CLOUDSYNC_EXTENSION";
        draft.issues.push(Issue::new(format!("{at}/extension"), code, message).help(help));
    }
    let addresses = [
        ("address", &options.address),
        ("admin_address", &options.admin_address),
        ("management_address", &options.management_address),
        ("connection_string", &options.connection_string),
    ];
    for (key, address) in addresses.into_iter().filter_map(|(key, address)| Some((key, address.as_deref()?))) {
        check_local(draft, &format!("{at}/{key}"), address);
    }
    if options.address.is_none() {
        let message = "the sandbox does not let the target talk to another machine, and its default `address` is one";
        draft.issues.push(Issue::new(at, code, message).help(sandbox::HELP));
    }
}

/// In a sandbox: whether an address is of this machine. One that is a template is looked at when it is known.
fn check_local(draft: &mut Draft<'_>, pointer: &str, address: &str) {
    if !address.contains("{{") && !sandbox::is_local(address) {
        let message = "the sandbox does not let the target talk to another machine";
        draft.issues.push(Issue::new(pointer, "target::sandbox", message).help(sandbox::HELP));
    }
}

/// Whether the server may be changed as the scenario wants it.
fn check_changes(draft: &mut Draft<'_>, at: &str, options: &CloudsyncOptions) {
    let code = "target::cloudsync";
    let drops = options.cleanup == Some(Cleanup::Drop);
    for (key, wanted) in [("provision", options.provision), ("cleanup", drops)] {
        if wanted && options.connection_string.is_none() {
            let message = format!("`{key}` needs a `connection_string`, whose api key it uses");
            let help = "add `connection_string: \"{{ env.SQLITECLOUD_CONNECTION }}\"`";
            draft.issues.push(Issue::new(format!("{at}/{key}"), code, message).help(help));
        }
    }
    let default = [ALLOWED_DATABASES.to_owned()];
    let patterns = options.allow_databases.as_deref().unwrap_or(&default);
    for (index, pattern) in patterns.iter().enumerate() {
        if let Err(error) = glob::Pattern::new(pattern) {
            let message = format!("`{pattern}` is not a pattern: {}", error.msg);
            let pointer = format!("{at}/allow_databases/{index}");
            draft.issues.push(Issue::new(pointer, code, message).help("write it like `test_*`"));
        }
    }
    if let Some(database) = options.database.as_ref().filter(|name| !name.contains("{{"))
        && (options.provision || drops)
        && !patterns.iter().any(|pattern| covers(pattern, database))
    {
        let message =
            format!("the database `{database}` may not be changed: no pattern of `allow_databases` matches it");
        let help =
            "name another database, or add a pattern that matches this one; note that its tables would be dropped";
        draft.issues.push(Issue::new(format!("{at}/database"), code, message).help(help));
    }
    let addresses = [("admin_address", &options.admin_address), ("management_address", &options.management_address)];
    for (key, address) in addresses.into_iter().filter_map(|(key, address)| Some((key, address.as_ref()?))) {
        if !["http://", "https://", "{{"].iter().any(|start| address.starts_with(start)) {
            let message = format!("`{address}` is not an address");
            draft.issues.push(Issue::new(format!("{at}/{key}"), code, message).help("write `https://` and a host"));
        }
    }
}

/// A token without row-level security silently loses everything; an api key with it bypasses it.
fn check_credentials(draft: &mut Draft<'_>, at: &str, options: &CloudsyncOptions, rls: bool, users: usize) {
    let code = "target::credentials";
    let made = options.tokens.is_empty() && options.connection_string.is_some();
    if rls && !made && options.tokens.len() != users {
        let message = format!("{users} users need {users} tokens, but the target has {}", options.tokens.len());
        let help = "with `rls`, every database authenticates with its user's token: add a `connection_string` so that `stress` can create the tokens, or list them under `tokens` in the order of the users";
        draft.issues.push(Issue::new(at, code, message).help(help));
    }
    if rls && options.apikey.is_some() {
        let message = "an api key bypasses row-level security, so the run would not test `rls`";
        draft.issues.push(
            Issue::new(format!("{at}/apikey"), code, message)
                .help("remove `apikey`: the databases authenticate with the users' tokens"),
        );
    }
    if !rls && !options.tokens.is_empty() {
        let message = "tokens without `rls`: the server silently discards everything that the databases send";
        draft.issues.push(Issue::new(format!("{at}/tokens"), code, message).help("declare `rls`, or use `apikey`"));
    }
    if !rls && options.apikey.is_none() && options.connection_string.is_none() {
        let message = "the target has no credentials";
        let help = "add `apikey: \"{{ env.SQLITECLOUD_APIKEY }}\"`, or a `connection_string` that contains an api key";
        draft.issues.push(Issue::new(at, code, message).help(help));
    }
}
