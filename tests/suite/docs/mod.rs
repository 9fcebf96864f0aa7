//! What is written about the command line is true: man pages and completions are generated from its definition, and the
//! options that the texts name exist.
//!
//! `RTMPCAT_BLESS=1 cargo test --test suite docs::` writes the generated files again.

mod completions;
pub mod man;
mod readme;

use rtmpcat::cli::parse::command;
use std::path::Path;

/// Fails unless a committed file is what was just made; with `RTMPCAT_BLESS` it becomes that.
#[track_caller]
fn expect_committed(file: &str, made: &str) {
    let path = root().join(file);
    if std::env::var_os("RTMPCAT_BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let different = committed.lines().zip(made.lines()).position(|(old, new)| old != new);
    assert!(
        committed == made,
        "{file} is not what the command line's definition makes, from line {} on: RTMPCAT_BLESS=1 cargo test --test suite docs::",
        different.map_or(committed.lines().count().min(made.lines().count()), |at| at) + 1
    );
}

// --- Options named in the texts -------------------------------------------------------------------------------------

#[test]
fn options_named_in_the_texts_exist() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let pages = man::names().into_iter().map(|name| format!("man/{name}.md"));
    for file in pages.chain(["README.md".to_owned()]) {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        for call in calls(&text) {
            seen += 1;
            wrong.extend(unknown_words(&call).into_iter().map(|word| format!("{file}: {word} in {}", call.join(" "))));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 20, "{seen} calls were found");
}

#[test]
fn unknown_options_would_be_found() {
    let found = |text: &str| calls(text).iter().flat_map(|call| unknown_words(call)).collect::<Vec<_>>();
    assert_eq!(found("    rtmpcat -v --no-such rtmp://h/a/b -o x.flv | ffplay -nodisp -"), ["--no-such"]);
    assert_eq!(found("see `rtmpcat --wrong` and `rtmpcat -vZ`, not `ffmpeg --other`"), ["--wrong", "-Z"]);
    assert_eq!(found("target/release/rtmpcat serve --listen 127.0.0.1:0 --nope"), ["--nope"]);
    assert_eq!(found("cargo run --release -- demo --seconds 1 --bad"), ["--bad"]);
    assert!(found("rtmpcat -qo- -m5 --stop=1 'rtmp://h/a/b' && rm --force x").is_empty());
}

// --- Calls of the program -------------------------------------------------------------------------------------------

/// The words after `rtmpcat` (or `cargo run … --`) wherever it is called, up to the end of that command.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for line in text.lines() {
        let line = line.replace("cargo run --release --", "rtmpcat");
        for piece in line.split(['`', '|', ';', '&', '>', '(', ')']) {
            let mut words = piece.split_whitespace();
            if words.any(|word| word == "rtmpcat" || word.ends_with("/rtmpcat")) {
                calls.push(words.map(|word| word.trim_matches(['"', '\'', ',', '.']).to_string()).collect());
            }
        }
    }
    calls
}

/// The options in a call that the command does not have.
fn unknown_words(call: &[String]) -> Vec<String> {
    let mut top = command();
    top.build();
    let named = call.first().and_then(|name| top.find_subcommand(name));
    let command = named.unwrap_or(&top);
    let takes_value = |letter| {
        command.get_arguments().find(|a| a.get_short() == Some(letter)).map(|argument| {
            // What follows in the same word is its value.
            argument.get_action().takes_values()
        })
    };
    let mut unknown = Vec::new();
    for word in call {
        if let Some(long) = word.strip_prefix("--") {
            let long = long.split('=').next().unwrap_or(long);
            if !long.is_empty() && !command.get_arguments().any(|argument| argument.get_long() == Some(long)) {
                unknown.push(format!("--{long}"));
            }
        } else if let Some(letters) = word.strip_prefix('-') {
            for letter in letters.chars() {
                match takes_value(letter) {
                    Some(true) => break,
                    Some(false) => {}
                    None => unknown.push(format!("-{letter}")),
                }
            }
        }
    }
    unknown
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
