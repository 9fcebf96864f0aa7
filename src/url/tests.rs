use super::*;

fn target(url: &str) -> Url {
    Url::new(Some(url), &Overrides::default(), TcUrlStyle::WithPort).unwrap()
}

fn split(path: &str) -> (String, String) {
    let target = target(&format!("rtmp://127.0.0.1:1{path}"));
    (target.app, target.playpath)
}

#[test]
fn every_scheme_has_its_row() {
    use Scheme::*;
    for scheme in [Rtmp, Rtmpt, Rtmpe, Rtmpte, Rtmps, Rtmpts] {
        assert_eq!(Scheme::of_name(scheme.name()), Some(scheme));
        assert_eq!(Scheme::of_number(scheme.number()), Some(scheme));
        assert_eq!(scheme.is_enciphered(), scheme.name().contains('e'));
        assert_eq!(scheme.is_tls(), scheme.name().ends_with('s'));
        assert_eq!(scheme.is_tunnel(), scheme.name().get(4..).unwrap().contains('t'));
    }
    assert_eq!(Scheme::of_name("RTMPS"), Some(Rtmps));
    assert_eq!(Scheme::of_number(6), None);
    assert_eq!((Scheme::of_name("rtmfp"), Scheme::of_number(8)), (Some(Rtmfp), None), "rtmpdump cannot name it");
    assert!(Rtmfp.is_rtmfp() && !Rtmfp.is_tls() && !Rtmfp.is_tunnel() && !Rtmfp.is_enciphered());
}

#[test]
fn rtmfp_may_have_its_stream_after_a_hash() {
    let url = target("rtmfp://user:word@[::1]/live/room?a=b#a%20name/of?it");
    assert_eq!((url.app.as_str(), url.playpath.as_str(), url.port), ("live/room?a=b", "a name/of?it", 1935));
    assert_eq!(url.tc_url, "rtmfp://[::1]:1935/live/room?a=b");
    let url = target("rtmfp://h:2000/live/name");
    assert_eq!((url.app.as_str(), url.playpath.as_str(), url.tc_url.as_str()), ("live", "name", "rtmfp://h:2000/live"));
    assert_eq!(target("rtmp://h/live/a#b").playpath, "a#b", "only there");
}

#[test]
fn application_and_playpath_as_rtmpdump_splits_them() {
    for (path, app, playpath) in [
        ("/app/stream", "app", "stream"),
        ("/app/inst/stream", "app/inst", "stream"),
        ("/app/inst/a/b", "app/inst/a", "b"),
        ("/a/b/c/d/e", "a/b/c", "d/e"),
        ("/app/inst/x/a/b.mp4", "app/inst/x", "mp4:a/b"),
        ("/ondemand/foo/bar.mp4", "ondemand", "mp4:foo/bar"),
        ("/ondemand/mp4:foo/bar.mp4?x=1", "ondemand", "mp4:foo/bar.mp4?x=1"),
        ("/app/foo?slist=bar/baz.mp4&z=1", "app/foo?slist=bar/baz.mp4&z=1", "mp4:bar/baz"),
        ("/app?auth=abc&slist=bar/baz.mp4", "app?auth=abc&slist=bar/baz.mp4", "mp4:bar/baz"),
        ("/app/a.mp3", "app", "mp3:a"),
        ("/app/a.f4v", "app", "mp4:a"),
        ("/app/flv:a.flv", "app", "flv:a"),
        ("/app/a.m4v", "app", "a.m4v"),
        ("/app/mp4:a.mp4", "app", "mp4:a.mp4"),
        ("/app/a%20b.flv", "app", "a b"),
        ("/app//s", "app/", "s"),
        ("/app", "app", ""),
        ("/app/i/", "app/i", ""),
        ("/", "", ""),
        ("/app?key=v/name", "app?key=v", "name"),
        // These never worked.
        ("/app/a.mp4?t=1/2", "app", "mp4:a?t=1/2"),
        ("/vod/mp4:dir/a.mp4", "vod", "mp4:dir/a.mp4"),
    ] {
        assert_eq!(split(path), (app.to_owned(), playpath.to_owned()), "{path}");
    }
}

