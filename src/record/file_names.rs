//! Names of a recording's files: how they are made, and how the files of earlier runs are found by them.

use std::path::{Path, PathBuf};

use jiff::Zoned;
use jiff::fmt::strtime;

/// How files are called: text for strftime, and the places of the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames(Vec<Part>);

/// Why a text is no pattern for the names of files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// For strftime.
    Time(String),
    /// The number of the file, in so many digits at least.
    Number(usize),
}

impl FileNames {
    /// Reads a pattern: strftime's `%` stand for the time at which a file is begun, `%{n:4}` for its number in at least four
    /// digits. One without any gets a hyphen and the number.
    ///
    /// # Errors
    /// It is no pattern, or not the name of a file.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let mut parts = Vec::new();
        let mut time = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            time.push_str(before);
            if let Some(field) = after.strip_prefix('{') {
                let (field, after) = field.split_once('}').ok_or_else(|| BadName(format!("{text}: %{{ has no }}")))?;
                let digits = match field.split_once(':') {
                    None => Some(1).filter(|_| field == "n"),
                    Some(("n", digits)) => digits.parse().ok().filter(|digits| (1..=MAX_DIGITS).contains(digits)),
                    Some(_) => None,
                };
                let digits =
                    digits.ok_or_else(|| BadName(format!("{text}: %{{{field}}} is neither %{{n}} nor %{{n:4}}")))?;
                parts.extend([Part::Time(std::mem::take(&mut time)), Part::Number(digits)]);
                rest = after;
            } else {
                // The conversion's letter comes along, so that a second % is not the first of the next.
                let letter = after.chars().next().map_or(0, char::len_utf8);
                let (letter, after) = after.split_at(letter);
                time.push('%');
                time.push_str(letter);
                rest = after;
            }
        }
        parts.push(Part::Time(time + rest));
        let mut names = Self(parts);
        let now = Zoned::now();
        let first = names.at(&now, 1)?;
        if names.at(&now, 2)? == first && !text.contains('%') {
            let path = Path::new(text);
            let dot = path.extension().map_or(text.len(), |extension| text.len() - extension.len() - 1);
            let (stem, extension) = text.split_at(dot);
            names = Self(vec![Part::Time(format!("{stem}-")), Part::Number(1), Part::Time(extension.to_owned())]);
        }
        if first.file_name().is_none() {
            return Err(BadName(format!("{text}: not the name of a file")));
        }
        Ok(names)
    }

    /// The name of a file begun at `now`.
    ///
    /// # Errors
    /// The pattern makes no name.
    pub(super) fn at(&self, now: &Zoned, number: u64) -> Result<PathBuf, BadName> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Time(text) => {
                    name.push_str(&strtime::format(text, now).map_err(|error| BadName(format!("{text}: {error}")))?);
                }
                Part::Number(digits) => name.push_str(&format!("{number:0digits$}")),
            }
        }
        Ok(PathBuf::from(name))
    }

    /// Whether the number is part of the names.
    pub(super) fn has_number(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Number(_)))
    }

    /// Files by such names, complete (the oldest first) and not: what earlier runs have left. A pattern with names of months,
    /// days or time zones finds none, for anything could be taken for these.
    pub(super) fn find(&self) -> Found {
        let mut found = Found::default();
        if let Some(tokens) = self.tokens() {
            let components: Vec<&[Token]> = tokens.split(|token| *token == Token::Literal('/')).collect();
            walk(Path::new(""), &components, self.has_number(), &mut found);
        }
        found
            .complete
            .sort_by_cached_key(|path| (std::fs::metadata(path).and_then(|it| it.modified()).ok(), path.clone()));
        found
    }

    fn tokens(&self) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        for part in &self.0 {
            match part {
                Part::Number(digits) => tokens.push(Token::Digits(*digits, MAX_DIGITS)),
                Part::Time(text) => {
                    let mut letters = text.chars();
                    while let Some(letter) = letters.next() {
                        match letter {
                            '%' => tokens.extend_from_slice(conversion(letters.next()?)?),
                            letter => tokens.push(Token::Literal(letter)),
                        }
                    }
                }
            }
        }
        Some(tokens)
    }
}

/// What earlier runs have left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Files that are complete, the oldest first.
    pub complete: Vec<PathBuf>,
    /// Files that are not: NAME.part.
    pub parts: Vec<PathBuf>,
}

/// A part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// So many digits, at least and at most.
    Digits(usize, usize),
}

/// What strftime makes of a letter, where that is digits.
fn conversion(letter: char) -> Option<&'static [Token]> {
    use Token::{Digits, Literal};
    Some(match letter {
        '%' => &[Literal('%')],
        'Y' => &[Digits(4, 4)],
        'm' | 'd' | 'H' | 'M' | 'S' | 'y' | 'I' => &[Digits(2, 2)],
        'j' => &[Digits(3, 3)],
        's' => &[Digits(1, MAX_DIGITS)],
        'F' => &[Digits(4, 4), Literal('-'), Digits(2, 2), Literal('-'), Digits(2, 2)],
        'T' => &[Digits(2, 2), Literal(':'), Digits(2, 2), Literal(':'), Digits(2, 2)],
        'R' => &[Digits(2, 2), Literal(':'), Digits(2, 2)],
        _ => return None,
    })
}

