//! The clean runs: scenarios without any fault, some of which look as if they had one.

use super::{Case, Size, Wanted};

/// All clean cases; each runs with several seeds.
pub(crate) fn clean() -> Vec<Case> {
    let case = |name, story, scenario, size| Case { name, story, scenario, size, planted: None, wanted: Wanted::GREEN };
    let size = |databases, iterations, rows| Some(Size { databases, iterations, rows });
    vec![
        case(
            "small",
            "delete, insert and update, with a sync after each",
            include_str!("../../scenarios/small.yaml"),
            size(2, 2, 100),
        ),
        case("rls", "two users with policies", include_str!("../../scenarios/rls.yaml"), size(4, 2, 50)),
        case(
            "hot-rows",
            "all databases write the same rows",
            include_str!("../../scenarios/hot-rows.yaml"),
            size(4, 3, 40),
        ),
        case(
            "malicious",
            "rows in another user's name, which the server rejects",
            include_str!("../../scenarios/malicious.yaml"),
            size(4, 2, 30),
        ),
        case("bait", "rows that read like failures", include_str!("scenarios/bait.yaml"), None),
    ]
}