#[test]
fn hosts_ports_and_user_information() {
    let t = target("rtmp://[::1]:1936/app/s");
    assert_eq!((t.host.as_str(), t.port, t.tc_url.as_str()), ("::1", 1936, "rtmp://[::1]:1936/app"));
    let t = target("rtmps://[fe80::1%25eth0]/app/s");
    assert_eq!((t.host.as_str(), t.port), ("fe80::1%eth0", 443));
    let t = target("rtmp://us%40er:p%3Aw@host/app/s");
    assert_eq!((t.user.as_deref(), t.password.as_deref()), (Some("us@er"), Some("p:w")));
    assert_eq!((t.host.as_str(), t.tc_url.as_str()), ("host", "rtmp://host:1935/app"));
    for (scheme, port) in [("rtmpt", 80), ("rtmpe", 1935), ("rtmpte", 80), ("rtmps", 443), ("rtmpts", 443)] {
        assert_eq!(target(&format!("{scheme}://h/a/s")).port, port);
    }
}

#[test]
fn hosts_are_named_as_the_server_knows_them() {
    let both = |url: &str, host: Option<&str>| {
        let overrides = Overrides { host: host.map(str::to_owned), ..Overrides::default() };
        [TcUrlStyle::WithPort, TcUrlStyle::AsWritten].map(|style| {
            let target = Url::new(Some(url), &overrides, style).unwrap();
            (target.host, target.tc_url)
        })
    };
    for (url, given, host, with_port, as_written) in [
        // A zone means nothing on another machine.
        ("rtmp://[fe80::1%25eth0]/a/s", None, "fe80::1%eth0", "rtmp://[fe80::1]:1935/a", "rtmp://[fe80::1]/a"),
        ("rtmp://h/a/s", Some("[::1]"), "::1", "rtmp://[::1]:1935/a", "rtmp://h/a"),
        ("rtmp://h/a/s", Some("fe80::1%lo"), "fe80::1%lo", "rtmp://[fe80::1]:1935/a", "rtmp://h/a"),
        (
            "rtmp://müller.example:1/a/s",
            None,
            "xn--mller-kva.example",
            "rtmp://xn--mller-kva.example:1/a",
            "rtmp://xn--mller-kva.example:1/a",
        ),
        ("rtmp://h/a/s", Some("ümläut"), "xn--mlut-moa5l", "rtmp://xn--mlut-moa5l:1935/a", "rtmp://h/a"),
        ("rtmp://a_b.Example/a/s", None, "a_b.Example", "rtmp://a_b.Example:1935/a", "rtmp://a_b.Example/a"),
    ] {
        let expected = [with_port, as_written].map(|tc_url| (host.to_owned(), tc_url.to_owned()));
        assert_eq!(both(url, given), expected, "{url} {given:?}");
    }
}

#[test]
fn tc_url_as_written_has_no_port_added() {
    let of = |url: &str, overrides: &Overrides| Url::new(Some(url), overrides, TcUrlStyle::AsWritten).unwrap().tc_url;
    assert_eq!(of("rtmp://h/a/s", &Overrides::default()), "rtmp://h/a");
    assert_eq!(of("rtmp://u:p@h:99/a/b/s", &Overrides::default()), "rtmp://h:99/a/b");
    let overrides = Overrides { app: Some("zz".into()), ..Overrides::default() };
    assert_eq!(of("rtmp://h/a/s", &overrides), "rtmp://h/zz");
}

