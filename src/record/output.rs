//! Where media goes: tracks are picked, what a file has already is left out, the rest is recorded; and when it is handed to
//! the system and to the disk.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::connect::Connector;
use crate::flv::recorder::{self, PushResult, Recorder};
use crate::flv::sink::{self, StopCheck};
use crate::flv::timeline::Join;
use crate::proto::media::Class;
use crate::proto::message::Message;

use super::end::EndReason;
use super::error::Error;
use super::listener::{Event, Listener};
use super::novelty::Novelty;
use super::options::{Options, Sink};
use super::received::Received;
use super::reconnect::{BufferedMessage, Reconnect, Takeover};
use super::resume::{self, Resume};
use super::segments::Files;
use super::tracks::TrackFilter;

/// The output of a recording, over all its connections.
pub(super) struct Output {
    pub recorder: Recorder,
    sink: Sink,
    filter: Option<TrackFilter>,
    pub resume: Option<Resume>,
    files: Option<Files>,
    pub received: Received,
    pub novelty: Novelty,
    /// When it was last brought to the disk, and how often that is, in milliseconds of the recording's clock.
    synced_ms: u64,
    sync_every_ms: Option<u64>,
}

impl Output {
    /// Looks at the file that is to be resumed. Nothing is opened or changed. Waits for a slow output end some time after
    /// `stop` says so.
    ///
    /// # Errors
    /// The file cannot be resumed.
    pub(super) fn new(
        sink: Sink,
        options: &Options,
        listener: &mut dyn Listener,
        stop: StopCheck,
    ) -> Result<Self, Error> {
        let recorder_options = recorder::Options {
            live: options.live,
            absolute: options.absolute_timestamps,
            start_ms: (!options.live && options.start_ms > 0).then_some(options.start_ms),
            stop_ms: options.length_ms(),
            pipe: matches!(sink, Sink::Stdout),
            index: options.index,
            queue_bytes: QUEUE_BYTES,
            keep_fingerprints: !options.live && options.retry.retries(),
        };
        let (prepared, mut files) = (resume::prepare(&sink, options)?, None);
        let received = prepared
            .as_ref()
            .map_or_else(Received::default, |(_, existing)| Received::of_file(existing.first_ms, existing.latest_ms));
        listener.event(Event::Begins(prepared.as_ref().map(|(_, existing)| existing)));
        let (mut recorder, resume) = match (prepared, &sink) {
            (Some((resume, existing)), _) => {
                (Recorder::continuing(recorder_options, resume.opener(), existing), Some(resume))
            }
            (None, Sink::Segments(segments)) => {
                let files = files.insert(Files::new(segments.clone(), options.fsync.is_some()));
                (files.recorder(recorder_options), None)
            }
            (None, Sink::File(_) | Sink::Stdout) => {
                let (path, stop) = (sink.path().map(Path::to_owned), stop.clone());
                (Recorder::new(recorder_options, Box::new(move || open(path.as_deref(), &stop))), None)
            }
        };
        recorder.stop_when(stop);
        Ok(Self {
            recorder,
            sink,
            filter: TrackFilter::new(options.tracks),
            received,
            novelty: Novelty::default(),
            resume,
            files,
            synced_ms: 0,
            sync_every_ms: options.fsync.map(|every| every.as_millis() as u64),
        })
    }

    /// Takes a message of the present connection.
    ///
    /// # Errors
    /// The output failed, or the stream does not fit the file.
    #[inline]
    pub(super) fn take(
        &mut self,
        message: Message<'_>,
        class: Class,
        reconnect: &mut Reconnect,
        now_ms: u64,
    ) -> Result<Taken, EndReason> {
        let Self { recorder, filter, resume, received, novelty, .. } = self;
        let mut message = match filter {
            None => message,
            Some(filter) => match filter.pass(message) {
                Some(message) => message,
                None => return Ok(Taken::Going),
            },
        };
        if reconnect.is_pending() {
            if reconnect.is_due(&message, recorder) {
                return Ok(Taken::ReplacementDue);
            }
            reconnect.note(&message, recorder);
        }
        if let Some(resume) = resume {
            let Some(time_ms) = resume.place(recorder, &message)? else { return Ok(Taken::Going) };
            message.header.timestamp = time_ms;
        }
        if let Some(track) = class.frame_track() {
            received.note(track, message.header.timestamp);
            novelty.note(&message);
        }
        let progress = recorder.push(&message, now_ms).map_err(EndReason::Output)?;
        Ok(if progress == PushResult::StopReached { Taken::StopReached } else { Taken::Going })
    }

