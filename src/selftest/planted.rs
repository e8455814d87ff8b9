//! The cases with injected faults: each kind of fault in a scenario where it has an effect, what the run must report, and
//! which side it must blame. Rows that the server acknowledged but lost, or withheld, are the server's fault; a call
//! without a complete answer is the network's; a late answer can be either.

use super::{Case, Planted, Wanted};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::plan::threshold::Metric;
use crate::scenario::FaultKind;
use crate::verify::RowState;

const NOTES: &str = include_str!("scenarios/notes.yaml");
const APPENDS: &str = include_str!("scenarios/appends.yaml");
const PATIENT: &str = include_str!("scenarios/patient.yaml");
const PROMPT: &str = include_str!("scenarios/prompt.yaml");
const COUNTER: &str = include_str!("scenarios/counter.yaml");
const HANDOVER: &str = include_str!("scenarios/handover.yaml");
const USERS: &str = include_str!("scenarios/users.yaml");

/// In `notes`, every database sends six times: insert, update and delete, twice. The fourth send has the last inserts; no
/// later send repeats its rows with an odd size. In `appends`, which does not delete, it is the third send.
const LAST_INSERT: &[u64] = &[4];

/// All cases with an injected fault.
pub(crate) fn planted() -> Vec<Case> {
    let mut cases = lost_on_the_server();
    cases.extend(lost_on_the_way());
    cases.extend(users());
    cases.extend(refused());
    cases.extend(cut_off());
    cases.extend(tolerated());
    cases
}

const fn plant(fault: FaultKind, at: &'static [u64], databases: &'static [u32]) -> Planted {
    Planted { fault, at, databases }
}

const fn case(
    name: &'static str,
    story: &'static str,
    scenario: &'static str,
    planted: Planted,
    wanted: Wanted,
) -> Case {
    Case { name, story, scenario, size: None, planted: Some(planted), wanted }
}

/// A run whose data differ from what the server acknowledged, with the states of the rows.
const fn wrong(checks: &'static [CheckKind], states: &'static [RowState]) -> Wanted {
    Wanted { checks, states, sides: &[Side::Server], ..Wanted::RED }
}

/// A run in which calls of database 2 failed, and their changes arrived later.
const fn failed(kinds: &'static [FailureKind], sides: &'static [Side]) -> Wanted {
    Wanted { kinds, sides, databases: &[2], ..Wanted::RED }
}

const fn survived(kinds: &'static [FailureKind], sides: &'static [Side]) -> Wanted {
    Wanted { kinds, sides, databases: &[2], ..Wanted::GREEN }
}

/// What the server has, and has everybody hold, though nobody wrote it so.
const WRITTEN: &[CheckKind] = &[CheckKind::Written];
/// What the server lost of what was written.
const LOST: &[CheckKind] = &[CheckKind::Written, CheckKind::Converged, CheckKind::Server];
/// What the server has, and a database did not get.
const DATA: &[CheckKind] = &[CheckKind::Converged, CheckKind::Server];

fn lost_on_the_server() -> Vec<Case> {
    vec![
        case(
            "drop_row",
            "the server acknowledges one row of a send but does not store it",
            NOTES,
            plant(FaultKind::DropRow, &[3], &[1]),
            wrong(LOST, &[RowState::Missing]),
        ),
        case(
            "forget_push",
            "the server acknowledges a whole send but does not store it",
            NOTES,
            plant(FaultKind::ForgetPush, LAST_INSERT, &[1]),
            wrong(LOST, &[RowState::Missing]),
        ),
        case(
            "apply_twice",
            "the server stores an old send again, over a newer one of its writer",
            COUNTER,
            plant(FaultKind::ApplyTwice, &[1], &[1]),
            wrong(LOST, &[RowState::Stale]),
        ),
        case(
            "apply_twice: agreed on",
            "an old send undoes the write of another database, and all agree on it",
            HANDOVER,
            plant(FaultKind::ApplyTwice, &[1], &[1]),
            wrong(&[CheckKind::Query], &[]),
        ),
        case(
            "resurrect_rows",
            "the server acknowledges a deletion, but the row stays",
            NOTES,
            plant(FaultKind::ResurrectRows, &[1], &[1]),
            wrong(LOST, &[RowState::Resurrected]),
        ),
        case(
            "lose_everywhere",
            "the server loses an acknowledged row, and has everybody delete it",
            NOTES,
            plant(FaultKind::LoseEverywhere, &[3], &[1]),
            wrong(WRITTEN, &[RowState::Missing]),
        ),
        case(
            "rewrite",
            "the server changes an acknowledged row, and delivers that to everybody",
            NOTES,
            plant(FaultKind::Rewrite, &[3], &[1]),
            wrong(WRITTEN, &[RowState::Altered]),
        ),
        case(
            "invent",
            "the server makes up a row, and delivers it to everybody",
            NOTES,
            plant(FaultKind::Invent, &[3], &[1]),
            wrong(WRITTEN, &[RowState::Phantom]),
        ),
        case(
            "clock_back",
            "the server stores a send under numbers that all databases have passed",
            APPENDS,
            plant(FaultKind::ClockBack, &[3], &[1]),
            wrong(&[CheckKind::Converged, CheckKind::Server, CheckKind::Bootstrap], &[RowState::Missing]),
        ),
    ]
}

