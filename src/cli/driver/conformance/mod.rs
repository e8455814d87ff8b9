//! What a driver must do for `stress`, check by check. Each check has a process of its own, so that what one breaks does
//! not fail the next.

mod alone;
mod bench;
mod lasting;
mod synced;
mod values;

pub(super) use bench::{Bench, Check, Found};

use crate::session::driver::Ability;

/// The first check.
pub(super) const FIRST: &str = "hello";

/// All checks. The first is made by [`Bench::introduce`]: the others begin with it.
pub(super) fn all() -> Vec<Check> {
    let check = |name, look| Check { name, needs: None, look };
    let able = |name, needs, look| Check { name, needs: Some(needs), look };
    vec![
        check(FIRST, |_| Ok(String::new())),
        check("open", alone::open),
        check("a database that is not open", alone::not_open),
        check("exec", alone::exec),
        check("a batch of 1,000", alone::batch),
        check("statements without a transaction", alone::without_transaction),
        check("begin, commit, rollback", alone::transactions),
        check("values", values::stored),
        check("parameters of a query", values::bound),
        check("errors of SQL", alone::errors),
        check("several databases at once", alone::at_once),
        able("interrupt", Ability::Interrupt, alone::interrupt),
        check("send and receive", synced::send_and_receive),
        check("sync", synced::sync),
        check("updates and deletions", synced::changes),
        check("two changes of one row", synced::conflict),
        check("values that are synced", values::synced),
        check("receive with max_chunks", synced::parts),
        check("reads of what was written here", synced::own_writes),
        check("reads that do not go back", synced::never_back),
        check("transactions as a whole", synced::whole_transactions),
        able("a new device", Ability::Bootstrap, synced::new_device),
        able("unsent", Ability::Unsent, synced::unsent),
        able("server_query", Ability::ServerQuery, synced::server_query),
        check("close and open again", lasting::again),
        check("an op that is unknown", lasting::unknown_op),
        check("fields that are unknown", lasting::unknown_fields),
        check("the end of stdin", lasting::end),
        check("kill -9", lasting::kill),
    ]
}
