use super::*;

const ALICE: Credentials<'static> = Credentials { user: "alice", password: "s3cret" };

fn step(description: &str) -> Step {
    next_step(description, "live", Some(ALICE), 0xdead_beef)
}

fn query(step: Step) -> String {
    match step {
        Step::Retry { query } => query,
        other => panic!("{other:?}"),
    }
}

fn reason(step: Step) -> String {
    match step {
        Step::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_user_is_named_first() {
    let asked = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
    assert_eq!(query(step(asked)), "?authmod=adobe&user=alice");
    assert_eq!(query(step("[ code=403 need auth; authmod=llnw ]")), "?authmod=llnw&user=alice");
    let odd = Credentials { user: "a&b=c d/é@x", password: "" };
    assert_eq!(query(next_step(asked, "live", Some(odd), 0)), "?authmod=adobe&user=a%26b%3Dc%20d/%C3%A9@x");
}

#[test]
fn adobe_is_answered() {
    // The responses are Python's: hashlib.md5 and base64.
    let asked = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=alice&salt=sA1t==&challenge=ch4l&opaque=0paq==";
    assert_eq!(
        query(step(asked)),
        "?authmod=adobe&user=alice&challenge=deadbeef&response=63F9OwbRi/9buq5tc8nR9A==&opaque=0paq=="
    );
    let without = "authmod=adobe : ?reason=needauth&user=alice&salt=sA1t==&challenge=ch4l ";
    assert_eq!(query(step(without)), "?authmod=adobe&user=alice&challenge=deadbeef&response=Ip4mxtE3PlpMF84r5Ufq2w==");
}

#[test]
fn llnw_is_answered() {
    let asked = "[ authmod=llnw ] : ?reason=needauth&user=alice&nonce=n0nce=";
    let rest = "?authmod=llnw&user=alice&nonce=n0nce=&cnonce=deadbeef&nc=00000001&response=";
    let answer = |app| query(next_step(asked, app, Some(ALICE), 0xdead_beef));
    assert_eq!(answer("live"), format!("{rest}cec984a8ec35e84d36b74ce852d58e37"));
    assert_eq!(answer("live?x=a/b"), answer("live"));
    assert_eq!(answer("live/inst"), format!("{rest}928325dbd3c9ce6a1af51a21fdb16ef7"));
    assert_eq!(answer("live/_definst_"), answer("live"));
}

#[test]
fn what_is_final_is_said() {
    assert_eq!(step(""), Step::NotAuth);
    assert_eq!(step("[ Server.Reject ] : no such application"), Step::NotAuth);
    assert!(reason(step("authmod=adobe :?reason=authfailed&opaque=x")).contains("refused the password"));
    assert!(reason(step("authmod=llnw :?reason=authfail")).contains("refused the password"));
    assert!(reason(step("authmod=adobe :?reason=nosuchuser")).contains("no user \"alice\""));
    assert!(reason(step("authmod=adobe :?reason=\x1b[2J")).contains("\\u{1b}"));
    assert!(reason(step("[ authmod=adobe ]")).contains("refused"));
    assert!(reason(step("code=403 need auth; authmod=kerberos; x")).contains("authmod=kerberos,"));
    assert_eq!(next_step("code=403 need auth; authmod=adobe", "live", None, 0), Step::NoCredentials);
}

#[test]
fn demands_are_bounded() {
    let long = format!("authmod=adobe : ?reason=needauth&opaque={}", "x".repeat(5000));
    assert!(reason(step(&long)).contains("5040 bytes"));
    assert!(reason(step(&format!("authmod={}", "x".repeat(5000)))).len() < 100);
    assert!(reason(step(&format!("authmod=adobe ?reason={}", "\u{1}".repeat(4000)))).len() < 400);
}

#[test]
fn every_truncation_of_a_demand_is_dealt_with() {
    let asked = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=é&salt=s&challenge=c&opaque=o";
    for end in (0..asked.len()).filter(|end| asked.is_char_boundary(*end)) {
        let _ = step(&asked[..end]);
    }
    assert_eq!(query(step("authmod=adobe?reason=needauth")).matches('&').count(), 3);
}

#[test]
fn queries_are_joined() {
    assert_eq!(with_query("live", "?authmod=adobe&user=u"), "live?authmod=adobe&user=u");
    assert_eq!(with_query("live?a=b", "?authmod=adobe&user=u"), "live?a=b&authmod=adobe&user=u");
}

/// Both ends: the client's app after each refusal, until it is let in.
fn dialogue(guard: &Guard, credentials: Credentials<'_>, app: &str) -> Result<u32, String> {
    let mut tried = app.to_owned();
    for attempt in 0..=MAX_RETRIES {
        match guard.check(&tried) {
            Ok(()) => return Ok(attempt),
            Err(description) => match next_step(&description, app, Some(credentials), 7 + attempt) {
                Step::Retry { query } => tried = with_query(app, &query),
                other => return Err(reason(other)),
            },
        }
    }
    Err("too many".into())
}

#[test]
fn both_ends_agree() {
    let odd = Credentials { user: "a&b=c %41é+", password: "p&w?=/ ü" };
    for scheme in [Scheme::Adobe, Scheme::Llnw] {
        for credentials in [ALICE, odd] {
            let guard = Guard::new(scheme, credentials, &std::array::from_fn(|i| (i * 37 % 251) as u8));
            for app in ["live", "live/inst", "live?token=a/b"] {
                assert_eq!(dialogue(&guard, credentials, app), Ok(2), "{scheme:?} {app}");
            }
            let wrong = Credentials { password: "guess", ..credentials };
            assert!(dialogue(&guard, wrong, "live").unwrap_err().contains("password"));
            let nobody = Credentials { user: "nobody", ..credentials };
            assert!(dialogue(&guard, nobody, "live").unwrap_err().contains("no user"));
        }
    }
}

#[test]
fn the_guard_is_not_talked_round() {
    let guard = Guard::new(Scheme::Adobe, ALICE, &[3; 16]);
    for app in ["live", "live?", "live?authmod=adobe", "live?authmod=llnw&user=alice", "live?user=alice"] {
        assert!(guard.check(app).unwrap_err().contains("code=403 need auth; authmod=adobe"), "{app}");
    }
    assert!(guard.check("live?authmod=adobe&user=alice").unwrap_err().contains("?reason=needauth&user=alice&salt="));
    for end in ["&response=", "&response=x", "&challenge=1&response=&opaque=y"] {
        let app = format!("live?authmod=adobe&user=alice{end}");
        assert!(guard.check(&app).unwrap_err().ends_with("?reason=authfailed"), "{app}");
    }
    assert!(guard.check("live?authmod=adobe&user=%61lice%").unwrap_err().ends_with("nosuchuser"));
}

#[test]
fn an_answer_is_accepted_once_and_by_its_own_guard() {
    for scheme in [Scheme::Adobe, Scheme::Llnw] {
        let guard = Guard::new(scheme, ALICE, &[3; 16]);
        let ask = |guard: &Guard| guard.check(&format!("live?authmod={}&user=alice", scheme.name())).unwrap_err();
        let answer = |demand: &str| with_query("live", &query(next_step(demand, "live", Some(ALICE), 1)));
        let (first, second) = (answer(&ask(&guard)), answer(&ask(&guard)));
        assert_ne!(first, second);
        assert!(Guard::new(scheme, ALICE, &[4; 16]).check(&first).is_err());
        // Two clients may log in at the same time, in any order.
        assert_eq!((guard.check(&second), guard.check(&first)), (Ok(()), Ok(())));
        assert!(guard.check(&first).unwrap_err().ends_with("?reason=authfailed"), "a replay");
        assert!(guard.check(&second).is_err());
        // A wrong answer uses the nonce up as well.
        let wrong = Credentials { password: "guess", ..ALICE };
        let demand = ask(&guard);
        assert!(guard.check(&with_query("live", &query(next_step(&demand, "live", Some(wrong), 1)))).is_err());
        assert!(guard.check(&answer(&demand)).is_err());
        // Unanswered demands do not pile up.
        let demand = ask(&guard);
        (0..MAX_NONCES).for_each(|_| drop(ask(&guard)));
        assert!(guard.check(&answer(&demand)).is_err());
    }
}

#[test]
fn passwords_are_not_shown() {
    let guard = Guard::new(Scheme::Adobe, ALICE, &[3; 16]);
    assert_eq!(format!("{ALICE:?} {guard:?}").matches("s3cret").count(), 0);
}
