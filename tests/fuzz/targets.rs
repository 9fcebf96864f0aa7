//! One program for all targets: `RTMPCAT_TARGET` names the one to run. Sharing it saves linking each of them.
#![no_main]

#[path = "../corpora/targets/mod.rs"]
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use targets::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let wanted = std::env::var("RTMPCAT_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(name, _)| *name == wanted);
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        let target = found.unwrap_or_else(|| panic!("RTMPCAT_TARGET={wanted}: it is one of {}", names.join(" "))).1;
        TARGET.get_or_init(|| target);
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            target(data);
        }
    }
);
