//! User and password: options, librtmp's keys, the URL, the environment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::cli::args::DumpArgs;
use crate::cli::dump::{Login, PASSWORD, USER};
use crate::url::Url;

/// Brings together what options, the URL (with `keys`, librtmp's), and the environment say, in this order.
///
/// # Errors
/// The file with the password cannot be read.
pub fn collect(
    args: &DumpArgs,
    keys: Login,
    target: &Url,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Login, String> {
    let environment = |name| environment(name).filter(|value| !value.is_empty());
    let user = args.user.clone().or(keys.user).or_else(|| target.user.clone());
    let password = match &args.password_file {
        Some(path) => Some(read_password(path)?),
        None => keys.password.or_else(|| target.password.clone()),
    };
    Ok(Login { user: user.or_else(|| environment(USER)), password: password.or_else(|| environment(PASSWORD)) })
}

/// The first line of a file.
pub fn read_password(path: &Path) -> Result<String, String> {
    let failed = |reason: String| format!("{}: {reason}", path.display());
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    BufReader::new(file.take(LONGEST_PASSWORD)).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() { Err(failed("there is no password in its first line".to_owned())) } else { Ok(line.to_owned()) }
}

/// As much of a password file is read, in bytes: a line of one that is none may be endless.
const LONGEST_PASSWORD: u64 = 64 << 10;
