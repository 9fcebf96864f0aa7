//! The man pages: prose in `man/NAME.SECTION.md`, options from the command line's definition.
//!
//! The prose is written in a small part of Markdown: `# HEADING`, `## Subheading`, paragraphs, lists of `- item` and of a term
//! with `: explanation` below it, indented examples, and `` `literal` `` and `*variable*` within a line.

use super::{command, expect_committed, root};
use crate::common::{PATIENCE, have, run};
use std::process::Command;

/// When the pages were last changed in substance.
const DATE: &str = "2026-11-28";

/// The names of all pages.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("man"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".md").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The source of a page.
pub fn source(name: &str) -> String {
    std::fs::read_to_string(root().join(format!("man/{name}.md"))).unwrap()
}

#[test]
fn every_command_has_a_page() {
    let names = names();
    for sub in command().get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let page = format!("rtmpcat-{}.1", sub.get_name());
        assert!(names.contains(&page), "man/{page}.md is missing");
    }
}

#[test]
fn the_pages_are_those_of_the_command_line() {
    for name in names() {
        expect_committed(&format!("man/{name}"), &page(&name));
    }
}

#[test]
fn mandoc_finds_nothing_to_complain_about() {
    if !have(&["mandoc"]) {
        return;
    }
    let mut mandoc = Command::new("mandoc");
    mandoc.current_dir(root().join("man")).args(["-T", "lint"]).args(names());
    assert_eq!(run(&mut mandoc, PATIENCE).out(), "");
}

#[test]
fn groff_shows_every_page() {
    if !have(&["groff"]) {
        return;
    }
    for name in names() {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(root().join("man").join(&name));
        let shown = run(&mut groff, PATIENCE);
        assert_eq!(shown.expect_code(0).stderr, "", "{name}");
        assert!(shown.out().contains("SEE ALSO"), "{name}: {}", shown.out());
    }
}

#[test]
fn every_finding_has_its_place() {
    let text = std::fs::read_to_string(root().join("src/inspect/finding.rs")).unwrap();
    let codes = text.split("fn code(").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let codes: Vec<&str> = codes.split('"').skip(1).step_by(2).collect();
    let page = source("rtmpcat-inspect.1");
    assert!(codes.len() > 30, "{codes:?}");
    let missing: Vec<_> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "not in man/rtmpcat-inspect.1.md: {missing:?}");
}

/// Fails unless the pages have the name of each field of a JSON value, at every depth but below `open`, where servers choose the
/// names.
#[track_caller]
pub fn expect_fields(pages: &[&str], value: &serde_json::Value, open: &[&str]) {
    let text: String = pages.iter().map(|page| source(page)).collect();
    let mut missing = Vec::new();
    each_field(value, open, &mut |name| {
        if !text.contains(&format!("`{name}`")) {
            missing.push(name.to_owned());
        }
    });
    assert!(missing.is_empty(), "not in man/, {pages:?}: {missing:?}");
}

fn each_field(value: &serde_json::Value, open: &[&str], visit: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                visit(name);
                if !open.contains(&name.as_str()) {
                    each_field(value, open, visit);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| each_field(item, open, visit)),
        _ => {}
    }
}

// --- A page ---------------------------------------------------------------------------------------------------------

fn page(name: &str) -> String {
    let (title, section) = name.rsplit_once('.').unwrap();
    let manual = if section == "1" { "User Commands" } else { "Miscellaneous Information" };
    let mut top = command();
    top.build();
    let sub = title.strip_prefix("rtmpcat-").and_then(|sub| top.find_subcommand(sub));
    let command = sub.unwrap_or(&top);
    let commands: String = top
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .map(|sub| format!("`{0}`\n: {1}.\n  See rtmpcat-{0}(1).\n\n", sub.get_name(), sub.get_about().unwrap()))
        .collect();
    let text = source(name)
        .replace("@SYNOPSIS@", &synopsis(command))
        .replace("@OPTIONS@", &options(command))
        .replace("@COMMANDS@", &commands);
    assert!(!text.lines().any(|line| line.starts_with('@')), "{name}: a place was left open");
    format!(
        ".\\\" Generated from {name}.md and the definition of the command line by tests/suite/docs.\n\
         .TH {} {section} {DATE} \"rtmpcat {}\" \"{manual}\"\n{}",
        title.to_uppercase().replace('-', "\\-"),
        env!("CARGO_PKG_VERSION"),
        roff(&text)
    )
}

