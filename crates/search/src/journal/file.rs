//! A journal in a file of JSON lines.
//!
//! An event is one line, written with one call. A line counts when its end is there: what a crash leaves of the last
//! line is cut off when the file is opened again, at whatever byte it was torn. A file lock keeps a second process
//! out. Reading takes time proportional to the file, once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::wire;
use super::{Header, Journal, JournalError};
use crate::event::Event;

/// What an appended event outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however sudden: the line is with the operating system.
    Process,
    /// Loss of power: the line is on the disk. Costs one flush of the disk for each event.
    Power,
}

/// Keeps events in a file of JSON lines.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    durability: Durability,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    header: Arc<Header>,
    /// Length of all whole lines, to which the file is cut back when a write fails half-way.
    length: u64,
}

impl FileJournal {
    /// The journal at `path`; the file is touched when a study opens it.
    pub fn new(path: impl Into<PathBuf>, durability: Durability) -> Self {
        Self { path: path.into(), durability, open: None }
    }

    /// Reads the header and the events of a journal that perhaps nobody can open any more, without changing it.
    ///
    /// `None` when not even the header is whole.
    ///
    /// # Errors
    /// [`JournalError`] as [`Journal::open`], except for [`JournalError::Busy`].
    pub fn read(path: &Path) -> Result<Option<(Header, Vec<Event>)>, JournalError> {
        let bytes = std::fs::read(path).map_err(failed("read"))?;
        Ok(parse(&bytes)?.map(|parsed| (parsed.header, parsed.events)))
    }

    fn write(&mut self, line: &str) -> Result<(), JournalError> {
        let durability = self.durability;
        let open = self.open.as_mut().ok_or(JournalError::Closed)?;
        match append(open, line, durability) {
            Ok(()) => Ok(()),
            Err(error) => {
                // A half line must not be continued by the next one; if it cannot be cut off, nothing more is written.
                if open.file.set_len(open.length).is_err() {
                    self.open = None;
                }
                Err(failed("written")(error))
            }
        }
    }
}

impl Journal for FileJournal {
    fn open(&mut self, header: Arc<Header>) -> Result<Vec<Event>, JournalError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)
            .map_err(failed("opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy),
            Err(TryLockError::Error(error)) => return Err(failed("locked")(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let (events, length) = match parse(&bytes)? {
            Some(parsed) => {
                header.expect(&parsed.header)?;
                (parsed.events, parsed.length)
            }
            None => (Vec::new(), 0),
        };
        file.set_len(length).map_err(failed("repaired"))?;
        self.open = Some(OpenFile { file, header: Arc::clone(&header), length });
        if length == 0 {
            self.write(&wire::header_line(&header))?;
        }
        Ok(events)
    }

    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let header = self.open.as_ref().map(|open| Arc::clone(&open.header)).ok_or(JournalError::Closed)?;
        self.write(&wire::event_line(event, &header))
    }
}

struct Parsed {
    header: Header,
    events: Vec<Event>,
    /// Bytes of all whole lines.
    length: u64,
}

/// Reads whole lines. `None` when the header is not whole, so that nothing can have been recorded.
fn parse(bytes: &[u8]) -> Result<Option<Parsed>, JournalError> {
    let length = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut lines =
        bytes[..length].split(|byte| *byte == b'\n').enumerate().map(|(index, line)| (index + 1, line));
    let text = |(line, bytes): (usize, &'_ [u8])| {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| JournalError::Damaged { line, reason: error.to_string() })
    };
    let Some(first) = lines.next().filter(|(_, line)| !line.is_empty()) else {
        return Ok(None);
    };
    let header = wire::read_header(&text(first)?)?;
    let mut events = Vec::new();
    for (line, bytes) in lines {
        // The end of the last line is followed by an empty rest.
        if bytes.is_empty() && line > 1 {
            continue;
        }
        let event = wire::read_event(&text((line, bytes))?, &header)
            .map_err(|reason| JournalError::Damaged { line, reason })?;
        events.push(event);
    }
    Ok(Some(Parsed { header, events, length: length as u64 }))
}

fn append(open: &mut OpenFile, line: &str, durability: Durability) -> io::Result<()> {
    let bytes = format!("{line}\n").into_bytes();
    open.file.seek(SeekFrom::Start(open.length))?;
    open.file.write_all(&bytes)?;
    if durability == Durability::Power {
        open.file.sync_data()?;
    }
    open.length += bytes.len() as u64;
    Ok(())
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::Io { action, source }
}
