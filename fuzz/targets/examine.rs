//! See `checks::examine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| arkki_fuzz::examine(octets));
