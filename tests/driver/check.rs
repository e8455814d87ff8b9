//! `stress driver check`: the skeleton follows the protocol, and what the liar breaks is seen by the check that looks at it.

use crate::harness::{Done, Place};
use crate::scene::{each, liar, python, skeleton};

/// The table without its lines and breaks.
fn words(done: &Done) -> String {
    done.out.split_whitespace().filter(|word| !word.contains('│')).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_skeleton_follows_the_protocol() {
    if !python("the_skeleton_follows_the_protocol") {
        return;
    }
    let done = Place::new().stress(&["driver", "check", "python3", &skeleton()]).done().exits(0);
    assert!(words(&done).contains("promises convergence, row-merge, last-push-wins, read-your-writes"), "{done}");
    assert_eq!(done.last_line(), "29 checks ok");
}

#[test]
fn what_cannot_be_checked_is_told() {
    let place = Place::new();
    place.stress(&["driver", "check", "./no-driver"]).done().exits(3).says(&["`./no-driver` could not be started"]);
    let done = place.stress(&["driver", "check", "--only", "sned", "true"]).done().exits(2);
    done.says(&["sned"]);
    // A failed check keeps its directory.
    let temporary = place.path("").to_string_lossy().into_owned();
    let done = place.stress(&["driver", "check", "true"]).env("TMPDIR", &temporary).done().exits(1);
    assert!(words(&done).contains("ended with exit status: 0"), "{done}");
    assert_eq!(done.last_line(), "1 of 1 check failed, 28 not asked");
}

/// Lies, with the check that sees them and what it says.
const LIES: &[(&[&str], &str, &str)] = &[
    (&["lie=wrong_version"], "hello", "this driver speaks version 2"),
    (&["lie=no_hello"], "hello", "did not answer `hello` within 4s"),
    (&["lie=bad_shape"], "open", "its answer to `query` has another form"),
    (&["lie=short_row"], "open", "columns and a row of"),
    (&["lie=empty_answer"], "open", "its answer to `query` has another form"),
    (&["lie=wrong_count"], "exec", "`changed` says 3"),
    (&["lie=dies_in", "op=commit"], "begin, commit, rollback", "the liar dies in commit"),
    (&["lie=ignores_interrupt"], "interrupt", "did not answer `query` within"),
    (&["lie=silent"], "send and receive", "did not answer `send` within 4s"),
    (&["lie=torn"], "send and receive", "in the middle of the line"),
    (&["lie=nonsense"], "send and receive", "a line that is no answer: `all is well`"),
    (&["lie=twice"], "send and receive", "which nobody waits for"),
    (&["lie=wrong_id"], "send and receive", "which nobody waits for"),
    (&["lie=dies_by_signal"], "send and receive", "signal: 9"),
    (&["lie=fails"], "send and receive", "`send` failed: the liar refuses"),
    (&["lie=lose_row"], "send and receive", "database 2 holds (b = 2), not (a = 1, b = 2)"),
    (&["lie=never_complete", "times=0"], "send and receive", "still says that there is more"),
    (&["lie=skip_receive", "op=sync", "db=2"], "sync", "database 2 holds (b = 2), not (a = 1, b = 2)"),
    (&["lie=lose_delete"], "updates and deletions", "database 1 holds (a = 10, b = 2, c = 3)"),
    (&["lie=corrupt_value", "column=v"], "values that are synced", "NULL came back as the text \"corrupt\""),
    (&["lie=overwrite_waiting", "times=0"], "reads of what was written here", "holds (a = 10), not (a = 20)"),
    (&["lie=back_in_time", "after=3"], "reads that do not go back", "went back in time"),
    (&["lie=half_push"], "transactions as a whole", "of rows that were written together"),
    (&["lie=empty_bootstrap", "times=0"], "a new device", "database 5 holds no rows, not (a = 1, c = 30)"),
    (&["lie=nothing_unsent"], "unsent", "after a write and before a send, `unsent` is false"),
    (&["lie=server_hides_row"], "server_query", "the server holds (a = 1), and"),
    (&["lie=never_ends"], "the end of stdin", "did not end within 5s"),
    (&["lie=forget_send"], "kill -9", "a new device misses 100 of 100 rows that were sent"),
];

#[test]
fn a_lie_is_seen_by_the_check_that_looks_at_it() {
    if !python("a_lie_is_seen_by_the_check_that_looks_at_it") {
        return;
    }
    let wrong = each(LIES, |(settings, check, says)| {
        let (place, liar) = (Place::new(), liar());
        let timeout = if says.starts_with("did not answer") { "4s" } else { "30s" };
        let mut arguments = vec!["driver", "check", "--only", check, "--timeout", timeout];
        for setting in *settings {
            arguments.extend(["--setting", setting]);
        }
        arguments.extend(["python3", &liar]);
        // A failed check keeps its directory.
        let done = place.stress(&arguments).env("TMPDIR", &place.path("").to_string_lossy()).done();
        let told = words(&done);
        if done.code == Some(1) && done.err.contains(&format!("] {check}: failed")) && told.contains(says) {
            return Ok(());
        }
        Err(format!("it should say `{says}`: {done}"))
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), LIES.len(), wrong.join("\n\n"));
}
