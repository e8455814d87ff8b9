//! The `stress` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    stress::run().into()
}
