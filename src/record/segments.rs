//! A recording as several files: their names, and what becomes of them when they are complete.
//!
//! ```text
//! cam-%Y%m%d-%{n}.flv ─► cam-20250131-1.flv.part ─► cam-20250131-1.flv ─► CMD cam-20250131-1.flv ─► removed, if too old
//! ```
//!
//! A file has its name only once it is complete, and never takes the place of another.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use jiff::Zoned;

use crate::flv::recorder::{Options, Recorder};
use crate::flv::repair::repair;
use crate::flv::segmenter::{Rules, Segment, Segmenter};
use crate::flv::sink::{self, Output};

use super::file_names::{FileNames, Found, part_of};

/// Where to cut, and what to do with the files.
#[derive(Debug, Clone)]
pub struct SegmentOptions {
    /// Where to cut.
    pub rules: Rules,
    /// How the files are called.
    pub names: FileNames,
    /// A program to run with the name of each complete file, one after the other.
    pub on_segment: Option<OsString>,
    /// How many complete files are kept; older ones are deleted, after the program has run.
    pub keep: Option<usize>,
}

/// Something about the files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentEvent {
    /// A file is complete and has its name.
    Complete {
        /// Its name.
        file: PathBuf,
        /// What is in it.
        segment: Segment,
    },
    /// A file that an earlier run left incomplete is complete now, and has its name.
    Recovered(PathBuf),
    /// A file stays incomplete, under this name; what is in it can be played.
    Incomplete(PathBuf),
    /// The program for complete files failed.
    CommandFailed {
        /// The program.
        command: OsString,
        /// The file.
        file: PathBuf,
        /// How.
        reason: String,
    },
    /// A file that is too old cannot be deleted.
    RemoveFailed {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The recording is over; the program is still at work.
    WaitingForCommands,
}

/// The files of a recording, while it runs.
#[derive(Clone)]
pub(super) struct Files(Arc<Mutex<State>>);

/// What happened and was not reported yet.
type Events = Arc<Mutex<Vec<SegmentEvent>>>;

struct State {
    options: SegmentOptions,
    events: Events,
    clock: fn() -> Zoned,
    /// A file is brought to the disk before it gets its name.
    fsync: bool,
    /// Number for the next file's name.
    number: u64,
    /// The file that is being written, and the name it is to have.
    open: Option<PathBuf>,
    post_processor: Option<PostProcessor>,
}

impl Files {
    /// Files by `options`; none is made yet.
    pub(super) fn new(options: SegmentOptions, fsync: bool) -> Self {
        let events = Events::default();
        let mut found = options.names.find();
        if options.keep.is_none() {
            found.complete.clear();
        }
        let has_work = options.on_segment.is_some() || options.keep.is_some() || !found.parts.is_empty();
        let post_processor =
            has_work.then(|| PostProcessor::start(options.on_segment.clone(), options.keep, found, events.clone()));
        Self(Arc::new(Mutex::new(State {
            options,
            events,
            clock: Zoned::now,
            fsync,
            number: 1,
            open: None,
            post_processor,
        })))
    }

    /// A recorder that writes them.
    pub(super) fn recorder(&self, options: Options) -> Recorder {
        let (opened, ended) = (self.clone(), self.clone());
        let rules = self.lock().options.rules;
        let segmenter = Segmenter::new(rules, Box::new(move |segment| ended.lock().complete(segment)));
        Recorder::new(options, Box::new(move || opened.lock().open())).in_segments(segmenter)
    }

    /// What happened since the last call.
    pub(super) fn take_events(&self) -> Vec<SegmentEvent> {
        let events = self.lock().events.clone();
        std::mem::take(&mut *lock(&events))
    }

    /// The recording is over: waits for what is still to be done with its files.
    pub(super) fn finish(&self, tell: &mut dyn FnMut(&SegmentEvent)) {
        let (post_processor, open) = {
            let mut state = self.lock();
            (state.post_processor.take(), state.open.take())
        };
        if let Some(name) = open {
            tell(&SegmentEvent::Incomplete(part_of(&name)));
        }
        if let Some(post_processor) = post_processor {
            drop(post_processor.files);
            if !post_processor.thread.is_finished() {
                tell(&SegmentEvent::WaitingForCommands);
            }
            let _ = post_processor.thread.join();
        }
        self.take_events().iter().for_each(tell);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
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
        let name = self.options.names.at(now, self.number).map_err(io::Error::other)?;
        if suffix == 1 || self.options.names.has_number() {
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
        if self.options.names.has_number() {
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
            // Another program took the name in the meantime.
            self.next_name(&mut suffix);
            name = self.name(&now, suffix)?;
        }
        lock(&self.events).push(SegmentEvent::Complete { file: name.clone(), segment: *segment });
        if let Some(post_processor) = &self.post_processor {
            post_processor.take(name);
        }
        Ok(())
    }
}

/// Sees to complete files on a thread of its own, one after the other: a slow program does not hold up the recording.
struct PostProcessor {
    files: mpsc::Sender<PathBuf>,
    thread: JoinHandle<()>,
}

impl PostProcessor {
    /// `found`: what earlier runs have left. Their complete files count as well; what was killed is completed first.
    fn start(command: Option<OsString>, keep: Option<usize>, found: Found, events: Events) -> Self {
        let (files, queue) = mpsc::channel::<PathBuf>();
        let thread = thread::spawn(move || {
            let mut kept = VecDeque::from(found.complete);
            let recovered = found.parts.iter().filter_map(|part| recover(part, &events));
            for name in recovered.chain(queue) {
                if let Some(command) = &command {
                    run(command, &name, &events);
                }
                kept.push_back(name);
                // Where all are kept, none has to be remembered.
                while kept.len() > keep.unwrap_or(0) {
                    if let Some(name) = kept.pop_front()
                        && keep.is_some()
                    {
                        remove(&name, &events);
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
}

/// Completes a file of a run that was killed, and returns its name. One that another recording is writing to, or that has no
/// media, is left alone.
fn recover(part: &Path, events: &Events) -> Option<PathBuf> {
    let file = File::options().write(true).open(part).ok()?;
    sink::lock(&file).ok()?;
    repair(part, None).ok()?;
    let name = part.with_extension("");
    match publish(part, &name) {
        Ok(()) => {
            lock(events).push(SegmentEvent::Recovered(name.clone()));
            Some(name)
        }
        Err(_) => {
            lock(events).push(SegmentEvent::Incomplete(part.to_owned()));
            None
        }
    }
}

/// Runs a program with a file's name and waits for it.
fn run(command: &OsString, name: &Path, events: &Events) {
    // Not an option.
    let argument =
        if name.as_os_str().as_encoded_bytes().starts_with(b"-") { Path::new(".").join(name) } else { name.into() };
    let mut child = Command::new(command);
    child.arg(argument).stdin(Stdio::null()).stdout(io::stderr());
    // Ctrl-C is for the recording; the program finishes its file.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut child, 0);
    let reason = match child.status() {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    lock(events).push(SegmentEvent::CommandFailed { command: command.clone(), file: name.to_owned(), reason });
}

fn remove(name: &Path, events: &Events) {
    match fs::remove_file(name) {
        // The program may have moved it.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            lock(events).push(SegmentEvent::RemoveFailed { file: name.to_owned(), reason: error.to_string() });
        }
        _ => {}
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a file its name, if that is free.
fn publish(part: &Path, name: &Path) -> io::Result<()> {
    match fs::hard_link(part, name) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) if fs::symlink_metadata(name).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(part, name),
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Names that are tried before it is given up.
const MAX_TRIES: u32 = 100_000;

#[cfg(test)]
mod tests;
