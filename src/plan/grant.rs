//! What the user lets a scenario reach, apart from what is its own. One place decides it.

/// The environment that every scenario may read: names that begin like this are the subject's own.
const OWN: [&str; 3] = ["SQLITECLOUD_", "CLOUDSYNC_", "STRESS_"];

/// What a scenario may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The machine, with these variables of the environment besides the usual ones.
    Machine(Vec<String>),
    /// Its run directory and servers of this machine, with these variables of the environment and no others.
    Sandbox(Vec<String>),
    /// Nothing: it ran already, and is only judged. What it names was granted then.
    Judging,
}

impl Default for Grant {
    fn default() -> Self {
        Self::Machine(Vec::new())
    }
}

impl Grant {
    /// Whether the scenario is kept in a sandbox.
    pub fn is_sandbox(&self) -> bool {
        match self {
            Self::Sandbox(_) => true,
            Self::Machine(_) | Self::Judging => false,
        }
    }

    /// Whether the scenario may read a variable of the environment.
    pub fn reads(&self, variable: &str) -> bool {
        let is_named = |names: &[String]| names.iter().any(|name| name == variable);
        match self {
            Self::Machine(names) => is_named(names) || OWN.iter().any(|begin| variable.starts_with(begin)),
            Self::Sandbox(names) => is_named(names),
            Self::Judging => true,
        }
    }

    /// What to do about a variable that it may not read.
    pub(super) fn help(&self, variable: &str) -> String {
        let usual = OWN.map(|begin| format!("{begin}*")).join(", ");
        match self {
            Self::Sandbox(_) => format!("allow it with `--env {variable}`; in a sandbox, a scenario reads no other"),
            Self::Machine(_) | Self::Judging => {
                format!("allow it with `--env {variable}`; without it, a scenario reads {usual} only")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_what_is_its_own_and_what_was_named() {
        let usual = Grant::default();
        assert!(usual.reads("SQLITECLOUD_CONNECTION") && usual.reads("CLOUDSYNC_MANAGEMENT_KEY"));
        assert!(!usual.reads("HOME") && !usual.reads("AWS_SECRET") && !usual.reads("stress_x"));
        let more = Grant::Machine(vec!["HOME".to_owned()]);
        assert!(more.reads("HOME") && more.reads("STRESS_X") && !more.reads("HOMES"));
    }

    #[test]
    fn in_a_sandbox_it_reads_what_was_named_alone() {
        let sandbox = Grant::Sandbox(vec!["SQLITECLOUD_APIKEY".to_owned()]);
        assert!(sandbox.is_sandbox() && sandbox.reads("SQLITECLOUD_APIKEY"));
        assert!(!sandbox.reads("SQLITECLOUD_CONNECTION") && !sandbox.reads("STRESS_X"));
    }
}
