//! Has the linker make a small resident program, in release builds for Linux.
//!
//! - It lays out the functions that a dump runs side by side, by `layout/start.ld`, which takes two MiB off the resident
//!   memory (`layout/learn.sh` says how). GNU ld and LLD take such scripts; mold does not. `RTMPCAT_LAYOUT=0` leaves it off.
//! - The unwinder is linked in, where the C compiler has it as an archive: a shared library costs 100 KiB and start-up time.

use std::env::var;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=layout/start.ld");
    println!("cargo:rerun-if-env-changed=RTMPCAT_LAYOUT");
    let is = |name: &str, wanted: &str| var(name).is_ok_and(|value| value == wanted);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("PROFILE", "release") {
        return;
    }
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if let (Ok(folder), false, false) = (var("CARGO_MANIFEST_DIR"), is("RTMPCAT_LAYOUT", "0"), flags.contains("mold")) {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{folder}/layout/start.ld");
    }
    if is("CARGO_CFG_TARGET_ENV", "gnu") && var("HOST").is_ok_and(|host| is("TARGET", &host)) {
        link_unwinder();
    }
}

fn link_unwinder() {
    let Ok(output) = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output() else { return };
    // Where there is none, it names what it was asked for.
    let path = String::from_utf8_lossy(&output.stdout);
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
