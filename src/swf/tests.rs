use super::cache::Cache;
use super::fetch::HttpOptions;
use super::lookup::lookup;
use super::types::*;
use super::unpack::hash_of;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

const NOW: u64 = 1_700_000_000;
const DAY: u64 = 86_400;

fn patient() -> HttpOptions {
    HttpOptions { timeout: Duration::from_secs(20), ..HttpOptions::default() }
}

/// A web server on loopback that gives these answers, one connection each, and hands back the requests.
struct Web {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Web {
    fn answering(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/p.swf?key=1", listener.local_addr().unwrap());
        let answer_one = move |stream: TcpStream, answer: Vec<u8>| {
            let mut request = String::new();
            let mut lines = BufReader::new(&stream);
            while !request.ends_with("\r\n\r\n") && lines.read_line(&mut request).unwrap() > 0 {}
            // The client may have heard enough.
            let _ = (&stream).write_all(&answer);
            request
        };
        let serve =
            move || answers.into_iter().map(|answer| answer_one(listener.accept().unwrap().0, answer)).collect();
        Self { url, thread: std::thread::spawn(serve) }
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    [format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
}

fn not_modified() -> Vec<u8> {
    b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec()
}

const SWF: &[u8] = b"FWS\x0b\x10\0\0\0 a player";
const OTHER: &[u8] = b"FWS\x0b\x11\0\0\0 another player";

fn cache(folder: &Path) -> Cache {
    Cache { folder: Some(folder.join("swf")), swfinfo: Some(folder.join(".swfinfo")) }
}

fn known(bytes: &[u8], origin: Origin) -> SwfHash {
    let (hash, size) = hash_of(bytes).unwrap();
    SwfHash { hash, size, origin }
}

#[test]
fn a_file_is_fetched_once_and_asked_about_when_old() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let web = Web::answering(vec![
        answer("200 OK\r\nLast-Modified: Mon, 13 Nov 2023 00:00:00 GMT\r\nETag: \"v1\"", SWF),
        not_modified(),
        answer("200 OK", OTHER),
        answer("200 OK", OTHER),
    ]);
    let look = |age_days, now| lookup(&cache, &web.url, age_days, &patient(), now).unwrap();
    assert_eq!(look(30, NOW), known(SWF, Origin::Fresh));
    assert_eq!(look(30, NOW + 30 * DAY - 1), known(SWF, Origin::Kept));
    assert_eq!(look(30, NOW + 30 * DAY), known(SWF, Origin::Confirmed));
    // Asking made it young again.
    assert_eq!(look(30, NOW + 31 * DAY), known(SWF, Origin::Kept));
    assert_eq!(look(0, NOW + 31 * DAY), known(OTHER, Origin::Fresh));
    assert_eq!(look(1, NOW + 31 * DAY), known(OTHER, Origin::Kept));
    // Without a date or tag there is nothing to ask with: the file is fetched.
    assert_eq!(look(0, NOW + 31 * DAY), known(OTHER, Origin::Fresh));
    let url = web.url.clone();
    let requests: Vec<_> = web.requests().iter().map(|request| request.to_ascii_lowercase()).collect();
    assert_eq!(requests.len(), 4);
    let host = url.split('/').nth(2).unwrap();
    for request in &requests {
        assert!(request.starts_with("get /p.swf?key=1 http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("referer: http://{host}/\r\n")), "{request}");
        assert!(request.contains("user-agent: mozilla/5.0 "), "{request}");
    }
    let asks = |request: &str| (request.contains("if-modified-since: "), request.contains("if-none-match: \"v1\"\r\n"));
    assert_eq!(asks(&requests[0]), (false, false));
    assert!(requests[1].contains("if-modified-since: mon, 13 nov 2023 00:00:00 gmt\r\n"));
    assert_eq!(asks(&requests[1]), (true, true));
    assert_eq!(asks(&requests[2]), (true, true));
    assert_eq!(asks(&requests[3]), (false, false));
}

#[test]
fn what_rtmpdump_kept_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let web = Web::answering(vec![not_modified()]);
    let (hash, _) = hash_of(SWF).unwrap();
    let hash = crate::util::hex::encode(&hash);
    let url = web.url.split('?').next().unwrap();
    let info = format!(
        "url: {url}\nctim: Tue, 14 Nov 2023 22:13:20 GMT\ndate: Mon, 13 Nov 2023 00:00:00 GMT\nsize: 00000011\nhash: {hash}\n"
    );
    std::fs::write(folder.path().join(".swfinfo"), info).unwrap();
    let look = |age_days, now| lookup(&cache, &web.url, age_days, &patient(), now).unwrap();
    assert_eq!(look(1, NOW + DAY - 1), known(SWF, Origin::Kept));
    assert_eq!(look(1, NOW + DAY), known(SWF, Origin::Confirmed));
    assert_eq!(look(1, NOW + DAY + 1), known(SWF, Origin::Kept));
    assert!(web.requests()[0].to_ascii_lowercase().contains("if-modified-since: mon, 13 nov 2023 00:00:00 gmt\r\n"));
}

#[test]
fn an_old_hash_is_better_than_none() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path());
    let web = Web::answering(vec![answer("200 OK", SWF), answer("503 No", b"")]);
    let look = |age_days| lookup(&cache, &web.url, age_days, &patient(), NOW).unwrap();
    assert_eq!(look(0), known(SWF, Origin::Fresh));
    let Origin::Stale { reason } = look(0).origin else { panic!() };
    assert!(reason.ends_with("answered 503"), "{reason}");
    web.requests();
}

/// What is said of one answer, with nothing kept.
fn complaint(answer: Vec<u8>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::answering(vec![answer]);
    let error = lookup(&cache(folder.path()), &web.url, 0, &patient(), NOW).unwrap_err().to_string();
    assert!(!folder.path().join("swf").exists(), "nothing is kept of a failure");
    web.requests();
    assert!(!error.contains("key=1"), "{error}");
    error
}

#[test]
fn failures_are_named() {
    assert!(complaint(answer("404 Not Found", b"FWS")).contains("/p.swf: the web server answered 404"));
    assert!(complaint(not_modified()).contains("answered 304"));
    assert!(complaint(answer("200 OK", b"<html>")).contains("begins with \"<html>\""));
    assert!(
        complaint(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nFWS\x0b\0\0\0\0".to_vec()).contains("cannot fetch")
    );
    assert!(complaint(b"SSH-2.0-x\r\n".to_vec()).contains("cannot fetch"));
    assert!(complaint(Vec::new()).contains("cannot fetch"));
}

#[test]
fn too_much_is_not_taken() {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nFWS\x0b".to_vec();
    let body = [head, vec![0; MAX_FILE as usize]].concat();
    assert!(complaint(body).contains("more than 64 MiB"));
}

#[test]
fn redirects_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = Web::answering(vec![answer("200 OK", SWF)]);
    let first = Web::answering(vec![answer(&format!("302 Found\r\nLocation: {}", target.url), b"")]);
    let found = lookup(&cache(folder.path()), &first.url, 0, &patient(), NOW).unwrap();
    assert_eq!(found, known(SWF, Origin::Fresh));
    assert_eq!((first.requests().len(), target.requests().len()), (1, 1));
}

#[test]
fn packed_on_the_way_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(SWF).unwrap();
    let web = Web::answering(vec![answer("200 OK\r\nContent-Encoding: gzip", &encoder.finish().unwrap())]);
    assert_eq!(lookup(&cache(folder.path()), &web.url, 0, &patient(), NOW).unwrap(), known(SWF, Origin::Fresh));
    web.requests();
}

