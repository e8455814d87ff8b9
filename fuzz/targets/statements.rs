#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| _ = stress::fuzzing::read("statements", bytes));
