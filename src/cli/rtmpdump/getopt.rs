//! GNU getopt_long's habits in front of clap, for scripts written for rtmpdump rely on them.
//!
//! ```text
//! -vqo FILE   -m5   -o=x (a file named "=x")   --tcUrl -x   --tcUrl=-x   --swfV URL (abbreviated)   URL -v   -- -URL
//! ```
//!
//! What was written is turned into `--name=value`, `--name` and, behind `--`, positionals; the definitions are clap's own,
//! and so is everything that follows. Abbreviations that were good in rtmpdump stay good however many options there are:
//! its names are looked at first.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// What is wrong with an argument list, in getopt's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// No option has that name.
    UnknownName(String),
    /// No option has that letter.
    UnknownLetter(char),
    /// An abbreviation of several options.
    Ambiguous(String, Vec<String>),
    /// An option at the end lacks its value; written as a name.
    NameLacksValue(String),
    /// The same, written as a letter.
    LetterLacksValue(char),
    /// `--name=value` where there is no value.
    TakesNoValue(String),
}

impl Wrong {
    /// getopt shows an option that it does not know with its value.
    fn written_as(self, argument: &OsStr) -> Self {
        let text = || argument.to_string_lossy().trim_start_matches("--").to_owned();
        match self {
            Wrong::UnknownName(_) => Wrong::UnknownName(text()),
            Wrong::Ambiguous(_, candidates) => Wrong::Ambiguous(text(), candidates),
            other => other,
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wrong::UnknownName(name) => write!(f, "unrecognized option '--{name}'"),
            Wrong::UnknownLetter(letter) => write!(f, "invalid option -- '{letter}'"),
            Wrong::Ambiguous(name, candidates) => {
                write!(f, "option '--{name}' is ambiguous; possibilities:")?;
                candidates.iter().try_for_each(|candidate| write!(f, " '--{candidate}'"))
            }
            Wrong::NameLacksValue(name) => write!(f, "option '--{name}' requires an argument"),
            Wrong::LetterLacksValue(letter) => write!(f, "option requires an argument -- '{letter}'"),
            Wrong::TakesNoValue(name) => write!(f, "option '--{name}' doesn't allow an argument"),
        }
    }
}

/// Rewrites an argument list for clap. `command` is the built definition; `arguments` begin with the program's name;
/// `first_names` are looked at before all others when a name is abbreviated, and only they have letters.
///
/// `--help` ends it, wherever it stands: nothing behind it is looked at.
///
/// # Errors
/// The first thing that is wrong.
pub fn normalise(command: &Command, arguments: &[OsString], first_names: &[&str]) -> Result<Vec<OsString>, Wrong> {
    let mut options: Vec<OsString> = arguments.iter().take(1).cloned().collect();
    let mut positionals = Vec::new();
    let mut rest = arguments.iter().skip(1).peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            positionals.extend(rest.by_ref().cloned());
        } else if let Some((name, value)) = long(argument) {
            let (full, arg) = by_name(command, &name, first_names).map_err(|wrong| wrong.written_as(argument))?;
            let value = match (takes_value(arg), value) {
                (Takes::Nothing, Some(_)) => return Err(Wrong::TakesNoValue(full.to_owned())),
                (Takes::One, None) => Some(rest.next().cloned().ok_or_else(|| Wrong::NameLacksValue(full.to_owned()))?),
                (Takes::Perhaps, None) => rest.next_if(|next| is_number(next)).cloned(),
                (_, value) => value,
            };
            options.push(written(arg.get_long().unwrap_or_default(), value.as_deref()));
        } else if is_cluster(argument) {
            let mut at = 1;
            while let Some(letter) = letter_at(argument, at) {
                at += letter.len_utf8();
                let arg = command
                    .get_arguments()
                    .find(|arg| arg.get_short() == Some(letter) && names(arg).any(|name| first_names.contains(&name)))
                    .ok_or(Wrong::UnknownLetter(letter))?;
                let behind = tail(argument, at).filter(|tail| !tail.is_empty());
                let value = match takes_value(arg) {
                    Takes::Nothing => None,
                    Takes::Perhaps => behind,
                    Takes::One => Some(behind.or_else(|| rest.next().cloned()).ok_or(Wrong::LetterLacksValue(letter))?),
                };
                options.push(written(arg.get_long().unwrap_or_default(), value.as_deref()));
                if takes_value(arg) != Takes::Nothing || asks_for_help(&options) {
                    break;
                }
            }
        } else {
            positionals.push(argument.clone());
        }
        if asks_for_help(&options) {
            return Ok(options);
        }
    }
    if !positionals.is_empty() {
        options.push("--".into());
        options.append(&mut positionals);
    }
    Ok(options)
}

