//! Has the linker lay out the program by `layout/start.ld`: the functions that a dump runs side by side, which takes two
//! MiB off its resident memory (`layout/learn.sh` says how).
//!
//! Release builds for Linux only, where linkers take such scripts (GNU ld and LLD; mold does not). `RTMPCAT_LAYOUT=0` leaves it off.

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=layout/start.ld");
    println!("cargo:rerun-if-env-changed=RTMPCAT_LAYOUT");
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let wanted = var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
        && var("PROFILE").is_ok_and(|profile| profile == "release")
        && !var("RTMPCAT_LAYOUT").is_ok_and(|value| value == "0")
        && !flags.contains("mold");
    if let (true, Ok(folder)) = (wanted, var("CARGO_MANIFEST_DIR")) {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{folder}/layout/start.ld");
    }
}
