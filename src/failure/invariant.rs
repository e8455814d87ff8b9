//! Invariants between the answers that one database receives: versions never decrease, and `synced` means that the
//! server has every change. Checking them needs no extra call.

use serde_json::Value;

use super::kind::{FailureKind as Kind, Side};
use super::verdict::Failure;

/// The versions in the answer of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    local: i64,
    server: i64,
}

impl Versions {
    /// The versions in an answer. `None` if the answer has none, or reports a failure.
    pub fn of(answer: &Value) -> Option<Self> {
        let number = |name: &str| answer.pointer(&format!("/send/{name}")).and_then(Value::as_i64);
        let versions = Self { local: number("localVersion")?, server: number("serverVersion")? };
        (versions.local >= 0 && versions.server >= 0).then_some(versions)
    }

    /// The contradictions between this answer and an earlier one of the same database.
    pub fn violations(self, earlier: Option<Self>, answer: &Value) -> Vec<Failure> {
        let mut violations = Vec::new();
        let mut say = |side, message| violations.push(Failure::new(Kind::Invariant, side, message));
        // A failed job lowers the announced version; it is already a failure of its own (fact sheet, section 1.2).
        let explained = answer.pointer("/send/lastFailure").is_some_and(|job| !job.is_null());
        if let Some(earlier) = earlier {
            if self.server < earlier.server && !explained {
                say(Side::Server, format!("serverVersion went back from {} to {}", earlier.server, self.server));
            }
            if self.local < earlier.local {
                say(Side::Client, format!("localVersion went back from {} to {}", earlier.local, self.local));
            }
        }
        let synced = answer.pointer("/send/status").and_then(Value::as_str) == Some("synced");
        if synced && self.server < self.local {
            let Self { local, server } = self;
            say(
                Side::Client,
                format!("the status of the send is synced, but serverVersion {server} is behind {local}"),
            );
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: &str, local: i64, server: i64) -> Value {
        json!({"send": {"status": status, "localVersion": local, "serverVersion": server, "chunks": 0, "bytes": 0}})
    }

    fn said(earlier: &Value, answer: &Value) -> Vec<(Side, String)> {
        let violations = Versions::of(answer).expect("it has versions").violations(Versions::of(earlier), answer);
        violations.into_iter().map(|failure| (failure.side, failure.message)).collect()
    }

    #[test]
    fn versions_that_grow_are_fine() {
        assert!(said(&answer("synced", 5, 5), &answer("syncing", 7, 7)).is_empty());
        assert!(said(&answer("synced", 5, 5), &answer("out-of-sync", 7, 5)).is_empty());
    }

    #[test]
    fn a_version_that_goes_back_names_the_side() {
        let back = said(&answer("synced", 7, 7), &answer("out-of-sync", 7, 5));
        assert_eq!(back, [(Side::Server, "serverVersion went back from 7 to 5".to_owned())]);
        let back = said(&answer("synced", 7, 7), &answer("synced", 5, 7));
        assert_eq!(back, [(Side::Client, "localVersion went back from 7 to 5".to_owned())]);
    }

    #[test]
    fn a_failed_job_explains_a_version_that_goes_back() {
        let mut failed = answer("out-of-sync", 7, 5);
        failed["send"]["lastFailure"] = json!({"jobId": 4, "message": "boom"});
        assert!(said(&answer("synced", 7, 7), &failed).is_empty());
    }

    #[test]
    fn a_send_is_not_synced_while_the_server_is_behind() {
        assert_eq!(said(&answer("synced", 5, 5), &answer("synced", 7, 5)).len(), 1);
    }

    #[test]
    fn an_answer_that_says_it_failed_has_no_versions() {
        assert_eq!(Versions::of(&answer("error", 5, -1)), None);
        assert_eq!(Versions::of(&json!({"receive": {}})), None);
    }
}