#[test]
fn options_win_over_the_url() {
    let overrides = Overrides {
        host: Some("other".into()),
        port: Some(99),
        scheme: Some(Scheme::Rtmps),
        app: Some("x".into()),
        playpath: Some("mp4:y.mp4".into()),
        ..Overrides::default()
    };
    let t = Url::new(Some("rtmp://h/a/s"), &overrides, TcUrlStyle::WithPort).unwrap();
    assert_eq!((t.host.as_str(), t.port, t.playpath.as_str()), ("other", 99, "mp4:y.mp4"));
    assert_eq!(t.tc_url, "rtmps://other:99/x");
    let t = Url::new(None, &overrides, TcUrlStyle::WithPort).unwrap();
    assert_eq!(t.app, "x");
    let overrides = Overrides { port: Some(0), ..Overrides::default() };
    let t = Url::new(Some("rtmp://h:99/a/s"), &overrides, TcUrlStyle::WithPort).unwrap();
    assert_eq!(t.port, 1935);
}

#[test]
fn what_cannot_be_a_target() {
    let of = |url: &str| Url::new(Some(url), &Overrides::default(), TcUrlStyle::WithPort);
    assert!(matches!(of("nonsense"), Err(UrlError::BadUrl { .. })));
    assert!(matches!(of("http://h/a/s"), Err(UrlError::BadUrl { .. })));
    assert!(matches!(of("rtmp://h:99999/a/s"), Err(UrlError::BadUrl { .. })));
    assert!(matches!(of("rtmp://[::1/a/s"), Err(UrlError::BadUrl { .. })));
    assert_eq!(of("rtmp:///a/s"), Err(UrlError::NoHost));
    assert_eq!(of("rtmp://h/a").unwrap().require_playpath(), Err(UrlError::NoPlaypath));
    assert!(!of("xx://u:secret@h/").unwrap_err().to_string().contains("secret"));
}

#[test]
fn redirects_keep_the_stream() {
    let t = target("rtmp://a/live/s");
    let to = t.redirected(&Redirect { url: "rtmp://b:1940/live", is_tc_url: false }).unwrap();
    assert_eq!((to.host.as_str(), to.port, to.app.as_str(), to.playpath.as_str()), ("b", 1940, "live", "s"));
    assert_eq!(to.tc_url, "rtmp://b:1940/live");
    let to = t.redirected(&Redirect { url: "rtmp://b/live/s", is_tc_url: false }).unwrap();
    assert_eq!((to.app.as_str(), to.playpath.as_str()), ("live", "s"));
    let to = t.redirected(&Redirect { url: "rtmp://b", is_tc_url: false }).unwrap();
    assert_eq!((to.app.as_str(), to.playpath.as_str()), ("live", "s"));
    let t = target("rtmp://a/live/inst/s");
    let to = t.redirected(&Redirect { url: "rtmp://b/live/inst", is_tc_url: false }).unwrap();
    assert_eq!((to.app.as_str(), to.playpath.as_str()), ("live/inst", "s"));
}

