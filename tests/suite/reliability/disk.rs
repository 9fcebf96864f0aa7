//! A disk that is full, broken, read-only, slow or gone: what was written stays whole, and is told of truly.

use super::*;

/// A live stream that goes on until the client has had enough.
fn endless() -> ScriptServer {
    ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(50, 0))?;
        for round in 1.. {
            if peer.media(&frames(50, round * 2000)).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// It holds the beginning of [`endless`], whole tags, and its index is true.
#[track_caller]
fn expect_beginning_of_endless(file: &Path) {
    let flv = Flv::read(file);
    let mut expected = stream(50, 0);
    for round in 1.. {
        if expected.len() > flv.tags.len() {
            break;
        }
        expected.extend(frames(50, round * 2000));
    }
    let media: Vec<Tag> = expected.into_iter().filter(|tag| tag.kind != SCRIPT).collect();
    let got = flv.expect_true_flags().media();
    assert!(got.len() > 50, "{} tags", got.len());
    expect_equal(&media[..got.len()], &got);
    expect_final_index(file);
}

#[test]
fn a_file_that_may_not_grow_stays_whole() {
    let server = endless();
    let scratch = Scratch::new();
    // In blocks of 1024 bytes.
    let line = format!("ulimit -f 300; exec {}", shell_line(&scratch, &server.url("stream"), &["-v"]));
    let finished = run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE);
    finished.expect_code(1).expect_stderr("File too large").expect_stderr("s are saved, in");
    expect_beginning_of_endless(&scratch.file());
}

/// The same program with system calls that fail: `which` of them on the output, from the `nth` one on.
fn failing(scratch: &Scratch, url: &str, args: &[&str], which: &str, nth: u32) -> Finished {
    let line = shell_line(scratch, url, args);
    let file = scratch.file();
    let inject = format!("-e trace={which} -P {} -e inject={which}:error=EIO:when={nth}+", file.display());
    let line = format!("exec strace -f -o {}.calls {inject} {line}", file.display());
    run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE)
}

#[test]
fn a_disk_that_fails_leaves_what_was_written_before() {
    if !have(&["strace"]) {
        return;
    }
    const WRITES: &str = "write,writev";
    // The fifth write is the first of media.
    for (args, nth) in [(&["-v"][..], 6), (&["-v"], 9), (&["-v", "--retry", "inf"], 7)] {
        let server = endless();
        let scratch = Scratch::new();
        let finished = failing(&scratch, &server.url("stream"), args, WRITES, nth);
        finished.expect_code(1).expect_stderr("Input/output error").expect_stderr("s are saved, in");
        expect_beginning_of_endless(&scratch.file());
        let last = scratch.flv().media().iter().map(|tag| tag.time).max().unwrap();
        let size = std::fs::metadata(scratch.file()).unwrap().len();
        finished.expect_stderr(&format!("{:.1} s are saved, in {size} bytes", f64::from(last) / 1000.0));
        assert_eq!(server.connections(), 1, "nothing is gained by another connection");
    }
    // At the very beginning there is nothing to be saved, and no reason to try again.
    let (server, scratch) = (endless(), Scratch::new());
    failing(&scratch, &server.url("stream"), &["-v"], WRITES, 1).expect_code(1).expect_stderr("Input/output error");
    let calls = std::fs::read_to_string(scratch.path("out.flv.calls")).unwrap();
    assert_eq!(calls.matches("INJECTED").count(), 1, "{calls}");
    // What cannot be patched or brought to the disk is not as it is said to be.
    for (args, which) in [(&["-v"][..], "pwrite64"), (&["-v", "--fsync", "0.05"], "fdatasync")] {
        let (server, scratch) = (endless(), Scratch::new());
        let finished = failing(&scratch, &server.url("stream"), args, which, 1);
        finished.expect_code(1).expect_stderr("Input/output error").expect_stderr("saved");
        Flv::read(scratch.file());
    }
}

#[test]
fn an_output_that_takes_nothing_is_a_clear_failure() {
    // Nothing is mapped at the beginning of a process's memory.
    let path = Path::new("/proc/self/mem");
    if !path.exists() {
        return;
    }
    let server = endless();
    let finished = run(rtmpcat_with(["-v", "-r", &server.url("stream"), "-o"]).arg(path), PATIENCE);
    finished.expect_code(1).expect_stderr("the output failed: Input/output error");
}

