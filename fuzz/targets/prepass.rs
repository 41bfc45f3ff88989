//! See `checks::prepass`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| arkki_fuzz::prepass(octets));
