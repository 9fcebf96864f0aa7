//! A recording as several files: their names, what becomes of them when they are complete.
//!
//! ```text
//! cam-%Y%m%d-%{n}.flv ─► cam-20250131-1.flv.part ─► cam-20250131-1.flv ─► CMD cam-20250131-1.flv ─► removed, if too old
//! ```
//!
//! A file has its name only once it is complete, and takes nobody else's name.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use jiff::Zoned;
use jiff::fmt::strtime;
use serde_json::json;

use crate::cli::events::{Events, seconds};
use crate::cli::log::Log;
use crate::flv::recorder::{Options, Recorder};
use crate::flv::segmenter::{Rules, Segment, Segmenter};
use crate::flv::writer::Output;

/// Where to cut, and what to do with the files.
#[derive(Debug, Clone)]
pub struct SegmentPlan {
    rules: Rules,
    names: Names,
    on_segment: Option<OsString>,
    keep: Option<usize>,
}

impl SegmentPlan {
    /// `name`: of the files, with strftime's `%` and `%{n}`. `on_segment`: run for each complete file. `keep`: so many of the
    /// newest complete files.
    ///
    /// # Errors
    /// What is wrong with the name, in words.
    pub fn new(rules: Rules, name: &Path, on_segment: Option<OsString>, keep: Option<usize>) -> Result<Self, String> {
        let names = Names::parse(name.to_str().ok_or("-o: a name with %{n} has to be text")?)?;
        Ok(Self { rules, names, on_segment, keep })
    }
}

/// How files are called: text for strftime, and the number's places.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// For strftime.
    Time(String),
    /// The number of the file, in so many digits at least.
    Number(usize),
}

impl Names {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut time = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            time.push_str(before);
            if let Some(field) = after.strip_prefix('{') {
                let (field, after) = field.split_once('}').ok_or_else(|| format!("{text}: %{{ has no }}"))?;
                let digits = match field.split_once(':') {
                    None => Some(1).filter(|_| field == "n"),
                    Some(("n", digits)) => digits.parse().ok().filter(|digits| (1..=MAX_DIGITS).contains(digits)),
                    Some(_) => None,
                };
                let digits = digits.ok_or_else(|| format!("{text}: %{{{field}}} is neither %{{n}} nor %{{n:4}}"))?;
                parts.extend([Part::Time(std::mem::take(&mut time)), Part::Number(digits)]);
                rest = after;
            } else {
                // The conversion's letter comes along, so that a second % is not the first of the next.
                let letter = after.chars().next().map_or(0, char::len_utf8);
                let (letter, after) = after.split_at(letter);
                time.push('%');
                time.push_str(letter);
                rest = after;
            }
        }
        parts.push(Part::Time(time + rest));
        let mut names = Self(parts);
        let now = Zoned::now();
        let first = names.at(&now, 1)?;
        if names.at(&now, 2)? == first && !text.contains('%') {
            let path = Path::new(text);
            let dot = path.extension().map_or(text.len(), |extension| text.len() - extension.len() - 1);
            let (stem, extension) = text.split_at(dot);
            names = Self(vec![Part::Time(format!("{stem}-")), Part::Number(1), Part::Time(extension.to_owned())]);
        }
        if first.file_name().is_none() {
            return Err(format!("{text}: not the name of a file"));
        }
        Ok(names)
    }

    /// The name of a file begun at `now`.
    fn at(&self, now: &Zoned, number: u64) -> Result<PathBuf, String> {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Time(text) => {
                    name.push_str(&strtime::format(text, now).map_err(|error| format!("{text}: {error}"))?);
                }
                Part::Number(digits) => name.push_str(&format!("{number:0digits$}")),
            }
        }
        Ok(PathBuf::from(name))
    }

    fn has_number(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Number(_)))
    }
}

/// The files of a recording, while it runs.
#[derive(Clone)]
pub struct Files(Arc<Mutex<State>>);

struct State {
    plan: SegmentPlan,
    log: Log,
    events: Events,
    clock: fn() -> Zoned,
    /// A file is brought to the disk before it gets its name.
    fsync: bool,
    /// Number for the next file's name.
    number: u64,
    /// The file that is being written, and the name it is to have.
    open: Option<PathBuf>,
    caretaker: Option<Caretaker>,
}

impl Files {
    /// Files by `plan`; none is made yet.
    pub fn new(plan: SegmentPlan, fsync: bool, log: &Log, events: &Events) -> Self {
        let caretaker = (plan.on_segment.is_some() || plan.keep.is_some())
            .then(|| Caretaker::start(plan.on_segment.clone(), plan.keep, log.clone()));
        let (log, events) = (log.clone(), events.clone());
        Self(Arc::new(Mutex::new(State {
            plan,
            log,
            events,
            clock: Zoned::now,
            fsync,
            number: 1,
            open: None,
            caretaker,
        })))
    }

    /// A recorder that writes them.
    pub fn recorder(&self, options: Options) -> Recorder {
        let (opened, ended) = (self.clone(), self.clone());
        let rules = self.lock().plan.rules;
        let segmenter = Segmenter::new(rules, Box::new(move |segment| ended.lock().complete(segment)));
        Recorder::new(options, Box::new(move || opened.lock().open())).in_segments(segmenter)
    }

