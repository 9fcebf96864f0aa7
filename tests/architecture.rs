//! The rules of the architecture (see `src/lib.rs`): which room may know which, which crates live where, and that no files
//! import one another in a circle.
//!
//! ```text
//! cli ──► record, probe ──► connect ──► transport ──► (std::net, rustls)
//!               │               │
//!               ▼               ▼
//!              flv ──────────► proto ◄── url, capture, inspect, serve
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every room, and the other rooms that it may know. `util` may be known by all but itself, the library's root by none.
const ROOMS: [(&str, &[&str]); 16] = [
    ("proto", &[]),
    ("util", &[]),
    ("http", &[]),
    ("flv", &["proto"]),
    ("url", &["proto"]),
    ("transport", &["http"]),
    ("rtmfp", &["proto", "transport"]),
    ("swf", &["transport", "proto"]),
    ("capture", &["proto", "http"]),
    ("pattern", &["proto", "flv"]),
    ("inspect", &["proto", "flv"]),
    ("serve", &["rtmfp", "transport", "proto", "flv", "pattern"]),
    ("connect", &["rtmfp", "transport", "proto", "url", "swf"]),
    ("record", &["connect", "flv", "proto", "url", "transport", "swf", "inspect"]),
    ("probe", &["connect", "proto", "url", "transport", "inspect"]),
    (
        "cli",
        &[
            "probe",
            "record",
            "connect",
            "serve",
            "pattern",
            "inspect",
            "capture",
            "swf",
            "url",
            "flv",
            "proto",
            "transport",
            "http",
        ],
    ),
];

/// Crates of the command line: a library user does without.
const CLI_CRATES: [&str; 5] = ["clap", "indicatif", "serde_json", "anyhow", "signal_hook"];

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
    /// The path of its module below the root: `["flv", "recorder"]`.
    module: Vec<String>,
    /// Without comments, texts and test modules.
    code: String,
}

#[test]
fn rooms_know_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.room.as_str(), "lib" | "main")) {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
            wrong.push(format!("{}: a room without a row here", source.path.display()));
            continue;
        };
        let others = rooms_used(&source.code).into_iter().filter(|used| *used != source.room && used != "util");
        wrong.extend(
            others
                .filter(|used| !allowed.contains(&used.as_str()))
                .map(|used| format!("{} uses {used}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A room that may not know another must not reach it through a third one either.
#[test]
fn transport_does_not_reach_the_protocol() {
    let mut reached = BTreeSet::from(["transport"]);
    while let Some((_, next)) = ROOMS
        .iter()
        .filter(|(room, _)| reached.contains(room))
        .find(|(_, allowed)| allowed.iter().any(|room| !reached.contains(room)))
    {
        reached.extend(*next);
    }
    assert!(!reached.contains("proto"), "{reached:?}");
}

#[test]
fn only_the_command_line_names_its_crates() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.room.as_str(), "cli" | "main")) {
        let named = CLI_CRATES.iter().filter(|name| has_word(&source.code, &format!("{name}::")));
        wrong.extend(named.map(|name| format!("{} uses {name}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_import_one_another_in_a_circle() {
    let sources = sources();
    let tree = Tree::new(&sources);
    let mut edges: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for source in &sources {
        let imported = paths_of(&source.code).into_iter().filter_map(|path| tree.file_of(&source.module, &path));
        edges.insert(&source.path, imported.filter(|file| *file != source.path).collect());
    }
    let reaches_itself = |file: &Path| {
        let mut reached: BTreeSet<&Path> = edges[file].clone();
        let mut new: Vec<&Path> = reached.iter().copied().collect();
        while let Some(next) = new.pop() {
            new.extend(edges[next].iter().copied().filter(|to| reached.insert(to)));
        }
        reached.contains(file)
    };
    let in_circles: Vec<_> = edges.keys().filter(|file| reaches_itself(file)).collect();
    assert!(in_circles.is_empty(), "{in_circles:#?}");
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
const SHARED: [(&str, &[&str]); 8] = [
    // authmod's answers; a proxy's password, and pins of certificates; bytes in JSON.
    ("base64", &["proto", "transport", "cli"]),
    // What hands random bytes to the protocol draws them (both ends of a connection, what answers for a password); names of
    // tunnels; pauses between attempts; names of temporary files.
    ("getrandom", &["connect", "record", "rtmfp", "serve", "cli", "transport", "util"]),
    // Dates of SWF files and certificates; when an event happened; names of files.
    ("jiff", &["swf", "transport", "cli", "record"]),
    // How much a pipe holds; readiness of sockets.
    ("rustix", &["flv", "transport"]),
    // What inspect and probe found, as JSON.
    ("serde", &["inspect", "probe", "cli"]),
    // The digest handshake; hashes of SWF files; pins of certificates.
    ("sha2", &["proto", "swf", "transport"]),
    // Every room that has errors of its own.
    ("thiserror", &["proto", "capture", "flv", "serve", "swf", "transport", "url", "connect", "record"]),
    // Text and query in URLs.
    ("percent-encoding", &["util", "url", "proto"]),
];

#[test]
fn files_are_short_enough_to_be_one_thing() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| source.path)
        .filter(|path| std::fs::read_to_string(root().join(path)).unwrap().lines().count() > 600)
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
                let module = module_of(&path);
                sources.push(Source { path, room, module, code: code_of(&text) });
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

/// `src/flv/recorder/file.rs` is `flv::recorder::file`, `src/flv/mod.rs` and `src/flv.rs` are `flv`.
fn module_of(path: &Path) -> Vec<String> {
    let parts = path.strip_prefix("src").unwrap().with_extension("");
    let mut module: Vec<String> = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    module.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    module
}

/// Which file an item is in.
struct Tree<'a> {
    files: BTreeMap<&'a [String], &'a Source>,
}

impl<'a> Tree<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let files = sources.iter().filter(|source| source.room != "main");
        Self { files: files.map(|source| (source.module.as_slice(), source)).collect() }
    }

    /// The file that a path in `module` leads to, re-exports followed.
    fn file_of(&self, module: &[String], path: &[String]) -> Option<&'a Path> {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &[String], path: &[String], depth: u32) -> Option<&'a Path> {
        let mut place: Vec<String> = module.to_vec();
        let mut rest = path;
        while let [first, after @ ..] = rest {
            match first.as_str() {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                name => {
                    place.push(name.to_owned());
                    if !self.files.contains_key(place.as_slice()) {
                        place.pop();
                        break;
                    }
                }
            }
            rest = after;
        }
        let source = self.files.get(place.as_slice())?;
        let Some(item) = rest.first().filter(|_| depth < 8) else { return Some(&source.path) };
        // A name that the module only passes on.
        let passed_on = reexports_of(&source.code).into_iter().find(|path| path.last() == Some(item));
        match passed_on {
            Some(from) => self.follow(&place, &from, depth + 1).or(Some(&source.path)),
            None => Some(&source.path),
        }
    }
}

/// Paths that begin with `crate::`, `super::` or `self::`, those in braces one by one.
fn paths_of(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            expand(&code[at..], &mut Vec::new(), &mut paths);
        }
    }
    paths
}

