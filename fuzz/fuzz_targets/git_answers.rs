#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| marketsync_fuzz::git_answers::check(data));