/// The usage, a paragraph for each form.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let forms = usage.trim_start_matches("Usage:").trim().lines();
    forms.map(|form| form.trim().split(' ').map(usage_word).collect::<Vec<_>>().join(" ") + "\n\n").collect()
}

/// Capital words are variables, others literal.
fn usage_word(word: &str) -> String {
    let name = word.trim_matches(['[', ']', '<', '>', '.']);
    let mark = if name.chars().all(|letter| letter.is_uppercase()) { "*" } else { "`" };
    word.replace(['<', '>'], "").replace(name, &format!("{mark}{name}{mark}"))
}

/// Arguments and options in the order and under the headings of the help.
fn options(command: &clap::Command) -> String {
    let mut arguments: Vec<_> = command.get_arguments().filter(|argument| !argument.is_hide_set()).collect();
    arguments.sort_by_key(|argument| if argument.is_positional() { 0 } else { argument.get_display_order() });
    let mut headings = vec![None];
    for argument in &arguments {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    let mut text = String::new();
    for heading in headings {
        if let Some(heading) = heading.filter(|heading| *heading != "Options") {
            text.push_str(&format!("## {heading}\n\n"));
        }
        arguments
            .iter()
            .filter(|argument| argument.get_help_heading() == heading)
            .for_each(|argument| text.push_str(&item(argument)));
    }
    text
}

/// One argument: what to type, and what it does.
fn item(argument: &clap::Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect::<Vec<_>>();
    let value = match argument.get_action().takes_values() {
        true => format!("*{}*", values.join("* *")),
        false => String::new(),
    };
    let names = argument
        .get_short()
        .map(|short| format!("`-{short}`"))
        .into_iter()
        .chain(argument.get_long_and_visible_aliases().into_iter().flatten().map(|long| format!("`--{long}`")))
        .collect::<Vec<_>>()
        .join(", ");
    let is_optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
    let term = match (argument.is_positional(), is_optional) {
        (true, _) => value,
        (false, true) if !value.is_empty() => format!("{names}[={value}]"),
        (false, _) => format!("{names} {value}"),
    };
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    format!("{}\n: {}{}\n\n", term.trim(), marked(&sentences(&help)), defaults(argument, &help))
}

/// The help, each paragraph closed by a full stop.
fn sentences(help: &str) -> String {
    let closed = |part: &str| {
        let part = part.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        if part.ends_with(['.', ':']) { part } else { format!("{part}.") }
    };
    help.split("\n\n").map(closed).collect::<Vec<_>>().join("\n\n  ")
}

/// The options that a help text names, as literals.
fn marked(help: &str) -> String {
    let mark = |word: &str| {
        let start = word.find('-').filter(|at| word[..*at].chars().all(|letter| letter == '('));
        let Some(start) = start else { return word.to_owned() };
        let length = word[start..].find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(word.len() - start);
        let (option, rest) = word[start..].split_at(length);
        let is_option = option.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic());
        if is_option { format!("{}`{option}`{rest}", &word[..start]) } else { word.to_owned() }
    };
    help.split(' ').map(mark).collect::<Vec<_>>().join(" ")
}

/// The default and the possible values, unless the help has them.
fn defaults(argument: &clap::Arg, help: &str) -> String {
    let mut text = String::new();
    let possible = argument.get_possible_values();
    if argument.get_action().takes_values() && !possible.is_empty() && !argument.is_hide_possible_values_set() {
        for value in possible.iter().filter(|value| !value.is_hide_set()) {
            let about = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
            text.push_str(&format!("\n\n  `{}`{about}.", value.get_name()));
        }
    }
    let default = argument.get_default_values();
    if argument.get_action().takes_values() && !default.is_empty() && !help.contains("[default") {
        let default: Vec<_> = default.iter().map(|value| value.to_string_lossy()).collect();
        text.push_str(&format!("\n\n  The default is {}.", default.join(" ")));
    }
    text
}

// --- Markdown to roff -----------------------------------------------------------------------------------------------