/// What a module re-exports, as paths from there.
fn reexports_of(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, found) in code.match_indices("pub use ").chain(code.match_indices("pub(crate) use ")) {
        expand(&code[at + found.len()..], &mut Vec::new(), &mut paths);
    }
    paths
}

/// Reads one path, or the group of them that follows `before`. Returns what is left of the text.
fn expand<'a>(text: &'a str, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') && !rest.trim().is_empty() {
            let left = expand(rest, &mut before.clone(), paths).trim_start();
            // Renamed or not, the item is the same.
            let next = left.find([',', '}']).unwrap_or(left.len());
            rest = left[next..].strip_prefix(',').unwrap_or(&left[next..]);
        }
        return rest.trim_start().strip_prefix('}').unwrap_or_default();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    before.push(word.to_owned());
    match rest.strip_prefix("::") {
        Some(more) if more.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{') => {
            expand(more, before, paths)
        }
        _ => {
            paths.push(before.clone());
            rest
        }
    }
}

#[test]
fn paths_are_read_one_by_one() {
    let code =
        "use crate::a::{b::C, d::{self, E as F}};\nuse super::g;\nfn h() { crate::i::j(x::crate_::y) }\npub use k::L;";
    let joined = |paths: Vec<Vec<String>>| paths.iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(
        joined(paths_of(code)),
        ["crate::a::b::C", "crate::a::d::self", "crate::a::d::E", "crate::i::j", "super::g"]
    );
    assert_eq!(joined(reexports_of(code)), ["k::L"]);
    assert_eq!(module_of(Path::new("src/flv/recorder/file.rs")), ["flv", "recorder", "file"]);
    assert_eq!(module_of(Path::new("src/flv/mod.rs")), ["flv"]);
}

/// The rooms named after `crate::`.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let paths = paths_of(code);
    paths.into_iter().filter(|path| path[0] == "crate").filter_map(|path| path.into_iter().nth(1)).collect()
}

/// True if `name` stands in `code` and nothing of a longer name before it.
fn has_word(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}
