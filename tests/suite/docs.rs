//! What is written about the command line is true: man page and completions are made from its definition, and the
//! options that the texts name exist.
//!
//! `RTMPCAT_BLESS=1 cargo test --test suite docs::` writes the files anew. Prose of the man page stands in `man/rtmpcat.1.in`.

use crate::common::{PATIENCE, have, run};
use clap_complete::Shell;
use clap_mangen::Man;
use rtmpcat::cli::parse::command;
use std::path::Path;
use std::process::Command;

// --- Files made from the definition ---------------------------------------------------------------------------------

#[test]
fn the_man_page_is_that_of_the_command_line() {
    expect_committed("man/rtmpcat.1", &man_page());
}

#[test]
fn the_completions_are_those_of_the_command_line() {
    for (shell, file) in COMPLETIONS {
        expect_committed(file, &completions(shell));
    }
}

#[test]
fn the_man_page_is_sound_roff() {
    if !have(&["groff"]) {
        return;
    }
    let page = written(&man_page());
    let mut groff = Command::new("groff");
    let shown = run(groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(page.path()), PATIENCE);
    assert_eq!(shown.expect_code(0).stderr, "", "warnings");
    let text = shown.out();
    for needed in ["EXIT STATUS", "EXAMPLES", "--absolute-timestamps", "--listen", "rtmpcat demo"] {
        assert!(text.contains(needed), "{needed} is not in:\n{text}");
    }
}

#[test]
fn zsh_completes_options() {
    if !have(&["zsh"]) {
        return;
    }
    let file = written(&completions(Shell::Zsh));
    // Outside of an edited line only the beginning can run: the definitions, and the wish for _rtmpcat.
    let script = format!(
        "autoload -U compinit; compinit -D -u; source {}; whence -w _rtmpcat; print $_comps[rtmpcat]",
        file.path().display()
    );
    let finished = run(Command::new("zsh").args(["-f", "-c", &script]), PATIENCE);
    assert_eq!(finished.expect_code(0).out(), "_rtmpcat: function\n_rtmpcat\n", "{}", finished.stderr);
}

#[test]
fn fish_completes_options_and_commands() {
    if !have(&["fish"]) {
        return;
    }
    let file = written(&completions(Shell::Fish));
    let script = format!("source {}; complete -C 'rtmpcat --abs'; complete -C 'rtmpcat dem'", file.path().display());
    let home = tempfile::tempdir().unwrap();
    let mut fish = Command::new("fish");
    let said = run(fish.args(["--no-config", "-c", &script]).env("HOME", home.path()), PATIENCE).expect_code(0).out();
    let completed: Vec<_> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(completed, ["--absolute-timestamps", "demo"]);
}

#[test]
fn bash_completes_options_and_commands() {
    if !have(&["bash"]) {
        return;
    }
    let file = written(&completions(Shell::Bash));
    let completed = |words: &[&str]| {
        let script = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={}; _rtmpcat rtmpcat {} {}; echo \"${{COMPREPLY[*]}}\"",
            file.path().display(),
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        run(Command::new("bash").args(["-c", &script]), PATIENCE).expect_code(0).out().trim().to_string()
    };
    assert_eq!(completed(&["rtmpcat", "--abs"]), "--absolute-timestamps");
    assert_eq!(completed(&["rtmpcat", "dem"]), "demo");
    assert_eq!(completed(&["rtmpcat", "serve", "--max"]), "--max-clients");
}

const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/rtmpcat.bash"),
    (Shell::Zsh, "completions/_rtmpcat"),
    (Shell::Fish, "completions/rtmpcat.fish"),
];

fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "rtmpcat", &mut text);
    String::from_utf8(text).unwrap()
}

