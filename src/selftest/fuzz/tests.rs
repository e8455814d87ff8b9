use super::*;

#[test]
fn every_seed_gives_a_scenario_without_problems_and_without_warnings() {
    for seed in 0..500 {
        for made in [Made::clean(seed), Made::planted(seed)] {
            let loaded = made.load().unwrap_or_else(|error| panic!("{error}\n{}", made.yaml()));
            assert_eq!(loaded.diagnostics().len(), 0, "{:?}\n{}", loaded.diagnostics(), made.yaml());
        }
    }
}
