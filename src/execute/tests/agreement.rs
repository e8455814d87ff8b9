//! Records of real runs that are changed afterwards: whatever is taken away, added or made untrue is named, and no
//! changed record passes.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::*;
use super::{disagreements, run_changed};
use crate::analysis::{Verdict, analyze};
use crate::failure::{Failure, FailureKind, Side};
use crate::plan::Plan;
use crate::record::{BootstrapState, Difference, Event, FinalState, Holder, StepKind, Stuck};

/// Two users with two databases each, a call that is tried again, and every kind of check.
const SCENARIO: &str = "
version: 1
name: agreement
seed: 7
scale: { databases: 4, iterations: 3, rows: 10, time_limit: 1m }
target: { embedded: { faults: [{ fault: http_503, at: [4], databases: [2] }] } }
schema:
  tables:
    - { name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, value INTEGER)' }
    - { name: empty, sql: 'CREATE TABLE empty (id TEXT PRIMARY KEY, user_id TEXT)' }
rls:
  databases_per_user: 2
  policies:
    notes: { select: auth_userid() = user_id, insert: auth_userid() = NEW.user_id, update: auth_userid() = NEW.user_id }
    empty: { select: auth_userid() = user_id }
setup:
  - { name: first, kind: insert, sql: 'INSERT INTO notes VALUES (''first'' || :db, :user_id, 0)', sync: [send] }
phases:
  - { name: insert, kind: insert, rows: 10, sql: 'INSERT INTO notes VALUES (:id, :user_id, :row)', sync: [send, receive] }
  - { name: some, kind: update, when: db == 1, sql: UPDATE notes SET value = value + 1 }
  - { name: twice, kind: query, repeat: 2, sql: SELECT count(*) FROM notes, sync: [{ receive: { until: quiet, attempts: 4, every: 1ms } }] }
settle: { rounds: 8, wait: 1ms }
errors:
  - { match: { kind: unavailable }, do: [{ retry: { times: 3, backoff: 1ms } }] }
verify:
  - converged
  - server
  - isolation
  - bootstrap
  - query: { on: server, sql: SELECT count(*) FROM empty, equals: 0 }
  - query: { on: databases, sql: SELECT count(*) FROM empty, equals: 0 }
";

fn made(text: &str) -> (Record, Plan) {
    let directory = tempfile::tempdir().expect("a directory");
    run_changed(text, directory.path(), &Control::default(), |_| {})
}

/// A run that passes, made once for all tests.
fn whole() -> &'static (Record, Plan) {
    static WHOLE: OnceLock<(Record, Plan)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let (record, plan) = made(SCENARIO);
        let analysis = analyze(&record, &plan);
        assert_eq!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
        assert!(record.workers.iter().flat_map(|worker| &worker.events).any(|event| event.retried));
        (record, plan)
    })
}

fn state(record: &mut Record) -> &mut FinalState {
    record.state.as_mut().expect("the end was looked at")
}

/// The events of a database, which are not compared with the numbers that the run counted.
fn events(record: &mut Record, database: u32) -> &mut Vec<Event> {
    let worker = &mut record.workers[database as usize - 1];
    worker.counted = None;
    &mut worker.events
}

fn without(record: &mut Record, database: u32, fits: impl Fn(&Event) -> bool) {
    let events = events(record, database);
    let before = events.len();
    events.retain(|event| !fits(event));
    assert!(events.len() < before, "there was such an event");
}

fn place(events: &[Event], fits: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(fits).expect("there is such an event")
}

