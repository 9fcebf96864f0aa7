//! The README: its size, its first commands, and its sessions, which are run here.

use super::root;
use crate::common::media::Media;
use crate::common::scratch::Scratch;
use crate::common::serve::Serve;
use crate::common::{PATIENCE, have, rtmpcat, run};
use std::process::Command;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn it_begins_with_the_two_commands_that_do_all_the_set_up() {
    let text = readme();
    let blocks: Vec<&str> = text.split("\n\n").filter_map(|block| block.strip_prefix("    ")).map(str::trim).collect();
    assert_eq!(blocks, ["cargo run --release -- demo", "bash tests/all.sh"]);
    let place = |what| text.find(what).unwrap_or(usize::MAX);
    assert!(place("bash tests/all.sh") < place("```") && place("bash tests/all.sh") < place("\n## "));
}

#[test]
fn it_stays_short() {
    assert!(readme().lines().count() <= 250);
}

#[test]
fn it_names_the_compiler_that_is_needed() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(readme().contains(&format!("Rust {version} ")), "rust-version is {version}");
}

#[test]
fn tests_named_beside_the_benches_exist() {
    let text = std::fs::read_to_string(root().join("benches/README.md")).unwrap();
    let sources: String = std::fs::read_dir(root().join("tests/suite/dump"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let tests: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    assert!(tests.len() > 5, "{tests:?}");
    for name in tests.iter().filter(|name| !name.contains('/')) {
        assert!(sources.contains(&format!("fn {name}()")), "there is no test {name}");
    }
}

/// Every session gives the output that is shown, but for the numbers. With `RTMPCAT_BLESS` the README gets what is given.
#[test]
fn its_sessions_are_real() {
    if !have(&["ffmpeg"]) {
        return;
    }
    let scratch = Scratch::new();
    let movie = scratch.write("movie.flv", std::fs::read(Media::BFrames.path()).unwrap());
    let serve = Serve::start(&[movie.to_str().unwrap()]);
    let old = readme();
    let mut new = String::new();
    let mut blocks = old.split("```console\n");
    new.push_str(blocks.next().unwrap());
    for block in blocks {
        let (session, rest) = block.split_once("```").unwrap();
        new.push_str(&format!("```console\n{}```{rest}", played(session, &scratch, serve.port)));
    }
    if words(&old) == words(&new) {
        return;
    }
    if std::env::var_os("RTMPCAT_BLESS").is_some() {
        std::fs::write(root().join("README.md"), &new).unwrap();
        return;
    }
    let different = words(&old)
        .lines()
        .zip(words(&new).lines())
        .find_map(|(old, new)| (old != new).then(|| format!("shown: {old}\ngiven: {new}")));
    panic!(
        "RTMPCAT_BLESS=1 cargo test --test suite docs::\n{}",
        different.unwrap_or_else(|| "lines are missing".into())
    );
}

/// A session with the output that its commands give now.
fn played(session: &str, scratch: &Scratch, port: u16) -> String {
    let mut out = String::new();
    for line in session.lines().filter(|line| line.starts_with("$ ")) {
        let line_here = line[2..].replace("//localhost/", &format!("//localhost:{port}/"));
        let program = rtmpcat();
        let script = format!("exec 2>&1; rtmpcat() {{ {:?} \"$@\"; }}; {line_here}", program.get_program());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(scratch.folder());
        let given = run(&mut shell, PATIENCE).out().replace(&format!(":{port}"), ":1935");
        out.push_str(&format!("{line}\n{}", given.lines().map(without_time).collect::<String>()));
    }
    out
}

/// A line as it is on a terminal: elsewhere it begins with the time.
fn without_time(line: &str) -> String {
    let rest = line.split_once("Z ").filter(|(time, _)| time.len() == 19 && time.as_bytes()[10] == b'T');
    format!("{}\n", rest.map_or(line, |(_, rest)| rest))
}

/// The text without its numbers and their units.
fn words(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' | '.' | '+' | '-' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            _ => out.push(letter),
        }
    }
    for (unit, plain) in [("-#", "#"), ("+#", "#"), ("# kbit/s", "#"), ("# Mbit/s", "#"), ("# ms", "#"), ("# s", "#")] {
        out = out.replace(unit, plain);
    }
    out
}
