//! `stress driver new`: what it writes works as it is.

use crate::harness::Place;
use crate::scene::{INSERT, python, scenario};

#[test]
fn a_new_driver_is_written_once_and_runs() {
    let place = Place::new();
    let done = place.stress(&["driver", "new", "mine.py"]).done().exits(0);
    assert!(done.out.contains("stress driver check python3 mine.py"), "{done}");
    place
        .stress(&["driver", "new", "mine.py"])
        .done()
        .exits(2)
        .says(&["`mine.py` exists already", "name another file"]);
    place.stress(&["driver", "new", "none/mine.py"]).done().exits(3).says(&["create its directory first"]);
    place.write("scenario.yaml", &scenario("mine.py", "", "10s", "databases: 2, iterations: 1, rows: 5", &[INSERT]));
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("1. start the driver `python3 mine.py`; after the run: end the driver"), "{plan}");
    if python("a_new_driver_is_written_once_and_runs") {
        place.judged(0);
    }
}
