//! Access control: our client against our server.

use super::*;
use crate::proto::auth::{
    Credentials, Guard, MAX_RETRIES, Scheme, Step, next_step, secure_token_challenge, with_query,
};
use crate::proto::session::SwfVerification;
use std::sync::Arc;

const SWF: SwfCheck = SwfCheck { hash: [3; 32], size: 1234 };

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A client with everything that the checks require.
fn with_all() -> SessionConfig {
    let mut config = config();
    config.usher_token = some("usher");
    config.token = some("#ed%h0#w@1");
    config.verify_swf(Some(SwfVerification { hash: SWF.hash, size: SWF.size }));
    if let Some(play) = &mut config.play {
        play.subscribe = some("movie");
    }
    config
}

/// What a client with `config` is told at `gate`; empty: it plays.
#[track_caller]
fn told(config: SessionConfig, access: &AccessPolicy) -> String {
    let mut pair = Pair::new(config, gated(access.clone()));
    pair.run(three_tags);
    let status = pair.notes.iter().find_map(|note| match note {
        SessionEvent::Status(StatusKind::Refused, status) => Some(status),
        _ => None,
    });
    assert_eq!(pair.media.is_empty(), status.is_some(), "{:?}", pair.notes);
    if let Some(status) = status {
        assert_eq!(status.code.as_str(), "NetStream.Play.Failed");
    }
    status.map(|status| status.description.clone()).unwrap_or_default()
}

#[test]
fn doors_before_play_open_for_those_who_have_the_key() {
    let token = |challenge: String| AccessPolicy {
        secure_token: Some(SecureToken { challenge, key: "#ed%h0#w@1".into() }),
        ..AccessPolicy::default()
    };
    let gates = [
        (AccessPolicy { require_subscribe: true, ..AccessPolicy::default() }, "FCSubscribe is missing."),
        (AccessPolicy { usher_token: some("usher"), ..AccessPolicy::default() }, "UsherToken is missing or wrong."),
        (AccessPolicy { swf: Some(SWF), ..AccessPolicy::default() }, "SWF verification was not answered."),
        // Not the text of anything: both ends make the same of it.
        (token("00112233445566778899aabbccddeeff".into()), "SecureToken was not answered."),
        (token(secure_token_challenge("open, Sesame", "#ed%h0#w@1")), "SecureToken was not answered."),
    ];
    for (access, words) in gates {
        for order in [Order::Strict, Order::Pipelined] {
            assert_eq!(told(SessionConfig { order, ..config() }, &access), words);
            assert_eq!(told(SessionConfig { order, ..with_all() }, &access), "", "{access:?}");
        }
    }
}

#[test]
fn the_length_is_told_only_to_a_client_that_may_play() {
    let mut raw = Raw::new(gated(AccessPolicy { usher_token: some("usher"), ..AccessPolicy::default() }));
    raw.say("connect", 1.0, vec![Object::default().into()], 0);
    let ask = |raw: &mut Raw| {
        raw.events.clear();
        raw.say("getStreamLength", 2.0, vec![Value::Null, "movie".into()], 0);
        raw.events.len()
    };
    assert_eq!(ask(&mut raw), 0);
    raw.say("NetStream.Authenticate.UsherToken", 0.0, vec![Value::Null, "usher".into()], 0);
    assert_eq!(ask(&mut raw), 1);
}

#[test]
fn wrong_keys_are_called_wrong() {
    let swf = AccessPolicy { swf: Some(SWF), ..AccessPolicy::default() };
    let with = |swf: SwfVerification| SessionConfig { swf: Some(swf), ..config() };
    let right = SwfVerification { hash: SWF.hash, size: SWF.size };
    let other = SwfVerification { hash: [4; 32], ..right };
    assert_eq!(told(with(other), &swf), "SWF verification failed: another file.");
    assert_eq!(
        told(with(SwfVerification { size: 1235, ..right }), &swf),
        "SWF verification failed: a file of another size."
    );

    let challenge = secure_token_challenge("open, Sesame", "#ed%h0#w@1");
    let token = AccessPolicy {
        secure_token: Some(SecureToken { challenge, key: "#ed%h0#w@1".into() }),
        ..AccessPolicy::default()
    };
    let wrong = SessionConfig { token: some("#ed%h0#w@2"), ..config() };
    assert_eq!(told(wrong, &token), "SecureToken was answered with a wrong key.");
}

#[test]
fn who_verifies_shakes_hands_with_a_digest_and_proves_for_this_connection() {
    let mut pair = Pair::new(with_all(), gated(AccessPolicy { swf: Some(SWF), ..AccessPolicy::default() }));
    pair.run(three_tags);
    assert_eq!(pair.server.handshake_kind(), Some(handshake::Kind::Digest));
    assert!(pair.events.contains(&ServerEvent::SwfVerified(true)));
    // What was right on one connection is wrong on another.
    let mut raw = Raw::new(gated(AccessPolicy { swf: Some(SWF), ..AccessPolicy::default() }));
    raw.say("connect", 1.0, vec![Object::default().into()], 0);
    let response = crate::proto::swfv::response(&SWF.hash, SWF.size, &[9; 32]);
    raw.send(message_type::USER_CONTROL, 0, &[&[0, 27][..], &response].concat());
    raw.send(message_type::USER_CONTROL, 0, &[&[0, 27, 1, 2][..], &response].concat());
    assert_eq!(raw.events[1..], [ServerEvent::SwfVerified(false), ServerEvent::SwfVerified(false)]);
}

/// Connects as often as the server's refusals make it worth while. How often it was, and the last refusal.
fn log_in(guard: Guard, app: &str, password: &str) -> (u32, Option<String>) {
    let access = AccessPolicy { login: Some(Arc::new(guard)), ..AccessPolicy::default() };
    let credentials = Credentials { user: "Al&ice", password };
    let mut query = String::new();
    for connections in 1..=MAX_RETRIES + 1 {
        let mut config = config();
        config.connect.app = with_query(app, &query);
        let mut pair = Pair::new(config, gated(access.clone()));
        pair.run(three_tags);
        let Some((command, status)) = pair.failure() else {
            assert_eq!(pair.server.connect().unwrap().app, app.split('?').next().unwrap());
            assert!(!pair.media.is_empty());
            return (connections, None);
        };
        assert_eq!((command, status.code.as_str()), (CommandKind::Connect, "NetConnection.Connect.Rejected"));
        assert!(pair.server.is_closing() && pair.media.is_empty());
        match next_step(&status.description, app, Some(credentials), 0x1234_5678) {
            Step::Retry { query: next } => query = next,
            Step::Failed { reason } => return (connections, Some(reason)),
            step => panic!("{step:?}"),
        }
    }
    panic!("never let in, never turned away")
}

#[test]
fn a_user_is_let_in_on_the_third_connection() {
    for scheme in [Scheme::Adobe, Scheme::Llnw] {
        for app in ["live", "live/room", "live?x=1"] {
            let guard = || Guard::new(scheme, Credentials { user: "Al&ice", password: "s3cret" }, &[5; 16]);
            assert_eq!(log_in(guard(), app, "s3cret"), (3, None), "{scheme:?} {app}");
            let (connections, reason) = log_in(guard(), app, "S3cret");
            assert_eq!((connections, reason.as_deref()), (3, Some("the server refused the password")));
        }
        let guard = Guard::new(scheme, Credentials { user: "bob", password: "s3cret" }, &[5; 16]);
        let (connections, reason) = log_in(guard, "live", "s3cret");
        assert_eq!(connections, 2);
        assert!(reason.unwrap().contains("no user"), "{scheme:?}");
    }
}
