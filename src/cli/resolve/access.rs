//! Options of `rtmpcat serve` → what a client has to prove.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::proto::auth::{Credentials, Guard, Scheme};
use crate::proto::server::{AccessPolicy, SwfCheck};
use crate::swf::{HttpOptions, hash_for};

use crate::cli::args::ServeArgs;

use super::login::read_password;

/// The access that the options describe.
///
/// # Errors
/// What is wrong with them.
pub fn access_policy(args: &ServeArgs) -> Result<AccessPolicy> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow!("{error}"))?;
    let login = match (&args.user, &args.password_file) {
        (Some(user), Some(file)) => {
            let password = read_password(file)?;
            let scheme = Scheme::named(&args.authmod).ok_or_else(|| anyhow!("invalid authmod {}", args.authmod))?;
            Some(Arc::new(Guard::new(scheme, Credentials { user, password: &password }, &random)))
        }
        _ => None,
    };
    let swf = match &args.swf_verify {
        Some(file) => {
            let found = hash_for(file, 0, &HttpOptions::default()).map_err(|error| anyhow!("{error}"))?;
            Some(SwfCheck { hash: found.hash, size: found.size })
        }
        None => None,
    };
    Ok(AccessPolicy { login, swf, ..AccessPolicy::default() })
}
