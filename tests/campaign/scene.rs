//! What is disturbed: a scenario whose every row tells who wrote it and when, with a hub of its own or a separate one;
//! and what must hold of whatever is left of its runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::acknowledged::Acknowledged;
use crate::harness::{Done, Invocation, Place, RLS, Report, Running, files, json, scenario};
use crate::tally::Case;

/// The rows that each database writes in an iteration. Those whose number is a multiple of three are deleted again.
pub(crate) const ROWS: u64 = 21;
/// The databases of a run.
pub(crate) const DATABASES: u32 = 3;

const KEYS: [(&str, &str); 2] =
    [("STRESS_HUB_API_KEY", "key-of-the-campaign-itself"), ("STRESS_HUB_MANAGEMENT_KEY", "other-key-of-the-campaign")];

/// Inserts, updates and deletes, each with its syncs. Rows of a run are known by its seed.
const PHASES: &str = r#"
phases:
  - name: insert
    kind: insert
    rows: "{{ scale.rows }}"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    bind: { id: "s{{ seed }}_d{{ db }}_i{{ iteration }}_r{{ row }}" }
    sync: [send, receive]
  - name: update
    kind: update
    sql: UPDATE notes SET body = 'again' WHERE id LIKE 's{{ seed }}\_d{{ db }}\_i{{ iteration }}\_%' ESCAPE '\'
    sync: [send]
  - name: delete
    kind: delete
    sql: >-
      DELETE FROM notes WHERE id LIKE 's{{ seed }}\_d{{ db }}\_i{{ iteration }}\_%' ESCAPE '\' AND size % 3 = 0
    sync: [send, receive]
"#;

/// A place with a scenario, and the hub that it talks to.
pub(crate) struct Scene {
    pub(crate) place: Place,
    /// The separate hub with its address; none where each run starts its own.
    pub(crate) hub: Option<(Running, String)>,
    rls: bool,
}

impl Scene {
    /// A scene with or without a separate hub and policies, with more keys of the scenario.
    pub(crate) fn new(separate: bool, rls: bool, more: &str) -> Self {
        let place = Place::new();
        let hub = separate.then(|| start_hub(&place, "").expect("the hub starts"));
        let scene = Self { place, hub, rls };
        scene.write(more);
        scene
    }

    /// Every second case has a separate hub, and every second pair has policies.
    pub(crate) fn of(case: &Case<'_>, more: &str) -> Self {
        Self::new(case.number % 2 == 1, case.number % 4 >= 2, more)
    }

    /// Writes the scenario, for the hub as it is now.
    pub(crate) fn write(&self, more: &str) {
        self.write_for(self.hub.as_ref().map(|(_, address)| address.as_str()), more);
    }

    /// Writes the scenario, for a hub at this address.
    pub(crate) fn write_for(&self, hub: Option<&str>, more: &str) {
        self.place.write("scenario.yaml", &text(hub, self.rls, more));
    }

    /// A run of the scenario with this seed.
    pub(crate) fn run(&self, seed: u64, more: &[&str]) -> Invocation {
        let seed = seed.to_string();
        with_keys(self.place.stress(&[&["run", "scenario.yaml", "--no-progress", "--seed", &seed], more].concat()))
    }

    /// The directory of the newest run; none when there was none.
    pub(crate) fn latest(&self) -> Option<PathBuf> {
        self.place.path("runs/test/latest").canonicalize().ok()
    }

    /// What is left of a run that was cut off: nothing that looks whole and is not, and no report that says PASS.
    pub(crate) fn left(&self, case: &mut Case<'_>) -> Option<Done> {
        let latest = self.latest()?;
        whole_or_absent(&latest);
        let report = self.place.stress(&["report", "runs/test/latest", "--format", "json"]).done();
        case.ended(&report);
        match report.code {
            Some(1 | 4) => drop(Report::parse(&report.out)),
            Some(2 | 3) => assert!(!latest.join("record.json").exists(), "{report}"),
            _ => panic!("nothing that was cut off passes: {report}"),
        }
        Some(report)
    }

    /// The next run takes up what was left: it passes, and everybody holds what was acknowledged before.
    pub(crate) fn goes_on(&self, case: &mut Case<'_>, seed: u64) {
        let acknowledged = self.latest().map(|run| Acknowledged::read(&run)).unwrap_or_default();
        let done = self.run(seed + 1, &["--iterations", "2", "--quiet"]).done();
        case.ended(&done);
        assert_eq!(done.code, Some(0), "what was left cannot be gone on with: {done}");
        acknowledged.held(seed, &self.place, self.rls);
    }
}

/// The text of the scenario.
fn text(hub: Option<&str>, rls: bool, more: &str) -> String {
    let target = hub.map(|address| format!("target: {{ embedded: {{ hub: \"{address}\" }} }}\n")).unwrap_or_default();
    let rls = if rls { RLS } else { "" };
    let reuse = if more.contains("session:") { "" } else { "session: { reuse: true }\n" };
    let verify = if rls.is_empty() { "" } else { "verify: [written, converged, server, isolation, bootstrap]\n" };
    let scale = format!("scale: {{ databases: {DATABASES}, iterations: 1000000, rows: {ROWS}, time_limit: 10m }}\n");
    let scale = if more.contains("scale:") { "" } else { &scale };
    let phases = if more.contains("phases:") { "" } else { PHASES };
    scenario(&format!("{scale}{reuse}{target}{verify}{rls}{phases}{more}"))
}

/// A command that knows the keys of the hub.
pub(crate) fn with_keys(invocation: Invocation) -> Invocation {
    KEYS.iter().fold(invocation, |invocation, (name, value)| invocation.env(name, value))
}

/// Starts a hub on a free port, with its data in `hub`, after a line of shell. Gives it with its address, or how it ended.
pub(crate) fn start_hub(place: &Place, before: &str) -> Result<(Running, String), Done> {
    // Its output goes to a file, which can be read while it runs.
    let out = std::fs::File::create(place.path("hub.txt")).expect("there is room");
    let line = format!("{before} exec stress hub --address 127.0.0.1:0 --data hub");
    let mut running = with_keys(place.shell(&line)).stdout(out).start();
    loop {
        let told = std::fs::read_to_string(place.path("hub.txt")).unwrap_or_default();
        if let Some(address) =
            told.lines().find_map(|line| line.strip_prefix("hub: ").filter(|_| told.contains("Ctrl-C")))
        {
            return Ok((running, address.to_owned()));
        }
        if running.has_ended() {
            return Err(running.done());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Of the files of a run that tell of it, each is whole or not there; and only a run with an end has reports.
pub(crate) fn whole_or_absent(run: &Path) {
    let present = |name: &str| run.join(name).exists();
    let record = present("record.json").then(|| json(&run.join("record.json")));
    if present("report.json") {
        Report::parse(&std::fs::read_to_string(run.join("report.json")).expect("it is text"));
        let record = record.expect("a report has a record");
        assert!(record["ended"]["reason"].is_string(), "{}: a report of a run without an end", run.display());
    }
    for (name, end) in [("report.html", "</html>"), ("report.md", "\n")] {
        if present(name) {
            let text = std::fs::read_to_string(run.join(name)).expect("it is text");
            assert!(text.trim_end_matches(' ').ends_with(end) || text.trim_end().ends_with(end), "{name} is cut");
        }
    }
}

/// All databases under a directory that have the table, with the number of rows in it.
pub(crate) fn databases(under: &Path, end: &str) -> Vec<PathBuf> {
    if !under.exists() {
        return Vec::new();
    }
    files(under).into_iter().filter(|file| file.to_string_lossy().ends_with(end)).collect()
}
