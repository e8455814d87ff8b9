#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stress::fuzzing::read("record", bytes);
});
