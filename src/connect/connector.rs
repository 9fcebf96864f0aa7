//! From a URL to a session: connect, follow redirects, log in, and fall back to what old servers take.
//!
//! ```text
//! open ─► Client ─► play accepted
//!  ▲         │
//!  └─ recover ◄─ refused or broken: redirect · password · Enhanced RTMP not announced · strict order · no getStreamLength
//! ```
//!
//! [`Connector::connect`] does all of it. Whoever drives the [`Client`] from the beginning calls [`Connector::open`] and,
//! when that connection ended without media, [`Connector::recover`].

use std::time::Instant;

use super::client::Client;
use super::error::{Error, Failure, Phase, Refusal};
use super::event::{ConnectEvent, Fallback};
use super::login::{Answers, LoginError};
use super::options::Options;
use super::route::RouteError;
use crate::proto::auth::with_query;
use crate::proto::command::NetStatus;
use crate::proto::session::{Event, Order, PlayParams, SessionConfig, SessionEvent, StatusKind};
use crate::transport::{DialOptions, Interrupt};
use crate::url::Url;
use crate::util::time::POLL_INTERVAL;

/// Makes connections to a place, and remembers what that place needs.
#[derive(Debug)]
pub struct Connector {
    options: Options,
    /// Where the caller wants to go.
    origin: Url,
    /// Where redirects have led.
    url: Url,
    dial: DialOptions,
    session: SessionConfig,
    redirects: u32,
    answers: Answers,
    /// Why the last connection failed, if this one is a fallback. If the server cannot be reached again, that is the reason.
    first_failure: Option<Box<Failure>>,
}

impl Connector {
    /// Prepares connections to `url`. Nothing is sent yet.
    ///
    /// # Errors
    /// The route makes no sense, or a file that it needs cannot be opened.
    pub fn new(url: &Url, options: &Options) -> Result<Self, RouteError> {
        let mut connector = Self {
            options: options.clone(),
            origin: url.clone(),
            url: url.clone(),
            dial: options.route.dial(url)?,
            session: options.session.clone(),
            redirects: 0,
            answers: Answers::default(),
            first_failure: None,
        };
        connector.aim();
        Ok(connector)
    }

    /// The same for another connection to where this one leads, beside it.
    pub fn replacement(&self) -> Self {
        let mut connector = Self {
            options: self.options.clone(),
            origin: self.url.clone(),
            url: self.url.clone(),
            dial: self.dial.clone(),
            session: self.session.clone(),
            redirects: 0,
            answers: Answers::default(),
            first_failure: None,
        };
        connector.begin();
        connector
    }

    /// Finds out how SWF verification is to be answered; without this call it is not answered. May take as long as fetching
    /// the file does.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn prove_swf(
        &mut self,
        listener: &mut dyn FnMut(ConnectEvent<'_>),
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
        let proof = self.options.swf.get(self.options.route.web(), listener, interrupt);
        self.session.verify_swf(proof.map_err(|_| Error::Interrupted)?);
        Ok(())
    }

    /// Where the next connection leads.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a server's redirects are followed.
    pub fn follows_redirects(&self) -> bool {
        self.options.follow_redirects
    }

    /// What the next connection plays.
    pub fn play_mut(&mut self) -> Option<&mut PlayParams> {
        self.session.play.as_mut()
    }

    /// What the next connection says.
    pub fn session(&self) -> &SessionConfig {
        &self.session
    }

    /// Begins again at the place that was asked for. What was learned about the order of commands is kept.
    ///
    /// # Errors
    /// As [`Connector::new`].
    pub fn restart(&mut self) -> Result<(), RouteError> {
        self.dial = self.options.route.dial(&self.origin)?;
        self.url = self.origin.clone();
        self.redirects = 0;
        self.first_failure = None;
        self.aim();
        Ok(())
    }

    /// The next connection is a new one for the server, which asks for passwords from the beginning.
    pub fn begin(&mut self) {
        self.answers.reset();
        self.session.connect.app.clone_from(&self.url.app);
        self.session.connect.tc_url.clone_from(&self.url.tc_url);
    }

    /// Has the next connection go to another place.
    ///
    /// # Errors
    /// It leads away from TLS, or there is no route to it.
    pub fn redirect(&mut self, url: Url) -> Result<(), LoginError> {
        if self.url.scheme.is_tls() && !url.scheme.is_tls() {
            return Err(LoginError::LeavesTls(url.tc_url));
        }
        self.dial = self.options.route.dial(&url).map_err(|error| LoginError::BadRedirect(error.to_string()))?;
        self.url = url;
        self.aim();
        Ok(())
    }

