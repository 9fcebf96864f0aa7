//! Getting in: a refused connection is answered by another one, at the place that the server names (`ex.redirect`) or with
//! the user and the proof of the password that it asks for (`authmod`).
//!
//! The password comes from the URL, a file or the environment and never goes over the wire. Its proof does not go from a
//! connection over TLS to one without, whatever a redirect says.

use crate::cli::log::Log;
use crate::cli::redact::Secrets;
use crate::proto::amf0::Value;
use crate::proto::auth::{Credentials, MAX_RETRIES, Step, next_step, with_query};
use crate::proto::command::NetStatus;
use crate::url::{Url, without_secrets};

use super::plan::Plan;

/// A user and a password, as far as they are known.
#[derive(Clone, Default)]
pub struct Login {
    /// Name of the user.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
}

impl Login {
    fn credentials(&self) -> Result<Credentials<'_>, String> {
        match (&self.user, &self.password) {
            (Some(user), Some(password)) => Ok(Credentials { user, password }),
            (Some(user), None) => {
                Err(format!("the server wants the password of {user}: give it by --password-file FILE or {PASSWORD}"))
            }
            (None, _) => Err(format!(
                "the server wants a user and a password: give them by --user NAME and --password-file FILE, \
                 {USER} and {PASSWORD}, or rtmp://USER:PASSWORD@host"
            )),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A password does not belong in a log.
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Plan {
    /// Has the next connection go to another place.
    ///
    /// # Errors
    /// Why there is no way there, in words.
    pub fn go_to(&mut self, target: Url) -> Result<(), String> {
        self.dial = self.ways.dial(&target)?;
        self.session.handshake = self.ways.handshake(target.scheme);
        self.session.verify_swf(self.session.swf);
        self.target = target;
        if let Some(play) = &mut self.session.play {
            play.playpath.clone_from(&self.target.playpath);
            play.refresh_buffer &= !self.target.scheme.is_tunnel();
        }
        self.say_nothing_of_before();
        Ok(())
    }

    /// Takes back what was said to another connection.
    fn say_nothing_of_before(&mut self) {
        self.session.connect.app.clone_from(&self.target.app);
        self.session.connect.tc_url.clone_from(&self.target.tc_url);
    }

    /// Tells what of the plan no message may show.
    pub fn hide_secrets(&self, secrets: &mut Secrets) {
        let connect = &self.session.connect;
        let words = [&self.login.password, &self.session.token, &self.session.usher_token, &connect.auth];
        words.into_iter().flatten().for_each(|secret| secrets.add(secret));
        for url in [&connect.app, &connect.tc_url, &self.target.playpath] {
            secrets.add_url(url);
        }
        for url in [&connect.swf_url, &connect.page_url].into_iter().flatten() {
            secrets.add_url(url);
        }
    }
}

/// How far the client has got in.
#[derive(Debug, Default)]
pub struct GettingIn {
    redirects: u32,
    /// Connections that answered a demand for a password, at the present place.
    answers: u32,
    /// The way has led over TLS.
    was_tls: bool,
}

impl GettingIn {
    /// Changes the plan so that the next connection may get further than the one that was refused. `false`: there is
    /// nothing to be changed. `has_media`: it was no refusal to let in.
    ///
    /// # Errors
    /// Why it is of no use to connect again.
    pub fn after_refusal(
        &mut self,
        plan: &mut Plan,
        status: &NetStatus,
        has_media: bool,
        log: &Log,
    ) -> Result<bool, String> {
        if has_media {
            return Ok(false);
        }
        if let Some(url) = redirect(status).filter(|_| plan.follow_redirects) {
            self.follow(plan, &url)?;
            log.info(&format!("The server redirects to {}", without_secrets(&url)));
            return Ok(true);
        }
        self.answer(plan, &status.description, log)
    }

    /// Takes back what was said to a server that is to be connected to from the beginning: it asks anew.
    pub fn begin_anew(&mut self, plan: &mut Plan) {
        self.answers = 0;
        plan.say_nothing_of_before();
    }

    fn follow(&mut self, plan: &mut Plan, url: &str) -> Result<(), String> {
        self.redirects += 1;
        if self.redirects > MAX_REDIRECTS {
            return Err(format!("more than {MAX_REDIRECTS} redirects"));
        }
        self.was_tls |= plan.target.scheme.is_tls();
        plan.go_to(plan.target.redirected(url).map_err(|e| e.to_string())?)?;
        self.answers = 0;
        Ok(())
    }

    fn answer(&mut self, plan: &mut Plan, description: &str, log: &Log) -> Result<bool, String> {
        let mut challenge = [0; 4];
        getrandom::fill(&mut challenge).map_err(|e| e.to_string())?;
        let challenge = u32::from_ne_bytes(challenge);
        let login = plan.login.credentials();
        let query = match next_step(description, &plan.target.app, login.as_ref().ok().copied(), challenge) {
            Step::NotAuth => return Ok(false),
            Step::NoCredentials => return Err(login.err().unwrap_or_default()),
            Step::Failed { reason } => return Err(reason),
            Step::Retry { query } => query,
        };
        if self.was_tls && !plan.target.scheme.is_tls() {
            return Err("the server wants a password after a redirect that leads away from TLS".to_owned());
        }
        self.answers += 1;
        if self.answers > MAX_RETRIES {
            return Err("the server asks for the user and the password again and again".to_owned());
        }
        if self.answers == 1 {
            log.info(&format!("The server asks who wants to play: {}", plan.login.user.as_deref().unwrap_or_default()));
        }
        plan.session.connect.app = with_query(&plan.target.app, &query);
        plan.session.connect.tc_url = with_query(&plan.target.tc_url, &query);
        Ok(true)
    }
}

/// Where a rejection sends the client: `ex.redirect`, with `ex.code` 302.
fn redirect(status: &NetStatus) -> Option<String> {
    let ex = status.information.get("ex").and_then(Value::as_object).unwrap_or(&status.information);
    ex.get("redirect").and_then(Value::as_str).filter(|url| url.contains("://")).map(str::to_owned)
}

/// Variable of the environment with the name of the user.
pub const USER: &str = "RTMPCAT_USER";
/// Variable of the environment with the password.
pub const PASSWORD: &str = "RTMPCAT_PASSWORD";

/// Redirects that are followed in one session.
const MAX_REDIRECTS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::log::Level;
    use crate::cli::parse::Cli;
    use crate::proto::amf0::Object;
    use clap::Parser;

    fn redirected(url: &str) -> NetStatus {
        let ex = Object::default().with("code", 302.0).with("redirect", url);
        NetStatus { information: Object::default().with("ex", ex), ..NetStatus::default() }
    }

    #[test]
    fn the_proof_of_a_password_stays_within_tls() {
        let asked = NetStatus { description: "code=403 need auth; authmod=adobe".into(), ..NetStatus::default() };
        let log = Log::new(Level::Quiet);
        for (hops, let_in) in [
            (&["rtmps://other/app"][..], true),
            (&["rtmp://other/app"], false),
            (&["rtmp://other/app", "rtmps://other/app"], true),
            (&[], true),
        ] {
            let cli = Cli::try_parse_from(["rtmpcat", "rtmps://user:password@host/app/name"]).unwrap();
            let mut plan = crate::cli::resolve::record(&cli.record, crate::cli::resolve::Dialect::Own).unwrap();
            let mut getting_in = GettingIn::default();
            for hop in hops {
                assert_eq!(getting_in.after_refusal(&mut plan, &redirected(hop), false, &log), Ok(true));
            }
            let answer = getting_in.after_refusal(&mut plan, &asked, false, &log);
            assert_eq!(answer.is_ok(), let_in, "{hops:?}");
            assert_eq!(plan.session.connect.app.ends_with("?authmod=adobe&user=user"), let_in);
        }
    }
}