fn roff(text: &str) -> String {
    let mut out = String::new();
    let mut after_heading = true;
    let blocks: Vec<&str> =
        text.split("\n\n").map(|block| block.trim_matches('\n')).filter(|it| !it.is_empty()).collect();
    let mut blocks = blocks.into_iter().peekable();
    while let Some(block) = blocks.next() {
        let was_after_heading = std::mem::replace(&mut after_heading, false);
        if let Some(heading) = block.strip_prefix("## ") {
            out.push_str(&format!(".SS {}\n", escaped(heading)));
            after_heading = true;
        } else if let Some(heading) = block.strip_prefix("# ") {
            out.push_str(&format!(".SH {}\n", escaped(heading)));
            after_heading = true;
        } else if let Some((term, body)) = block.split_once("\n: ") {
            out.push_str(&format!(".TP\n{}\n{}", inline(term), filled(body)));
            while let Some(more) = blocks.next_if(|block| block.starts_with("  ") && !block.starts_with("    ")) {
                out.push_str(&format!(".IP\n{}", filled(more)));
            }
        } else if let Some(items) = block.strip_prefix("- ") {
            for item in items.split("\n- ") {
                out.push_str(&format!(".IP \\(bu 2\n{}", filled(item)));
            }
        } else if block.starts_with("    ") {
            let paragraph = if was_after_heading { "" } else { ".PP\n" };
            out.push_str(&format!("{paragraph}.RS 4\n.EX\n{}.EE\n.RE\n", example(block)));
        } else {
            out.push_str(&format!("{}{}", if was_after_heading { "" } else { ".PP\n" }, filled(block)));
        }
    }
    out
}

fn example(block: &str) -> String {
    block.lines().map(|line| guarded(&escaped(line.trim_start()).replace('-', "\\-")) + "\n").collect()
}

/// A paragraph: a sentence begins a line, and no line is longer than 78 bytes.
fn filled(paragraph: &str) -> String {
    let paragraph = joined(paragraph);
    let words: Vec<&str> = paragraph.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    let mut out = String::new();
    let mut line = String::new();
    for (at, word) in words.iter().enumerate() {
        let begins = at > 0 && words[at - 1].ends_with('.') && !words[at - 1].ends_with("..");
        if !line.is_empty() && (begins || inline(&format!("{line} {word}")).len() > 78) {
            out.push_str(&(inline(&line) + "\n"));
            line.clear();
        }
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    out + &inline(&line) + "\n"
}

/// The paragraph with the blanks of literals replaced, so that no line breaks there.
fn joined(paragraph: &str) -> String {
    let mut is_literal = false;
    let letter = |letter: char| {
        is_literal ^= letter == '`';
        if letter == ' ' && is_literal { UNBROKEN } else { letter }
    };
    paragraph.chars().map(letter).collect()
}

/// Stands for a blank within a literal.
const UNBROKEN: char = '\u{1}';

/// A line of text with its fonts.
fn inline(line: &str) -> String {
    let mut out = String::new();
    let mut font = 'R';
    for (at, letter) in line.char_indices() {
        let is_word = |letter: char| letter.is_ascii_alphabetic();
        match letter {
            '`' if font != 'I' => {
                font = if font == 'B' { 'R' } else { 'B' };
                out.push_str(&format!("\\f{font}"));
            }
            // A star within a literal, or alone, stands for itself.
            '*' if font == 'I' || (font == 'R' && line[at + 1..].contains('*')) => {
                font = if font == 'I' { 'R' } else { 'I' };
                out.push_str(&format!("\\f{font}"));
            }
            '-' if font != 'R' || !line[..at].ends_with(is_word) || !line[at + 1..].starts_with(is_word) => {
                out.push_str("\\-");
            }
            _ => out.push_str(&escaped(letter.encode_utf8(&mut [0; 4]))),
        }
    }
    guarded(&if font == 'R' { out } else { out + "\\fR" })
}

/// Not every roff reads UTF-8, and a backslash is its own.
fn escaped(text: &str) -> String {
    let letter = |letter: char| match letter {
        UNBROKEN => " ".to_owned(),
        '\\' => "\\e".to_owned(),
        '\'' => "\\(aq".to_owned(),
        '~' => "\\(ti".to_owned(),
        '^' => "\\(ha".to_owned(),
        _ if letter.is_ascii() => letter.to_string(),
        _ => format!("\\[u{:04X}]", u32::from(letter)),
    };
    text.chars().map(letter).collect()
}

/// A dot that begins a line would make a request of it.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}
