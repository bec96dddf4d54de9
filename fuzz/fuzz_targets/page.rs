#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostbound_fuzz::page(data));
