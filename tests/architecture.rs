//! The import rule of the architecture (see `src/lib.rs`): which room may know which.
//!
//! ```text
//! cli ──► client ──► transport ──► (std::net, rustls)
//!  │        ▼              ▲
//!  ├─────► proto  ◄── flv  │   (flv: message types only)
//!  ├─────► flv             │
//!  ├─────► capture ─► proto
//!  ├─────► serve ──────────┘   (serve: proto, flv and the test pattern as well)
//!  └─────► url ─────► proto        (url: AMF 0 values for connect)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms that a room must not know.
const FORBIDDEN: [(&str, &[&str]); 12] = [
    ("proto", &["transport", "flv", "cli", "client", "url", "error"]),
    ("transport", &["proto", "flv", "cli", "client"]),
    ("flv", &["transport", "cli", "client", "url"]),
    ("capture", &["transport", "flv", "cli", "client", "url", "serve", "error"]),
    ("inspect", &["transport", "cli", "client", "url"]),
    ("http", &["proto", "transport", "flv", "cli", "client", "url", "serve", "error", "capture"]),
    ("util", &["proto", "transport", "flv", "cli", "client", "url", "serve", "error", "capture", "swf", "http"]),
    ("client", &["flv", "cli"]),
    ("url", &["transport", "flv", "cli", "client", "serve", "swf", "error"]),
    ("error", &["flv", "cli", "client"]),
    ("serve", &["cli", "client", "url"]),
    ("pattern", &["transport", "cli", "client", "serve", "url"]),
];

/// The protocol is pure: bytes in, bytes and events out.
const IMPURE: [&str; 12] = [
    "std::net",
    "std::io",
    "std::fs",
    "std::time",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "getrandom",
    "rand::",
    "jiff",
];

/// Only the command line speaks to people.
const PRINTS: [&str; 5] = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];

struct Source {
    path: PathBuf,
    /// `proto`, `transport`, …: the first part of the path below src, without its ending.
    room: String,
    /// Without comments, texts and test modules.
    code: String,
}

#[test]
fn rooms_know_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        let forbidden = FORBIDDEN.iter().find(|(room, _)| *room == source.room).map_or(&[][..], |(_, others)| others);
        for used in rooms_used(&source.code) {
            if forbidden.contains(&used.as_str()) || (used == "cli" && !matches!(source.room.as_str(), "cli" | "main"))
            {
                wrong.push(format!("{} uses {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_protocol_has_no_sockets_clock_or_randomness() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| source.room == "proto") {
        wrong.extend(
            IMPURE
                .iter()
                .filter(|name| source.code.contains(*name))
                .map(|name| format!("{}: {name}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| !matches!(source.room.as_str(), "cli" | "main")) {
        wrong.extend(
            PRINTS
                .iter()
                .filter(|name| has_word(&source.code, name))
                .map(|name| format!("{}: {name}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_dependency_lives_in_its_rooms_and_has_a_reason() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let mut reasons = BTreeSet::new();
    let mut commented = false;
    for line in section.lines() {
        match line.split_once('=') {
            _ if line.starts_with('#') => commented = true,
            _ if line.trim().is_empty() => commented = false,
            Some((name, _)) if commented => drop(reasons.insert(name.trim().to_string())),
            Some((name, _)) => panic!("{name}has no reason beside it in Cargo.toml"),
            None => {}
        }
    }
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let place = source.path.strip_prefix("src").unwrap().with_extension("").display().to_string();
        for name in &reasons {
            if names_crate(&source.code, &name_in_code(name)) {
                used.entry(name).or_default().insert(place.clone());
            }
        }
    }
    let mut wrong = Vec::new();
    for name in &reasons {
        let places = used.remove(name.as_str()).unwrap_or_default();
        let rooms: BTreeSet<&str> = places.iter().map(|place| place.split('/').next().unwrap_or(place)).collect();
        let shared = SHARED.iter().find(|(shared, _)| shared == name).map_or(&[][..], |(_, rooms)| rooms);
        if rooms.is_empty() {
            wrong.push(format!("{name} is not used"));
        } else if rooms.len() > 1 && !rooms.iter().all(|room| shared.contains(room)) {
            wrong.push(format!("{name} is used in {places:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// True if a path begins with the crate's name; one that goes on with it is a module's.
fn names_crate(code: &str, name: &str) -> bool {
    let in_word = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let inside = |before: &str| in_word(before) || before.strip_suffix("::").is_some_and(in_word);
    code.match_indices(&format!("{name}::")).any(|(at, _)| !inside(&code[..at]))
}

/// What a crate is called in code.
fn name_in_code(package: &str) -> String {
    if package == "md-5" { "md5".to_string() } else { package.replace('-', "_") }
}

/// A dependency lives in one room, but for these.
const SHARED: [(&str, &[&str]); 7] = [
    // authmod's answers; a proxy's password, and pins of certificates; bytes in JSON.
    ("base64", &["proto", "transport", "cli"]),
    // Bodies of SWF files; the test pattern's pictures.
    ("flate2", &["swf", "pattern"]),
    // Who hands random bytes to the protocol draws them (both ends of a connection, who answers for a password); and names
    // of tunnels.
    ("getrandom", &["client", "serve", "cli", "transport"]),
    // Dates of SWF files; when an event happened.
    ("jiff", &["swf", "cli"]),
    // What inspect and probe found, as JSON.
    ("serde", &["inspect", "cli"]),
    // The digest handshake; hashes of SWF files; pins of certificates.
    ("sha2", &["proto", "swf", "transport"]),
    // Every room that has errors of its own.
    ("thiserror", &["error", "proto", "capture", "flv", "swf", "transport", "url"]),
];

#[test]
fn files_are_not_two_rooms_sharing_a_wall() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| source.path)
        .filter(|path| std::fs::read_to_string(root().join(path)).unwrap().lines().count() > 700)
        .collect();
    assert!(long.is_empty(), "split: {long:?}");
}

#[test]
fn the_reader_of_code_takes_out_what_is_not_code() {
    let code = code_of(
        "use a::b; // crate::cli\nlet x = \"crate::cli // \\\" \"; /* crate::flv */ let c = '\"'; y()\n#[cfg(test)]\nmod tests {\n use crate::cli;\n}\n",
    );
    assert!(code.contains("use a::b;") && code.contains("y()"), "{code}");
    assert!(!code.contains("cli") && !code.contains("flv"), "{code}");
    assert_eq!(
        rooms_used("use crate::{error::Error, proto::{amf0, chunk}};\nfn f() { crate::flv::g() }")
            .into_iter()
            .collect::<Vec<_>>(),
        ["error", "flv", "proto"]
    );
    assert!(has_word("x eprintln!()", "eprintln!") && !has_word("x eprintln!()", "println!"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_path_buf();
                let room = path.iter().nth(1).unwrap().to_string_lossy().trim_end_matches(".rs").to_string();
                sources.push(Source { path, room, code: code_of(&text) });
            }
        }
    }
    assert!(sources.len() > 10, "the sources were found");
    sources
}

/// The code without comments, the insides of texts, and test modules (which stand last in a file).
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else if first == '"' {
            end_of_text(rest)
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[skip..];
    }
    code
}

fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The rooms named behind `crate::`, also in braces.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        let Some(list) = rest.strip_prefix('{') else {
            used.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = true;
        for (at, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => item = true,
                _ if item && !letter.is_whitespace() => {
                    used.insert(word(&list[at..]));
                    item = false;
                }
                _ => {}
            }
        }
    }
    used
}

/// True if `name` stands in `code` and nothing of a longer name before it.
fn has_word(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}