fn asks_for_help(options: &[OsString]) -> bool {
    options.last().is_some_and(|option| option == "--help")
}

#[derive(PartialEq)]
enum Takes {
    Nothing,
    /// A value if it is attached, or if it follows a name and is a number: nothing else that may follow looks like that.
    Perhaps,
    One,
}

fn takes_value(arg: &Arg) -> Takes {
    match (arg.get_action().takes_values(), arg.get_num_args().map(|range| range.min_values())) {
        (false, _) => Takes::Nothing,
        (true, Some(0)) => Takes::Perhaps,
        (true, _) => Takes::One,
    }
}

/// The names of an option.
pub fn names(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default())
}

/// The option that `name` is, or abbreviates; and its name in full.
fn by_name<'a>(command: &'a Command, name: &str, first_names: &[&str]) -> Result<(&'a str, &'a Arg), Wrong> {
    let all = || command.get_arguments().flat_map(|arg| names(arg).map(move |name| (name, arg)));
    if let Some(exact) = all().find(|(long, _)| *long == name) {
        return Ok(exact);
    }
    for first in [true, false] {
        let mut found: Vec<_> =
            all().filter(|(long, _)| long.starts_with(name) && first_names.contains(long) == first).collect();
        found.sort_by_key(|(long, _)| first_names.iter().position(|first| first == long));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            several => {
                let candidates = several.iter().map(|(long, _)| (*long).to_owned()).collect();
                return Err(Wrong::Ambiguous(name.to_owned(), candidates));
            }
        }
    }
    Err(Wrong::UnknownName(name.to_owned()))
}

fn written(name: &str, value: Option<&OsStr>) -> OsString {
    let mut text = OsString::from(format!("--{name}"));
    if let Some(value) = value {
        text.push("=");
        text.push(value);
    }
    text
}

/// `--name` or `--name=value`.
fn long(argument: &OsStr) -> Option<(String, Option<OsString>)> {
    let bytes = argument.as_encoded_bytes().strip_prefix(b"--")?;
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => Some((String::from_utf8_lossy(bytes.get(..at)?).into_owned(), tail(argument, at + 3))),
        None => Some((String::from_utf8_lossy(bytes).into_owned(), None)),
    }
}

fn is_number(argument: &OsStr) -> bool {
    argument.to_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}

/// A `-` alone is no cluster: it is a positional.
fn is_cluster(argument: &OsStr) -> bool {
    matches!(argument.as_encoded_bytes(), [b'-', _, ..])
}

fn letter_at(argument: &OsStr, at: usize) -> Option<char> {
    String::from_utf8_lossy(argument.as_encoded_bytes().get(at..)?).chars().next()
}

