//! Instruction counts of the hot paths under callgrind: a regression shows on a noisy machine, too. Each is compared
//! with the last time it was counted; `-- --callgrind-limits='ir=5%'` makes more than that a failure.
//!
//! `cargo bench --bench instructions` needs valgrind and `cargo install gungraun-runner --version 0.20.0`.
//!
//! What is counted is one function of the program while it runs `instructions.yaml`, with everything below it, in
//! whatever thread. Each path takes 10,000 rows, so that the figure without its last four digits is that of one row.

#![expect(missing_docs, reason = "they are in what the macros of gungraun write")]

use gungraun::prelude::*;
use gungraun::{Callgrind, Command, EntryPoint, Sandbox};

/// `stress run` with everything outside of `function` left out.
fn within(function: &str) -> BinaryBenchmarkConfig {
    let entry = EntryPoint::Custom(function.to_owned());
    let mut config = BinaryBenchmarkConfig::default();
    config
        .tool(Callgrind::with_args(["--cache-sim=no"]).entry_point(entry))
        .sandbox(Sandbox::new(true).fixtures(["benches/instructions.yaml"]));
    config
}

#[binary_benchmark]
#[bench::row_loop(args = ("plain"), config = within("stress::execute::phase::run"))]
#[bench::row_loop_with_capture(args = ("test_sync"), config = within("stress::execute::phase::run"))]
#[bench::send(args = ("test_sync"), config = within("stress::target::embedded::client::send::send"))]
#[bench::push(args = ("test_sync"), config = within("stress::target::embedded::hub::push::push"))]
#[bench::pull(args = ("test_sync"), config = within("stress::target::embedded::hub::pull::pull"))]
#[bench::apply(args = ("test_sync"), config = within("stress::target::embedded::client::apply::receive"))]
#[bench::digest_of_4_times_as_many(args = ("test_sync"), config = within("stress::observe::contents::state"))]
fn of_10_000_rows(table: &str) -> Command {
    Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["run", "instructions.yaml", "--seed", "1", "--quiet"])
        .args(["--var", &format!("table={table}")])
        .build()
}

binary_benchmark_group!(name = instructions, benchmarks = of_10_000_rows);
main!(binary_benchmark_groups = instructions);
