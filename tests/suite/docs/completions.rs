//! The completion scripts, loaded by the shells that they are for.

use super::{command, expect_committed, root};
use crate::common::scratch::Scratch;
use crate::common::{Finished, PATIENCE, have, run};
use clap_complete::Shell;
use std::process::Command;

const FILES: [(Shell, &str); 3] = [
    (Shell::Bash, "completions/rtmpcat.bash"),
    (Shell::Zsh, "completions/_rtmpcat"),
    (Shell::Fish, "completions/rtmpcat.fish"),
];

#[test]
fn the_scripts_are_those_of_the_command_line() {
    for (shell, file) in FILES {
        expect_committed(file, &script(shell));
    }
}

/// What a shell offers, for each of some unfinished command lines.
type Offers = fn(&Scratch, &str) -> Vec<String>;

#[test]
fn bash_completes() {
    if have(&["bash"]) {
        expect_offers(bash);
    }
}

#[test]
fn zsh_completes() {
    if have(&["zsh"]) {
        expect_offers(zsh);
    }
}

#[test]
fn fish_completes() {
    if have(&["fish"]) {
        expect_offers(fish);
    }
}

/// Commands, options of a command and of no other, values, and files.
#[track_caller]
fn expect_offers(offers: Offers) {
    let scratch = Scratch::new();
    scratch.write("saved.flv", "");
    let offered = |line: &str| {
        let mut words: Vec<String> = offers(&scratch, line).iter().map(|word| word.trim().to_owned()).collect();
        words.retain(|word| !word.is_empty());
        words.sort();
        words.dedup();
        words
    };
    assert_eq!(offered("rtmpcat prob"), ["probe"]);
    assert_eq!(offered("rtmpcat --absol"), ["--absolute-timestamps"]);
    assert_eq!(offered("rtmpcat probe --form"), ["--format"]);
    let formats = offered("rtmpcat probe --format ");
    assert_eq!(formats, ["json", "nagios", "prometheus", "text"]);
    let options = offered("rtmpcat probe --");
    assert!(options.contains(&"--watch".to_owned()) && options.contains(&"--timeout".to_owned()), "{options:?}");
    assert!(!options.iter().any(|option| option.starts_with("--segment") || option == "--listen"), "{options:?}");
    assert!(offered("rtmpcat serve --max").contains(&"--max-clients".to_owned()));
    for line in ["rtmpcat inspect s", "rtmpcat repair s", "rtmpcat -o s"] {
        assert_eq!(offered(line), ["saved.flv"], "{line}");
    }
}

fn bash(scratch: &Scratch, line: &str) -> Vec<String> {
    // The function that the script registers is called as bash does; without an answer bash completes file names.
    let program = format!(
        r#"source {}
        line={line:?}
        read -ra COMP_WORDS <<<"$line"
        [[ $line != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMP_LINE=$line COMP_POINT=${{#line}}
        _rtmpcat rtmpcat "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
        [[ ${{#COMPREPLY[@]}} -gt 0 ]] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[-1]}}"))
        printf '%s\n' "${{COMPREPLY[@]}}""#,
        written(scratch, Shell::Bash)
    );
    lines(run(Command::new("bash").current_dir(scratch.folder()).args(["--norc", "-c", &program]), PATIENCE))
}

fn zsh(scratch: &Scratch, line: &str) -> Vec<String> {
    // A line that comes while zsh sets up its terminal may not reach the editor: then nothing at all is offered.
    (0..5).map(|_| zsh_once(scratch, line)).find(|found| !found.is_empty()).unwrap_or_default()
}

fn zsh_once(scratch: &Scratch, line: &str) -> Vec<String> {
    // Completion works in an interactive zsh only, hence one in a pseudo-terminal. Instead of showing what it found, it
    // prints it between marks.
    let functions = scratch.path("functions");
    std::fs::create_dir_all(&functions).unwrap();
    std::fs::copy(root().join("completions/_rtmpcat"), functions.join("_rtmpcat")).unwrap();
    let program = format!(
        r#"zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1=; fpath=({} \$fpath); autoload -U compinit; compinit -D -u"
        zpty -w shell 'compadd() {{ local -a found; builtin compadd -O found "$@"; print -rl -- "<<" $found ">>"; builtin compadd "$@"; }}'
        zpty -w shell 'show() {{ compstate[list]=; print; print done; exit; }}; comppostfuncs=(show); bindkey "^I" complete-word'
        zpty -w shell 'zle -C complete-word complete-word _main_complete; print rea''dy'
        while zpty -r shell text && [[ $text != *ready* ]]; do :; done
        zpty -w -n shell {line:?}$'\t'
        while zpty -r shell text; do print -r -- $text; [[ $text != *done* ]] || break; done
        zpty -d shell"#,
        functions.display()
    );
    let finished = run(Command::new("zsh").current_dir(scratch.folder()).args(["-f", "-c", &program]), PATIENCE);
    let mut found = Vec::new();
    let mut inside = false;
    for line in finished.out().lines().map(|line| line.trim_matches(['\r', ' '])) {
        match line {
            "<<" => inside = true,
            ">>" => inside = false,
            _ if inside => found.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

fn fish(scratch: &Scratch, line: &str) -> Vec<String> {
    let program = format!("source {}; complete -C {line:?}", written(scratch, Shell::Fish));
    let mut fish = Command::new("fish");
    fish.current_dir(scratch.folder()).args(["--no-config", "-c", &program]).env("HOME", scratch.path("home"));
    let finished = run(&mut fish, PATIENCE);
    assert_eq!(finished.stderr, "", "fish complains");
    lines(finished).iter().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
}

#[track_caller]
fn lines(finished: Finished) -> Vec<String> {
    finished.expect_code(0).out().lines().map(str::to_owned).collect()
}

/// The script in a file.
fn written(scratch: &Scratch, shell: Shell) -> String {
    scratch.write(&format!(".{shell}"), script(shell)).display().to_string()
}

/// The script that clap makes, with its faults mended.
fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "rtmpcat", &mut text);
    let text = String::from_utf8(text).unwrap();
    match shell {
        // Unquoted, the sign begins a comment.
        Shell::Fish => text.replace("-s # ", "-s '#' "),
        // A URL before the command would be taken for the command's name.
        Shell::Zsh => {
            let (top, commands) = text.split_once("\":: :_rtmpcat_commands\"").expect("commands");
            let top: String = top.split_inclusive('\n').filter(|line| !is_positional(line)).collect();
            format!("{top}\":: :_rtmpcat_commands\"{}", commands.replace("$line[2]", "$line[1]"))
        }
        _ => text,
    }
}

/// A line of zsh's definition that is about a positional argument.
fn is_positional(line: &str) -> bool {
    line.starts_with("'::") || line.starts_with("'*::")
}