/// What stands behind the first `at` bytes; names of files need not be UTF-8.
fn tail(argument: &OsStr, at: usize) -> Option<OsString> {
    let bytes = argument.as_encoded_bytes().get(at..)?;
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(OsStr::from_bytes(bytes).to_owned())
    }
    #[cfg(not(unix))]
    Some(String::from_utf8_lossy(bytes).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).action(clap::ArgAction::SetTrue);
        let value = |name: &'static str| Arg::new(name).long(name);
        let mut command = Command::new("x")
            .disable_help_flag(true)
            .arg(flag("live").short('v'))
            .arg(flag("quiet").short('q'))
            .arg(flag("help").short('h'))
            .arg(value("flv").short('o'))
            .arg(value("flashVer").short('f'))
            .arg(value("conn").short('C'))
            .arg(value("connect-timeout"))
            .arg(value("listen"))
            .arg(value("maybe").num_args(0..=1).require_equals(true))
            .arg(Arg::new("urls").num_args(0..));
        command.build();
        command
    }

    fn of(arguments: &[&str]) -> Result<Vec<String>, Wrong> {
        let arguments: Vec<OsString> = ["x"].iter().chain(arguments).map(Into::into).collect();
        let out = normalise(&definition(), &arguments, &["live", "quiet", "help", "flashVer", "flv", "conn"])?;
        Ok(out.into_iter().skip(1).map(|text| text.into_string().unwrap()).collect())
    }

    #[test]
    fn clusters_values_and_positionals() {
        for (written, read) in [
            (&["-vqo", "f"][..], &["--live", "--quiet", "--flv=f"][..]),
            (&["-vof", "-q"], &["--live", "--flv=f", "--quiet"]),
            (&["-o=f"], &["--flv==f"]),
            (&["-o", "-v"], &["--flv=-v"]),
            (&["--flv", "--live"], &["--flv=--live"]),
            (&["--flv="], &["--flv="]),
            (&["-C", "S:", "-CB:1", "--conn=N:1=2"], &["--conn=S:", "--conn=B:1", "--conn=N:1=2"]),
            (&["u", "-v", "w"], &["--live", "--", "u", "w"]),
            (&["-", "-v", "--", "-q", "--flv"], &["--live", "--", "-", "-q", "--flv"]),
            (&["--maybe", "5", "--maybe=x", "u"], &["--maybe=5", "--maybe=x", "--", "u"]),
            (&["--maybe", "u", "5"], &["--maybe", "--", "u", "5"]),
            (&["-v", "--help", "--nonsense"], &["--live", "--help"]),
            (&["-vhZ"], &["--live", "--help"]),
        ] {
            let read: Vec<String> = read.iter().map(ToString::to_string).collect();
            assert_eq!(of(written), Ok(read), "{written:?}");
        }
    }

    #[test]
    fn abbreviations_prefer_the_first_names() {
        assert_eq!(of(&["--li"]).unwrap(), ["--live"]);
        assert_eq!(of(&["--con=x"]).unwrap(), ["--conn=x"]);
        assert_eq!(of(&["--connect", "3"]).unwrap(), ["--connect-timeout=3"]);
        let several = vec!["flashVer".to_owned(), "flv".to_owned()];
        assert_eq!(of(&["--fl=x"]), Err(Wrong::Ambiguous("fl=x".into(), several)));
        assert_eq!(of(&["--LIVE"]), Err(Wrong::UnknownName("LIVE".into())));
    }

    #[test]
    fn what_is_wrong_in_getopts_words() {
        for (written, words) in [
            (&["--nope=3"][..], "unrecognized option '--nope=3'"),
            (&["-vZ"], "invalid option -- 'Z'"),
            (&["-o"], "option requires an argument -- 'o'"),
            (&["--fla"], "option '--flashVer' requires an argument"),
            (&["--li=3"], "option '--live' doesn't allow an argument"),
            (&["--f"], "option '--f' is ambiguous; possibilities: '--flashVer' '--flv'"),
        ] {
            assert_eq!(of(written).unwrap_err().to_string(), words);
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_of_files_need_not_be_utf_8() {
        use std::os::unix::ffi::OsStrExt;
        let arguments = [OsStr::new("x"), OsStr::from_bytes(b"-o\xff"), OsStr::from_bytes(b"--flv=\xfe")];
        let out = normalise(&definition(), &arguments.map(OsStr::to_owned), &["flv"]).unwrap();
        assert_eq!(out[1].as_bytes(), b"--flv=\xff");
        assert_eq!(out[2].as_bytes(), b"--flv=\xfe");
    }
}
