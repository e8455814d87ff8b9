//! The campaign: runs that are disturbed on purpose, at random moments, and what they say afterwards. No run that was
//! disturbed may pass unless all of its work was done, none may blame another side, and none may last longer than its
//! limit. `STRESS_CAMPAIGN=10` tries everything ten times as often, `STRESS_CAMPAIGN_SEED=3` at other moments.

#![cfg(unix)]

mod acknowledged;
#[path = "../cli/harness.rs"]
#[expect(dead_code, reason = "the campaign needs a part of it")]
mod harness;
mod pauses;
mod scene;
mod signals;
mod tally;
