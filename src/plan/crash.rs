//! Where a device dies in a step, decided. It must not know how a device is killed.

use crate::scenario::CrashAt;
use crate::template::Expression;

/// A device that dies in a step and comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct CrashPlan {
    /// When.
    pub at: CrashAt,
    /// Which databases die; all when absent.
    pub when: Option<Expression>,
}

impl CrashPlan {
    /// When it dies, in words.
    pub fn in_words(&self) -> String {
        let at = match self.at {
            CrashAt::InTransaction => "in the transaction, after half of the rows",
            CrashAt::AfterStatements => "after the statements",
            CrashAt::AfterSend => "after the first send",
        };
        let when = self.when.as_ref().map_or_else(String::new, |when| format!(", when {}", when.source()));
        format!("the device dies {at}, and comes back{when}")
    }
}