/// Runs a line for a shell as if it were root, with mounts of its own; `None` where that is not allowed.
fn with_mounts(line: &str) -> Option<Finished> {
    let unshare = |line: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-r", "-m", "bash", "-c", line]);
        run(&mut command, PATIENCE)
    };
    if !have(&["unshare"]) || unshare("mount -t tmpfs none /mnt").code != Some(0) {
        return None;
    }
    Some(unshare(line))
}

#[test]
fn a_full_disk_leaves_a_whole_file() {
    let server = endless();
    let scratch = Scratch::new();
    let folder = scratch.folder().display();
    let Some(finished) = with_mounts(&format!(
        "mkdir {folder}/small; mount -t tmpfs -o size=500k none {folder}/small; cd {folder}/small; {} -o small.flv; \
         code=$?; cp small.flv {folder}/out.flv; exit $code",
        shell_line(&scratch, &server.url("stream"), &["-v"])
    )) else {
        return;
    };
    finished.expect_code(1).expect_stderr("No space left on device");
    expect_beginning_of_endless(&scratch.file());
}

#[test]
fn a_disk_that_cannot_be_written_is_a_clear_failure() {
    let server = endless();
    let scratch = Scratch::new();
    let folder = scratch.folder().display();
    let line = shell_line(&scratch, &server.url("stream"), &["-v"]);
    let Some(finished) = with_mounts(&format!("mount -t tmpfs -o ro none {folder}; {line}")) else { return };
    finished.expect_code(1).expect_stderr("Read-only file system").expect_stderr("out.flv");
}

#[test]
fn a_file_that_vanishes_is_a_failure_and_not_a_silent_loss() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(50, 0))?;
        for round in 1.. {
            std::thread::sleep(Duration::from_millis(100));
            if peer.media(&frames(2, 2000 + round * 80)).is_err() {
                break;
            }
        }
        Ok(())
    });
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("out.flv");
    let running = scratch.start(&server.url("stream"), &["-v", "-o", file.to_str().unwrap()]);
    wait_until("some media", || Flv::media_so_far(&file).len() > 100);
    std::fs::remove_dir_all(&folder).unwrap();
    let finished = running.finish(PATIENCE);
    finished.expect_code(1).expect_stderr("the file was deleted while it was being written");
    assert!(!finished.stderr.contains("saved"), "{}", finished.stderr);
}

#[test]
fn a_folder_that_vanishes_before_the_first_media_is_a_failure() {
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let doomed = folder.clone();
    let server = ScriptServer::start(move |peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        std::fs::remove_dir(&doomed)?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.media(&stream(50, 0))?;
        peer.wait_closed()
    });
    let file = folder.join("out.flv");
    let finished = scratch.record(&server.url("stream"), &["-v", "--retry", "inf", "-o", file.to_str().unwrap()]);
    finished.expect_code(1).expect_stderr("folder/out.flv").expect_stderr("No such file");
}

#[test]
fn a_slow_reader_does_not_keep_the_server_waiting_for_answers() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        // Far more than a pipe holds.
        peer.media(&stream(1500, 0))?;
        peer.wait_received()?;
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let running = scratch.start(&server.url("stream"), &["-v", "-o", pipe.to_str().unwrap()]);
    let reader = std::fs::File::open(&pipe).unwrap();
    wait_until("the answer to a ping", || {
        server.connections() == 1 && server.heard(0).user_control().iter().any(|(kind, _)| *kind == 7)
    });
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut { reader }, &mut bytes).unwrap();
    running.finish(PATIENCE).expect_code(0);
    expect_equal(&stream(1500, 0), &Flv::parse(&bytes).unwrap().tags);
}

#[test]
fn the_file_is_brought_to_the_disk_as_often_as_was_wished() {
    if !have(&["strace"]) {
        return;
    }
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&stream(20, 0))?;
        std::thread::sleep(Duration::from_millis(1500));
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    });
    let scratch = Scratch::new();
    let log = scratch.path("calls");
    let line = shell_line(&scratch, &server.url("stream"), &["-v", "--fsync", "0.4"]);
    let line = format!("exec strace -f -e trace=fdatasync,fsync -o {} {line}", log.display());
    run(std::process::Command::new("bash").args(["-c", &line]), PATIENCE).expect_code(0);
    let calls = std::fs::read_to_string(&log).unwrap();
    let count = calls.matches("sync(").count();
    assert!((2..=6).contains(&count), "{calls}");
}
