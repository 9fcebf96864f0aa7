//! `--events`: what happens, in lines of JSON.

use super::*;
use crate::docs::man::expect_fields;

/// The lines of a file of events, each of them as documented.
#[track_caller]
fn events(text: &str) -> Vec<serde_json::Value> {
    let event = |line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        expect_fields(&["rtmpcat-events.7"], &event, &["properties"]);
        expect_fields(&["rtmpcat-events.7"], &serde_json::json!({ event["event"].as_str().unwrap(): null }), &[]);
        event
    };
    text.lines().map(event).collect()
}

fn names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect()
}

#[test]
fn events_tell_the_whole_story() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        if peer.number == 0 {
            return Ok(());
        }
        // Silence for a while, though the connection stands.
        std::thread::sleep(Duration::from_millis(3500));
        peer.media(&frames(20, 800))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let (log, url) = (scratch.path("events"), server.url("stream?token=hushhush"));
    scratch.record(&url, &with(&["--retry", "1", "--events", log.to_str().unwrap()])).expect_code(0);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("hushhush"), "{text}");
    let events = events(&text);
    let story = [
        "connecting",
        "connected",
        "first-media",
        "keyframes",
        "metadata",
        "retry",
        "connecting",
        "connected",
        "first-media",
        "gap",
        "keyframes",
        "stall",
        "resumed",
        "keyframes",
        "end",
    ];
    let mut told = names(&events);
    told.dedup();
    let keyframes = |names: &[&str]| names.iter().filter(|name| **name != "keyframes").count();
    assert_eq!(keyframes(&told), keyframes(&story), "{text}");
    for name in story {
        assert!(told.contains(&name), "{name} in {told:?}");
    }
    let of = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    assert_eq!(of("metadata")["properties"]["width"], 320);
    assert_eq!(of("gap")["at"], 0.807);
    assert!(of("gap")["reason"].as_str().unwrap().contains("closed the connection"));
    let end = of("end");
    assert_eq!((&end["code"], &end["result"], &end["cause"]), (&0.into(), &"complete".into(), &"notice".into()));
    assert_eq!((&end["video"], &end["audio"], &end["gaps"]), (&61.into(), &61.into(), &1.into()));
    assert_eq!(end["bytes"], std::fs::metadata(scratch.file()).unwrap().len());
    assert!(events.windows(2).all(|pair| pair[0]["elapsed"].as_f64() <= pair[1]["elapsed"].as_f64()));
}

#[test]
fn events_go_to_standard_output_or_a_descriptor() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let finished = scratch.record(&server.url("stream"), &["-v", "--events", "-"]);
    assert_eq!(names(&events(&finished.expect_code(0).out())).last(), Some(&"end"));
    let line = format!("{} 5>&1 >/dev/null", shell_line(&scratch, &server.url("stream"), &["-v", "--events", "5"]));
    let finished = run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE);
    assert_eq!(names(&events(&finished.expect_code(0).out())).last(), Some(&"end"));
    let finished = run(&mut rtmpcat_with(["-r", &server.url("stream"), "--events", "-"]), PATIENCE);
    assert!(finished.expect_code(1).stdout.is_empty());
}