type Change = (&'static str, fn(&mut Record));

/// Fails where a changed record is not told with these words, or still passes.
fn assert_named(changes: &[Change]) {
    let (record, plan) = whole();
    for (words, change) in changes {
        let mut other = record.clone();
        change(&mut other);
        let told = disagreements(&other, plan);
        assert!(told.iter().any(|told| told.contains(words)), "{words}: {told:#?}");
        assert_ne!(analyze(&other, plan).verdict, Verdict::Pass, "{words}");
    }
}

#[test]
fn workers_are_those_of_the_plan_and_did_what_they_say() {
    assert_named(&[
        ("does not have database 2 of the plan", |record| drop(record.workers.remove(1))),
        ("has database 1 2 times", |record| record.workers.push(record.workers[0].clone())),
        ("has database 9, which the plan does not have", |record| record.workers[3].database = 9),
        ("database 1 is of user 2 in the record, and of user 1 in the plan", |record| record.workers[0].user = 2),
        ("database 3 is completed with 0 iterations, and the plan has 3", |record| record.workers[2].iterations = 0),
        ("database 3 is completed with 4 iterations", |record| record.workers[2].iterations = 4),
        ("database 3 is not completed, although", |record| record.workers[2].completed = false),
        ("database 3 is completed, but has no events", |record| events(record, 3).clear()),
        ("database 2: the run counted 1 failures, and the record has 0", |record| {
            record.workers[1].events.iter_mut().for_each(|event| event.failures.clear());
        }),
        ("database 2: the run counted 1 events with failures, and the record has 0", |record| {
            record.workers[1].events.retain(|event| event.failures.is_empty());
        }),
        ("database 4: the run counted", |record| drop(record.workers[3].events.pop())),
    ]);
}

#[test]
fn every_step_was_run_as_the_plan_says() {
    assert_named(&[
        ("database 3: phase insert in iteration 2 has 0 insert events, and the plan has at least 1", |record| {
            without(record, 3, |event| event.step == StepKind::Insert && event.iteration == 2);
        }),
        ("database 3: phase insert in iteration 1 has 0 send events", |record| {
            without(record, 3, |event| event.step == StepKind::Send && event.iteration == 1);
        }),
        ("database 3: phase twice in iteration 3 has 0 receive events, and the plan has at least 2", |record| {
            let last = |event: &Event| event.iteration == 3 && event.phase == "twice";
            without(record, 3, |event| last(event) && event.step == StepKind::Receive);
        }),
        ("database 4: phase first has 0 insert events", |record| {
            without(record, 4, |event| event.phase == "first" && event.step == StepKind::Insert);
        }),
        ("database 1: phase insert in iteration 1 has 2 send events, and the plan has at most 1", |record| {
            let events = events(record, 1);
            let at = place(events, |event| event.iteration == 1 && event.step == StepKind::Send);
            events.insert(at, events[at].clone());
        }),
        ("database 1: phase some in iteration 1 has 1 send event, and the plan has at most 0", |record| {
            let events = events(record, 1);
            let at = place(events, |event| event.iteration == 1 && event.step == StepKind::Send);
            events[at].phase = "some".into();
        }),
        ("insert of phase elsewhere in iteration 1, but the plan does not have that", |record| {
            let events = events(record, 1);
            let at = place(events, |event| event.step == StepKind::Insert && event.iteration == 1);
            events[at].phase = "elsewhere".into();
        }),
        ("but the plan has that only in iterations", |record| {
            let events = events(record, 1);
            let at = place(events, |event| event.step == StepKind::Insert && event.iteration == 1);
            events[at].iteration = 0;
        }),
        ("but the plan has 3 iterations", |record| {
            events(record, 1).iter_mut().filter(|event| event.iteration == 3).for_each(|event| event.iteration = 4);
        }),
    ]);
}

#[test]
fn events_follow_each_other_and_tries_their_rules() {
    assert_named(&[
        ("ended after the run", |record| record.ended.as_mut().expect("it ended").at = 1),
        ("began before the event ahead of it had ended", |record| {
            let events = events(record, 1);
            let last = events.len() - 1;
            events.swap(last, last - 1);
        }),
        ("was tried again, but no rule under `errors:` says so", |record| {
            let events = events(record, 1);
            let at = place(events, |event| event.step == StepKind::Send && event.phase == "insert");
            events[at].retried = true;
            let failure = Failure::new(FailureKind::Locked, Side::Server, "database is locked");
            events[at].failures.push(failure);
        }),
        ("was tried again, but the next try is missing", |record| without(record, 2, |event| event.attempt == 2)),
        ("does not follow the try before it", |record| {
            events(record, 2).iter_mut().filter(|event| event.attempt == 2).for_each(|event| event.attempt = 3);
        }),
        ("does not follow the try before it", |record| {
            for event in events(record, 2) {
                event.retried = false;
            }
        }),
    ]);
}

#[test]
fn the_end_is_that_of_a_run_that_did_its_work() {
    assert_named(&[
        ("does not say how it settled", |record| record.settle = None),
        ("does not say what the databases held", |record| record.state = None),
        ("database 9 did not settle, but the plan does not have it", |record| {
            let settle = record.settle.as_mut().expect("it settled");
            settle.stuck = vec![Stuck { database: 9, unsent: None, busy_receives: 0 }];
        }),
        ("settling took 99 rounds", |record| record.settle.as_mut().expect("it settled").rounds = 99),
        ("settling ended after the run", |record| record.settle.as_mut().expect("it settled").took = u64::MAX),
        ("does not have what database 3 held at the end", |record| drop(state(record).databases.remove(2))),
        ("database 1 was read twice at the end", |record| {
            let first = state(record).databases[0].clone();
            state(record).databases.push(first);
        }),
        ("the server shows its rows to the users 1, and the plan has 1, 2", |record| {
            state(record).server.as_mut().expect("it was read").users.truncate(1);
        }),
        ("new databases were made for the users none", |record| state(record).bootstrap.clear()),
        ("the new database of user 1 has neither tables nor a failure", |record| {
            state(record).bootstrap[0] = BootstrapState { tables: Vec::new(), ..state(record).bootstrap[0].clone() };
        }),
    ]);
}

#[test]
fn the_numbers_of_the_end_can_be_true() {
    assert_named(&[
        ("database 2: the record has the tables notes, and the plan has notes, empty", |record| {
            state(record).databases[1].tables.truncate(1);
        }),
        ("the server: the record has the tables notes, empty, notes", |record| {
            let tables = &mut state(record).server.as_mut().expect("it was read").tables;
            tables.push(tables[0].clone());
        }),
        ("table notes: no rows, but the digest of some", |record| state(record).databases[0].tables[0].rows = 0),
        ("table empty: 3 rows, but the digest of none", |record| state(record).databases[0].tables[1].rows = 3),
        ("is no digest", |record| state(record).databases[0].tables[1].digest = "none".into()),
        ("2 leaked and 0 lapsed rows of 1 forbidden ones", |record| {
            let table = &mut state(record).databases[0].tables[0];
            (table.forbidden, table.leaked) = (1, Some(2));
        }),
        ("user 2 on the server, table notes", |record| {
            state(record).server.as_mut().expect("it was read").users[1].tables[0].rows = 9_999;
        }),
        ("user 1, table notes: the digests differ, but the record names no row", |record| {
            state(record).databases[0].tables[0].digest = "a".repeat(32);
        }),
        ("user 1, table notes: rows differ, but the numbers of rows and the digests are equal", |record| {
            let none = Difference { user: 1, table: "notes".into(), total: 0, rows: Vec::new() };
            state(record).differences.push(none);
        }),
        ("user 2, table notes: 7 rows differ, and 0 of them are named", |record| {
            let none = Difference { user: 2, table: "notes".into(), total: 7, rows: Vec::new() };
            state(record).differences.push(none);
        }),
        ("check 5 on the server: the query has 0 answers", |record| drop(state(record).queries.remove(0))),
        ("check 6 on database 4: the query has 0 answers", |record| drop(state(record).queries.pop())),
        ("check 6 on the server: there is an answer", |record| state(record).queries[0].check = 5),
        ("check 1 on database 1: there is an answer", |record| {
            (state(record).queries[0].check, state(record).queries[0].holder) = (0, Holder::Database(1));
        }),
        ("table notes: 124 rows inserted and none deleted, but no database holds a row", |record| {
            let state = state(record);
            let server = state.server.as_mut().expect("it was read");
            let users = server.users.iter_mut().map(|user| &mut user.tables);
            let lists = state.databases.iter_mut().map(|one| &mut one.tables).chain(users);
            let lists = lists.chain(state.bootstrap.iter_mut().map(|new| &mut new.tables)).chain([&mut server.tables]);
            for table in lists.flatten() {
                (table.rows, table.digest) = (0, "0".repeat(32));
            }
        }),
    ]);
}

#[test]
fn a_failure_wins_over_a_disagreement_and_both_are_told() {
    let (record, plan) = whole();
    let mut changed = record.clone();
    changed.workers[0].crash = Some("planted".into());
    changed.settle = None;
    let analysis = analyze(&changed, plan);
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert!(analysis.rules[0].message.contains("crashed: planted"), "{:?}", analysis.rules);
    assert_eq!(disagreements(&changed, plan).len(), 1);
}

#[test]
fn many_disagreements_are_counted() {
    let (record, plan) = whole();
    let mut changed = record.clone();
    for index in 100..150 {
        let stuck = Stuck { database: index, unsent: None, busy_receives: 0 };
        changed.settle.as_mut().expect("it settled").stuck.push(stuck);
    }
    let told = disagreements(&changed, plan);
    assert_eq!(told.len(), 21);
    assert_eq!(told[20], "the record contradicts itself in 30 more places");
}

#[test]
fn a_total_below_the_rows_it_names_is_seen() {
    let text = SCENARIO.replace("http_503, at: [4], databases: [2]", "drop_row, at: [3, 20], databases: [3]");
    let (mut record, plan) = made(&text);
    assert_eq!(analyze(&record, &plan).verdict, Verdict::Fail);
    state(&mut record).differences[0].total = 1;
    assert!(disagreements(&record, &plan)[0].contains("1 rows differ, and"), "{:?}", disagreements(&record, &plan));
    state(&mut record).differences.clear();
    assert!(disagreements(&record, &plan)[0].contains("the digests differ"), "{:?}", disagreements(&record, &plan));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_event_that_is_taken_away_is_missed(database in 0..4_usize, place in any::<prop::sample::Index>()) {
        let (record, plan) = whole();
        let mut changed = record.clone();
        let events = &mut changed.workers[database].events;
        let at = place.index(events.len());
        events.remove(at);
        prop_assert!(!disagreements(&changed, plan).is_empty());
        prop_assert_eq!(analyze(&changed, plan).verdict, Verdict::Unknown);
    }
}
