//! User and password: options, librtmp's keys, the URL, the environment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cli::args::ConnectArgs;
use crate::connect::Login;
use crate::url::Url;

/// Brings together what options, the URL (with `keys`, librtmp's), and the environment say, in this order.
///
/// # Errors
/// The file with the password cannot be read.
pub fn collect(
    args: &ConnectArgs,
    keys: &Login,
    target: &Url,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Login> {
    let environment = |name| environment(name).filter(|value| !value.is_empty());
    let user = args.user.clone().or_else(|| keys.user.clone()).or_else(|| target.user.clone());
    let password = match &args.password_file {
        Some(path) => Some(read_password(path)?),
        None => keys.password.clone().or_else(|| target.password.clone()),
    };
    Ok(Login { user: user.or_else(|| environment(USER)), password: password.or_else(|| environment(PASSWORD)) })
}

/// The first line of a file.
///
/// # Errors
/// It cannot be read, or is empty.
pub fn read_password(path: &Path) -> Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut line = String::new();
    let mut reader = BufReader::new(file.take(LONGEST_PASSWORD));
    reader.read_line(&mut line).with_context(|| format!("cannot read {}", path.display()))?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        bail!("{}: no password in the first line", path.display());
    }
    Ok(line.to_owned())
}

/// As much of a password file is read, in bytes: a line of one that is none may be endless.
const LONGEST_PASSWORD: u64 = 64 << 10;

/// Variable of the environment with the name of the user.
const USER: &str = "RTMPCAT_USER";
/// Variable of the environment with the password.
const PASSWORD: &str = "RTMPCAT_PASSWORD";
