//! The planted failures: each kind where it has something to bite, what must be seen, and whom it is fair to blame.
//! What the server acknowledged and did not keep, or said was all and was not, is the server's; a call that got no whole
//! answer is the network's; of an answer that is only late nobody can tell which of the two it was.

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

/// In `notes` every database pushes six times: insert, update, delete, twice. The fourth is the last insert, whose rows
/// with an odd size no later push brings again. In `appends`, without the deletions, it is the third.
const LAST_INSERT: &[u64] = &[4];

/// All cases in which something is planted.
pub fn planted() -> Vec<Case> {
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

/// The data are not what was acknowledged, and what became of the rows.
const fn wrong(checks: &'static [CheckKind], states: &'static [RowState]) -> Wanted {
    Wanted { checks, states, sides: &[Side::Server], ..Wanted::RED }
}

/// Calls of database 2 failed, and what they were for came through later.
const fn failed(kinds: &'static [FailureKind], sides: &'static [Side]) -> Wanted {
    Wanted { kinds, sides, databases: &[2], ..Wanted::RED }
}

const fn survived(kinds: &'static [FailureKind], sides: &'static [Side]) -> Wanted {
    Wanted { kinds, sides, databases: &[2], ..Wanted::GREEN }
}

const DATA: &[CheckKind] = &[CheckKind::Converged, CheckKind::Server];

fn lost_on_the_server() -> Vec<Case> {
    vec![
        case(
            "drop_row",
            "one row of a push is acknowledged and not stored",
            NOTES,
            plant(FaultKind::DropRow, &[3], &[1]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "forget_push",
            "a whole push is acknowledged and not stored",
            NOTES,
            plant(FaultKind::ForgetPush, LAST_INSERT, &[1]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "apply_twice",
            "an old push is stored again over its writer's newer one",
            COUNTER,
            plant(FaultKind::ApplyTwice, &[1], &[1]),
            wrong(DATA, &[RowState::Stale]),
        ),
        case(
            "apply_twice: agreed on",
            "an old push undoes what another wrote, and all agree on it",
            HANDOVER,
            plant(FaultKind::ApplyTwice, &[1], &[1]),
            wrong(&[CheckKind::Query], &[]),
        ),
        case(
            "resurrect_rows",
            "a deletion is acknowledged, and the row stays",
            NOTES,
            plant(FaultKind::ResurrectRows, &[1], &[1]),
            wrong(DATA, &[RowState::Resurrected]),
        ),
        case(
            "clock_back",
            "a push is stored under numbers that everybody has passed",
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
            "a row that never reached database 2 was not deleted there",
            NOTES,
            plant(FaultKind::SkipPage, &[1], &[2]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "stale_read: for good",
            "database 2 is told again and again that nothing is new",
            APPENDS,
            plant(FaultKind::StaleRead, &[], &[2]),
            wrong(DATA, &[RowState::Missing]),
        ),
        case(
            "repeat_page: for good",
            "database 2 gets the same page again and again",
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
            "database 1 is sent a row of another user",
            USERS,
            plant(FaultKind::LeakRows, &[2], &[1]),
            wrong(&[CheckKind::Isolation], &[RowState::Leaked]),
        ),
        case(
            "ignore_policy",
            "a row written in another's name is stored",
            USERS,
            plant(FaultKind::IgnorePolicy, &[1], &[1]),
            wrong(&[CheckKind::Isolation, CheckKind::Query], &[RowState::Leaked]),
        ),
        case(
            "swap_tokens",
            "database 1 is taken for another user's, and its rows in that name are stored",
            USERS,
            plant(FaultKind::SwapTokens, &[], &[1]),
            wrong(
                &[CheckKind::Converged, CheckKind::Server, CheckKind::Isolation, CheckKind::Query],
                &[RowState::Missing, RowState::Leaked],
            ),
        ),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case(
            "http_500",
            "a request is answered with HTTP 500 and a body",
            NOTES,
            plant(FaultKind::Http500, &[3], &[2]),
            failed(&[FailureKind::Http], &[Side::Server]),
        ),
        case(
            "http_503",
            "a request is answered with HTTP 503",
            NOTES,
            plant(FaultKind::Http503, &[3], &[2]),
            failed(&[FailureKind::Unavailable], &[Side::Server]),
        ),
        case(
            "http_429",
            "a request is answered with HTTP 429",
            NOTES,
            plant(FaultKind::Http429, &[3], &[2]),
            failed(&[FailureKind::RateLimited], &[Side::Server]),
        ),
        case(
            "http_empty",
            "a request is answered with HTTP 500 and nothing else",
            NOTES,
            plant(FaultKind::HttpEmpty, &[3], &[2]),
            failed(&[FailureKind::Http], &[Side::Server]),
        ),
        case(
            "locked",
            "the server's database is locked: the same words as a local lock, another side",
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
            "the answer ends in its middle",
            NOTES,
            plant(FaultKind::TornAnswer, &[3], &[2]),
            failed(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "slow",
            "an answer comes two seconds late",
            PROMPT,
            plant(FaultKind::Slow, &[1], &[2]),
            Wanted { limits: &[Metric::SendDuration], sides: &[Side::Network, Side::Server], ..Wanted::RED },
        ),
    ]
}

/// What sync survives by design: seen where there is something to see, and the data whole.
fn tolerated() -> Vec<Case> {
    vec![
        case(
            "repeat_page: once",
            "a page comes twice, and what followed it comes again",
            NOTES,
            plant(FaultKind::RepeatPage, &[1], &[2]),
            Wanted::GREEN,
        ),
        case(
            "stale_read: once",
            "what one receive withholds the next one brings",
            NOTES,
            plant(FaultKind::StaleRead, &[2], &[2]),
            Wanted::GREEN,
        ),
        case(
            "apply_twice: nothing newer",
            "an old push stored again changes nothing where nothing newer was written",
            PROMPT,
            plant(FaultKind::ApplyTwice, &[1], &[]),
            Wanted::GREEN,
        ),
        case(
            "slow: without a limit",
            "a late answer alone breaks nothing",
            PATIENT,
            plant(FaultKind::Slow, &[2], &[2]),
            Wanted::GREEN,
        ),
        case(
            "hang_up: tried again",
            "a push whose answer is lost is sent again and stored once",
            PATIENT,
            plant(FaultKind::HangUp, &[1, 5], &[2]),
            survived(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "torn_answer: tried again",
            "half an answer is no answer, and the call is made again",
            PATIENT,
            plant(FaultKind::TornAnswer, &[1, 5], &[2]),
            survived(&[FailureKind::Network], &[Side::Network]),
        ),
        case(
            "http_503: tried again",
            "a paused server wakes up",
            PATIENT,
            plant(FaultKind::Http503, &[1, 5], &[2]),
            survived(&[FailureKind::Unavailable], &[Side::Server]),
        ),
    ]
}
