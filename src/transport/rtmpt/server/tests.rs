use super::*;

#[test]
fn the_interval_grows_with_silence_and_shrinks_with_data() {
    let mut state = State::default();
    let quiet: Vec<u8> = (0..60).map(|_| interval(&mut state)).collect();
    assert_eq!(quiet[..9], [1; 9]);
    assert_eq!([quiet[9], quiet[19], quiet[29], quiet[39], quiet[49], quiet[59]], [3, 5, 9, 0x11, 0x21, 0x21]);
    state.outbound.push(0);
    assert_eq!(interval(&mut state), 1);
    state.outbound.clear();
    assert_eq!(interval(&mut state), 1);
}

#[test]
fn a_repeated_request_is_answered_again_and_not_delivered_twice() {
    let session = Arc::new(Session::default());
    let mut stream = SessionStream {
        sessions: Arc::default(),
        id: String::new(),
        session: session.clone(),
        peer: ([127, 0, 0, 1], 1).into(),
        write_timeout: Duration::from_secs(10),
        interrupt: Interrupt::default(),
    };
    stream.send(b"answer").unwrap();
    let limit = Duration::from_secs(10);
    for _ in 0..2 {
        let answer = session.exchange(7, b"question", limit, &Interrupt::default()).unwrap();
        assert_eq!(answer, b"\x01answer");
    }
    let mut buf = [0; 100];
    assert_eq!(stream.recv(&mut buf, Instant::now() + limit).unwrap(), Recv::Bytes(8));
    assert_eq!(stream.recv(&mut buf, Instant::now()).unwrap(), Recv::Idle);
    stream.finish();
    assert_eq!(session.exchange(7, b"", limit, &Interrupt::default()).unwrap(), b"\x01answer");
    assert!(session.exchange(8, b"", limit, &Interrupt::default()).is_none());
}

#[test]
fn a_stream_that_is_dropped_takes_its_session_along() {
    let streams = Arc::new(Mutex::new(Vec::new()));
    let taken = streams.clone();
    let registry = Registry::new(Duration::from_secs(10), &Interrupt::default(), move |stream| {
        taken.lock().unwrap().push(stream);
        true
    });
    let peer = ([127, 0, 0, 1], 1).into();
    assert_eq!(registry.open(peer).status, "200 OK");
    assert_eq!(lock(&registry.sessions).len(), 1);
    streams.lock().unwrap().clear();
    assert_eq!(lock(&registry.sessions).len(), 0);
    for _ in 0..MAX_SESSIONS {
        assert_eq!(registry.open(peer).status, "200 OK");
    }
    assert_eq!(registry.open(peer).status, "503 Service Unavailable");
}

#[test]
fn bodies_are_counted_and_limited_together() {
    let registry = Registry::new(Duration::from_secs(10), &Interrupt::default(), |_| true);
    let body = |keep| Body { bytes: Vec::new(), registry: &registry, keep };
    let (mut first, mut second, mut waste) = (body(true), body(true), body(false));
    assert!(first.push(&vec![0; MAX_HELD]).is_ok());
    assert!(second.push(b"x").is_err() && waste.push(b"x").is_ok());
    drop(first);
    assert!(second.push(b"x").is_ok());
    drop(second);
    assert_eq!(registry.held.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_does_not_ask_makes_send_wait() {
    let mut stream = SessionStream {
        sessions: Arc::default(),
        id: String::new(),
        session: Arc::default(),
        peer: ([127, 0, 0, 1], 1).into(),
        write_timeout: Duration::from_millis(50),
        interrupt: Interrupt::default(),
    };
    stream.send(&[0; BUFFER_MAX]).unwrap();
    assert!(matches!(stream.send(b"x"), Err(Error::WriteTimeout { step: Step::Exchange, .. })));
    stream.interrupt.raise();
    assert!(matches!(stream.send(b"x"), Err(Error::Interrupted)));
    stream.session.lock().client_closed = true;
    assert!(matches!(stream.send(b"x"), Err(Error::Closed { step: Step::Exchange })));
    assert_eq!(stream.recv(&mut [0; 9], Instant::now()).unwrap(), Recv::Closed);
}