/// A file with this text, for programs to read.
fn written(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

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

// --- The man page ---------------------------------------------------------------------------------------------------

/// The prose with everything that the definition says put in its places.
fn man_page() -> String {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let synopsis = roff(&command, |man, out| man.render_synopsis_section(out));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let commands: String = command.get_subcommands().map(|sub| section_of(sub, "rtmpcat")).collect();
    let prose = std::fs::read_to_string(root().join("man/rtmpcat.1.in")).unwrap();
    let page = prose
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@ABOUT@", &about)
        .replace("@SYNOPSIS@\n", &without_heading(&synopsis))
        .replace("@OPTIONS@\n", &options(&command))
        .replace("@COMMANDS@\n", &commands);
    let note = ".\\\" Made from man/rtmpcat.1.in and the command line's definition by tests/suite/docs.rs.\n";
    assert!(!page.lines().any(|line| line.starts_with('@')), "a place was left open");
    // Not every roff reads UTF-8.
    let letter = |letter: char| match letter {
        _ if letter.is_ascii() => letter.to_string(),
        _ => format!("\\[u{:04X}]", u32::from(letter)),
    };
    note.chars().chain(page.chars()).map(letter).collect()
}

/// A command's part: how it is called, what it does, its options.
fn section_of(command: &clap::Command, parent: &str) -> String {
    if command.is_hide_set() {
        return String::new();
    }
    let name = format!("{parent} {}", command.get_name());
    let mut command = command.clone();
    if command.get_arguments().any(|argument| argument.get_id() == "help") {
        command = command.mut_arg("help", |argument| argument.hide(true));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().lines().map(str::trim).collect::<Vec<_>>().join("\n.br\n");
    let about = command.get_long_about().or(command.get_about()).map(|about| escaped(&format!("{about}.\n")));
    let parts: String = command.get_subcommands().map(|sub| section_of(sub, &name)).collect();
    format!(".SS {name}\n.B {}\n.PP\n{}{}{parts}", escaped(&usage), about.unwrap_or_default(), options(&command))
}

/// The options, in paragraphs under the headings that they have in the help.
fn options(command: &clap::Command) -> String {
    let headings: Vec<&str> = command.get_arguments().filter_map(|argument| argument.get_help_heading()).collect();
    let heading = |capitals: &str| headings.iter().find(|heading| heading.to_uppercase() == capitals).copied();
    let is_top = command.get_name() == "rtmpcat";
    let mut text = String::new();
    for line in roff(command, |man, out| man.render_options_section(out)).lines() {
        match line.strip_prefix(".SH ").map(|capitals| (capitals, heading(capitals.trim_matches('"')))) {
            Some((_, Some(heading))) if is_top => text.push_str(&format!(".SS {heading}\n")),
            Some((_, Some(heading))) => text.push_str(&format!(".PP\n{heading}:\n")),
            Some((_, None)) => {}
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// What clap_mangen writes for a command, without the definitions that it puts before each part.
fn roff(command: &clap::Command, render: impl Fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    render(&Man::new(command.clone()), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
    lines.map(|line| line.trim_end().replace("\\*(Aq", "\\(aq") + "\n").collect()
}

fn without_heading(section: &str) -> String {
    section.split_once('\n').map(|(_, rest)| rest.to_string()).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

// --- Options named in the texts -------------------------------------------------------------------------------------

#[test]
fn options_named_in_the_texts_exist() {
    let unescaped = |text: String| text.replace("\\-", "-");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in TEXTS {
        let text = unescaped(std::fs::read_to_string(root().join(file)).unwrap());
        for call in calls(&text) {
            seen += 1;
            wrong.extend(unknown_words(&call).into_iter().map(|word| format!("{file}: {word} in {}", call.join(" "))));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 5, "{seen} calls were found");
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

const TEXTS: [&str; 2] = ["README.md", "man/rtmpcat.1.in"];

// --- The README -----------------------------------------------------------------------------------------------------

#[test]
fn the_readme_begins_with_the_two_commands_that_do_all_the_set_up() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> = text.split("\n\n").filter_map(|block| block.strip_prefix("    ")).map(str::trim).collect();
    assert_eq!(blocks, ["cargo run --release -- demo", "bash tests/all.sh"]);
    let place = |what| text.find(what).unwrap_or(usize::MAX);
    assert!(place("bash tests/all.sh") < place("```") && place("bash tests/all.sh") < place("\n## "));
    assert!(!text.lines().any(|line| line.starts_with('@') && line.ends_with('@')), "a place was left open");
}

#[test]
fn tests_named_in_the_readme_exist() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let sources: String = std::fs::read_dir(root().join("tests/suite/dump"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let named: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    let tests: Vec<_> = named.iter().filter(|name| name.contains('_') && !name.contains(['/', '.'])).collect();
    assert!(tests.len() > 5, "{named:?}");
    for name in tests {
        assert!(sources.contains(&format!("fn {name}()")), "there is no test {name}");
    }
}

// --- Calls of the program -------------------------------------------------------------------------------------------

/// The words behind `rtmpcat` (or `cargo run … --`) wherever it is called, up to the end of that command.
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