#[test]
fn silence_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/p.swf", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let error = lookup(
        &cache(folder.path()),
        &url,
        0,
        &HttpOptions { timeout: Duration::from_millis(50), ..HttpOptions::default() },
        NOW,
    )
    .unwrap_err();
    assert!(matches!(&error, SwfError::Fetch { reason, .. } if reason.contains("timeout")), "{error}");
}

#[test]
fn files_are_read_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.swf");
    let nowhere = Cache { folder: None, swfinfo: None };
    let look = |url: &str| lookup(&nowhere, url, 30, &patient(), NOW);
    std::fs::write(&path, SWF).unwrap();
    let path = path.display();
    assert_eq!(look(&format!("file://{path}")).unwrap(), known(SWF, Origin::Fresh));
    assert_eq!(look(&format!("FILE://localhost{path}")).unwrap(), known(SWF, Origin::Fresh));
    assert_eq!(look(&format!("file:{path}")).unwrap(), known(SWF, Origin::Fresh));
    std::fs::write(folder.path().join("p.swf"), OTHER).unwrap();
    assert_eq!(look(&path.to_string()).unwrap(), known(OTHER, Origin::Fresh));
    let error = look(&format!("{path}.none")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("p.swf.none"), "{error}");
    assert!(look("ftp://example.com/p.swf").unwrap_err().to_string().contains("only http: and https:"));
}
