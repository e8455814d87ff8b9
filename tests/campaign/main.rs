//! The campaign: runs that are disturbed on purpose, at random moments, and what they say afterwards. No run that was
//! disturbed may pass unless all of its work was done, none may blame another side, and none may last longer than its
//! limit. `STRESS_CAMPAIGN=10` tries everything ten times as often, `STRESS_CAMPAIGN_SEED=3` at other moments.

#![cfg(unix)]

mod acknowledged;
mod clocks;
mod disks;
mod extension;
#[path = "../cli/harness.rs"]
#[expect(dead_code, reason = "the campaign needs a part of it")]
mod harness;
mod limits;
mod network;
mod odd;
mod pauses;
#[path = "../harness/relay.rs"]
#[expect(dead_code, reason = "the campaign asks for a part of what the relay sees")]
mod relay;
mod scene;
mod signals;
#[path = "../harness/small_disk.rs"]
mod small_disk;
mod tally;
