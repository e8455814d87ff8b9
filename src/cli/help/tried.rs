//! The topic `tried`: the kinds of disturbances that the tests try on runs, each under the name that its test has in the
//! campaign (`tests/campaign`).

use super::page::Page;

/// A group of kinds: its heading, what they have in common, and each with what is expected.
type Group = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const GROUPS: [Group; 6] = [
    (
        "Processes that are killed, interrupted or stopped",
        "At random moments, with a hub of the run and with a separate one, with policies and without:",
        &[
            ("SIGKILL of the run", "The report of what is left is UNKNOWN."),
            ("SIGKILL of the hub, and of the run after it", "Only the network is blamed. The hub starts again."),
            ("SIGINT, SIGTERM and SIGHUP, once to three times", "The exit code is 130, and the verdict is UNKNOWN."),
            ("SIGSTOP of the hub until the limit", "The run ends at its limit, and blames only the network."),
            ("SIGSTOP of the hub for a while", "The run waits, and passes."),
            ("SIGSTOP of the run for a while", "For the run, the clock jumps. It passes, or is UNKNOWN."),
            ("SIGSTOP of the run beyond its limit", "The run is UNKNOWN."),
            ("the wall clock jumps", "By ten minutes up to 400 days, in both directions. The run passes."),
        ],
    ),
    (
        "Messages between a run and a hub that are harmed on the way",
        "At random places and in both directions, with and without a rule that repeats failed calls. With the rule, the \
         run passes:",
        &[
            ("a message is delayed", "By up to 120 ms."),
            ("a message is swallowed", "The connection is closed."),
            ("a message comes twice", "It counts once."),
            ("a message is cut off", "In its head or in its body."),
            ("a bit of a message is flipped", "The message is not believed."),
            ("a connection is reset", "In the middle of a message."),
            ("a connection goes silent", "The run ends at its limit."),
        ],
    ),
    (
        "Disks that are full",
        "With sizes that double from case to case. The run passes with everything written, or names the disk:",
        &[
            ("a full disk: the run's directory", "Every file that is left is whole."),
            ("a full disk: the hub's data", "What the hub acknowledged is still there."),
            ("a full disk: TMPDIR", "The disk for temporary files."),
            ("a full disk: the reports", "The run directory keeps its own report."),
        ],
    ),
    (
        "Limits of the system",
        "A limit that the run can know of is told before the run starts:",
        &[
            ("few open files: the run", "From 12 to 172."),
            ("few open files: the hub", "From 12 to 52. The run ends at its limit, and no row is lost."),
            ("little memory", "From 24 MiB to 1.8 GiB of addresses. The system may end the process."),
            ("files that may not grow", "From 512 bytes to 512 KiB."),
        ],
    ),
    (
        "Odd surroundings",
        "The run passes, or says what it does not take:",
        &[
            ("odd outputs", "Full, closed, or with a reader that leaves early. The verdict stays the same."),
            ("odd names of scenarios", "Blanks, quotes, line breaks, emoji, dashes."),
            ("odd names of tables and columns", "The same names. The run passes."),
            ("odd paths", "Not UTF-8, too long, links in a circle."),
            ("odd environments", "Proxies, no HOME, no TERM, bad TZ and LANG, a million bytes. The run passes."),
        ],
    ),
    (
        "The CloudSync extension against a closed port",
        "What was committed is still there, and only the network is blamed:",
        &[
            ("the extension, a closed port: SIGKILL", "At random moments."),
            ("the extension, a closed port: SIGINT", "Once to three times."),
            ("the extension, a closed port: few open files", "The run says before it starts how many it needs."),
            ("the extension, a closed port: a full disk", "The run names the disk."),
        ],
    ),
];

/// Adds what is tried, how to repeat it, and every kind.
pub(super) fn describe(page: Page) -> Page {
    let page = page
        .text(
            "The tests of `stress` disturb runs on purpose, and check what the runs say afterwards. A disturbed run passes \
             only if all of its work was done. It blames no side that did nothing wrong, and calls no row lost that is \
             not. It does not last longer than its limit. The next run with `session: {reuse: true}` goes on with what \
             is left, and every row that the server had acknowledged is still there. In a copy of the source:",
        )
        .commands(
            "cargo test --test campaign                          # every kind a few times
STRESS_CAMPAIGN=10 cargo test --test campaign       # ten times as often
STRESS_CAMPAIGN_SEED=3 cargo test --test campaign   # at other moments",
        )
        .text(
            "`target/tmp/campaign.txt` then shows for every kind how the processes ended, the longest time beyond a limit, \
             and the number of cases that went wrong. A case that went wrong is printed with the seed that repeats it.",
        );
    GROUPS
        .iter()
        .fold(page, |page, (heading, common, kinds)| page.heading(heading).text(common).terms(kinds.iter().copied()))
}
