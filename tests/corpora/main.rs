//! A replay of what the fuzzer found worth keeping: every input in `tests/corpora/TARGET/` once, in bounded time.
//!
//! Inputs named `seed-…` were made (by `tests/fuzz/seeds.rs`), those named `found-…` once broke something, the others reach
//! code that no other does.

mod targets;

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use targets::TARGETS;

/// No input may take longer, also in an unoptimised build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// All inputs together are to stay small.
const MOST_BYTES: u64 = 200_000;

#[test]
fn every_input_of_every_target() {
    let mut bytes = 0;
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in std::fs::read_dir(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}")) {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            bytes += input.len() as u64;
            count += 1;
            within(LONGEST, &path, move || target(&input));
        }
        assert!(count >= 5, "{name} has {count} inputs");
        target(&[]);
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of inputs");
}

#[test]
fn every_folder_has_its_target() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = TARGETS.iter().any(|(target, _)| *target == name);
        assert!(known || matches!(name.as_str(), "main.rs" | "targets"), "{name}");
    }
}

/// Runs `job` on a thread, which tells a hang from the end.
fn within(limit: Duration, path: &Path, job: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let began = Instant::now();
    let thread = std::thread::spawn(move || {
        job();
        let _ = done.send(());
    });
    match ended.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{} takes longer than {:?}", path.display(), began.elapsed()),
        _ => assert!(thread.join().is_ok(), "{}", path.display()),
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpora"))
}