/// Looks for files whose path goes on like this. `has_number`: files are told apart by their numbers, not by a suffix.
fn walk(folder: &Path, components: &[&[Token]], has_number: bool, found: &mut Found) {
    let Some((first, rest)) = components.split_first() else { return };
    let literal: Option<String> = first
        .iter()
        .map(|token| match token {
            Token::Literal(letter) => Some(*letter),
            Token::Digits(..) => None,
        })
        .collect();
    if let (Some(name), false) = (literal, rest.is_empty()) {
        // The root has no name before its slash.
        return walk(&if name.is_empty() { PathBuf::from("/") } else { folder.join(name) }, rest, has_number, found);
    }
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten().take(MAX_FILES) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = folder.join(&name);
        match (rest.is_empty(), entry.file_type()) {
            (false, Ok(kind)) if kind.is_dir() && matches(first, &name) => walk(&path, rest, has_number, found),
            (true, Ok(kind)) if kind.is_file() => match name.strip_suffix(".part") {
                Some(name) if is_ours(first, name, has_number) => found.parts.push(path),
                None if is_ours(first, &name, has_number) => found.complete.push(path),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Whether a file has such a name, perhaps with the suffix that tells files of the same second apart.
fn is_ours(tokens: &[Token], name: &str, has_number: bool) -> bool {
    if matches(tokens, name) {
        return true;
    }
    let (stem, extension) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    match stem.rsplit_once('-') {
        Some((stem, suffix))
            if !has_number && !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            matches(tokens, &format!("{stem}{extension}"))
        }
        _ => false,
    }
}

fn matches(tokens: &[Token], text: &str) -> bool {
    match tokens.split_first() {
        None => text.is_empty(),
        Some((Token::Literal(letter), rest)) => text.strip_prefix(*letter).is_some_and(|text| matches(rest, text)),
        Some((Token::Digits(least, most), rest)) => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            (*least..=digits.min(*most)).any(|count| text.get(count..).is_some_and(|text| matches(rest, text)))
        }
    }
}

/// The name of a file while it is written.
pub(super) fn part_of(name: &Path) -> PathBuf {
    let mut part = name.as_os_str().to_os_string();
    part.push(".part");
    PathBuf::from(part)
}

/// Digits that a number in a name is filled up to at the most.
const MAX_DIGITS: usize = 20;

/// Files of a folder that are looked at.
const MAX_FILES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn then() -> Zoned {
        Zoned::from_str("2025-01-31T23:05:09+00:00[UTC]").unwrap()
    }

    #[test]
    fn names() {
        for (text, first, twelfth) in [
            ("cam-%Y%m%d-%H%M%S-%{n}.flv", "cam-20250131-230509-1.flv", "cam-20250131-230509-12.flv"),
            ("%{n:4}.flv", "0001.flv", "0012.flv"),
            ("a.b/cam.flv", "a.b/cam-1.flv", "a.b/cam-12.flv"),
            ("cam", "cam-1", "cam-12"),
            ("100%%-%{n}%%{n}", "100%-1%{n}", "100%-12%{n}"),
            ("%Y/%m/x%{n}y%{n:2}.flv", "2025/01/x1y01.flv", "2025/01/x12y12.flv"),
            ("cam-%H.flv", "cam-23.flv", "cam-23.flv"),
        ] {
            let names = FileNames::parse(text).unwrap();
            assert_eq!(names.at(&then(), 1).unwrap(), Path::new(first));
            assert_eq!(names.at(&then(), 12).unwrap(), Path::new(twelfth));
        }
        for wrong in ["%{", "%{x}", "%{n:}", "%{n:0}", "%{n:99}", "%{m:2}", "x%", "%!", "/", "a/.."] {
            assert!(FileNames::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_of_earlier_runs_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("2025/01")).unwrap();
        for name in [
            "2025/01/cam-7.flv",
            "cam-1.flv",
            "cam-12.flv.part",
            "cam-x.flv",
            "cam-.flv",
            "cam-3.flv.bak",
            "10.flv",
            "10-2.flv",
            "1.flv",
        ] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let find = |pattern: &str| {
            let found = FileNames::parse(root.join(pattern).to_str().unwrap()).unwrap().find();
            let names = |paths: &[PathBuf]| {
                let mut names: Vec<_> =
                    paths.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect();
                names.sort();
                names.join(" ")
            };
            (names(&found.complete), names(&found.parts))
        };
        let both = |complete: &str, parts: &str| (complete.to_owned(), parts.to_owned());
        assert_eq!(find("cam-%{n}.flv"), both("cam-1.flv", "cam-12.flv.part"));
        assert_eq!(find("cam.flv"), both("cam-1.flv", "cam-12.flv.part"));
        assert_eq!(find("%H.flv"), both("10-2.flv 10.flv", ""));
        assert_eq!(find("%Y/%m/cam-%{n}.flv"), both("2025/01/cam-7.flv", ""));
        assert_eq!(find("cam-%{n:2}.flv"), both("", "cam-12.flv.part"));
        assert_eq!(find("cam-%b.flv"), both("", ""));
    }
}