fn lost_on_the_way() -> Vec<Case> {
    vec![
        case(
            "skip_page",
            "the first page of rows never reaches database 2",
            APPENDS,
            plant(FaultKind::SkipPage, &[1], &[2]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "skip_page: with deletions",
            "a row never reaches database 2, so it was not deleted there",
            NOTES,
            plant(FaultKind::SkipPage, &[1], &[2]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "stale_read: for good",
            "the server tells database 2 again and again that nothing is new",
            APPENDS,
            plant(FaultKind::StaleRead, &[], &[2]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "repeat_page: for good",
            "the server sends database 2 the same page again and again",
            APPENDS,
            plant(FaultKind::RepeatPage, &[], &[2]),
            wrong(DATA, &[]),
        ),
    ]
}

fn users() -> Vec<Case> {
    vec![
        case(
            "leak_rows",
            "the server sends database 1 a row of another user",
            USERS,
            plant(FaultKind::LeakRows, &[2], &[1]),
            wrong(&[CheckKind::Isolation], &[RowState::Leaked]),
        ),
        case(
            "ignore_policy",
            "the server stores a row written in another user's name",
            USERS,
            plant(FaultKind::IgnorePolicy, &[1], &[1]),
            wrong(&[CheckKind::Isolation, CheckKind::Query], &[]),
        ),
        case(
            "swap_tokens",
            "the server takes database 1 for another user's, and stores its rows in that name",
            USERS,
            plant(FaultKind::SwapTokens, &[], &[1]),
            wrong(
                &[CheckKind::Written, CheckKind::Converged, CheckKind::Server, CheckKind::Isolation, CheckKind::Query],
                &[RowState::Missing, RowState::Leaked],
            ),
        ),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case(
            "http_500",
            "the server answers a request with HTTP 500 and a body",
            NOTES,
            plant(FaultKind::Http500, &[3], &[2]),
            failed(&[FailureKind::Http], &[Side::Server]),
        ),
        case(
            "http_503",
            "the server answers a request with HTTP 503",
            NOTES,
            plant(FaultKind::Http503, &[3], &[2]),
            failed(&[FailureKind::Unavailable], &[Side::Server]),
        ),
        case(
            "http_429",
            "the server answers a request with HTTP 429",
            NOTES,
            plant(FaultKind::Http429, &[3], &[2]),
            failed(&[FailureKind::RateLimited], &[Side::Server]),
        ),
        case(
            "http_empty",
            "the server answers a request with HTTP 500 and an empty body",
            NOTES,
            plant(FaultKind::HttpEmpty, &[3], &[2]),
            failed(&[FailureKind::Http], &[Side::Server]),
        ),
        case(
            "locked",
            "the server's database is locked: the same message as a local lock, but another side",
            NOTES,
            plant(FaultKind::Locked, &[2], &[2]),
            failed(&[FailureKind::Locked], &[Side::Server]),
        ),
    ]
}

fn cut_off() -> Vec<Case> {
    vec![
        case(
            "hang_up",
            "the connection closes before the answer",
            NOTES,
            plant(FaultKind::HangUp, &[3], &[2]),
            failed(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "torn_answer",
            "the answer ends in the middle",
            NOTES,
            plant(FaultKind::TornAnswer, &[3], &[2]),
            failed(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "slow",
            "the server answers two seconds late",
            PROMPT,
            plant(FaultKind::Slow, &[1], &[2]),
            Wanted { limits: &[Metric::SendDuration], sides: &[Side::Network, Side::Server], ..Wanted::RED },
        ),
    ]
}

/// The faults that sync tolerates by design: the run reports failed calls, and the data are intact.
fn tolerated() -> Vec<Case> {
    vec![
        case(
            "repeat_page: once",
            "the server sends a page twice, and the pages after it again",
            NOTES,
            plant(FaultKind::RepeatPage, &[1], &[2]),
            Wanted::GREEN,
        ),
        case(
            "stale_read: once",
            "one receive withholds rows, and the next one brings them",
            NOTES,
            plant(FaultKind::StaleRead, &[2], &[2]),
            Wanted::GREEN,
        ),
        case(
            "apply_twice: nothing newer",
            "the server stores an old send again, but nothing newer was written",
            PROMPT,
            plant(FaultKind::ApplyTwice, &[1], &[]),
            Wanted::GREEN,
        ),
        case(
            "slow: without a limit",
            "a late answer without a time limit breaks nothing",
            PATIENT,
            plant(FaultKind::Slow, &[2], &[2]),
            Wanted::GREEN,
        ),
        case(
            "hang_up: retried",
            "the answer of a send is lost; the retry is stored once",
            PATIENT,
            plant(FaultKind::HangUp, &[1, 5], &[2]),
            survived(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "torn_answer: retried",
            "an answer is cut in half, and the call is retried",
            PATIENT,
            plant(FaultKind::TornAnswer, &[1, 5], &[2]),
            survived(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "http_503: retried",
            "a paused server resumes before the retry",
            PATIENT,
            plant(FaultKind::Http503, &[1, 5], &[2]),
            survived(&[FailureKind::Unavailable], &[Side::Server]),
        ),
    ]
}
