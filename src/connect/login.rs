//! Logging in: a `connect` that was refused with a demand for user and password (`authmod`) is repeated with the proof of
//! the password in app and tcUrl. The password itself is never sent.

use crate::proto::auth::{Credentials, MAX_RETRIES, Step, next_step};

/// A user and a password, as far as they are known.
#[derive(Clone, Default)]
pub struct Login {
    /// Name of the user.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password does not belong in a log.
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a refused client does not connect again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server asks for a user and a password, and neither is known.
    #[error("the server asks for a user and a password")]
    NoUser,
    /// The server asks for a password, and only the user is known.
    #[error("the server asks for the password of {0}")]
    NoPassword(String),
    /// The password is wrong, or the server asks in a way that is not supported.
    #[error("{0}")]
    Failed(String),
    /// The server asks again and again.
    #[error("authentication loop: credentials rejected repeatedly")]
    Loop,
    /// A redirect from TLS to a place without: passwords, tokens and keys would be readable on the way.
    #[error("refusing to follow a redirect from TLS to {0}, which is not protected")]
    LeavesTls(String),
    /// More redirects than are followed.
    #[error("more than {0} redirects")]
    TooManyRedirects(u32),
    /// A redirect to something that cannot be connected to.
    #[error("{0}")]
    BadRedirect(String),
}

/// How often the present place was answered.
#[derive(Debug, Default)]
pub(super) struct Answers(u32);

impl Answers {
    /// What to put at the end of app and tcUrl of the next connection. `None`: the server asks for no password.
    pub(super) fn next(&mut self, login: &Login, app: &str, description: &str) -> Result<Option<String>, LoginError> {
        let mut challenge = [0; 4];
        getrandom::fill(&mut challenge).map_err(|error| LoginError::Failed(error.to_string()))?;
        let credentials = match (&login.user, &login.password) {
            (Some(user), Some(password)) => Some(Credentials { user, password }),
            _ => None,
        };
        let query = match next_step(description, app, credentials, u32::from_ne_bytes(challenge)) {
            Step::NotAuth => return Ok(None),
            Step::NoCredentials => {
                return Err(login.user.clone().map_or(LoginError::NoUser, LoginError::NoPassword));
            }
            Step::Failed { reason } => return Err(LoginError::Failed(reason)),
            Step::Retry { query } => query,
        };
        self.0 += 1;
        if self.0 > MAX_RETRIES { Err(LoginError::Loop) } else { Ok(Some(query)) }
    }

    /// Whether the last one was the first.
    pub(super) fn is_first(&self) -> bool {
        self.0 == 1
    }

    /// A new place, or a server that asks from the beginning.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }
}