    /// Opens a connection; the beginning of the handshake is queued.
    ///
    /// # Errors
    /// Whatever keeps bytes from being exchanged; if this was a fallback, why the connection before failed.
    pub fn open(
        &mut self,
        listener: &mut dyn FnMut(ConnectEvent<'_>),
        interrupt: &Interrupt,
    ) -> Result<Client, Failure> {
        if let Some(warning) = self.options.route.warning(self.url.scheme) {
            listener(ConnectEvent::Warning(&self.url, warning));
        }
        match Client::open(&self.dial, self.session.clone(), self.options.timeouts, interrupt) {
            Ok(mut client) => {
                self.options.taps.add(&mut client, &self.url);
                Ok(client)
            }
            Err(Error::Interrupted) => Err(Failure::Broken(Error::Interrupted)),
            Err(error) => Err(self.first_failure.take().map_or(Failure::Broken(error), |first| *first)),
        }
    }

    /// Decides what to do after a connection ended: `Ok` if another one, made differently, may get further.
    ///
    /// # Errors
    /// Another connection would not help: how it ended.
    pub fn recover(
        &mut self,
        client: &Client,
        mut failure: Failure,
        listener: &mut dyn FnMut(ConnectEvent<'_>),
    ) -> Result<(), Failure> {
        if failure.is_unreachable()
            && let Some(first) = self.first_failure.take()
        {
            return Err(*first);
        }
        if client.marks().first_media.is_some() {
            return Err(failure);
        }
        if let Failure::Refused(refusal) = &mut failure {
            match self.answer(&refusal.status, listener) {
                Ok(true) => {
                    self.first_failure = None;
                    return Ok(());
                }
                Ok(false) => {}
                Err(reason) => {
                    refusal.reason = Some(reason);
                    return Err(failure);
                }
            }
        }
        let Some(fallback) = self.fallback(client, &failure) else { return Err(failure) };
        listener(ConnectEvent::Fallback(fallback));
        self.apply(fallback);
        self.begin();
        self.first_failure = Some(Box::new(failure));
        Ok(())
    }

    /// Connects until the server plays (without anything to play: until it has accepted connect). The event that showed it
    /// is the client's present one: [`Client::event`].
    ///
    /// # Errors
    /// Why there is no session.
    pub fn connect(
        &mut self,
        listener: &mut dyn FnMut(ConnectEvent<'_>),
        interrupt: &Interrupt,
    ) -> Result<Client, Failure> {
        loop {
            let mut client = self.open(listener, interrupt)?;
            match wait_until_accepted(&mut client, listener) {
                Ok(()) => return Ok(client),
                Err(failure) => {
                    client.close();
                    self.recover(&client, failure, listener)?;
                }
            }
        }
    }

    /// Takes from the present URL what it decides.
    fn aim(&mut self) {
        self.session.handshake = self.options.route.handshake(self.url.scheme);
        self.session.verify_swf(self.session.swf);
        if let Some(play) = &mut self.session.play {
            play.playpath.clone_from(&self.url.playpath);
            // A tunnel answers a pause only with its next request.
            play.refresh_buffer &= !self.url.scheme.is_tunnel();
        }
        self.begin();
    }

    /// Goes where a refusal redirects to, or takes the proof of the password along that it asks for. `false`: it is neither.
    fn answer(&mut self, status: &NetStatus, listener: &mut dyn FnMut(ConnectEvent<'_>)) -> Result<bool, LoginError> {
        if let Some(to) = status.redirect().filter(|_| self.options.follow_redirects) {
            self.redirects += 1;
            if self.redirects > MAX_REDIRECTS {
                return Err(LoginError::TooManyRedirects(MAX_REDIRECTS));
            }
            let url = self.url.redirected(&to).map_err(|error| LoginError::BadRedirect(error.to_string()))?;
            self.redirect(url)?;
            listener(ConnectEvent::Redirected(&self.url));
            return Ok(true);
        }
        let login = &self.options.login;
        let Some(query) = self.answers.next(login, &self.url.app, &status.description)? else { return Ok(false) };
        if self.answers.is_first() {
            listener(ConnectEvent::LoggingIn(login.user.as_deref().unwrap_or_default()));
        }
        self.session.connect.app = with_query(&self.url.app, &query);
        self.session.connect.tc_url = with_query(&self.url.tc_url, &query);
        Ok(true)
    }

    /// What may have been too much for the server, if something was.
    fn fallback(&self, client: &Client, failure: &Failure) -> Option<Fallback> {
        let closed_at = match failure {
            Failure::Broken(Error::Closed { phase } | Error::Io { phase, .. }) => Some(*phase),
            _ => None,
        };
        let refusal = match failure {
            Failure::Refused(refusal) => Some(refusal.as_ref()),
            Failure::Broken(_) => None,
        };
        let connect = &self.session.connect;
        if connect.announces_enhanced()
            && (closed_at == Some(Phase::ConnectCommand) || refusal.is_some_and(Refusal::is_of_connect_itself))
        {
            return Some(Fallback::WithoutAnnouncement);
        }
        // "Not found" is an answer to play itself; anything else may mean that it came too early.
        let refused_play = refusal.is_some_and(|refusal| !refusal.is_about_connect() && !refusal.is_not_found());
        let came_too_early = refused_play || closed_at >= Some(self.first_phase_sent_ahead());
        if came_too_early && self.session.order != Order::Strict && client.marks().play_started.is_none() {
            return Some(Fallback::StrictOrder);
        }
        let asked_length = self.session.play.as_ref().is_some_and(|play| play.ask_length);
        let is_silent = matches!(failure, Failure::Broken(Error::Timeout { phase: Phase::Play, .. }))
            && client.session_ref().awaits_stream_length();
        (asked_length && (refused_play || is_silent || closed_at >= Some(Phase::Play)))
            .then_some(Fallback::WithoutStreamLength)
    }

    /// The phase from which on a broken connection may be the fault of commands sent ahead.
    fn first_phase_sent_ahead(&self) -> Phase {
        match self.session.order {
            Order::Fast => Phase::ConnectCommand,
            _ => Phase::CreateStream,
        }
    }

    fn apply(&mut self, fallback: Fallback) {
        match fallback {
            Fallback::StrictOrder => self.session.order = Order::Strict,
            Fallback::WithoutAnnouncement => self.session.connect.announce_nothing(),
            Fallback::WithoutStreamLength => {
                if let Some(play) = &mut self.session.play {
                    play.ask_length = false;
                }
            }
        }
    }
}

/// Drives a new connection until the server plays, or has accepted connect where nothing is to be played.
fn wait_until_accepted(client: &mut Client, listener: &mut dyn FnMut(ConnectEvent<'_>)) -> Result<(), Failure> {
    let plays = client.session_ref().config().play.is_some();
    loop {
        while client.poll()? {
            let event = match client.event() {
                Some(Event::Media(..)) => return Ok(()),
                Some(Event::Session(event)) => event,
                None => continue,
            };
            listener(ConnectEvent::Session(event));
            if let Some(refusal) = Refusal::of(event) {
                return Err(Failure::Refused(refusal));
            }
            match event {
                SessionEvent::Status(StatusKind::Started, _) => return Ok(()),
                SessionEvent::Connected(_) if !plays => return Ok(()),
                SessionEvent::Status(StatusKind::Ended, status) => {
                    return Err(Failure::Refused(Refusal::by(status.clone())));
                }
                SessionEvent::CloseRequested => {
                    let description = "the server asked to close the connection".to_owned();
                    return Err(Failure::Refused(Refusal::by(NetStatus { description, ..NetStatus::default() })));
                }
                _ => {}
            }
        }
        client.wait(Instant::now() + POLL_INTERVAL)?;
    }
}

/// Redirects that are followed in one session.
const MAX_REDIRECTS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::amf0::Object;

    fn connector(url: &str) -> Connector {
        Connector::new(&url.parse().unwrap(), &Options::default()).unwrap()
    }

    fn redirected(url: &str) -> NetStatus {
        let ex = Object::default().with("code", 302.0).with("redirect", url);
        NetStatus { information: Object::default().with("ex", ex), ..NetStatus::default() }
    }

    #[test]
    fn a_redirect_does_not_leave_tls() {
        for (from, hops, is_followed) in [
            ("rtmp://host/app/name", &["rtmp://other/app"][..], true),
            ("rtmp://host/app/name", &["rtmps://other/app"], true),
            ("rtmps://host/app/name", &["rtmps://other/app"], true),
            ("rtmps://host/app/name", &["rtmp://other/app"], false),
            ("rtmpts://host/app/name", &["rtmpt://other/app"], false),
            ("rtmp://host/app/name", &["rtmps://other/app", "rtmp://third/app"], false),
        ] {
            let mut connector = connector(from);
            let answers: Vec<_> = hops.iter().map(|hop| connector.answer(&redirected(hop), &mut |_| {})).collect();
            let last = answers.last().unwrap();
            assert_eq!(*last == Ok(true), is_followed, "{from} {hops:?}");
            assert!(is_followed || matches!(last, Err(LoginError::LeavesTls(_))), "{last:?}");
        }
    }

    #[test]
    fn redirects_end_and_a_restart_goes_back() {
        let mut connector = connector("rtmp://host/app/name");
        for number in 0..MAX_REDIRECTS {
            let answer = connector.answer(&redirected(&format!("rtmp://host{number}/app")), &mut |_| {});
            assert_eq!(answer, Ok(true));
        }
        let answer = connector.answer(&redirected("rtmp://more/app"), &mut |_| {});
        assert_eq!(answer, Err(LoginError::TooManyRedirects(MAX_REDIRECTS)));
        connector.restart().unwrap();
        assert_eq!(connector.url().host, "host");
        assert_eq!(connector.session().connect.tc_url, "rtmp://host:1935/app");
    }

    #[test]
    fn a_demand_for_a_password_is_answered_in_app_and_tc_url() {
        let asked = NetStatus { description: "code=403 need auth; authmod=adobe".into(), ..NetStatus::default() };
        let login = super::super::Login { user: Some("user".into()), password: Some("password".into()) };
        let options = Options { login, ..Options::default() };
        let mut connector = Connector::new(&"rtmp://host/app/name".parse().unwrap(), &options).unwrap();
        assert_eq!(connector.answer(&asked, &mut |_| {}), Ok(true));
        assert!(connector.session().connect.app.ends_with("?authmod=adobe&user=user"));
        connector.begin();
        assert_eq!(connector.session().connect.app, "app");
        let mut connector = super::tests::connector("rtmp://host/app/name");
        assert_eq!(connector.answer(&asked, &mut |_| {}), Err(LoginError::NoUser));
    }
}