    /// What the replacement connection takes over with is recorded.
    ///
    /// # Errors
    /// As [`Output::take`]; [`EndReason::LimitReached`].
    pub(super) fn take_over(&mut self, takeover: &Takeover, now_ms: u64) -> Result<(), EndReason> {
        let join = if takeover.same_clock { Join::SameClock } else { Join::Append };
        self.recorder.new_connection(join, now_ms).map_err(EndReason::Output)?;
        self.push_held(&takeover.held, now_ms)
    }

    /// Records messages that were held.
    ///
    /// # Errors
    /// The output's; [`EndReason::LimitReached`].
    pub(super) fn push_held(&mut self, held: &[BufferedMessage], now_ms: u64) -> Result<(), EndReason> {
        for held in held {
            if self.recorder.push(&held.message(), now_ms).map_err(EndReason::Output)? == PushResult::StopReached {
                return Err(EndReason::LimitReached);
            }
        }
        Ok(())
    }

    /// Before each connection: what is there already is not to be written again, if the server can go back to where it was.
    ///
    /// # Errors
    /// The output's.
    pub(super) fn begin_connection(
        &mut self,
        connector: &mut Connector,
        options: &Options,
        is_on_demand: bool,
    ) -> Result<(), EndReason> {
        self.novelty.begin_connection();
        // A search that is under way need not begin again.
        let is_searching = self.resume.as_ref().is_some_and(|resume| !resume.has_found());
        if self.recorder.is_open() && !is_searching && (self.resume.is_some() || is_on_demand) {
            self.recorder.drain_writer().map_err(EndReason::Output)?;
            let resume = Resume::after_connection(&self.sink, options, &self.recorder).map_err(EndReason::Output)?;
            if let Some(resume) = resume {
                self.resume = Some(resume);
                self.recorder.use_file_timeline();
            }
        }
        if let (Some(resume), Some(play)) = (&mut self.resume, connector.play_mut()) {
            resume.begin(play);
            self.received.follow_file(resume.first_ms());
        }
        Ok(())
    }

    /// What is due when everything that was received has been dealt with.
    ///
    /// # Errors
    /// The output's.
    pub(super) fn tick(&mut self, now_ms: u64) -> Result<(), EndReason> {
        self.recorder.tick(now_ms).map_err(EndReason::Output)?;
        if self.sync_every_ms.is_some_and(|every| now_ms >= self.synced_ms.saturating_add(every)) {
            self.synced_ms = now_ms;
            self.recorder.sync().map_err(EndReason::Output)?;
        }
        Ok(())
    }

    /// Tells what happened to files and tracks since the last call.
    pub(super) fn report(&mut self, listener: &mut dyn Listener) {
        if let Some(filter) = &mut self.filter {
            filter.take_unreported().iter().for_each(|form| listener.event(Event::NoLegacyForm(form)));
        }
        if let Some(files) = &self.files {
            files.take_events().iter().for_each(|event| listener.event(Event::Segment(event)));
        }
    }

    /// Writes what is left, and waits for what is still to be done with the files.
    ///
    /// # Errors
    /// The output's.
    pub(super) fn finish(&mut self, listener: &mut dyn Listener) -> io::Result<()> {
        let finished = self.recorder.finish().map(drop);
        self.report(listener);
        if let Some(files) = self.files.take() {
            files.finish(&mut |event| listener.event(Event::Segment(event)));
        }
        finished
    }
}

/// What a message led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// More is wanted.
    Going,
    /// The length that was asked for is there.
    StopReached,
    /// It is the first one that the replacement connection is to bring.
    ReplacementDue,
}

impl Sink {
    /// Whether opening it may well succeed. It is opened later, when there is something to write: that is too late to say
    /// that there is no such folder.
    pub(super) fn can_be_opened(&self) -> bool {
        let Some(path) = self.path() else { return true };
        match std::fs::metadata(path) {
            // Not cut, not read. A named pipe would wait for its reader.
            Ok(metadata) if metadata.is_file() => File::options().append(true).open(path).is_ok(),
            Ok(metadata) => !metadata.is_dir(),
            Err(_) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                path.file_name().is_some() && folder.is_none_or(Path::is_dir)
            }
        }
    }

    /// Whether writing to it can wait for a reader.
    pub fn may_block(&self) -> bool {
        match self {
            Sink::File(path) => std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()),
            Sink::Stdout => true,
            Sink::Segments(_) => false,
        }
    }
}

/// Opens the output. Called when there is something to write, not before.
fn open(path: Option<&Path>, stop: &StopCheck) -> io::Result<sink::Output> {
    let Some(path) = path else { return sink::stdout() };
    sink::create(path, stop).map_err(|error| match sink::is_stopped(&error) {
        true => error,
        false => io::Error::new(error.kind(), format!("{}: {error}", path.display())),
    })
}

/// What may wait for a slow disk or reader: half a minute of 4 Mbit/s.
const QUEUE_BYTES: usize = 16 << 20;
