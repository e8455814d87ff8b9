//! Whether the target's options fit together and fit the scenario: what must be given, and which credential goes with
//! row-level security.

use super::build::Builder;
use super::names::Names;
use crate::scenario::{Cleanup, CloudsyncOptions, Issue, Scenario, Target, TargetName, TargetOptions};

impl Builder {
    pub(super) fn check_target(&mut self, scenario: &Scenario, users: usize) {
        let Target::Options(TargetOptions::Cloudsync(options)) = &scenario.target else {
            if scenario.target == Target::Name(TargetName::Cloudsync) {
                let message = "the target `cloudsync` needs a `managed_database_id`";
                let help = "write `target: {cloudsync: {managed_database_id: \"db_…\", apikey: \"{{ env.SQLITECLOUD_APIKEY }}\"}}`";
                self.issues.push(Issue::new("/target", "target::cloudsync", message).help(help));
            }
            if let Target::Options(TargetOptions::Embedded(options)) = &scenario.target
                && let Some(hub) = &options.hub
                && !hub.starts_with("http://")
            {
                let help = "write the address that `stress hub` prints, such as `http://127.0.0.1:7800`";
                let message = format!("`{hub}` is not the address of a hub");
                self.issues.push(Issue::new("/target/embedded/hub", "target::embedded", message).help(help));
            }
            return;
        };
        let at = "/target/cloudsync";
        if options.managed_database_id.is_none() {
            let message = "the target `cloudsync` needs a `managed_database_id`";
            let help = "it is on the project's OffSync page, after CloudSync was enabled for the tables";
            self.issues.push(Issue::new(at, "target::cloudsync", message).help(help));
        }
        for (key, unbuilt) in [("provision", options.provision), ("cleanup", options.cleanup == Some(Cleanup::Drop))] {
            if unbuilt {
                let message = format!("`{key}` is not done by this version");
                let help = "prepare the database as the README's page on the real target says";
                self.issues.push(Issue::new(format!("{at}/{key}"), "target::cloudsync", message).help(help));
            }
        }
        let secrets = [
            ("connection_string", &options.connection_string),
            ("management_key", &options.management_key),
            ("apikey", &options.apikey),
        ];
        let texts = secrets.into_iter().filter_map(|(key, text)| Some((format!("{at}/{key}"), text.as_ref()?)));
        let tokens = options.tokens.iter().enumerate().map(|(index, text)| (format!("{at}/tokens/{index}"), text));
        for (pointer, source) in texts.chain(tokens) {
            self.text(&pointer, source, Names::Target);
            if !source.contains("{{") {
                let message = "a secret is written into the scenario, and the scenario is kept in git";
                let help = "take it from the environment: `\"{{ env.SQLITECLOUD_APIKEY }}\"`";
                self.issues.push(Issue::new(pointer, "target::secret", message).help(help).warning());
            }
        }
        let plain = [
            ("extension", &options.extension),
            ("address", &options.address),
            ("database", &options.database),
            ("managed_database_id", &options.managed_database_id),
        ];
        for (key, source) in plain.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
            self.text(&format!("{at}/{key}"), source, Names::Target);
        }
        self.check_credentials(at, options, scenario.rls.is_some(), users);
    }

    /// A token without row-level security silently loses everything; an api key with it bypasses it.
    fn check_credentials(&mut self, at: &str, options: &CloudsyncOptions, rls: bool, users: usize) {
        let code = "target::credentials";
        if rls && options.tokens.len() != users {
            let message = format!("{users} users need {users} tokens, and there are {}", options.tokens.len());
            let help = "with `rls` every database authenticates with its user's token; list them under `tokens`, in the order of the users";
            self.issues.push(Issue::new(at, code, message).help(help));
        }
        if rls && options.apikey.is_some() {
            let message = "an api key bypasses row-level security, so that `rls` would not be tested";
            self.issues.push(
                Issue::new(format!("{at}/apikey"), code, message).help("leave `apikey` out: the `tokens` authenticate"),
            );
        }
        if !rls && !options.tokens.is_empty() {
            let message = "tokens without `rls`: the server silently drops everything that is sent";
            self.issues.push(Issue::new(format!("{at}/tokens"), code, message).help("declare `rls`, or use `apikey`"));
        }
        if !rls && options.apikey.is_none() && options.connection_string.is_none() {
            let message = "there is nothing to authenticate with";
            let help = "add `apikey: \"{{ env.SQLITECLOUD_APIKEY }}\"`, or a `connection_string` that has one";
            self.issues.push(Issue::new(at, code, message).help(help));
        }
    }
}

/// Whether the target has an administrator.
pub(super) fn server_can_be_asked(target: &Target) -> bool {
    match target {
        Target::Name(name) => *name == TargetName::Embedded,
        Target::Options(TargetOptions::Embedded(_)) => true,
        Target::Options(TargetOptions::Cloudsync(options)) => options.connection_string.is_some(),
    }
}
