//! JSON lines on hostile bytes.

#![no_main]

use kaizen_fuzz::{read_hostile, stop_on_own_panics};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stop_on_own_panics(), |data: &[u8]| read_hostile("x.jsonl", data));