    /// The recording is over: waits for what is still to be done with its files.
    pub fn finish(&self) {
        let (caretaker, open, log) = {
            let mut state = self.lock();
            (state.caretaker.take(), state.open.take(), state.log.clone())
        };
        if let Some(name) = open {
            log.warning(&format!("{} is not complete, but what is in it can be played", part_of(&name).display()));
        }
        if let Some(caretaker) = caretaker {
            caretaker.finish(&log);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self) -> io::Result<Output> {
        let now = (self.clock)();
        let mut suffix = 1;
        loop {
            let name = self.name(&now, suffix)?;
            let part = part_of(&name);
            if let Some(folder) = part.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
            }
            let taken = fs::symlink_metadata(&name).is_ok();
            match if taken {
                Err(io::ErrorKind::AlreadyExists.into())
            } else {
                File::options().read(true).write(true).create_new(true).open(&part)
            } {
                Ok(file) => {
                    self.number += 1;
                    self.open = Some(name);
                    return Output::from_file(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && suffix < MAX_TRIES => {
                    self.next_name(&mut suffix);
                }
                Err(error) => return Err(at(&part, &error)),
            }
        }
    }

    /// The name to try: where the number cannot tell files apart, a suffix does.
    fn name(&self, now: &Zoned, suffix: u32) -> io::Result<PathBuf> {
        let name = self.plan.names.at(now, self.number).map_err(io::Error::other)?;
        if suffix == 1 || self.plan.names.has_number() {
            return Ok(name);
        }
        let mut file = name.file_stem().unwrap_or_default().to_os_string();
        file.push(format!("-{suffix}"));
        if let Some(extension) = name.extension() {
            file.push(".");
            file.push(extension);
        }
        Ok(name.with_file_name(file))
    }

    fn next_name(&mut self, suffix: &mut u32) {
        *suffix += 1;
        if self.plan.names.has_number() {
            self.number += 1;
        }
    }

    fn complete(&mut self, segment: &Segment) -> io::Result<()> {
        let Some(mut name) = self.open.take() else { return Ok(()) };
        let part = part_of(&name);
        if self.fsync {
            File::open(&part).and_then(|file| file.sync_all()).map_err(|error| at(&part, &error))?;
        }
        let (now, mut suffix) = ((self.clock)(), 1);
        while let Err(error) = publish(&part, &name) {
            if error.kind() != io::ErrorKind::AlreadyExists || suffix >= MAX_TRIES {
                return Err(at(&part, &error));
            }
            // Somebody took the name in the meantime.
            self.next_name(&mut suffix);
            name = self.name(&now, suffix)?;
        }
        let length = segment.duration_ms as f64 / 1000.0;
        self.log.info(&format!("{} is complete: {length:.1} s, {} bytes", name.display(), segment.bytes));
        self.events.emit("segment", || {
            json!({
                "file": name.to_string_lossy(),
                "number": segment.number,
                "at": seconds(segment.at_ms),
                "seconds": seconds(segment.duration_ms),
                "bytes": segment.bytes,
            })
        });
        if let Some(caretaker) = &self.caretaker {
            caretaker.take(name);
        }
        Ok(())
    }
}

/// Sees to complete files on a thread of its own, one after the other: a slow command does not hold up the recording.
struct Caretaker {
    files: mpsc::Sender<PathBuf>,
    thread: JoinHandle<()>,
}

impl Caretaker {
    fn start(command: Option<OsString>, keep: Option<usize>, log: Log) -> Self {
        let (files, queue) = mpsc::channel::<PathBuf>();
        let thread = thread::spawn(move || {
            let mut kept = VecDeque::new();
            for name in queue {
                if let Some(command) = &command {
                    run(command, &name, &log);
                }
                kept.push_back(name);
                // Without --keep nothing has to be remembered.
                while kept.len() > keep.unwrap_or(0) {
                    if let Some(name) = kept.pop_front()
                        && keep.is_some()
                    {
                        remove(&name, &log);
                    }
                }
            }
        });
        Self { files, thread }
    }

    fn take(&self, name: PathBuf) {
        // The thread ends only when nothing more can come.
        let _ = self.files.send(name);
    }

    fn finish(self, log: &Log) {
        drop(self.files);
        if !self.thread.is_finished() {
            log.debug("Waiting for what is to be done with the last files");
        }
        let _ = self.thread.join();
    }
}

/// Runs a command with a file's name and waits for it.
fn run(command: &OsString, name: &Path, log: &Log) {
    // Not an option.
    let argument =
        if name.as_os_str().as_encoded_bytes().starts_with(b"-") { Path::new(".").join(name) } else { name.into() };
    let mut child = Command::new(command);
    child.arg(argument).stdin(Stdio::null()).stdout(io::stderr());
    // Ctrl-C is for the recording; what is done with a complete file goes on to its end.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut child, 0);
    let failed = match child.status() {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    log.warning(&format!("--on-segment {} {}: {failed}", Path::new(command).display(), name.display()));
}

fn remove(name: &Path, log: &Log) {
    match fs::remove_file(name) {
        // The command may have moved it.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log.warning(&format!("cannot remove {}: {error}", name.display()));
        }
        _ => {}
    }
}

/// Gives a file its name, if nobody has it.
fn publish(part: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(part, name) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) if fs::symlink_metadata(name).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(part, name),
    }
}

fn part_of(name: &Path) -> PathBuf {
    let mut part = name.as_os_str().to_os_string();
    part.push(".part");
    PathBuf::from(part)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Digits that a number in a name is filled up to at the most.
const MAX_DIGITS: usize = 20;

/// Names that are tried before it is given up.
const MAX_TRIES: u32 = 100_000;

#[cfg(test)]
mod tests;
