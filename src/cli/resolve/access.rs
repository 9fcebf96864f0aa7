//! Options of `rtmpcat serve` → what a client has to prove.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::proto::auth::{Credentials, Guard, Scheme, secure_token_challenge};
use crate::proto::server::{AccessPolicy, SecureToken, SwfCheck};
use crate::swf::{HttpOptions, hash_for};
use crate::util::hex;

use crate::cli::args::ServeArgs;

use super::login::read_password;

/// The access that the options describe.
///
/// # Errors
/// What is wrong with them.
pub fn access_policy(args: &ServeArgs) -> Result<AccessPolicy> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| anyhow!("{error}"))?;
    let (for_login, for_token) = random.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    let login = match (&args.user, &args.password_file) {
        (Some(user), Some(file)) => {
            let password = read_password(file)?;
            let scheme = Scheme::named(&args.authmod).ok_or_else(|| anyhow!("invalid authmod {}", args.authmod))?;
            Some(Arc::new(Guard::new(scheme, Credentials { user, password: &password }, for_login)))
        }
        _ => None,
    };
    let secure_token = args.secure_token.as_ref().map(|key| {
        let text = hex::encode(for_token);
        SecureToken { challenge: secure_token_challenge(&text, key), key: key.clone() }
    });
    let swf = match &args.swf_verify {
        Some(file) => {
            let found = hash_for(file, 0, &HttpOptions::default()).map_err(|error| anyhow!("{error}"))?;
            Some(SwfCheck { hash: found.hash, size: found.size })
        }
        None => None,
    };
    Ok(AccessPolicy { login, secure_token, swf, ..AccessPolicy::default() })
}