#[test]
fn slashes_in_a_query_separate_where_no_name_stands_before_it() {
    let split = |path: &str, split: PathSplit| {
        let overrides = Overrides { split, ..Overrides::default() };
        let url = Url::new(Some(&format!("rtmp://h/{path}")), &overrides, TcUrlStyle::WithPort).unwrap();
        format!("{} {}", url.app, url.playpath)
    };
    // What rtmpdump 2.4 was seen to send.
    for (path, expected) in [
        ("app/?x=1/stream", "app/?x=1 stream"),
        ("app/inst?x=1/stream", "app/inst?x=1 stream"),
        ("edge/_definst_/?a/mp4:f", "edge/_definst_/?a mp4:f"),
        ("app/inst/stream?x=a/b", "app/inst/stream?x=a b"),
        ("a/b/c/d?x=1", "a/b/c d?x=1"),
        ("app/?x=1", "app ?x=1"),
        ("app?a/b/c/d", "app?a/b/c d"),
        ("a/b?c=/d/e", "a/b?c=/d e"),
        ("edge/?a=mp4:f/x", "edge/?a=mp4:f x"),
        ("edge?x=1/mp4:f", "edge?x=1 mp4:f"),
        ("app/i?x=mp4:f", "app i?x=mp4:f"),
        ("ondemand/?x/y", "ondemand ?x/y"),
    ] {
        assert_eq!(split(path, PathSplit::Librtmp), expected, "{path}");
    }
    for (path, expected) in [
        ("app/?token=1/stream", "app/?token=1 stream"),
        ("app/inst?x=1/stream", "app/inst?x=1 stream"),
        ("edge/_definst_/?a/mp4:f", "edge/_definst_/?a mp4:f"),
        ("edge/_definst_?auth=1/f", "edge/_definst_?auth=1 f"),
        ("app/stream?id=1&token=a/b==", "app stream?id=1&token=a/b=="),
        ("app?token=1/stream", "app?token=1 stream"),
    ] {
        assert_eq!(split(path, PathSplit::KeepTokens), expected, "{path}");
    }
    for path in ["app/a.mp4?t=1/2", "app/mp4:a?t=1/2"] {
        for rule in [PathSplit::KeepTokens, PathSplit::Librtmp] {
            assert_eq!(split(path, rule), "app mp4:a?t=1/2", "{path}");
        }
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_kept() {
    let name = |path: &str| raw_text::to_bytes(&split(path).1).into_owned();
    assert_eq!(name("/app/caf%E9"), b"caf\xe9");
    assert_eq!(name("/app/caf%C3%A9"), "café".as_bytes());
    let keyed = keys::parse("rtmp://h/a playpath=caf\\e9").unwrap();
    assert_eq!(raw_text::to_bytes(&keyed.keys[0].1).as_ref(), b"caf\xe9");
}

#[test]
fn a_redirect_to_an_instance_is_no_stream() {
    let asked = target("rtmp://a/live/s?token=1");
    for (url, is_tc_url, app, playpath) in [
        ("rtmp://b/app/_definst_", false, "app/_definst_", "s?token=1"),
        ("rtmp://b/edge/inst", true, "edge/inst", "s?token=1"),
        ("rtmp://b/edge/inst/", true, "edge/inst", "s?token=1"),
        ("rtmp://b/edge/inst/s", true, "edge/inst", "s?token=1"),
        ("rtmp://b/edge/s?token=2", false, "edge", "s?token=2"),
        ("rtmp://b/edge?x=1", false, "edge?x=1", "s?token=1"),
        ("rtmp://b/a/b/c/d", true, "a/b/c/d", "s?token=1"),
        ("rtmp://b/", true, "live", "s?token=1"),
        // Another stream altogether.
        ("rtmp://b/vod/other", false, "vod", "other"),
    ] {
        let to = asked.redirected(&Redirect { url, is_tc_url }).unwrap();
        assert_eq!((to.app.as_str(), to.playpath.as_str()), (app, playpath), "{url}");
    }
    let asked = target("rtmp://a/vod/mp4:dir/f.mp4");
    let to = asked.redirected(&Redirect { url: "rtmp://b/edge/mp4:dir/f.mp4", is_tc_url: true }).unwrap();
    assert_eq!((to.app.as_str(), to.playpath.as_str()), ("edge", "mp4:dir/f.mp4"));
}

#[test]
fn errors_say_what_was_found_and_what_to_do() {
    let of = |url: &str| Url::new(Some(url), &Overrides::default(), TcUrlStyle::WithPort).unwrap_err().to_string();
    assert_eq!(of("nonsense"), "nonsense: not an RTMP URL (expected rtmp://host/app/stream)");
    assert_eq!(of("https://h/a"), "https://h/a: HTTP is not RTMP: use ffmpeg, yt-dlp or streamlink");
    assert_eq!(
        of("rtsp://h/a"),
        "rtsp://h/a: unsupported scheme rtsp (use rtmp, rtmps, rtmpt, rtmpts, rtmpe, rtmpte or rtmfp)"
    );
    assert_eq!(of("rtmp://h:99999/a/s"), "rtmp://h:99999/a/s: invalid port 99999");
}
